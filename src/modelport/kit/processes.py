"""What the kernel tells of processes; Linux alone does so."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Stat", "children_of", "command_of", "stat_of"]

_PROC = Path("/proc")


@dataclass(frozen=True)
class Stat:
    """What the kernel says of a process."""

    state: str
    """A letter: R runs or would, S sleeps, D waits for a disk, T was stopped."""
    ticks: int
    """CPU time used, in the kernel's own unit."""
    began_ticks: int
    """When it began, in the same unit since the machine started."""

    @property
    def cpu_s(self) -> float:
        """CPU time used."""
        return self.ticks / os.sysconf("SC_CLK_TCK")

    @property
    def uptime_s(self) -> float:
        """Seconds since it began."""
        began = self.began_ticks / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)


def stat_of(pid: int, proc: Path = _PROC) -> Stat | None:
    """A process' state; None where there is no such process, or the system does not tell.

    Source: proc(5), `/proc/PID/stat`: the state is the third field, after the name in brackets;
    user and system time are the 14th and the 15th, the start the 22nd.
    """
    try:
        text = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *rest = text.rpartition(")")[2].split()
    return Stat(state, int(rest[10]) + int(rest[11]), int(rest[18]))


def children_of(pid: int, proc: Path = _PROC) -> list[int]:
    """The processes that a process started; none where the system does not tell.

    Source: proc(5), `/proc/PID/task/TID/children`.
    """
    found: list[int] = []
    for path in (proc / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found += map(int, path.read_text().split())
    return sorted(found)


def command_of(pid: int, proc: Path = _PROC) -> list[str]:
    """The command line of a process; empty where there is none, or the system does not tell."""
    try:
        text = (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return text.decode(errors="replace").split("\0")[:-1]
