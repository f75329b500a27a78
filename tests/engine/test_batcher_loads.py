"""What becomes of a load over time: a flood, kinds that do not mix, sizes that are a bad idea."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from modelport.core.errors import Overloaded
from modelport.engine.batcher import Batcher, BatchRun
from modelport.engine.cost import CostModel
from modelport.engine.limits import Limits
from modelport.engine.queue import Job

Machine = Callable[[int, int, float], float]
"""From rows, runs at once and the time: what a run takes."""


def flat(rows: int, at_once: int, now: float) -> float:
    return 0.01


def affine(rows: int, at_once: int, now: float) -> float:
    return 0.002 + 0.0025 * rows


def linear(rows: int, at_once: int, now: float) -> float:
    return 0.008 * rows


MACHINES: dict[str, Machine] = {"flat": flat, "affine": affine, "linear": linear}
NOBODY: Iterator[tuple[float, Job[Any]]] = iter(())
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def known(machine: Machine) -> CostModel:
    cost = CostModel()
    for size in SIZES:
        for _ in range(5):
            cost.learn(size, machine(size, 1, 0.0))
    return cost


class Served:
    """A scheduler on a machine that does what is predicted, but for a little noise."""

    def __init__(
        self, machine: Machine, cost: CostModel | None = None, noise: float = 0.0, **limits: Any
    ) -> None:
        self.machine = machine
        self.noise = noise
        self.chance = random.Random(5)
        self.scheduler: Batcher[Any] = Batcher(
            known(machine) if cost is None else cost, Limits(**limits), self.on_late
        )
        self.now = 0.0
        self.runs: list[tuple[float, int, BatchRun[Any]]] = []
        self.numbers = itertools.count()
        self.answered: list[tuple[float, Job[Any]]] = []
        self.refused: list[tuple[float, Job[Any], Overloaded]] = []
        self.late: list[Job[Any]] = []
        self.comes_back = False
        """Whether who was answered sends the same again at once."""

    def on_late(self, job: Job[Any], error: Exception) -> None:
        self.late.append(job)

    def submit(self, job: Job[Any]) -> bool:
        try:
            self.scheduler.submit(job, self.now)
        except Overloaded as error:
            self.refused.append((self.now, job, error))
            return False
        return True

    def _start(self) -> None:
        while (run := self.scheduler.next(self.now)) is not None:
            takes = self.machine(run.rows, len(self.runs) + 1, self.now)
            takes *= self.chance.gauss(1.0, self.noise)
            heapq.heappush(self.runs, (self.now + takes, next(self.numbers), run))

    def _end(self) -> None:
        _, _, run = heapq.heappop(self.runs)
        self.scheduler.finished(run, self.now)
        for job in run.jobs:
            self.answered.append((self.now, job))
            if self.comes_back:
                self.submit(again(job))

    def until(self, moment: float, arrivals: Iterator[tuple[float, Job[Any]]] = NOBODY) -> None:
        """Let time pass; what arrives is taken as it comes."""
        coming = next(arrivals, None)
        self._start()
        while True:
            arrives = math.inf if coming is None else coming[0]
            ends = self.runs[0][0] if self.runs else math.inf
            wakes = self.scheduler.wake_at or math.inf
            soonest = min(arrives, ends, wakes)
            if soonest >= moment:
                self.now = max(self.now, moment)
                return
            self.now = max(self.now, soonest)
            if coming is not None and arrives <= self.now:
                self.submit(coming[1])
                coming = next(arrivals, None)
            elif ends <= self.now:
                self._end()
            self._start()

    def rows_per_s(self, start: float, end: float) -> float:
        return sum(job.rows for at, job in self.answered if start <= at < end) / (end - start)


def again(job: Job[Any]) -> Job[Any]:
    priority, caller = job.flow
    return Job(job.payload, rows=job.rows, kind=job.kind, caller=caller, priority=priority)


def poisson(
    rate: float, make: Callable[[float, random.Random], Job[Any]], seed: int = 1
) -> Iterator[tuple[float, Job[Any]]]:
    chance, now = random.Random(seed), 0.0
    while True:
        now += chance.expovariate(rate)
        yield now, make(now, chance)


def closed(served: Served, clients: int) -> Served:
    """So many clients, each of whom sends again when it was answered."""
    served.comes_back = True
    for number in range(clients):
        served.submit(Job(number))
    return served


def both(
    one: Iterable[tuple[float, Job[Any]]], other: Iterable[tuple[float, Job[Any]]]
) -> Iterator[tuple[float, Job[Any]]]:
    return heapq.merge(one, other, key=lambda arrival: arrival[0])


@pytest.mark.parametrize("machine", MACHINES)
def test_a_flood_by_one_caller_neither_refuses_nor_delays_another(machine: str) -> None:
    takes = MACHINES[machine]
    capacity = max(n / takes(n, 1, 0.0) for n in SIZES)
    flood = poisson(3 * capacity, lambda now, chance: Job("much", caller="much"))
    little = poisson(capacity / 20, lambda now, chance: Job("little", caller="little"), seed=2)
    served = Served(takes)
    served.until(6.0, both(flood, little))
    assert {job.payload for _, job, _ in served.refused} == {"much"}
    waits = sorted(at - job.arrived for at, job in served.answered if job.payload == "little")
    longest = takes(128, 1, 0.0) if machine != "linear" else takes(4, 1, 0.0)
    assert waits[int(0.99 * len(waits))] < 4 * longest
    assert served.rows_per_s(2.0, 6.0) > 0.9 * capacity


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kinds", [1, 5, 100_000])
def test_the_queue_is_bounded_in_seconds_whatever_mixes(machine: str, kinds: int) -> None:
    served = Served(MACHINES[machine], queue_s=1.0)
    rate = 3 * max(n / MACHINES[machine](n, 1, 0.0) for n in SIZES)
    served.until(3.5, poisson(rate, lambda now, chance: Job(0, kind=chance.randrange(kinds))))
    waits = [at - job.arrived for at, job in served.answered]
    unbounded = 128 * MACHINES[machine](1, 1, 0.0)  # a hundred may always wait
    assert max(waits) < max(1.5, 1.2 * unbounded)


@pytest.mark.parametrize("edge", [1, 8, 16])
def test_looking_for_a_better_size_costs_little_where_it_is_much_worse(edge: int) -> None:
    def cliff(rows: int, at_once: int, now: float) -> float:
        return 0.001 * (1 + rows) * (1 if rows <= edge else 12)

    served = closed(Served(cliff, CostModel(), noise=0.03), 128)
    served.until(20.0)
    assert served.rows_per_s(5.0, 20.0) > 0.93 * edge / cliff(edge, 1, 0.0)


@pytest.mark.parametrize(("early", "late"), [(1.3, 2.3), (2.3, 1.3)])
def test_two_runs_at_once_are_taken_up_and_given_up_as_they_gain(early: float, late: float) -> None:
    def shared(rows: int, at_once: int, now: float) -> float:
        return 0.008 * rows * (1.0 if at_once == 1 else early if now < 20.0 else late)

    served = closed(Served(shared, CostModel(), noise=0.03, at_once=2), 32)
    served.until(80.0)
    for start, end, factor in ((10.0, 20.0, early), (50.0, 80.0, late)):
        best = max(1.0, 2 / factor) / 0.008
        assert served.rows_per_s(start, end) > 0.93 * best
