"""What the server does now and did within the last hour, from what its workers report.

Control takes a look whenever somebody watches, at most once a second for all of them, and at the
end of each step of the history. Nothing is counted for it while requests run.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import msgspec

from modelport.control.hub import Operation
from modelport.control.messages import Reported
from modelport.kit.cpus import available_cpus
from modelport.kit.memory import limit_bytes
from modelport.monitor.changes import Changes, VersionChanges, changes_between
from modelport.monitor.history import STEP_S
from modelport.monitor.metrics import BOUNDS_S, Report
from modelport.monitor.overview import ModelTraffic, Overview, Process
from modelport.monitor.quantiles import quantile
from modelport.monitor.recent import MergedErrors
from modelport.monitor.recording import Recording, Standing
from modelport.monitor.versions import VersionNow, add_versions

__all__ = ["Figures", "HistoryWanted", "ModelMeant", "Workers"]

_log = logging.getLogger(__name__)
_LEAST_S = 0.8
"""Who watches asks once a second: two looks begin so far apart at least."""
_WATCHED_S = 1.5
"""Where the last look is less long ago, somebody watches, and there is no need to look besides."""
_LATER_S = 0.005
"""After the end of a step: it is over for sure."""


class HistoryWanted(msgspec.Struct, frozen=True):
    """Whose history, and from when on."""

    name: str | None = None
    """None is that of the whole server."""
    since: float = 0.0


class ModelMeant(msgspec.Struct, frozen=True):
    """Which model; None is all."""

    name: str | None = None


class Workers(Protocol):
    """The workers that are connected."""

    @property
    def reports(self) -> list[Report]:
        """What each reported last."""

    @property
    def indices(self) -> dict[int, int]:
        """By process id: which one it is."""

    @property
    def restarts(self) -> int:
        """How many were replaced."""

    async def refresh(self) -> None:
        """Have all report."""


class Figures:
    """Follows the reports of the workers; an `Observer` of the hub."""

    def __init__(
        self,
        server_version: str,
        look_at: Callable[[Mapping[int, int]], list[Process]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            server_version: told as it is.
            look_at: what the processes take, as `Processes.look`; called in a thread.
            clock: seconds since the epoch.
        """
        self._server_version = server_version
        self._look_at = look_at
        self._clock = clock
        self._known: dict[int, Report] = {}
        self._pending = Changes()
        """What happened since the last look."""
        self._at = clock()
        """When the last look was taken, and so what it tells holds."""
        self._began = self._at
        """When it was begun: a worker that is busy takes its time."""
        self._recording = Recording()
        self._errors = MergedErrors()
        self._looking = asyncio.Lock()
        self._overview = b""
        self.workers: Workers
        """Set by whoever has both."""

    def table(self) -> dict[str, Operation]:
        """The operations, by name."""
        return {
            "figures.overview": self.overview,
            "figures.history": self.history,
            "errors.recent": self.recent_errors,
        }

    # -- following the workers

    def joined(self, pid: int) -> None:
        """Called by the hub."""
        self._errors.forget(pid)
        self._known.pop(pid, None)

    def reported(self, pid: int, message: Reported) -> None:
        """Called by the hub."""
        before = self._known.get(pid)
        if before is not None:
            self._pending.add(changes_between(before, message.report))
        self._known[pid] = message.report
        self._errors.add(pid, message.errors)

    def left(self, pid: int) -> None:
        """Called by the hub."""
        self._known.pop(pid, None)

    # -- looking

    async def keep(self) -> None:
        """Look at the end of each step; ends when cancelled."""
        while True:
            now = self._clock()
            await asyncio.sleep((now // STEP_S + 1) * STEP_S - now + _LATER_S)
            try:
                if not self._looked_within(_WATCHED_S):
                    await self.overview()
            except Exception:  # the next step may go better, and what is shown harms no request
                _log.exception("the server's own figures were not taken")

    async def overview(self, body: bytes = b"") -> bytes:
        """An `Overview`, made by the last look."""
        asked = self._clock()
        async with self._looking:
            # Not by the time now: the look that all waited for may itself have taken longer.
            is_fresh = asked - _LEAST_S < self._began <= self._clock()
            if not (self._overview and is_fresh):
                await self._look()
            return self._overview

    def _looked_within(self, seconds: float) -> bool:
        """Whether the last look was begun so recently; not where the clock was set back."""
        return 0 <= self._clock() - self._began < seconds

    async def history(self, body: bytes) -> bytes:
        """A `History`, up to the last look."""
        wanted = msgspec.json.decode(body, type=HistoryWanted)

        # An hour of many versions takes a while: in a thread, while looks go on.
        copied = self._recording.copy(wanted.name)
        return await asyncio.to_thread(
            lambda: msgspec.json.encode(copied.told(wanted.name, wanted.since))
        )

    async def recent_errors(self, body: bytes) -> bytes:
        """The `RecentErrors` of a model, or of all."""
        await self.workers.refresh()
        name = msgspec.json.decode(body, type=ModelMeant).name
        return msgspec.json.encode(self._errors.told(name))

    async def _look(self) -> None:
        self._began = self._clock()
        await self.workers.refresh()
        look = partial(self._look_at, self.workers.indices)
        processes, cpus, limit = await asyncio.to_thread(
            lambda: (look(), available_cpus(), limit_bytes())
        )
        since, self._at = self._at, self._clock()
        changes, self._pending = self._pending, Changes()
        reports = self.workers.reports
        versions = add_versions(version for report in reports for version in report.versions)
        connections = sum(report.connections for report in reports)
        standing = Standing(
            cpu=sum(process.cpu for process in processes),
            memory_bytes=sum(process.memory_bytes for process in processes),
            connections=connections,
            waiting={version.key: version.queue for version in versions},
            resident={version.key: version.resident_bytes for version in versions},
        )
        self._recording.add(since, self._at, changes, standing)
        lasted_s = self._at - since if self._at > since else _LEAST_S  # the clock was set back
        total = changes.total()
        overview = Overview(
            at=self._at,
            server_version=self._server_version,
            cpus=cpus,
            memory_bytes=limit,
            processes=processes,
            workers=len(reports),
            restarts=self.workers.restarts,
            connections=connections,
            requests_per_s=total.requests / lasted_s,
            errors_per_s=total.errors / lasted_s,
            rejected_per_s=changes.rejected / lasted_s,
            rows_per_s=total.rows / lasted_s,
            waiting=sum(version.queue for version in versions),
            cache_hit_rate=self._recording.minute().hit_rate,
            latency=total.latency,
            bounds_s=list(BOUNDS_S),
            models=[self._traffic(version, changes, lasted_s) for version in versions],
        )
        self._overview = msgspec.json.encode(overview)

    def _traffic(self, version: VersionNow, changes: Changes, lasted_s: float) -> ModelTraffic:
        done = changes.versions.get(version.key) or VersionChanges()
        minute = self._recording.minute(version.key)
        p50_s, p95_s, p99_s = (quantile(minute.latency, part) for part in (0.5, 0.95, 0.99))
        return ModelTraffic(
            name=version.model,
            version=version.version,
            state=version.state,
            requests_per_s=done.requests / lasted_s,
            errors_per_s=done.errors / lasted_s,
            rows_per_s=done.rows / lasted_s,
            p50_s=p50_s,
            p95_s=p95_s,
            p99_s=p99_s,
            waiting=version.queue,
            resident_bytes=version.resident_bytes,
            cache_hit_rate=minute.hit_rate,
        )
