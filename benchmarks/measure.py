"""CPU time and memory of a process and all its descendants, from `/proc`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "cpu_between", "cpu_times", "memory", "session", "settle", "tree"]

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_IDLE_SHARE = 0.1
"""A server that uses less of a core than this has finished what it was asked."""
_GLANCE_S = 0.1


@dataclass(frozen=True)
class Memory:
    """What one process holds."""

    program: str
    rss_mib: float
    pss_mib: float
    """As RSS, but a page that n processes map counts as 1/n."""
    cpu_s: float
    worker: bool
    """Whether it is one of the processes that did the work, told by their CPU time."""


def tree(root: int) -> list[int]:
    """The process and its descendants."""
    children: dict[int, list[int]] = {}
    for pid, fields in _processes():
        children.setdefault(int(fields[1]), []).append(pid)
    found = [root]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def session(leader: int) -> list[int]:
    """The processes of the session that `leader` began, also where it has ended."""
    return [pid for pid, fields in _processes() if int(fields[3]) == leader]


def cpu_times(root: int) -> dict[int, float]:
    """User and system seconds of each process of the tree so far."""
    stats = {pid: _stat(pid) for pid in tree(root)}
    return {
        pid: (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        for pid, fields in stats.items()
        if fields
    }


def cpu_between(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Seconds used by the processes that live at the end."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def memory(root: int, workers: int) -> list[Memory]:
    """Each process of the tree; the `workers` busiest ones are marked as such."""
    times = cpu_times(root)
    busiest = sorted(times, key=lambda pid: times[pid], reverse=True)[:workers]
    held = [_memory(pid, times[pid], worker=pid in busiest) for pid in times]
    return [process for process in held if process is not None]


def settle(root: int, limit_s: float) -> None:
    """Wait until the tree is idle: load that has ended must not be paid by the next cell."""
    end = time.monotonic() + limit_s
    before = cpu_times(root)
    while time.monotonic() < end:
        time.sleep(_GLANCE_S)
        after = cpu_times(root)
        if cpu_between(before, after) <= _GLANCE_S * _IDLE_SHARE:
            return
        before = after


def _memory(pid: int, cpu_s: float, *, worker: bool) -> Memory | None:
    """None where the process has ended since, or its parent has not asked how."""
    folder = _PROC / str(pid)
    try:
        program = (folder / "comm").read_text().strip()
        rollup = (folder / "smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return None
    kib = {line.split(":")[0]: int(line.split()[1]) for line in rollup}
    return Memory(program, kib["Rss"] / 1024, kib["Pss"] / 1024, cpu_s, worker)


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            yield int(entry.name), fields


def _stat(pid: int) -> list[str]:
    """The fields after the program's name: state, parent, …; empty when the process is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The name is in parentheses and may itself hold spaces and parentheses.
    return text.rpartition(")")[2].split()
