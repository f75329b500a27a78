"""What waits for one version: in fair turns between callers, by priority, in groups that fit.

The turns are those of start-time fair queueing (Goyal, Vin, Cheng, "Start-time Fair Queueing",
1996): each flow, which is a caller with a priority, has a clock that runs with the work it was
given, slower the greater its weight, and the job with the earliest start on its flow's clock is
next. So each flow gets its share however much others send, and none waits for ever.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

__all__ = ["WEIGHTS", "Job", "Queue"]

WEIGHTS = {"low": 1.0, "normal": 4.0, "high": 16.0}
"""What a flow of that priority gets, in proportion to the others."""

_MANY_FLOWS = 1024
"""Flows that are remembered before those that are even with the others are forgotten."""

P = TypeVar("P")


class Job(Generic[P]):
    """One request, as the scheduler sees it."""

    __slots__ = (
        "arrived",
        "cost_s",
        "deadline",
        "flow",
        "is_waiting",
        "kind",
        "payload",
        "row_class",
        "rows",
        "tag",
        "work",
    )

    def __init__(
        self,
        payload: P,
        *,
        rows: int = 1,
        kind: Hashable = None,
        row_class: int = 0,
        deadline: float | None = None,
        caller: str = "",
        priority: str = "normal",
    ) -> None:
        """
        Args:
            payload: what it is; the scheduler does not look into it.
            rows: its size.
            kind: jobs of one kind can run together.
            row_class: what its rows' cost is known under; each takes twice what one below takes.
            deadline: the time after which nobody wants the answer.
            caller: who sent it.
            priority: `low`, `normal` or `high`.
        """
        self.payload = payload
        self.rows = rows
        self.kind = kind
        self.row_class = row_class
        self.deadline = deadline
        self.flow = (priority, caller)
        self.arrived = 0.0
        self.cost_s = 0.0
        """Seconds of the model that it is predicted to take."""
        self.work = rows * 2.0**row_class
        """What its flow is charged. Not `cost_s`, which wavers with the machine and the size of
        batches: of callers with a request each, some would wait for two turns."""
        self.tag = 0.0
        """Its start on its flow's clock."""
        self.is_waiting = False


class _Flow:
    __slots__ = ("ahead", "cost_s", "jobs", "last", "weight")

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.ahead = 0.0
        """The flow's clock: where its next job starts, unless all others are further."""
        self.last = 0.0
        """The start of the last job that came: none that comes later starts before it."""
        self.jobs = 0
        self.cost_s = 0.0


