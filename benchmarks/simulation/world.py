"""The events, in their order: requests arrive, batches run beside each other, answers go back."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field
from typing import Any

from benchmarks.simulation.arrivals import Arrival, Closed, Load
from benchmarks.simulation.machine import Machine
from benchmarks.simulation.policies import Make
from modelport.core.errors import Overloaded
from modelport.engine.batcher import BatchRun
from modelport.engine.queue import Job

__all__ = ["Outcome", "Record", "simulate"]


@dataclass
class Record:
    """What became of a request; times in seconds of the simulation."""

    arrival: Arrival
    due: float = math.inf
    """When it is late."""
    client: int | None = None
    started: float | None = None
    ended: float | None = None
    refused: float | None = None
    """The seconds after which it was told to come again."""
    is_dropped: bool = False

    @property
    def latency_s(self) -> float:
        """From its arrival to its answer; infinity where it has none."""
        return math.inf if self.ended is None else self.ended - self.arrival.at


@dataclass
class Outcome:
    """What a simulation gave."""

    seconds: float
    records: list[Record] = field(default_factory=list)
    batches: list[tuple[float, int, float]] = field(default_factory=list)
    """Start, rows and seconds of each run that ended."""
    idle_s: list[tuple[float, float]] = field(default_factory=list)
    """Moments, and the seconds for which the model was idle and requests waited from then on."""


@dataclass
class _Active:
    run: BatchRun[Record]
    left: float = 1.0
    """The part that is still to be done."""
    factor: float = 1.0


class _World:
    """One simulation; see `simulate`."""

    def __init__(self, load: Load, machine: Machine, make: Make, seconds: float, seed: int) -> None:
        self.load = load
        self.machine = machine
        self.chance = random.Random(seed)
        self.policy = make(machine, self._on_late)
        self.outcome = Outcome(seconds)
        self.now = 0.0
        self.active: list[_Active] = []
        self.waiting = 0
        self.front_free = 0.0
        self.numbers = itertools.count()
        self.due: list[tuple[float, int, Arrival, int | None]] = []

    def run(self) -> Outcome:
        if isinstance(self.load, Closed):
            for client in range(self.load.clients):
                self._send(client, 0.0)
        else:
            for arrival in self.load.arrivals:
                self._put(arrival.at, arrival, None)
        while (moment := self._moment()) < self.outcome.seconds:
            self._turn_to(moment)
        return self.outcome

    def _put(self, at: float, arrival: Arrival, client: int | None) -> None:
        heapq.heappush(self.due, (at, next(self.numbers), arrival, client))

    def _moment(self) -> float:
        """When something happens next."""
        arrives = self.due[0][0] if self.due else math.inf
        wakes = math.inf if self.policy.wake_at is None else self.policy.wake_at
        ends = min((self.now + a.left * self._takes(a) for a in self.active), default=math.inf)
        return max(self.now, min(arrives, wakes, ends))

    def _takes(self, active: _Active) -> float:
        return self.machine.seconds(active.run.rows, len(self.active)) * active.factor

    def _turn_to(self, moment: float) -> None:
        passed = moment - self.now
        if not self.active and self.waiting and passed:
            self.outcome.idle_s.append((self.now, passed))
        for active in self.active:
            active.left -= passed / self._takes(active)
        self.now = moment
        for active in [a for a in self.active if a.left <= 1e-9]:
            self.active.remove(active)
            self._end(active.run)
        while self.due and self.due[0][0] <= moment:
            self._arrive(*heapq.heappop(self.due)[2:])
        while (run := self.policy.next(moment)) is not None:
            self._start(run)

    def _arrive(self, arrival: Arrival, client: int | None) -> None:
        record = Record(arrival, client=client)
        if self.load.deadline_s is not None:
            record.due = arrival.at + self.load.deadline_s
        self.outcome.records.append(record)
        job = Job(
            record,
            rows=arrival.rows,
            deadline=None if record.due == math.inf else record.due,
            caller=arrival.caller,
            priority=arrival.priority,
        )
        try:
            self.policy.submit(job, self.now)
        except Overloaded as error:
            record.refused = error.retry_after_s or 0.0
            if client is not None:
                self._send(client, self.now + record.refused)
            return
        self.waiting += 1

    def _start(self, run: BatchRun[Record]) -> None:
        self.waiting -= len(run.jobs)
        for job in run.jobs:
            job.payload.started = self.now
        factor = self.machine.takes(run.rows, self.now, self.chance)
        self.active.append(_Active(run, factor=factor))

    def _end(self, run: BatchRun[Record]) -> None:
        self.outcome.batches.append((run.started, run.rows, self.now - run.started))
        self.policy.finished(run, self.now)
        for job in run.jobs:
            job.payload.ended = self.now
            if job.payload.client is not None:
                self._send(job.payload.client, self.now)

    def _on_late(self, job: Job[Any], error: Exception) -> None:
        self.waiting -= 1
        job.payload.is_dropped = True
        if job.payload.client is not None:
            self._send(job.payload.client, self.now)

    def _send(self, client: int, after: float) -> None:
        """The next request of a client comes through the front, which does one at a time."""
        load = self.load
        assert isinstance(load, Closed)
        trip = load.trip_s * self.chance.uniform(0.5, 1.5)
        self.front_free = at = max(self.front_free, after + trip) + load.front_s
        self._put(at, Arrival(at, load.rows, f"client {client}"), client)


def simulate(load: Load, machine: Machine, make: Make, seconds: float, seed: int = 1) -> Outcome:
    """What a policy makes of a load on a machine within so many seconds; the same for one seed."""
    return _World(load, machine, make, seconds, seed).run()
