"""How much may run and wait for a version, and how much does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from modelport.core.errors import Overloaded

__all__ = ["MANY", "Backlog", "Limits", "too_much"]

MANY = 128
"""Jobs that may always wait, however long one takes: their number bounds nothing but memory."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds that are never passed; none has to be set."""

    rows: int = 1024
    """Most rows of a batch; a job that has more runs alone."""
    at_once: int = 1
    """Most runs at the same time."""
    merges: bool = True
    """Whether jobs may share a batch at all."""
    objective_s: float | None = None
    """The seconds within which nearly all are to be answered; None: the best throughput."""
    regroups: bool = True
    """Whether a batch may wait a moment for callers who always come back at once."""
    queue_s: float = 2.0
    """Predicted seconds of work of one caller's share that may wait."""
    queue_jobs: int = 1024
    """Most jobs that wait, for their memory."""


class Backlog(NamedTuple):
    """What waits for a version, in figures that other processes can judge a request by."""

    seconds: float = 0.0
    """Predicted until all that waits and runs is done."""
    jobs: float = 0
    flows: float = 0
    """Callers with a priority that have jobs waiting."""

    def check(self, own_jobs: float, limits: Limits) -> None:
        """Refuse a request at the door that would be refused by the scheduler.

        Args:
            own_jobs: about how many jobs of the same caller wait already.
            limits: the scheduler's.

        Raises:
            Overloaded: says when there is room.
        """
        if self.jobs < min(MANY, limits.queue_jobs):
            return
        # The caller's share is its part of the flows; what it has waiting is before the request.
        wait = min(self.seconds, own_jobs * self.seconds / self.jobs * max(self.flows, 1))
        if wait > limits.queue_s:
            raise too_much(self.jobs, wait, limits)


def too_much(jobs: float, wait: float, limits: Limits) -> Overloaded:
    """The refusal of a request that would wait so many seconds, behind so many others."""
    return Overloaded(
        f"{jobs:.0f} requests wait already, and a further one would do so for about"
        f" {wait:.2g} seconds; try again later",
        retry_after_s=round(wait - limits.queue_s + 0.05, 2),
    )
