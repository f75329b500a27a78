"""When a version runs, and with which waiting jobs: a state machine on its caller's clock.

Batches form from what arrives while one runs. How many rows a batch takes, and how many runs at
once are worth it, is read from the measured t(n) (`sizing.py`); there is nothing that must be set.
Nobody waits while the model is idle, but for a moment where those who were just answered always
come back at once (`returns.py`), a run with them is predicted to raise the throughput, and every
member still meets objective and deadline.

Nothing here reads a clock, starts a thread or does I/O: the same code runs in production, in tests
and in simulation (`benchmarks/simulate.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

from modelport.core.errors import DeadlineExceeded, Overloaded
from modelport.engine.cost import CostModel
from modelport.engine.limits import MANY, Backlog, Limits, too_much
from modelport.engine.looks import Looks
from modelport.engine.queue import Job, Queue
from modelport.engine.returns import Returns
from modelport.engine.sizing import Demand, Sizing

__all__ = ["BatchRun", "Batcher"]

_MOST_OF_ROOM = 15
"""One caller may have so many times as many jobs waiting as there is room for more, so that those
of others find some (Choudhury and Hahne, "Dynamic queue length thresholds", 1998)."""
_BESIDE = 0.1
"""A run that was beside others for another part of its time than this says nothing of t(n)."""
_SAFE = 0.8
"""The part of an objective or a deadline that is planned for; the rest is for what cannot be
foreseen. Under overload all that are let in end where they are planned to."""
_LEAST_RUN = 2.0
"""A run may take so many times as long as that of a row, whatever the objective: where it cannot be
kept, giving up the throughput of batches would make everybody wait longer still."""

P = TypeVar("P")


class BatchRun(Generic[P]):
    """A batch that runs, or ran."""

    __slots__ = ("alone", "area", "expected_s", "jobs", "look", "row_class", "rows", "started")

    def __init__(self, jobs: list[Job[P]], started: float, expected_s: float, area: float) -> None:
        self.jobs = jobs
        self.rows = sum(job.rows for job in jobs)
        self.row_class = jobs[0].row_class
        self.started = started
        self.expected_s = expected_s
        """0 where nothing is known."""
        self.area = area
        """The runs at once, summed over time, when it started."""
        self.alone = False
        """Whether no other ran when it started or is to start now, so that all cores are free."""
        self.look: Looks | None = None
        """Whose look it is, where it tries a size beside the best."""


class Batcher(Generic[P]):
    """The scheduler of one version."""

    def __init__(
        self, cost: CostModel, limits: Limits, late: Callable[[Job[P], Exception], None]
    ) -> None:
        """
        Args:
            cost: what its runs take.
            limits: its bounds.
            late: hears of each job that was dropped because its deadline passed.
        """
        self.cost = cost
        self.limits = limits
        self.queue: Queue[P] = Queue()
        self.wake_at: float | None = None
        """When `next` is to be asked again, though nothing arrives or ends: only where a batch
        waits for those who were just answered."""
        self._late = late
        self._running: list[BatchRun[P]] = []
        self._area = self._area_at = 0.0  # runs at once, summed over time
        self._per_row: dict[int, float] = {}
        """By class of row; found out anew after each run."""
        self._returns = Returns()
        self._sizing = Sizing(cost, limits, self._returns)
        self._soonest = math.inf  # when the first of those that wait must be answered

    @property
    def running(self) -> int:
        """Runs in the air."""
        return len(self._running)

    def wait_s(self, flow: tuple[str, str], now: float) -> float:
        """Predicted seconds before the next job of a flow would start."""
        wait = self.queue.wait_s(flow) * self._dearer()
        if len(self._running) < self.limits.at_once:
            return wait
        ends = min(run.started + run.expected_s for run in self._running)
        return wait + max(0.0, ends - now)

    def _dearer(self) -> float:
        """How many times what it is charged the queue takes, because its kinds do not mix.

        Jobs are charged as parts of batches of the best size, which many kinds of a few rows each
        never make. A kind's last batch is as large as the rest of it; that of one kind does not
        count, since what comes next is part of it.
        """
        queue = self.queue
        if queue.kinds < 2 or not queue.cost_s or not self.limits.merges:
            return 1.0
        first = queue.first()
        assert first is not None
        if not first.cost_s:
            return 1.0  # nothing was known when it came, and the sum is what rounding has left
        at_once = max(1, len(self._running))
        curve = self.cost.curve(first.row_class, at_once)
        best = curve.best(self.limits.rows, self._longest_s(first))
        rest = max(1, min(queue.rows // queue.kinds, best))
        more = curve.seconds(rest) - rest / curve.rows_per_s(best)
        return 1.0 + (queue.kinds - 1) * max(0.0, more) / at_once / queue.cost_s

    def backlog(self, now: float) -> Backlog:
        """All that waits and runs."""
        left = (max(0.0, run.started + run.expected_s - now) for run in self._running)
        seconds = self.queue.cost_s * self._dearer() + max(left, default=0.0)
        return Backlog(seconds, self.queue.jobs, self.queue.flows)

    def check_room(self, flow: tuple[str, str], now: float) -> None:
        """Refuse the next job of a flow if too much waits, before any work is spent on it.

        Raises:
            Overloaded: says when there is room.
        """
        jobs, limits = self.queue.jobs, self.limits
        if jobs < min(MANY, limits.queue_jobs):
            return
        wait = self.wait_s(flow, now)
        if wait > limits.queue_s:
            raise too_much(jobs, wait, limits)
        if jobs >= limits.queue_jobs or (
            self.queue.jobs_of(flow) > _MOST_OF_ROOM * (limits.queue_jobs - jobs)
        ):
            raise Overloaded(
                f"{jobs} requests wait already; try again later", retry_after_s=max(1.0, wait)
            )

    def submit(self, job: Job[P], now: float) -> None:
        """Let a job wait for its turn.

        Raises:
            Overloaded: too much waits, or it could not be answered before its deadline.
        """
        self.check_room(job.flow, now)
        if job.deadline is not None and self._running:
            self._check_deadline(job, job.deadline, now)
        job.arrived = now
        job.cost_s = job.rows * self._seconds_per_row(job)
        self.queue.push(job)
        self._returns.arrived(now, job.kind)
        within = math.inf if self.limits.objective_s is None else _SAFE * self.limits.objective_s
        due = math.inf if job.deadline is None else job.deadline
        self._soonest = min(self._soonest, now + within, due)

    def _check_deadline(self, job: Job[P], deadline: float, now: float) -> None:
        left, takes = max(0.0, deadline - now), self._batch_s(job)
        most = self.queue.cost_s * self._dearer() + max(run.expected_s for run in self._running)
        if most + takes <= _SAFE * left:
            return  # whatever is before it
        needs = self.wait_s(job.flow, now) + takes
        if needs > _SAFE * left:
            raise Overloaded(
                f"an answer would take about {needs:.2g} seconds, and the request's deadline"
                f" comes after {left:.2g}",
                retry_after_s=round(needs - _SAFE * left + 0.05, 2),
            )

    def _batch_s(self, job: Job[P]) -> float:
        """What the run takes that a job will be in: that of all who wait, up to the best size."""
        if not self.limits.merges:
            return self.cost.seconds(job.rows, job.row_class)
        at_once = max(1, len(self._running))
        curve = self.cost.curve(job.row_class, at_once)
        rows = min(self.queue.rows_of(job.kind) + job.rows, curve.best(self.limits.rows))
        return self.cost.seconds(max(job.rows, rows), job.row_class, at_once)

    def _seconds_per_row(self, job: Job[P]) -> float:
        """What a row takes of the model's time, in batches as they are formed under load."""
        if not self.limits.merges:
            return self._predicted(job)
        known = self._per_row.get(job.row_class)
        if known is None:
            known = self._per_row[job.row_class] = self._predicted(job)
        return known

    def _predicted(self, job: Job[P]) -> float:
        at_once = max(1, len(self._running))
        curve = self.cost.curve(job.row_class, at_once)
        if curve and self.limits.merges:
            best = curve.best(self.limits.rows, self._longest_s(job))
            return curve.seconds(best) / best / at_once
        return self.cost.seconds(job.rows, job.row_class) / job.rows / at_once

    def cancel(self, job: Job[P]) -> None:
        """Nobody waits for this job any more; nothing happens if it is not waiting."""
        if job.is_waiting:
            self.queue.drop(job)

    def next(self, now: float) -> BatchRun[P] | None:
        """The batch to run now; None where there is none, or none yet (`wake_at`)."""
        self.wake_at = None
        while (first := self.queue.first()) is not None:
            if first.deadline is not None and now >= first.deadline:
                self._drop_late(first)
                continue
            if not self._has_slot(first, now):
                return None
            target, hold_s = self._plan(first, now)
            if hold_s > 0:
                self.wake_at = now + hold_s
                return None
            return self._start(self._gather(first, target, now), now)
        return None

    def _drop_late(self, job: Job[P]) -> None:
        self.queue.drop(job)
        self._late(job, DeadlineExceeded("the deadline passed before the model was asked"))

    def _has_slot(self, first: Job[P], now: float) -> bool:
        """Whether one more run is worth it: always where none runs."""
        running = len(self._running)
        if not running:
            return True
        if running >= self.limits.at_once:
            return False
        return self._sizing.is_worth_it(self._demand(first, now))

    def _plan(self, first: Job[P], now: float) -> tuple[int, float]:
        """How many rows the next batch takes at most, and the seconds to wait for more."""
        if not self.limits.merges:
            return first.rows, 0.0
        return self._sizing.plan(self._demand(first, now))

    def _demand(self, first: Job[P], now: float) -> Demand:
        return Demand(
            now=now,
            kind=first.kind,
            row_class=first.row_class,
            waiting=self.queue.rows_of(first.kind),
            running=len(self._running),
            running_rows=sum(run.rows for run in self._running),
            kinds=self.queue.kinds,
            within_s=self._longest_s(first),
            slack_s=self._soonest - now,
        )

    def _longest_s(self, first: Job[P]) -> float:
        """The most that a run may take: who comes when one starts waits for it, and is in the next.

        What has waited already does not count: after a burst, runs that became shorter for it
        would make everybody wait longer.
        """
        objective = self.limits.objective_s
        if objective is None:
            return math.inf
        return max(_SAFE * objective / 2, _LEAST_RUN * self.cost.seconds(1, first.row_class))

    def _gather(self, first: Job[P], target: int, now: float) -> list[Job[P]]:
        """The first job, and those that can run with it, in their turns."""
        queue = self.queue
        queue.take(first)
        jobs, rows, slack = [first], first.rows, _slack(first, now)
        while self.limits.merges and rows < target:
            job = queue.first_of(first.kind)
            if job is None or rows + job.rows > target:
                break
            left = _slack(job, now)
            if left <= 0:
                self._drop_late(job)
                continue
            slack = min(slack, left)
            if slack < math.inf and self._takes(rows + job.rows, first.row_class) > slack:
                break
            queue.take(job)
            jobs.append(job)
            rows += job.rows
        return jobs

    def _takes(self, rows: int, row_class: int) -> float:
        return self.cost.seconds(rows, row_class, len(self._running) + 1)

    def _start(self, jobs: list[Job[P]], now: float) -> BatchRun[P]:
        self._advance(now)
        rows = sum(job.rows for job in jobs)
        run = BatchRun(jobs, now, self._takes(rows, jobs[0].row_class), self._area)
        run.look = self._sizing.started(self._demand(jobs[0], now), rows)
        is_first = not self._running
        self._running.append(run)
        following = self.queue.first()
        run.alone = is_first and (following is None or not self._has_slot(following, now))
        if not self.queue.jobs:
            self._soonest = math.inf
        return run

    def finished(self, run: BatchRun[P], now: float, *, learns: bool = True) -> None:
        """A run ended; what it took is learnt, unless it says nothing of the model."""
        self._advance(now)
        self._running.remove(run)
        if not self._running:
            self._sizing.idle()
        self._per_row.clear()
        self._returns.answered(len(run.jobs), run.rows, now, run.jobs[0].kind)
        took = now - run.started
        if learns and took > 0:
            at_once = (self._area - run.area) / took
            if abs(at_once - round(at_once)) < _BESIDE:
                self._learn(run, took, max(1, round(at_once)))

    def _learn(self, run: BatchRun[P], took: float, at_once: int) -> None:
        if run.look is not None:
            curve = self.cost.curve(run.row_class, at_once)
            self._sizing.looked(run.look, run.rows, took, curve)
        self.cost.learn(run.rows, took, row_class=run.row_class, at_once=at_once)

    def _advance(self, now: float) -> None:
        self._area += len(self._running) * (now - self._area_at)
        self._area_at = now


def _slack(job: Job[P], now: float) -> float:
    return math.inf if job.deadline is None else job.deadline - now
