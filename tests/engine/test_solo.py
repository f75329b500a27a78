from __future__ import annotations

import asyncio

import pytest

from modelport.engine.solo import Solo


class Log:
    """Works in turns, and notes who is there at the same time."""

    def __init__(self) -> None:
        self.solo = Solo()
        self.now: set[str] = set()
        self.seen: list[set[str]] = []

    async def work(self, name: str, alone: bool, seconds: float = 0.01) -> None:
        await self.solo.enter(alone)
        self.now.add(name)
        self.seen.append(set(self.now))
        await asyncio.sleep(seconds)
        self.now.discard(name)
        self.solo.leave(alone)


def test_most_work_runs_beside_other_work() -> None:
    async def run() -> None:
        log = Log()
        await asyncio.gather(*(log.work(name, False) for name in "abc"))
        assert log.seen[-1] == {"a", "b", "c"}

    asyncio.run(run())


def test_who_must_be_alone_is_and_goes_before_those_that_have_not_begun() -> None:
    async def run() -> None:
        log = Log()
        works = [("a", False), ("X", True), ("Y", True), ("b", False), ("c", False)]
        await asyncio.gather(*(log.work(*work) for work in works))
        assert log.seen[:3] == [{"a"}, {"X"}, {"Y"}]
        assert log.seen[-1] == {"b", "c"}

    asyncio.run(run())


@pytest.mark.parametrize("alone", [True, False])
def test_who_gives_up_waiting_keeps_nobody_waiting(alone: bool) -> None:
    async def run() -> None:
        log = Log()
        first = asyncio.create_task(log.work("a", not alone, 0.05))
        await asyncio.sleep(0)
        gone = asyncio.create_task(log.work("b", alone))
        await asyncio.sleep(0)
        last = asyncio.create_task(log.work("c", False))
        await asyncio.sleep(0)
        gone.cancel()
        await first
        async with asyncio.timeout(1):
            await last
        assert {"b"} not in log.seen

    asyncio.run(run())
