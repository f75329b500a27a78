"""Where a model runs, and what happens to work that comes too late or too often."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelFailed,
    Overloaded,
)
from modelport.engine.executor import Run, Threads, run_async, run_in_place
from modelport.engine.lifecycle import Version
from modelport.engine.opening import LoadedModel

Served = Callable[..., tuple[Version, LoadedModel]]
BATCH = {"x": np.array([1.0, 2.0])}


@pytest.fixture
def line() -> Any:
    """Make a line of work; all are closed in the end."""
    made: list[Threads] = []

    def make(threads: int = 1, limit: int = 100) -> Threads:
        made.append(Threads(threads, limit, "test"))
        return made[-1]

    yield make
    for threads in made:
        threads.close()


async def run_on(threads: Threads, *run: Any) -> Run:
    """Run a model in one of the threads."""
    return await threads.call(partial(run_in_place, *run))


class Gate:
    """A function of a model that waits until it is opened, and notes what came."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.open = threading.Event()
        self.seen: list[float] = []

    def __call__(self, x: Any) -> Any:
        self.seen.append(float(x[0]))
        self.started.set()
        assert self.open.wait(20)
        return x * 2

    async def wait_started(self) -> None:
        assert await asyncio.to_thread(self.started.wait, 20)


def within(main: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(20):
            return await main

    return asyncio.run(bounded())


def raises(error: BaseException) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        raise error

    return function


def raises_later(error: BaseException) -> Callable[[Any], Any]:
    async def function(x: Any) -> Any:
        raise error

    return function


def test_a_run_gives_the_outputs_and_the_time_it_took(served: Served) -> None:
    _, loaded = served(lambda x: time.sleep(0.01) or x * 2)
    outputs, started, ended, _ = run_in_place(loaded.model, BATCH)
    assert outputs["y"].tolist() == [2, 4]
    assert 0.01 <= ended - started < 5


def test_an_asynchronous_model_is_awaited(served: Served) -> None:
    async def double(x: Any) -> Any:
        await asyncio.sleep(0.01)
        return x * 2

    _, loaded = served(double, "async")
    outputs, started, ended, _ = within(run_async(loaded.model, BATCH))
    assert outputs["y"].tolist() == [2, 4]
    assert ended - started >= 0.01


def test_a_model_that_says_async_may_answer_at_once(served: Served) -> None:
    _, loaded = served(lambda x: x * 2)
    assert within(run_async(loaded.model, BATCH))[0]["y"].tolist() == [2, 4]


def test_an_error_of_ours_passes_as_it_is(served: Served) -> None:
    error = InvalidInput("too odd")
    with pytest.raises(InvalidInput) as caught:
        run_in_place(served(raises(error))[1].model, BATCH)
    assert caught.value is error
    with pytest.raises(InvalidInput) as caught:
        within(run_async(served(raises_later(error), "async")[1].model, BATCH))
    assert caught.value is error


def test_what_else_a_model_raises_is_named_by_its_type_alone(served: Served) -> None:
    secret = KeyError("postgres://user:password@db")
    for run in (
        lambda: run_in_place(served(raises(secret))[1].model, BATCH),
        lambda: within(run_async(served(raises_later(secret), "async")[1].model, BATCH)),
    ):
        with pytest.raises(ModelFailed) as caught:
            run()
        assert "password" not in str(caught.value)
        assert "password" not in str(caught.value.detail)
        assert "the model raised KeyError" in caught.value.message
        assert caught.value.__cause__ is secret


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), BaseException("?")]
)
def test_a_model_cannot_end_more_than_its_own_run(
    served: Served, line: Any, error: BaseException
) -> None:
    named = f"the model raised {type(error).__name__};"
    with pytest.raises(ModelFailed, match=named):
        run_in_place(served(raises(error))[1].model, BATCH)
    with pytest.raises(ModelFailed, match=named):
        within(run_on(line(), served(raises(error))[1].model, BATCH, None))
    with pytest.raises(ModelFailed, match=named):
        within(run_async(served(raises_later(error), "async")[1].model, BATCH))


def test_a_run_that_others_cancel_is_cancelled(served: Served) -> None:
    _, loaded = served(lambda x: asyncio.sleep(60), "async")

    async def main() -> None:
        task = asyncio.create_task(run_async(loaded.model, BATCH))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        within(main())


def test_nothing_runs_after_its_deadline(served: Served) -> None:
    late = time.monotonic() - 0.001
    asked: list[Any] = []
    with pytest.raises(DeadlineExceeded):
        run_in_place(served(lambda x: asked.append(x) or x)[1].model, BATCH, late)
    with pytest.raises(DeadlineExceeded):
        within(run_async(served(lambda x: asked.append(x) or x)[1].model, BATCH, late))
    assert asked == []


def test_work_runs_in_another_thread_in_the_order_of_arrival(served: Served, line: Any) -> None:
    threads = line()
    seen: list[tuple[float, int]] = []
    _, loaded = served(lambda x: seen.append((float(x[0]), threading.get_ident())) or x)

    async def main() -> None:
        batches = [{"x": np.array([float(at)])} for at in range(20)]
        await asyncio.gather(*(run_on(threads, loaded.model, batch, None) for batch in batches))

    within(main())
    assert [value for value, _ in seen] == list(range(20))
    assert {thread for _, thread in seen}.isdisjoint({threading.get_ident()})
    assert len({thread for _, thread in seen}) == 1


