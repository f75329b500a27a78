"""What control makes of the workers' reports, on a clock that the tests turn."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from modelport.control.figures import Figures, HistoryWanted, ModelMeant
from modelport.control.messages import Reported
from modelport.monitor.caching import CacheCounts, CacheReport
from modelport.monitor.history import History
from modelport.monitor.metrics import ModelMetrics, Report
from modelport.monitor.overview import Overview, Process
from modelport.monitor.recent import RecentError, RecentErrors
from modelport.monitor.versions import VersionNow

START = 1_000_000.0


class Workers:
    """Those that are connected; each has counted so many requests when it is asked."""

    def __init__(self) -> None:
        self.now = START
        self.looks = 0
        self.figures = Figures("1.2", self.look_at, lambda: self.now)
        self.figures.workers = self
        self.counted: dict[int, ModelMetrics] = {}
        self.waiting = 0
        self.restarts = 3
        self.takes_s = 0.0
        """How long they take to report."""

    def look_at(self, workers: Mapping[int, int]) -> list[Process]:
        self.looks += 1
        assert workers == self.indices
        return [
            Process(kind="control", index=None, pid=9, cpu=0.5, memory_bytes=70, uptime_s=1.0),
            Process(kind="worker", index=0, pid=1, cpu=1.5, memory_bytes=30, uptime_s=1.0),
        ]

    @property
    def indices(self) -> dict[int, int]:
        return {pid: pid - 1 for pid in self.counted}

    @property
    def reports(self) -> list[Report]:
        return [self.report(pid) for pid in self.counted]

    def report(self, pid: int) -> Report:
        now = VersionNow(model="m", version="1", resident_bytes=10, waiting=self.waiting, copies=1)
        counts = CacheCounts("m", "1", hits=self.counted[pid].requests)
        cache = CacheReport(versions=[counts])
        return Report([self.counted[pid]], {}, 2, [now], cache)

    async def refresh(self) -> None:
        await asyncio.sleep(0)
        self.now += self.takes_s
        for pid in self.counted:
            self.tells(pid)

    # -- what happens

    def joins(self, pid: int, requests: int = 0) -> None:
        self.counted[pid] = ModelMetrics("m", "1", "plain")
        self.figures.joined(pid)
        self.answers(pid, requests)
        self.tells(pid)

    def answers(self, pid: int, times: int) -> None:
        for _ in range(times):
            self.counted[pid].answered(0.0, 0.0, 0.004, 0.0, rows=3)

    def tells(self, pid: int, *errors: RecentError) -> None:
        message = Reported(self.report(pid), list(errors))
        # Each report is one that came over a wire, and shares nothing with the next.
        copied = msgspec.json.decode(msgspec.json.encode(message), type=Reported)
        self.figures.reported(pid, copied)

    async def overview(self, after_s: float = 2.0) -> Overview:
        self.now += after_s
        return msgspec.json.decode(await self.figures.overview(), type=Overview)

    async def requests(self) -> int:
        body = msgspec.json.encode(HistoryWanted("m"))
        told = msgspec.json.decode(await self.figures.history(body), type=History)
        return sum(point.requests for version in told.versions for point in version.points)


class Hangs(Workers):
    """One of them reports only when it is let."""

    def __init__(self, workers: Workers, answered: asyncio.Event) -> None:
        self.counted, self.restarts, self.waiting = workers.counted, 0, 0
        self.answered = answered

    async def refresh(self) -> None:
        await self.answered.wait()


def test_rates_are_of_the_time_since_the_look_before() -> None:
    async def run() -> None:
        workers = Workers()
        workers.joins(1)
        workers.joins(2)
        await workers.overview()
        workers.answers(1, 6)
        workers.answers(2, 2)
        workers.counted[2].failed("INVALID_INPUT")
        workers.waiting = 4
        told = await workers.overview(2.0)
        assert (told.requests_per_s, told.errors_per_s, told.rows_per_s) == (4.5, 0.5, 12.0)
        assert sum(told.latency) == 8
        assert (told.workers, told.restarts, told.connections, told.waiting) == (2, 3, 4, 8)
        assert told.cache_hit_rate == 1.0
        (model,) = told.models
        assert (model.requests_per_s, model.resident_bytes, model.waiting) == (4.5, 20, 8)
        assert model.p50_s == pytest.approx(0.00375)
        assert (await workers.overview()).requests_per_s == 0.0
        server = msgspec.json.decode(await workers.figures.history(b"{}"), type=History).server
        assert (server[-1].cpu, server[-1].memory_bytes, server[-1].connections) == (2.0, 100, 4)

    asyncio.run(run())


def test_many_who_watch_are_one_look() -> None:
    async def run() -> None:
        workers = Workers()
        workers.joins(1)
        first = await workers.overview()
        assert await workers.overview(0.3) == first
        assert await workers.overview(0.3) == first
        assert workers.looks == 1
        assert (await workers.overview(0.4)).at > first.at
        assert (await workers.overview(-100.0)).at < first.at, "the clock was set back"

    asyncio.run(run())


def test_who_waited_for_a_look_that_took_long_takes_no_other() -> None:
    async def run() -> None:
        workers = Workers()
        workers.joins(1)
        workers.takes_s = 1.0  # a worker is busy
        told = await asyncio.gather(*(workers.figures.overview() for _ in range(20)))
        assert workers.looks == 1
        assert len(set(told)) == 1
        await workers.overview(0.0)
        assert workers.looks == 2, "who asks after it does"

    asyncio.run(run())


def test_the_history_is_told_while_a_look_takes_long() -> None:
    async def run() -> None:
        workers = Workers()
        workers.joins(1)
        await workers.overview()
        answered = asyncio.Event()
        workers.figures.workers = Hangs(workers, answered)
        looking = asyncio.create_task(workers.overview())
        await asyncio.sleep(0)  # it waits for the worker
        async with asyncio.timeout(5):
            told = msgspec.json.decode(await workers.figures.history(b"{}"), type=History)
        assert len(told.server) == 1
        answered.set()
        await looking

    asyncio.run(run())


def test_what_a_worker_had_counted_before_it_was_connected_is_no_news() -> None:
    async def run() -> None:
        workers = Workers()
        workers.joins(1, requests=1000)  # to a control process before this one
        assert (await workers.overview()).requests_per_s == 0
        workers.joins(1, requests=1000)  # its connection broke
        workers.answers(1, 2)
        assert (await workers.overview()).requests_per_s == 1
        assert await workers.requests() == 2

    asyncio.run(run())


def test_what_a_worker_did_last_counts_though_it_is_gone() -> None:
    async def run() -> None:
        workers = Workers()
        workers.joins(1)
        await workers.overview()
        workers.answers(1, 5)
        workers.tells(1)
        workers.figures.left(1)
        del workers.counted[1]
        told = await workers.overview()
        assert (told.requests_per_s, told.workers, told.models) == (2.5, 0, [])
        assert await workers.requests() == 5

    asyncio.run(run())


def test_errors_are_told_with_the_model_s_or_with_all() -> None:
    def error(name: str | None) -> RecentError:
        return RecentError(
            at=1.0,
            request_id="r",
            model=name,
            version=None,
            protocol=None,
            code="X",
            status=400,
            message="no",
        )

    async def told(workers: Workers, name: str | None) -> list[str | None]:
        body = msgspec.json.encode(ModelMeant(name))
        answer = await workers.figures.recent_errors(body)
        return [e.model for e in msgspec.json.decode(answer, type=RecentErrors).errors]

    async def run() -> None:
        workers = Workers()
        workers.joins(1)
        workers.tells(1, error("m"), error(None))
        assert await told(workers, "m") == ["m"]
        assert await told(workers, None) == ["m", None]
        workers.joins(1)
        assert await told(workers, None) == [], "it tells them again"

    asyncio.run(run())


def test_it_looks_by_itself_at_the_end_of_each_step() -> None:
    async def run() -> None:
        workers = Workers()
        workers.joins(1)
        workers.now = START + 4.96
        keeping = asyncio.create_task(workers.figures.keep())
        await asyncio.sleep(0.02)
        assert workers.looks == 0
        await asyncio.sleep(0.15)
        keeping.cancel()
        assert workers.looks == 1, "and not again while somebody watches"

    asyncio.run(run())
