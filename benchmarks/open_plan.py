"""An open-loop load as data: what is planned, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Latency", "OpenLoad", "Plan", "latency"]


@dataclass(frozen=True)
class Plan:
    """What is sent: when, how often, on how many connections."""

    rate: float
    """Arrivals in each second, evenly spaced."""
    seconds: float
    connections: int = 1024
    """At most; kept alive, opened where none is free; one request at a time on each."""
    timeout_s: float = 5.0
    """Nobody waits longer for an answer, counted from the planned moment."""

    @property
    def arrivals(self) -> int:
        """How many requests there are."""
        return max(1, round(self.rate * self.seconds))


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the planned moment to the end of the answer; 0 where there is none."""

    count: int
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    p999_ms: float = 0.0
    max_ms: float = 0.0


@dataclass(frozen=True)
class OpenLoad:
    """What became of each arrival: `arrivals` is the sum of `statuses` and `failures`."""

    rate: float
    seconds: float
    connections: int
    timeout_s: float
    arrivals: int
    statuses: dict[int, int]
    failures: dict[str, int]
    """`timeout`: sent and not answered in time; `unsent`: no connection was free in time; `reset`:
    the server ended the connection; `broken`: what came is no HTTP."""
    good: Latency
    """Of the answers with status 200 to 299."""
    refused: Latency
    """Of the answers with any other status."""
    good_per_second: list[int]
    """By the second in which the answer came, after the start."""
    good_while_due: int
    """Good answers that came before the plan's seconds were over."""
    late_p99_ms: float
    """How late the generator looked at its arrivals: its own fault, and part of each latency."""
    cpu_s: float
    """User and system time of the generator, while it ran."""
    wall_s: float

    @property
    def goodput(self) -> float:
        """Good answers in each second while requests were due; those that came later count not."""
        return self.good_while_due / self.seconds


def latency(seconds: Sequence[float]) -> Latency:
    """Percentiles by the nearest rank."""
    if not seconds:
        return Latency(0)
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1e3

    return Latency(len(ordered), at(0.5), at(0.9), at(0.99), at(0.999), ordered[-1] * 1e3)
