"""When to run, and with what: the scheduler of Modelport, and those it is compared with."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from benchmarks.simulation.machine import Machine
from modelport.core.errors import Overloaded
from modelport.engine.batcher import Batcher, BatchRun
from modelport.engine.cost import CostModel
from modelport.engine.limits import Limits
from modelport.engine.queue import Job

__all__ = ["Additive", "Fixed", "Late", "Make", "Policy", "additive", "fixed", "ours", "unbatched"]

Late: TypeAlias = Callable[[Job[Any], Exception], None]
"""Hears of each job that was dropped."""


class Policy(Protocol):
    """What the simulation asks: the interface of `Batcher`."""

    wake_at: float | None

    def submit(self, job: Job[Any], now: float) -> None:
        """Let a job wait; raises `Overloaded`."""

    def next(self, now: float) -> BatchRun[Any] | None:
        """The batch to run now, if there is one."""

    def finished(self, run: BatchRun[Any], now: float) -> None:
        """A run ended."""


Make: TypeAlias = Callable[[Machine, Late], Policy]
"""A policy for a machine."""


@dataclass(frozen=True)
class _Settings:
    rows: float
    wait_s: float
    at_once: int
    queue_jobs: int = 1024


class Fixed:
    """A size and a wait that somebody chose, as Triton, TorchServe and LitServe have them.

    A batch runs when that many rows wait, or the first of them has waited for so long.
    """

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self._waiting: deque[Job[Any]] = deque()
        self._rows = 0
        self._running = 0
        self.wake_at: float | None = None

    def submit(self, job: Job[Any], now: float) -> None:
        """Let a job wait.

        Raises:
            Overloaded: the queue is full.
        """
        if len(self._waiting) >= self._settings.queue_jobs:
            raise Overloaded("the queue is full", retry_after_s=1.0)
        job.arrived = now
        self._waiting.append(job)
        self._rows += job.rows

    def _most(self) -> float:
        return self._settings.rows

    def next(self, now: float) -> BatchRun[Any] | None:
        """The batch to run now."""
        self.wake_at = None
        waiting = self._waiting
        if not waiting or self._running >= self._settings.at_once:
            return None
        due = waiting[0].arrived + self._settings.wait_s
        if self._rows < self._most() and now < due:
            self.wake_at = due
            return None
        jobs = [waiting.popleft()]
        rows = jobs[0].rows
        while waiting and rows + waiting[0].rows <= self._most():
            rows += waiting[0].rows
            jobs.append(waiting.popleft())
        self._rows -= rows
        self._running += 1
        return BatchRun(jobs, now, 0.0, 0.0)

    def finished(self, run: BatchRun[Any], now: float) -> None:
        """A run ended."""
        self._running -= 1


class Additive(Fixed):
    """Clipper's: a row more after each full batch within the objective, a tenth less after others.

    Crankshaw et al., "Clipper: A Low-Latency Online Prediction Serving System", 2017.
    """

    def __init__(self, settings: _Settings, objective_s: float) -> None:
        super().__init__(settings)
        self._objective_s = objective_s
        self._size = 1.0

    def _most(self) -> float:
        return max(1.0, math.floor(self._size))

    def finished(self, run: BatchRun[Any], now: float) -> None:
        """A run ended; the next batches are larger or smaller for it."""
        super().finished(run, now)
        if now - run.started > self._objective_s:
            self._size = max(1.0, 0.9 * self._size)
        elif run.rows >= self._most():
            self._size = min(self._size + 1, self._settings.rows)


def unbatched(machine: Machine, late: Late) -> Policy:
    """Each request alone, in the order of arrival, on as many threads as there are."""
    return Fixed(_Settings(1, 0.0, machine.at_once))


def fixed(rows: int, wait_s: float, at_once: int = 1, queue_jobs: int = 1024) -> Make:
    """A size and a wait; so many instances of the model, and jobs that wait at most."""

    def make(machine: Machine, late: Late) -> Policy:
        return Fixed(_Settings(rows, wait_s, at_once, queue_jobs))

    return make


def additive(objective_s: float) -> Make:
    """Additive increase, multiplicative decrease under an objective for a run."""

    def make(machine: Machine, late: Late) -> Policy:
        return Additive(_Settings(machine.largest, 0.0, machine.at_once), objective_s)

    return make


def ours(objective_s: float | None = None, **limits: Any) -> Make:
    """Modelport's scheduler as it is served, knowing what its warm-up shows: t(1)."""

    def make(machine: Machine, late: Late) -> Policy:
        cost = CostModel()
        cost.learn(1, machine.seconds(1, 1))
        given = {"rows": machine.largest, "at_once": machine.at_once, **limits}
        return Batcher(cost, Limits(objective_s=objective_s, **given), late)

    return make
