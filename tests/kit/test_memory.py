"""What a process takes, what is left, and what is given back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from modelport.kit.memory import (
    available_bytes,
    collect,
    limit_bytes,
    mib,
    one_heap,
    proportional_bytes,
    resident_bytes,
    trim,
)

MIB = 1024**2
Machine = Callable[..., tuple[Path, Path]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """The folders of control groups and of processes, with these files."""

    def make(groups: Mapping[str, str], member: str, free_kib: int | None) -> tuple[Path, Path]:
        cgroup, proc = tmp_path / "cgroup", tmp_path / "proc"
        for name, text in groups.items():
            (cgroup / name).parent.mkdir(parents=True, exist_ok=True)
            (cgroup / name).write_text(text)
        (proc / "self").mkdir(parents=True)
        (proc / "self" / "cgroup").write_text(member)
        if free_kib is not None:
            (proc / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {free_kib} kB\n")
        return cgroup, proc

    return make


def test_the_resident_set_follows_what_is_written() -> None:
    """In a process of its own: what other tests left behind comes and goes."""
    script = f"""
import mmap, os
from modelport.kit.memory import resident_bytes
before = resident_bytes()
held = mmap.mmap(-1, {32 * MIB})
held.write(bytes({32 * MIB}))
print(resident_bytes(os.getpid()) - before)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert 30 * MIB < int(told.stdout) < 70 * MIB


def test_of_a_process_that_is_gone_nothing_is_known(tmp_path: Path) -> None:
    assert resident_bytes(4_000_000_000) is None
    assert resident_bytes(proc=tmp_path) is None


def test_what_is_shared_counts_in_part() -> None:
    own = proportional_bytes(os.getpid())
    assert own is not None
    assert 0 < own <= (resident_bytes() or 0) + MIB
    assert proportional_bytes(4_000_000_000) is None


def test_the_limit_is_that_of_the_tightest_group_or_of_the_machine(
    machine: Machine, tmp_path: Path
) -> None:
    groups = {"memory.max": "max\n", "a/memory.max": "4096\n", "a/memory.current": "1\n"}
    cgroup, proc = machine(groups, "0::/a\n", 5)
    assert limit_bytes(cgroup, proc) == 4096
    assert limit_bytes(tmp_path / "none", proc) == 9 * 1024
    assert limit_bytes(tmp_path / "none", tmp_path / "none") is None


def test_the_machine_says_what_is_left_where_no_group_bounds_it(machine: Machine) -> None:
    groups = {"memory.max": "max\n"}
    assert available_bytes(*machine(groups, "0::/\n", 2048)) == 2 * MIB


def test_the_tightest_group_counts_and_its_page_cache_is_free(machine: Machine) -> None:
    groups = {
        "a/memory.max": f"{10 * MIB}\n",
        "a/memory.current": f"{8 * MIB}\n",
        "a/memory.stat": f"anon 1\ninactive_file {3 * MIB}\n",
        "a/b/memory.max": f"{100 * MIB}\n",
        "a/b/memory.current": f"{8 * MIB}\n",
    }
    assert available_bytes(*machine(groups, "0::/a/b\n", 1024 * 1024)) == 5 * MIB


def test_groups_of_version_1_are_read(machine: Machine) -> None:
    groups = {
        "memory/x/memory.limit_in_bytes": f"{10 * MIB}\n",
        "memory/x/memory.usage_in_bytes": f"{12 * MIB}\n",
        "memory/x/memory.stat": f"total_inactive_file {MIB}\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert available_bytes(*machine(groups, "5:cpu:/y\n4:memory:/x\n", 1024 * 1024)) == 0


def test_where_nothing_is_told_nothing_is_known(machine: Machine) -> None:
    assert available_bytes(*machine({}, "", None)) is None


def test_what_was_freed_is_returned_to_the_system() -> None:
    program = """
from modelport.kit.memory import one_heap, resident_bytes, trim
import threading
one_heap()
before = resident_bytes()
def work():
    blocks = [bytes(100_000) for _ in range(600)]
    last = bytes(50_000)
    del blocks, last
thread = threading.Thread(target=work)
thread.start()
thread.join()
trim()
print((resident_bytes() - before) / 2**20)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert float(ended.stdout) < 5


def test_what_only_a_cycle_holds_is_freed_even_where_it_was_frozen() -> None:
    class Node:
        def __init__(self) -> None:
            self.itself = self

    node = Node()
    known = weakref.ref(node)
    gc.freeze()
    del node
    gc.collect()
    assert known() is not None
    collect()
    assert known() is None
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
    collect()
    assert gc.get_freeze_count() == 0


def test_without_the_librarys_calls_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelport.kit.memory._glibc", lambda name: None)
    trim()
    one_heap()


def test_sizes_are_shown_in_mib() -> None:
    assert mib(3 * MIB // 2) == "1.5 MiB"
