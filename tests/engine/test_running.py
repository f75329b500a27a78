from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelport.core.messages import InferRequest
from modelport.engine.running import RunningRequest, hangs, watch_runs


@pytest.fixture
def running(served: Callable[..., Any]) -> Callable[..., RunningRequest]:
    """A request that began at 0 on a version that takes a second."""

    def make(execution: str = "compute", deadline: float | None = None) -> RunningRequest:
        version, loaded = served(lambda x: x, execution)
        version.described = loaded.described
        version.cost.learn(1, 1.0)
        request = InferRequest(inputs={"x": np.zeros(1)}, deadline=deadline)
        each = RunningRequest(version, request, 1, set(), lambda mark: None)
        each.began_at = 0.0
        return each

    return make


def test_a_run_hangs_that_takes_20_times_as_long_and_does_nothing(running: Any) -> None:
    assert not hangs(running(), 19.0, 19.0, 300)
    assert hangs(running(), 21.0, 21.0, 300)
    assert not hangs(running(), 21.0, 5.0, 300), "it works"


def test_a_short_run_is_given_10_s(running: Any) -> None:
    short = running()
    short.version.cost = type(short.version.cost)()
    assert not hangs(short, 9.0, 9.0, 300)
    assert hangs(short, 11.0, 11.0, 300)


def test_no_run_takes_longer_than_a_load_may(running: Any) -> None:
    assert hangs(running(), 301.0, 0.0, 300)


@pytest.mark.parametrize("execution", ["blocking", "async"])
def test_what_may_wait_for_others_does_so_as_long_as_somebody_waits_for_it(
    running: Any, execution: str
) -> None:
    assert not hangs(running(execution), 100.0, 100.0, 300)
    assert not hangs(running(execution, deadline=101.0), 100.0, 100.0, 300)
    assert hangs(running(execution, deadline=99.0), 100.0, 100.0, 300)


def test_what_has_not_begun_does_not_hang(running: Any) -> None:
    waits = running()
    waits.began_at = None
    assert not hangs(waits, 1e9, 1e9, 300)


def test_it_is_among_those_that_run_while_it_does(served: Callable[..., Any]) -> None:
    version, _ = served(lambda x: x)
    running: set[RunningRequest] = set()
    marks: list[int] = []
    told: list[str] = []
    each = RunningRequest(version, InferRequest(inputs={}), 1, running, marks.append)
    each.begin()
    assert running == {each}
    assert each.began_at is not None
    each.when_ended(lambda: told.append("ended"))
    assert told == []
    each.end()
    each.end()
    assert running == set()
    assert each.began_at is None
    assert told == ["ended"]
    assert marks == [1, 0, 0]
    each.when_ended(lambda: told.append("at once"))
    assert told == ["ended", "at once"]


def test_the_reason_names_the_model(running: Any) -> None:
    each = running()
    each.began_at = time.monotonic() - 400
    told: list[str] = []

    async def run() -> None:
        ended = asyncio.Event()

        def end(why: str) -> None:
            told.append(why)
            ended.set()

        task = asyncio.create_task(watch_runs([each], 300, end))
        async with asyncio.timeout(5):
            await ended.wait()
        task.cancel()

    asyncio.run(run())
    assert told[0].startswith("model 'm' version 1 hangs: a run has lasted 40")