class Queue(Generic[P]):
    """The waiting jobs of one version."""

    def __init__(self) -> None:
        self._flows: dict[tuple[str, str], _Flow] = {}
        self._clock = 0.0
        """The start of the last job that was taken."""
        self._numbers = itertools.count()
        # A job that was taken or dropped stays in its heaps until it comes to their top.
        self._all: list[tuple[float, int, Job[P]]] = []
        self._kinds: dict[Hashable, list[tuple[float, int, Job[P]]]] = {}
        self._rows: dict[Hashable, int] = {}  # by kind
        self._gone = 0
        self._weight = 0.0
        """Of the flows that have jobs waiting."""
        self.flows = 0
        """How many have."""
        self.kinds = 0
        """How many have rows waiting."""
        self.jobs = 0
        self.rows = 0
        self.cost_s = 0.0
        """Predicted seconds of all that waits."""

    def push(self, job: Job[P]) -> None:
        """Add a job."""
        flow = self._flows.get(job.flow)
        if flow is None:
            flow = self._flows[job.flow] = _Flow(WEIGHTS[job.flow[0]])
        if not flow.jobs:
            self._weight += flow.weight
            self.flows += 1
        ahead = max(self._clock, flow.ahead)
        job.tag = flow.last = max(ahead, flow.last) if flow.jobs else ahead
        flow.ahead = ahead + job.work / flow.weight
        flow.jobs += 1
        flow.cost_s += job.cost_s
        job.is_waiting = True
        self.jobs += 1
        self.rows += job.rows
        rows = self._rows.get(job.kind, 0)
        self._rows[job.kind] = rows + job.rows
        self.kinds += not rows
        self.cost_s += job.cost_s
        entry = (job.tag, next(self._numbers), job)
        heapq.heappush(self._all, entry)
        heapq.heappush(self._kinds.setdefault(job.kind, []), entry)

    def wait_s(self, flow: tuple[str, str]) -> float:
        """Predicted seconds of work before the next job of a flow; its own, over its share.

        A flow that has none waiting comes after about one job of each that has.
        """
        known = self._flows.get(flow)
        if not self.jobs:
            return 0.0
        if known is None or not known.jobs:
            return self.cost_s * self.flows / self.jobs
        return min(self.cost_s, known.cost_s * self._weight / known.weight)

    def jobs_of(self, flow: tuple[str, str]) -> int:
        """How many jobs of a flow wait."""
        known = self._flows.get(flow)
        return 0 if known is None else known.jobs

    def first(self) -> Job[P] | None:
        """The job whose turn it is."""
        return self._top(self._all)

    def first_of(self, kind: Hashable) -> Job[P] | None:
        """The job of a kind whose turn it is before the others of that kind."""
        heap = self._kinds.get(kind)
        return None if heap is None else self._top(heap)

    def rows_of(self, kind: Hashable) -> int:
        """How many rows of a kind wait."""
        return self._rows.get(kind, 0)

    def _top(self, heap: list[tuple[float, int, Job[P]]]) -> Job[P] | None:
        while heap:
            if heap[0][2].is_waiting:
                return heap[0][2]
            heapq.heappop(heap)
        return None

    def take(self, job: Job[P]) -> None:
        """Take a job out, to run it."""
        self._clock = max(self._clock, job.tag)
        self._remove(job)

    def drop(self, job: Job[P]) -> None:
        """Take a job out that will not run; its flow is not charged for it."""
        flow = self._flows[job.flow]
        flow.ahead = max(self._clock, flow.ahead - job.work / flow.weight)
        self._remove(job)

    def _remove(self, job: Job[P]) -> None:
        job.is_waiting = False
        flow = self._flows[job.flow]
        flow.jobs -= 1
        flow.cost_s -= job.cost_s
        self.jobs -= 1
        self.rows -= job.rows
        self._rows[job.kind] -= job.rows
        self.kinds -= not self._rows[job.kind]
        self.cost_s -= job.cost_s
        if not flow.jobs:
            flow.cost_s = 0.0
            self._weight -= flow.weight
            self.flows -= 1
        self._gone += 1
        if not self.jobs:
            self._clear()
        elif self._gone > self.jobs + 64:
            self._sweep()

    def _clear(self) -> None:
        """Nothing waits: everybody is even again."""
        self._flows.clear()
        self._all.clear()
        self._kinds.clear()
        self._rows.clear()
        self._gone = self.flows = self.kinds = 0
        self._clock = self._weight = self.cost_s = 0.0

    def _sweep(self) -> None:
        """Let go of what is gone: memory is for what waits."""
        self._all = [entry for entry in self._all if entry[2].is_waiting]
        heapq.heapify(self._all)
        for kind, heap in list(self._kinds.items()):
            left = [entry for entry in heap if entry[2].is_waiting]
            if left:
                heapq.heapify(left)
                self._kinds[kind] = left
            else:
                del self._kinds[kind], self._rows[kind]
        self._gone = 0
        if len(self._flows) > _MANY_FLOWS:
            even = [k for k, f in self._flows.items() if not f.jobs and f.ahead <= self._clock]
            for key in even:
                del self._flows[key]

    def __iter__(self) -> Any:
        """The waiting jobs, in no order."""
        return (entry[2] for entry in self._all if entry[2].is_waiting)
