"""What the processes of a server take of the machine, as the kernel counts it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from modelport.kit.memory import proportional_bytes, resident_bytes
from modelport.kit.processes import Stat, children_of, command_of, stat_of
from modelport.monitor.overview import Kind, Process

__all__ = ["Processes"]

_MEMORY_S = 5.0
_MEMORY_PART = 100
"""Memory is counted page by page: what takes long is done so many times as seldom."""
_MODULES: dict[str, Kind] = {
    "modelport.app.control": "control",
    "modelport.app.worker": "worker",
    "modelport.app.engine": "engine",
}
_ORDER: tuple[Kind, ...] = ("supervisor", "control", "worker", "engine")


@dataclass
class _Seen:
    """What is known of a process since the last look."""

    kind: Kind
    cpu_s: float = 0.0
    at: float | None = None
    memory_bytes: int = 0
    look_again_at: float = 0.0


class Processes:
    """The processes of one server; each look may take some milliseconds."""

    def __init__(self, supervisor: int, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            supervisor: the process that started all others.
            clock: seconds, which only rise.
        """
        self._supervisor = supervisor
        self._clock = clock
        self._seen: dict[int, _Seen] = {}

    def look(self, workers: Mapping[int, int]) -> list[Process]:
        """All that the system tells of: supervisor, control, workers, engine processes.

        Args:
            workers: those that are connected, by their process ids: which one each is.
        """
        pids = {self._supervisor, os.getpid(), *children_of(self._supervisor), *workers}
        self._seen = {
            pid: seen for pid in pids if (seen := self._seen.get(pid) or self._new(pid, workers))
        }
        found: list[Process] = []
        for pid, seen in self._seen.items():
            if (stat := stat_of(pid)) is not None:
                found.append(self._process(pid, seen, stat, workers.get(pid)))
        return sorted(found, key=lambda p: (_ORDER.index(p.kind), p.index or 0, p.pid))

    def _new(self, pid: int, workers: Mapping[int, int]) -> _Seen | None:
        if pid == self._supervisor:
            return _Seen("supervisor")
        if pid in workers:
            return _Seen("worker")
        if pid == os.getpid():
            return _Seen("control")
        kind = next((_MODULES[word] for word in command_of(pid) if word in _MODULES), None)
        return None if kind is None else _Seen(kind)

    def _process(self, pid: int, seen: _Seen, stat: Stat, index: int | None) -> Process:
        now = self._clock()
        uptime_s = stat.uptime_s
        passed_s = uptime_s if seen.at is None else now - seen.at
        cpu = max(0.0, stat.cpu_s - seen.cpu_s) / max(passed_s, 0.01)
        seen.at, seen.cpu_s = now, stat.cpu_s
        if now >= seen.look_again_at:
            seen.memory_bytes = proportional_bytes(pid) or resident_bytes(pid) or 0
            took_s = self._clock() - now
            seen.look_again_at = now + max(_MEMORY_S, _MEMORY_PART * took_s)
        return Process(
            kind=seen.kind,
            index=index,
            pid=pid,
            cpu=cpu,
            memory_bytes=seen.memory_bytes,
            uptime_s=uptime_s,
        )
