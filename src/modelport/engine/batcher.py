"""When a version runs, and with which waiting jobs: a state machine on its caller's clock.

Batches form from what arrives while one runs. How many rows a batch takes, and how many runs at
once are worth it, it reads from the measured t(n); there is nothing that must be set. It does not
wait while its model is idle, but for a moment where those who were just answered always come back
at once (`returns.py`), a run with them is predicted to raise the throughput, and every member still
meets objective and deadline.

Nothing here reads a clock, starts a thread or does I/O: the same code runs in production, in tests
and in simulation (`benchmarks/simulate.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

from modelport.core.errors import DeadlineExceeded, Overloaded
from modelport.engine.cost import CostModel, Curve, grid
from modelport.engine.limits import MANY, Backlog, Limits, too_much
from modelport.engine.looks import Looks
from modelport.engine.queue import Job, Queue
from modelport.engine.regrouping import regrouped
from modelport.engine.returns import Returns
from modelport.engine.tries import Tries

__all__ = ["BatchRun", "Batcher"]

_MOST_OF_ROOM = 15
"""One caller may have so many times as many jobs waiting as there is room for more, so that those
of others find some (Choudhury and Hahne, "Dynamic queue length thresholds", 1998)."""
_LOOKING = 0.02
"""The part of the time that may be lost to looking at other sizes, where they are much worse."""
_HOPE = 1.06
"""A larger size alone is tried where it may get so many times what one more run at once gets:
everybody waits for it."""
_BETTER = 1.02
"""So many times the rows/s of the best size are worth a second look."""
_FORBEARANCE = 32
"""For so many batches a second run at once is put off for the sake of larger ones alone."""
_GAIN_OF_RUN = 0.97
"""One more run at once is worth it from that part of the throughput on: what comes back, and what
is between two runs, is done meanwhile, which no t(n) shows; and figures of another moment differ
by more."""
_OVERLAP = 0.9
"""Part of the best rows/s from which on smaller runs are preferred where several are in the air: a
batch waits whenever one ends. With all that there is in the air, what comes back is taken as it
comes, and runs of nearly all and of a few rows take turns for good."""
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
        self._batches = 0
        self._tries = Tries()
        self._wanted = 0, 0  # a size that is to be tried alone, and since which batch
        self._looks: dict[tuple[int, int], Looks] = {}  # by class of row and runs at once
        self._looked_at = 0.0  # when a size beside the best was tried last
        self._look: Looks | None = None  # whose look the next run is
        self._per_row: dict[int, float] = {}
        """By class of row; found out anew after each run."""
        self._returns = Returns()
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
            if not self._has_slot(first):
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

    def _has_slot(self, first: Job[P]) -> bool:
        """Whether one more run is worth it: always where none runs."""
        running = len(self._running)
        if not running:
            return True
        if running >= self.limits.at_once:
            return False
        return self._is_worth_it(first, self._rows_of(first), running)

    def _is_worth_it(self, first: Job[P], rows: int, running: int) -> bool:
        """Whether to have one more run at once; now and then the other way is tried."""
        # A size that is tried alone, in the middle of such a try, would spoil both.
        if not self._tries.is_on and self._is_to_be_tried(first, running):
            return False
        return self._tries.chosen(self._gains(first, rows, running))

    def _gains(self, first: Job[P], rows: int, running: int) -> bool:
        """Whether so many rows are done sooner by one more run at once."""
        more = self.cost.curve(first.row_class, running + 1)
        now = self.cost.curve(first.row_class, running)
        return bool(more) and (
            self._rate(more, rows, running + 1) >= _GAIN_OF_RUN * self._rate(now, rows, running)
        )

    def _is_to_be_tried(self, first: Job[P], running: int) -> bool:
        """Whether a larger size may be better still: beside another run it would never be tried.

        After a while in which so many rows never came together, the other run waits no longer.
        """
        curve = self.cost.curve(first.row_class, running)
        best = curve.best(self.limits.rows, self._longest_s(first))
        size, rows = self._untried(first, curve, best, running), self._rows_of(first)
        if len(curve) < 2 or not curve.is_sure(best):
            size = best
        elif size > min(rows, self.limits.rows):
            size = 0
        if not self.limits.merges or not size:
            return False
        if size != self._wanted[0]:
            self._wanted = size, self._batches
        return self._batches - self._wanted[1] < _FORBEARANCE

    def _rows_of(self, first: Job[P]) -> int:
        """All rows of a kind that wait, and those that run."""
        return self.queue.rows_of(first.kind) + sum(run.rows for run in self._running)

    def _rate(self, curve: Curve, rows: int, at_once: int) -> float:
        """Rows/s of so many rows that are shared out between so many runs at once.

        Several do not end together, so that a part waits for each that ends.
        """
        if not self.limits.merges:
            return at_once * curve.rows_per_s(1)
        parts = at_once + (at_once > 1)
        size = max(1, rows // parts)
        best = curve.best(min(size, self.limits.rows))
        rows_per_s = curve.rows_per_s(best)
        if size > best and curve.untried(best):
            rows_per_s = max(rows_per_s, size / (curve.guess(size) or 1e-9))
        return at_once * rows_per_s

    def _plan(self, first: Job[P], now: float) -> tuple[int, float]:
        """How many rows the next batch takes at most, and the seconds to wait for more."""
        limits = self.limits
        if not limits.merges:
            return first.rows, 0.0
        at_once = len(self._running) + 1
        curve = self.cost.curve(first.row_class, at_once)
        within = self._longest_s(first)
        best = usual = curve.best(limits.rows, within)
        if self.queue.kinds > 1:  # all the others wait while one fills its batches
            best = usual = curve.least(best)
        if self._running:
            best = max(best, self._unknown_part(first, within, at_once))
            best = self._part(curve, best, self._rows_of(first), at_once)
            best = self._even(first, curve, best, within, now)
        # While other kinds wait, they fill the time that a wait would take.
        may_wait = limits.regroups and not self._running and self.queue.kinds == 1
        due = self._returns.due(now, first.kind) if may_wait else None
        have = self.queue.rows_of(first.kind)
        total = have if due is None else have + round(due.rows)
        if not self._running and self._is_shared_out(first, total):
            beside = self.cost.curve(first.row_class, 2)
            best = max(self._unknown_part(first, within, 2), self._best(first, within, 2))
            best = self._part(beside, best, total, 2)
            return self._even(first, beside, best, within, now), 0.0
        if self._tries.is_on:  # of one run in place of two, for which nobody is to wait longer
            best = self._part(curve, best, total, at_once)
        # Nothing beyond its share is tried beside others: it would leave them crumbs.
        share = math.ceil(self._rows_of(first) / at_once) if self._running else total
        most = min(limits.rows, grid(share))
        other = self._untried(first, curve, best, at_once)
        if not other and usual <= most:
            other = self._again(first, curve, usual, most, now)
        if 0 < other <= most and curve.guess(other) <= within:
            best = other
        if due is None:
            return best, 0.0
        slack_s = self._soonest - now
        return regrouped(
            curve, have, best, due, limit=limits.rows, within_s=within, slack_s=slack_s
        )

    def _best(self, first: Job[P], within_s: float, at_once: int) -> int:
        return self.cost.curve(first.row_class, at_once).best(self.limits.rows, within_s)

    def _unknown_part(self, first: Job[P], within_s: float, at_once: int) -> int:
        """The part of one of several runs in what is best alone, until it is known; else 0."""
        curve = self.cost.curve(first.row_class, at_once)
        best = curve.best(self.limits.rows, within_s)
        part = self._best(first, within_s, 1) // at_once
        is_known = curve.is_sure(grid(part)) or (curve.is_sure(best) and not curve.untried(best))
        return 0 if is_known else part

    def _part(self, curve: Curve, best: int, rows: int, at_once: int) -> int:
        """What one of several runs takes: its share, or less where that is as good.

        With less, a batch waits already whenever one ends.
        """
        best = min(best, math.ceil(rows / at_once))
        less = math.ceil(rows / (at_once + 1))
        is_as_good = curve and curve.rows_per_s(less) >= _OVERLAP * curve.rows_per_s(best)
        return min(less, best) if is_as_good else best

    def _even(self, first: Job[P], curve: Curve, size: int, within_s: float, now: float) -> int:
        """A size that is as good, and parts all rows evenly where always the same come back.

        Each then waits for as many batches as every other; else some wait for one more.
        """
        due = self._returns.due(now, first.kind)
        if due is None:
            return size
        total = self._rows_of(first) + round(due.rows)
        most = min(total // (len(self._running) + 2), self.limits.rows)
        even = curve.evenly(size, total, most)
        return even if curve.seconds(even) <= within_s else size

    def _is_shared_out(self, first: Job[P], rows: int) -> bool:
        """Whether so many rows, while nothing runs, are parted between two runs at once."""
        return self.limits.at_once > 1 and rows > 1 and self._is_worth_it(first, rows, 1)

    def _untried(self, first: Job[P], curve: Curve, best: int, at_once: int) -> int:
        """The next size that may be better still, and than one more run at once; else 0."""
        size = curve.untried(best)
        if not size:
            return 0
        rows = max(size, min(self._rows_of(first), self.limits.rows))
        more = self.cost.curve(first.row_class, at_once + 1).proven(rows)
        is_hopeful = at_once * curve.promised(best, rows) > _HOPE * (at_once + 1) * more
        return size if is_hopeful else 0

    def _again(self, first: Job[P], curve: Curve, best: int, most: int, now: float) -> int:
        """Now and then a size beside the best, and else none."""
        if not curve:
            return 0
        looks = self._looks.setdefault((first.row_class, len(self._running) + 1), Looks())
        other = looks.due(best, curve.nearly(best), most)
        loses_s = curve.guess(other) - other / curve.rows_per_s(best)
        if not other or loses_s > _LOOKING * (now - self._looked_at):
            return 0
        self._looked_at = now
        self._look = looks
        return other

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
        self._batches += 1
        rows = sum(job.rows for job in jobs)
        run = BatchRun(jobs, now, self._takes(rows, jobs[0].row_class), self._area)
        is_first = not self._running
        self._tries.started(is_first, is_first or self._is_telling(jobs[0], rows))
        run.look, self._look = self._look, None
        self._running.append(run)
        following = self.queue.first()
        run.alone = is_first and (following is None or not self._has_slot(following))
        if not self.queue.jobs:
            self._soonest = math.inf
        return run

    def _is_telling(self, first: Job[P], rows: int) -> bool:
        """Whether so many rows, now taken, are at least half the share of a run beside others."""
        best = self._best(first, math.inf, 1)
        return 2 * self.limits.at_once * rows >= min(best, rows + self._rows_of(first))

    def finished(self, run: BatchRun[P], now: float, *, learns: bool = True) -> None:
        """A run ended; what it took is learnt, unless it says nothing of the model."""
        self._advance(now)
        self._running.remove(run)
        if not self._running:
            self._tries.idle()
        self._per_row.clear()
        self._returns.answered(len(run.jobs), run.rows, now, run.jobs[0].kind)
        took = now - run.started
        if learns and took > 0:
            at_once = (self._area - run.area) / took
            if abs(at_once - round(at_once)) < _BESIDE:
                self._learn(run, took, max(1, round(at_once)))

    def _learn(self, run: BatchRun[P], took: float, at_once: int) -> None:
        if run.look is not None and grid(run.rows) == run.look.size:
            curve = self.cost.curve(run.row_class, at_once)
            best = curve.rows_per_s(curve.best(self.limits.rows))
            run.look.saw(run.rows / took > _BETTER * best)
        self.cost.learn(run.rows, took, row_class=run.row_class, at_once=at_once)

    def _advance(self, now: float) -> None:
        self._area += len(self._running) * (now - self._area_at)
        self._area_at = now


def _slack(job: Job[P], now: float) -> float:
    return math.inf if job.deadline is None else job.deadline - now
