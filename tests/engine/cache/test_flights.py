"""Identical requests in the air."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from modelport.core.errors import DeadlineExceeded, ModelFailed, Overloaded
from modelport.engine.cache.flights import Flights


class Runs:
    """Runs that end when the test says so, and count themselves."""

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[str]] = []

    async def __call__(self) -> str:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.begun.append(future)
        return await future


def in_loop(test: Callable[[Flights[str], Runs], Awaitable[None]]) -> Callable[[], None]:
    def wrapped() -> None:
        async def main() -> None:
            flights: Flights[str] = Flights()
            async with asyncio.timeout(10):
                await test(flights, Runs())
            assert len(flights) == 0

        asyncio.run(main())

    wrapped.__name__ = test.__name__  # type: ignore[attr-defined]
    return wrapped


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def start(flights: Flights[str], runs: Runs, count: int, key: str = "k") -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(flights.share(key, runs)) for _ in range(count)]


@in_loop
async def test_one_runs_and_all_have_its_answer(flights: Flights[str], runs: Runs) -> None:
    tasks = start(flights, runs, 5)
    other = start(flights, runs, 1, "other")
    await settle()
    assert len(runs.begun) == 2
    runs.begun[0].set_result("a")
    runs.begun[1].set_result("b")
    assert await asyncio.gather(*tasks) == [("a", False), *[("a", True)] * 4]
    assert await other[0] == ("b", False)


@in_loop
async def test_a_leader_that_is_cancelled_ends_alone(flights: Flights[str], runs: Runs) -> None:
    tasks = start(flights, runs, 4)
    await settle()
    tasks[0].cancel()
    await settle()
    assert len(runs.begun) == 2
    late = start(flights, runs, 1)
    runs.begun[1].set_result("a")
    await settle()
    assert tasks[0].cancelled()
    assert [task.result() for task in (*tasks[1:], *late)] == [("a", False), *[("a", True)] * 3]
    assert len(runs.begun) == 2


@pytest.mark.parametrize("error", [DeadlineExceeded("late"), Overloaded("full")])
def test_a_leader_that_is_late_or_refused_ends_alone(error: Exception) -> None:
    @in_loop
    async def run(flights: Flights[str], runs: Runs) -> None:
        tasks = start(flights, runs, 3)
        await settle()
        runs.begun[0].set_exception(error)
        await settle()
        assert tasks[0].exception() is error
        runs.begun[1].set_result("a")
        assert await asyncio.gather(*tasks[1:]) == [("a", False), ("a", True)]

    run()


@in_loop
async def test_where_the_model_fails_the_others_run_at_once_each_for_itself(
    flights: Flights[str], runs: Runs
) -> None:
    tasks = start(flights, runs, 4)
    await settle()
    runs.begun[0].set_exception(ModelFailed("broken"))
    await settle()
    assert len(runs.begun) == 4
    for number, future in enumerate(runs.begun[1:]):
        future.set_result(str(number))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], ModelFailed)
    assert results[1:] == [("0", False), ("1", False), ("2", False)]


@in_loop
async def test_followers_that_left_are_passed_over(flights: Flights[str], runs: Runs) -> None:
    tasks = start(flights, runs, 4)
    await settle()
    tasks[1].cancel()
    tasks[2].cancel()
    await settle()
    tasks[0].cancel()
    await settle()
    runs.begun[1].set_result("a")
    assert await tasks[3] == ("a", False)


@in_loop
async def test_one_that_is_to_lead_and_leaves_in_the_same_moment_hands_on(
    flights: Flights[str], runs: Runs
) -> None:
    tasks = start(flights, runs, 3)
    await settle()
    runs.begun[0].set_exception(DeadlineExceeded("late"))
    await asyncio.sleep(0)  # the leader has told the next one, which has not woken yet
    tasks[1].cancel()
    await settle()
    assert tasks[1].cancelled()
    runs.begun[-1].set_result("a")
    assert await tasks[2] == ("a", False)
    tasks[0].exception()


@in_loop
async def test_who_left_in_the_meantime_is_told_nothing(flights: Flights[str], runs: Runs) -> None:
    tasks = start(flights, runs, 3)
    await settle()
    tasks[1].cancel()
    await settle()
    runs.begun[0].set_result("a")
    assert [await tasks[0], await tasks[2]] == [("a", False), ("a", True)]


@in_loop
async def test_when_all_have_left_nothing_stays(flights: Flights[str], runs: Runs) -> None:
    tasks = start(flights, runs, 3)
    await settle()
    for task in reversed(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
