"""Requests that run in an engine process, and the look-out for runs that hang."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection

from modelport.core.messages import InferRequest
from modelport.engine.lifecycle import Version

__all__ = ["RunningRequest", "hangs", "watch_runs"]

_EVERY_S = 1.0
_LEAST_S = 10.0
_TIMES = 20
"""A run that takes so many times as long as predicted, and uses no CPU time, hangs."""
_IDLE = 0.02
"""The part of a CPU that a process uses which does nothing."""


class RunningRequest:
    """A request on its way, as a `lane.Watcher`."""

    __slots__ = ("_all", "_on_end", "_set_mark", "began_at", "request", "rows", "version")

    def __init__(
        self,
        version: Version,
        request: InferRequest,
        rows: int,
        running: set[RunningRequest],
        set_mark: Callable[[int], None],
    ) -> None:
        """
        Args:
            version: what runs.
            request: what is asked.
            rows: how many rows it has.
            running: all that run in this process; it is among them while it does.
            set_mark: leaves word, should this process die: 1 while it runs, else 0.
        """
        self.version = version
        self.request = request
        self.rows = rows
        self.began_at: float | None = None
        """The `time.monotonic()` at the start of its run; None where none is in the air."""
        self._all = running
        self._set_mark = set_mark
        self._on_end: list[Callable[[], object]] = []

    def begin(self) -> None:
        """Called in any thread."""
        self._set_mark(1)
        self.began_at = time.monotonic()
        self._all.add(self)

    def end(self) -> None:
        """Called in any thread."""
        self._all.discard(self)
        self.began_at = None
        self._set_mark(0)
        self._told()

    def when_ended(self, call: Callable[[], object]) -> None:
        """Call that, once, when no run of it is in the air: now, or in any thread."""
        self._on_end.append(call)
        if self.began_at is None:
            self._told()

    def _told(self) -> None:
        with contextlib.suppress(IndexError):  # another thread was first, or nobody asked
            self._on_end.pop()()


def hangs(running: RunningRequest, now: float, idle_s: float, longest_s: float) -> bool:
    """Whether a run will not end.

    Args:
        running: the request.
        now: on the monotonic clock.
        idle_s: how long the process has used no CPU time.
        longest_s: no run takes longer than this, whatever it does.
    """
    if running.began_at is None:
        return False
    version, request = running.version, running.request
    age_s = now - running.began_at
    if age_s > longest_s:
        return True
    described = version.described
    computes = described is not None and described.description.execution == "compute"
    if not computes and (request.deadline is None or now < request.deadline):
        return False  # it may wait for another machine, as long as somebody waits for it
    row_class = version.row_class(request.inputs, running.rows)
    bound_s = max(_LEAST_S, _TIMES * version.cost.seconds(running.rows, row_class))
    return min(age_s, idle_s) > bound_s


async def watch_runs(
    running: Collection[RunningRequest], longest_s: float, end: Callable[[str], None]
) -> None:
    """Look at the runs of this process; ends when cancelled.

    Args:
        running: those that there are now.
        longest_s: no run takes longer than this, whatever it does.
        end: ends the process; takes the reason.
    """
    last, cpu, idle_since = time.monotonic(), time.process_time(), time.monotonic()
    while True:
        await asyncio.sleep(_EVERY_S)
        now, used = time.monotonic(), time.process_time()
        if used - cpu > _IDLE * (now - last) or now - last > 2 * _EVERY_S:
            idle_since = now  # it works, or everything stood still
        last, cpu = now, used
        for each in list(running):
            if hangs(each, now, now - idle_since, longest_s):
                version = each.version
                began = each.began_at or now
                end(
                    f"model '{version.name}' version {version.version} hangs: a run has lasted"
                    f" {now - began:.0f} s; this process ends, and another takes its place"
                )
