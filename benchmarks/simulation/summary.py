"""What a simulation says of a policy, in one line of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.simulation.world import Outcome, Record

__all__ = ["Summary", "summary"]


@dataclass(frozen=True)
class Summary:
    """Figures of the time after the warm-up."""

    rows_per_s: float
    """Answered, in time or not."""
    good_per_s: float
    """Rows answered before their deadline."""
    p50_s: float
    """Of the requests that were answered; 0 where none was."""
    p99_s: float
    batch: float
    """Mean rows of a run."""
    refused: float
    """The part of the requests that was refused, or dropped because it was late."""
    idle: float
    """The part of the time in which the model was idle while requests waited."""


def summary(outcome: Outcome, after: float = 0.0) -> Summary:
    """Figures of what ended, was refused or ran after a moment."""
    span = outcome.seconds - after
    done = [r for r in outcome.records if r.ended is not None and r.ended >= after]
    come = [r for r in outcome.records if r.arrival.at >= after]
    times = sorted(r.latency_s for r in done)
    batches = [rows for started, rows, _ in outcome.batches if started >= after]
    idle_s = sum(seconds for began, seconds in outcome.idle_s if began >= after)
    return Summary(
        rows_per_s=_rows(done) / span,
        good_per_s=_rows([r for r in done if r.arrival.at + r.latency_s <= r.due]) / span,
        p50_s=_at(times, 0.5),
        p99_s=_at(times, 0.99),
        batch=sum(batches) / max(len(batches), 1),
        refused=sum(r.refused is not None or r.is_dropped for r in come) / max(len(come), 1),
        idle=idle_s / span,
    )


def _rows(records: Sequence[Record]) -> int:
    return sum(record.arrival.rows for record in records)


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
