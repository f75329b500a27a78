"""A scheduler with a cost model that is known, and jobs for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelport.engine.batcher import Batcher, BatchRun
from modelport.engine.cost import CostModel
from modelport.engine.limits import Limits
from modelport.engine.queue import Job

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def flat(rows: int) -> float:
    """A run takes 10 ms, whatever its size."""
    return 0.01


def affine(rows: int) -> float:
    return 0.004 + 0.001 * rows


def linear(rows: int) -> float:
    return 0.01 * rows


def known(
    seconds: Callable[[int], float], sizes: Sequence[int] = SIZES, at_once: int = 1
) -> CostModel:
    """A cost model that has seen each size often."""
    cost = CostModel()
    learn(cost, seconds, sizes, at_once)
    return cost


def learn(
    cost: CostModel,
    seconds: Callable[[int], float],
    sizes: Sequence[int] = SIZES,
    at_once: int = 1,
) -> None:
    for size in sizes:
        for _ in range(5):
            cost.learn(size, seconds(size), at_once=at_once)


class Late(list[tuple[Any, Exception]]):
    """Hears what was dropped."""

    def __call__(self, job: Job[Any], error: Exception) -> None:
        self.append((job.payload, error))


def batcher(cost: CostModel | None = None, late: Late | None = None, **limits: Any) -> Batcher[Any]:
    return Batcher(
        known(affine) if cost is None else cost, Limits(**limits), Late() if late is None else late
    )


def put(batcher: Batcher[Any], count: int, now: float = 0.0, **facts: Any) -> list[Job[Any]]:
    jobs: list[Job[Any]] = [Job(number, **facts) for number in range(count)]
    for one in jobs:
        batcher.submit(one, now)
    return jobs


def started(batcher: Batcher[Any], now: float = 0.0) -> BatchRun[Any]:
    run = batcher.next(now)
    assert run is not None
    return run


def names(run: BatchRun[Any]) -> list[Any]:
    return [job.payload for job in run.jobs]
