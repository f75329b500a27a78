"""Where a model runs: at once on the event loop, in a thread, or awaited."""

from __future__ import annotations

import asyncio
import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from modelport.core.errors import DeadlineExceeded, ModelFailed, ModelportError, Overloaded
from modelport.core.tensors import Batch
from modelport.runtimes.base import Model

__all__ = ["HAND_OVER_S", "Run", "Threads", "run_async", "run_in_place"]

HAND_OVER_S = 0.0005
"""A run that is predicted to take less stays on the event loop: handing it to a thread and back
costs about 0.1 ms, and others wait no longer for it than for a large body to be read."""

Run: TypeAlias = tuple[Batch, float, float]
"""The outputs, and the `time.perf_counter()` at the start and the end of the run."""


def run_in_place(model: Model, batch: Batch) -> Run:
    """Run on this thread, now.

    Raises:
        ModelportError: as the model raised it.
        ModelFailed: the model raised anything else.
    """
    started = time.perf_counter()
    try:
        outputs = model.predict(batch)
    except ModelportError:
        raise
    except Exception as error:
        raise _failed(error) from error
    return outputs, started, time.perf_counter()  # type: ignore[return-value]  # not awaitable: by execution


async def run_async(model: Model, batch: Batch) -> Run:
    """Await a model whose `predict` is asynchronous; raises as `run_in_place`."""
    started = time.perf_counter()
    try:
        answer = model.predict(batch)
        outputs = await answer if inspect.isawaitable(answer) else answer
    except ModelportError:
        raise
    except Exception as error:
        raise _failed(error) from error
    return outputs, started, time.perf_counter()


class Threads:
    """A bounded line of work in front of a few threads."""

    def __init__(self, threads: int, limit: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._limit = limit
        self._waiting = 0

    async def run(self, model: Model, batch: Batch, deadline: float | None) -> Run:
        """Run in a thread, in the order of arrival; dropped if cancelled before it started.

        Raises:
            Overloaded: the line is full.
            DeadlineExceeded: the deadline passed before the run began.
            ModelportError: as `run_in_place`.
        """
        if self._waiting >= self._limit:
            raise Overloaded(
                f"{self._waiting} requests wait for this model already; try again later",
                retry_after_s=1,
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, _unless_late, model, batch, deadline)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop what waits; a run that has begun ends on its own."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _unless_late(model: Model, batch: Batch, deadline: float | None) -> Run:
    if deadline is not None and time.monotonic() > deadline:
        raise DeadlineExceeded("the deadline passed while the request waited for the model")
    return run_in_place(model, batch)


def _failed(error: Exception) -> ModelFailed:
    return ModelFailed(
        f"the model raised {type(error).__name__}; its owner finds the reason in the server's log"
    )
