"""What the kernel tells of processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelport.kit.processes import Stat, children_of, command_of, stat_of


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_the_state_of_a_process_is_read_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    numbers = " ".join(str(n) for n in range(4, 52))
    (tmp_path / "7" / "stat").write_text(f"7 (a ) R b) S {numbers}\n")
    assert stat_of(7, tmp_path) == Stat("S", 14 + 15, 22)
    assert stat_of(8, tmp_path) is None


def test_a_stopped_process_is_seen_as_such(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    seen = stat_of(process.pid)
    assert seen is not None
    assert seen.state == "T"


def test_a_process_tells_its_time(process: subprocess.Popen[bytes]) -> None:
    used = time.process_time()
    own, other = stat_of(os.getpid()), stat_of(process.pid)
    assert own is not None
    assert other is not None
    assert own.cpu_s == pytest.approx(used, abs=0.5)
    assert 0 <= other.uptime_s < 10
    assert own.uptime_s > other.uptime_s


def test_children_are_found_with_their_commands(process: subprocess.Popen[bytes]) -> None:
    assert process.pid in children_of(os.getpid())
    for _ in range(100):  # at first it is a copy of this process, which has not begun the program
        if command_of(process.pid)[1:] == ["-c", "import time; time.sleep(60)"]:
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"its command is {command_of(process.pid)}")
    assert children_of(process.pid) == []
    assert command_of(4_000_000_000) == children_of(4_000_000_000) == []
