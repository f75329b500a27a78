"""What the scheduler keeps to whatever comes, leaves, expires and ends, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.core.errors import DeadlineExceeded, Overloaded
from modelport.engine.batcher import Batcher, BatchRun
from modelport.engine.cost import CostModel
from modelport.engine.limits import Limits
from modelport.engine.queue import Job
from tests.engine.scheduling import affine, known

MACHINES: dict[str, Callable[[int, int], float]] = {
    "flat": lambda rows, at_once: 0.01 * (1 if at_once == 1 else 1.95),
    "affine": lambda rows, at_once: 0.002 + 0.0025 * rows * at_once,
    "linear": lambda rows, at_once: 0.008 * rows * (1 if at_once == 1 else 1.7),
    "cliff": lambda rows, at_once: 0.001 * rows * at_once * (1 if rows <= 8 else 20),
}


class Trial:
    """A scheduler in random hands; each step asserts what must hold."""

    def __init__(self, seed: int, limits: Limits) -> None:
        self.chance = random.Random(seed)
        self.seconds = self.chance.choice(list(MACHINES.values()))
        self.limits = limits
        cost = self.chance.choice((CostModel(), known(affine)))
        self.scheduler: Batcher[int] = Batcher(cost, limits, self.on_late)
        self.now = 0.0
        self.jobs: list[Job[int]] = []
        self.fate: dict[int, str] = {}
        self.running: list[tuple[float, BatchRun[int]]] = []
        self.order: dict[Any, int] = {}
        self.calls = 0
        """Of `next` in a row that started nothing, though the time had come that it gave."""

    def on_late(self, job: Job[int], error: Exception) -> None:
        assert isinstance(error, DeadlineExceeded)
        assert job.deadline is not None
        assert job.deadline <= self.now
        self.settle(job, "late")

    def settle(self, job: Job[int], fate: str) -> None:
        assert self.fate[job.payload] == ("runs" if fate == "answered" else "waits")
        self.fate[job.payload] = fate

    def waiting(self) -> list[Job[int]]:
        return [job for job in self.jobs if self.fate[job.payload] == "waits"]

    def come(self) -> None:
        chance = self.chance
        job = Job(
            len(self.jobs),
            rows=chance.choice((1, 1, 1, 2, 5, 40)),
            kind=chance.choice("aab"),
            deadline=chance.choice((None, None, self.now + chance.uniform(0.0, 0.2))),
            caller=chance.choice(("x", "y", "z")),
            priority=chance.choice(("low", "normal", "high")),
        )
        self.jobs.append(job)
        self.fate[job.payload] = "waits"
        was_idle = not self.running and not self.scheduler.queue.jobs
        try:
            self.scheduler.submit(job, self.now)
        except Overloaded as error:
            refusal = error
        else:
            return
        assert not was_idle
        assert refusal.retry_after_s is not None
        assert refusal.retry_after_s > 0
        self.fate[job.payload] = "refused"

    def leave(self) -> None:
        waiting = self.waiting()
        if waiting:
            job = self.chance.choice(waiting)
            self.scheduler.cancel(job)
            self.settle(job, "left")

    def end(self) -> None:
        """A run ends, mostly that which is to end next."""
        if self.running:
            self.running.sort(key=lambda one: one[0])
            ends, run = self.running.pop(self.chance.choice((0, 0, -1)))
            self.now = max(self.now, ends)
            self.scheduler.finished(run, self.now, learns=self.chance.random() < 0.9)
            for job in run.jobs:
                self.settle(job, "answered")

    def start(self) -> None:
        """As the lane does after each event: until nothing is to start."""
        while (run := self.scheduler.next(self.now)) is not None:
            self.check_run(run)
            at_once = len(self.running) + 1
            takes = self.seconds(run.rows, at_once) * self.chance.uniform(0.9, 1.2)
            self.running.append((self.now + takes, run))
            assert len(self.running) <= self.limits.at_once
        self.check_rest()

    def check_run(self, run: BatchRun[int]) -> None:
        assert run.rows == sum(job.rows for job in run.jobs)
        assert run.rows <= self.limits.rows or len(run.jobs) == 1
        assert len(run.jobs) == 1 or self.limits.merges
        assert len({job.kind for job in run.jobs}) == 1
        for job in run.jobs:
            assert job.deadline is None or self.now < job.deadline
            self.settle(job, "runs")
            assert self.fate[job.payload] == "runs"
            line = (job.flow, job.kind)
            assert self.order.get(line, -1) < job.payload
            self.order[line] = job.payload

    def check_rest(self) -> None:
        scheduler = self.scheduler
        assert scheduler.queue.jobs == len(self.waiting()) <= self.limits.queue_jobs
        assert scheduler.running == len(self.running)
        if scheduler.wake_at is not None:
            assert self.limits.regroups
            assert self.now < scheduler.wake_at < self.now + 0.5
        elif scheduler.queue.jobs:
            assert self.running  # it is never idle while somebody waits

    def wake(self) -> None:
        if self.scheduler.wake_at is not None:
            self.now = self.scheduler.wake_at
            self.start()
            assert self.running or not self.scheduler.queue.jobs

    def drain(self) -> None:
        for _ in range(10 * len(self.jobs) + 10):
            self.end()
            self.start()
            self.wake()
        assert set(self.fate.values()) <= {"answered", "late", "left", "refused"}
        assert not self.scheduler.queue.jobs
        assert not self.scheduler.queue.rows


LIMITS = st.builds(
    Limits,
    rows=st.sampled_from((1, 4, 16, 1024)),
    at_once=st.sampled_from((1, 2, 3)),
    merges=st.sampled_from((True, True, False)),
    objective_s=st.sampled_from((None, 0.005, 0.1)),
    regroups=st.booleans(),
    queue_s=st.sampled_from((0.05, 2.0)),
    queue_jobs=st.sampled_from((8, 1024)),
)


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 2**32), LIMITS)
def test_whatever_happens_each_job_has_one_end_and_no_bound_is_passed(
    seed: int, limits: Limits
) -> None:
    trial = Trial(seed, limits)
    steps = (trial.come, trial.come, trial.come, trial.leave, trial.end, trial.wake)
    for _ in range(200):
        trial.chance.choice(steps)()
        trial.start()
        if trial.chance.random() < 0.3:
            trial.now += trial.chance.expovariate(200)
            trial.start()
    trial.drain()


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("regroups", [True, False])
def test_a_lone_client_never_waits_for_others(machine: str, regroups: bool) -> None:
    scheduler: Batcher[int] = Batcher(CostModel(), Limits(regroups=regroups), lambda *_: None)
    now = 0.0
    for number in range(300):
        scheduler.submit(Job(number), now)
        run = scheduler.next(now)
        assert run is not None
        assert run.rows == 1
        now += MACHINES[machine](1, 1)
        scheduler.finished(run, now)
        assert scheduler.next(now) is None
        now += 1e-4
