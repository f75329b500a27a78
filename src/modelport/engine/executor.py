"""Where a model runs: at once on the event loop, in a thread, or awaited."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

from modelport.core.errors import DeadlineExceeded, ModelFailed, ModelportError, Overloaded
from modelport.core.tensors import Batch
from modelport.runtimes.base import Model

__all__ = ["HAND_OVER_S", "Run", "Threads", "failed", "is_cancelled", "run_async", "run_in_place"]

HAND_OVER_S = 0.0005
"""A run that is predicted to take less stays on the event loop: handing it to a thread and back
costs about 0.1 ms, and others wait no longer for it than for a large body to be read."""

R = TypeVar("R")
Run: TypeAlias = tuple[Batch, float, float, int]
"""The outputs, the `time.monotonic()` at the start and the end of the run, and how many rows ran
together; 0 where no other request's did."""


def run_in_place(
    model: Model, batch: Batch, deadline: float | None = None, started: float | None = None
) -> Run:
    """Run on this thread, now.

    Args:
        model: what runs.
        batch: its inputs.
        deadline: it does not begin after this.
        started: the time now, where the caller knows it.

    Raises:
        DeadlineExceeded: the deadline has passed already.
        ModelportError: as the model raised it.
        ModelFailed: the model raised anything else.
    """
    if started is None:
        started = time.monotonic()
    if deadline is not None and started > deadline:
        raise _late()
    try:
        outputs = model.predict(batch)
    except ModelportError:
        raise
    except BaseException as error:  # a model that wants to end the process ends its own run
        raise failed(error) from error
    return outputs, started, time.monotonic(), 0  # type: ignore[return-value]  # not awaitable: by execution


async def run_async(model: Model, batch: Batch, deadline: float | None = None) -> Run:
    """Await a model whose `predict` is asynchronous; raises as `run_in_place`."""
    started = time.monotonic()
    if deadline is not None and started > deadline:
        raise _late()
    try:
        answer = model.predict(batch)
        outputs = await answer if inspect.isawaitable(answer) else answer
    except (ModelportError, GeneratorExit):
        raise
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        raise failed(error) from error
    return outputs, started, time.monotonic(), 0


def is_cancelled() -> bool:
    """Whether somebody gave up this task; a model may raise `CancelledError` by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Threads:
    """A bounded line of work in front of a few threads.

    The line is not the pool's own, which would keep work that was cancelled, with its batch, until
    a thread comes to it; behind a model that hangs none ever does.
    """

    def __init__(self, threads: int, limit: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads = threads
        self._limit = limit
        self._lock = threading.Lock()
        self._line: OrderedDict[Future[Any], Callable[[], Any]] = OrderedDict()
        self._held = 0
        """What waits or runs; a run that nobody awaits any more counts until it ends."""
        self._busy = 0
        """Threads that take work from the line."""

    async def call(self, job: Callable[[], R]) -> R:
        """Do it in a thread, in the order of arrival; dropped if cancelled before it started.

        Raises:
            Overloaded: the line is full.
            Exception: what the job raises.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._held >= self._limit:
                raise Overloaded(
                    f"{self._held} requests wait already; try again later", retry_after_s=1
                )
            self._held += 1
            self._line[future] = job
            is_thread_free = self._busy < self._threads
            self._busy += is_thread_free
        future.add_done_callback(self._leave)
        if is_thread_free:
            self._pool.submit(self._work)
        return await asyncio.wrap_future(future)

    def _leave(self, future: Future[Any]) -> None:
        with self._lock:
            self._line.pop(future, None)
            self._held -= 1

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            _settle(*taken)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            while self._line:
                future, job = self._line.popitem(last=False)
                # False in the moment between a cancellation and `_leave`.
                if future.set_running_or_notify_cancel():  # pragma: no branch
                    return future, job
            self._busy -= 1
            return None

    def close(self) -> None:
        """Drop what waits; a run that has begun ends on its own."""
        with self._lock:
            waiting = list(self._line)
        for future in waiting:
            future.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _settle(future: Future[Any], job: Callable[[], Any]) -> None:
    try:
        future.set_result(job())
    except BaseException as error:
        future.set_exception(error)
    finally:
        del future, job  # the error's traceback holds this frame, and the future the error


def _late() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed before the model was asked")


def failed(error: BaseException) -> ModelFailed:
    """What a caller sees where a model raised; the cause is for the log."""
    seen = ModelFailed(
        f"the model raised {type(error).__name__}; its owner finds the reason in the server's log"
    )
    seen.__cause__ = error
    return seen
