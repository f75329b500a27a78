"""What the processes of a server take, by the kernel's own count."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from modelport.control.processes import Processes

BUSY = "while True: pass"


@pytest.fixture
def child() -> Iterator[Callable[..., int]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str, *words: str) -> int:
        started.append(subprocess.Popen([sys.executable, "-c", program, *words]))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_each_process_is_told_as_what_it_is(child: Callable[..., int]) -> None:
    sleeping = "import time; time.sleep(60)"
    worker, other = child(sleeping), child(sleeping, "modelport.app.worker")
    engine, stranger = child(sleeping, "modelport.app.engine"), child(sleeping)
    time.sleep(0.3)
    found = Processes(os.getpid()).look({worker: 3})
    kinds = [(process.kind, process.index, process.pid) for process in found]
    assert kinds == [
        ("supervisor", None, os.getpid()),
        ("worker", None, other),
        ("worker", 3, worker),
        ("engine", None, engine),
    ]
    assert stranger not in {process.pid for process in found}
    assert all(process.memory_bytes > 2**18 for process in found)


def test_cpu_is_what_was_used_since_the_look_before(child: Callable[..., int]) -> None:
    busy = child(BUSY)
    processes = Processes(os.getpid())
    processes.look({busy: 0})
    used = []
    for _ in range(2):
        time.sleep(0.5)
        used.append(next(p.cpu for p in processes.look({busy: 0}) if p.pid == busy))
    assert all(0.15 < cpu < 1.2 for cpu in used)


def test_one_that_is_gone_is_told_no_longer(child: Callable[..., int]) -> None:
    processes = Processes(os.getpid())
    assert len(processes.look({4_000_000_000: 0})) == 1


def test_memory_is_counted_seldom(child: Callable[..., int]) -> None:
    now = [100.0]
    pid = child("import sys; sys.stdin.read()")
    processes = Processes(os.getpid(), lambda: now[0])
    before = processes.look({})[0].memory_bytes
    held = bytearray(os.urandom(64 * 2**20))
    now[0] += 4
    assert processes.look({})[0].memory_bytes == before
    now[0] += 2
    assert processes.look({})[0].memory_bytes > before + 32 * 2**20
    assert len(held) > 0
    assert pid