def test_a_full_line_refuses_at_once_and_has_room_again_later(served: Served, line: Any) -> None:
    threads, gate = line(limit=2), Gate()
    _, loaded = served(gate)

    async def main() -> None:
        waiting = [
            asyncio.create_task(run_on(threads, loaded.model, BATCH, None)) for _ in range(2)
        ]
        await gate.wait_started()
        with pytest.raises(Overloaded, match="2 requests wait") as caught:
            await run_on(threads, loaded.model, BATCH, None)
        assert caught.value.retry_after_s == 1
        gate.open.set()
        await asyncio.gather(*waiting)
        assert (await run_on(threads, loaded.model, BATCH, None))[0]["y"].tolist() == [2, 4]

    within(main())
    assert len(gate.seen) == 3


def test_a_failed_run_leaves_its_place_in_the_line(served: Served, line: Any) -> None:
    threads = line(limit=1)
    _, loaded = served(raises(ValueError("x")))

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(ModelFailed):
                await run_on(threads, loaded.model, BATCH, None)

    within(main())


def test_work_whose_deadline_passed_while_it_waited_is_never_run(served: Served, line: Any) -> None:
    threads, gate = line(), Gate()
    _, loaded = served(gate)

    async def main() -> None:
        first = asyncio.create_task(run_on(threads, loaded.model, {"x": np.array([1.0])}, None))
        await gate.wait_started()
        deadline = time.monotonic() + 0.02
        late = asyncio.create_task(run_on(threads, loaded.model, {"x": np.array([2.0])}, deadline))
        await asyncio.sleep(0.05)
        gate.open.set()
        await first
        with pytest.raises(DeadlineExceeded, match="before the model was asked"):
            await late

    within(main())
    assert gate.seen == [1.0]


def test_a_deadline_in_the_future_lets_the_work_run(served: Served, line: Any) -> None:
    _, loaded = served(lambda x: x)
    run = run_on(line(), loaded.model, BATCH, time.monotonic() + 20)
    assert within(run)[0]["y"].tolist() == [1, 2]


def test_cancelled_work_that_waits_is_never_run_and_gives_its_place_back(
    served: Served, line: Any
) -> None:
    threads, gate = line(limit=2), Gate()
    _, loaded = served(gate)

    async def main() -> None:
        first = asyncio.create_task(run_on(threads, loaded.model, {"x": np.array([1.0])}, None))
        await gate.wait_started()
        for _ in range(5):  # more than the line has places
            second = asyncio.create_task(
                run_on(threads, loaded.model, {"x": np.array([2.0])}, None)
            )
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
        third = asyncio.create_task(run_on(threads, loaded.model, {"x": np.array([3.0])}, None))
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(first, third)

    within(main())
    assert gate.seen == [1.0, 3.0]


def test_cancelled_work_behind_a_model_that_hangs_gives_its_memory_back_at_once(
    served: Served, line: Any
) -> None:
    threads, gate = line(), Gate()
    _, loaded = served(gate)

    async def main() -> None:
        hangs = asyncio.create_task(run_on(threads, loaded.model, BATCH, None))
        await gate.wait_started()
        array = np.array([2.0])
        batch = weakref.ref(array)
        late = asyncio.create_task(run_on(threads, loaded.model, {"x": array}, None))
        del array
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.wait([late])
        del late
        assert batch() is None
        gate.open.set()
        await hangs

    within(main())


def test_a_run_that_nobody_awaits_any_more_keeps_its_place_until_it_ends(
    served: Served, line: Any
) -> None:
    threads, gate = line(limit=1), Gate()
    _, loaded = served(gate)

    async def main() -> None:
        hangs = asyncio.create_task(run_on(threads, loaded.model, BATCH, None))
        await gate.wait_started()
        hangs.cancel()
        await asyncio.wait([hangs])
        for _ in range(3):
            with pytest.raises(Overloaded, match="1 requests wait already"):
                await run_on(threads, loaded.model, BATCH, None)
        gate.open.set()
        while True:
            try:
                await run_on(threads, loaded.model, BATCH, None)
            except Overloaded:
                await asyncio.sleep(0.001)
            else:
                break

    within(main())


def test_several_threads_work_at_once(served: Served, line: Any) -> None:
    threads, meet = line(threads=3), threading.Barrier(3, timeout=20)
    _, loaded = served(lambda x: meet.wait() * 0 + x)

    async def main() -> None:
        await asyncio.gather(*(run_on(threads, loaded.model, BATCH, None) for _ in range(6)))

    within(main())


def test_closing_drops_what_waits_and_not_what_runs(served: Served) -> None:
    threads, gate = Threads(1, 10, "test"), Gate()
    _, loaded = served(gate)

    async def main() -> None:
        first = asyncio.create_task(run_on(threads, loaded.model, {"x": np.array([1.0])}, None))
        await gate.wait_started()
        second = asyncio.create_task(run_on(threads, loaded.model, {"x": np.array([2.0])}, None))
        await asyncio.sleep(0)
        threads.close()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.open.set()
        assert (await first)[0]["y"].tolist() == [2]

    within(main())
    assert gate.seen == [1.0]
