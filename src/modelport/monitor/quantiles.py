"""What part of the requests was answered within which time, from the counts of a histogram."""

from __future__ import annotations

from collections.abc import Sequence

from modelport.monitor.metrics import BOUNDS_S

__all__ = ["quantile"]


def quantile(counts: Sequence[int], part: float) -> float | None:
    """The seconds within which that part of the requests was answered; None where there are none.

    Interpolated as Prometheus' `histogram_quantile` does: within a bucket all times are taken to be
    equally likely, and what is beyond the last bound counts as the last bound.
    Source: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile.

    Args:
        counts: of each bucket of `BOUNDS_S` by itself.
        part: such as 0.95.
    """
    wanted = part * sum(counts)
    if not wanted:
        return None
    below, lower = 0, 0.0
    for count, upper in zip(counts, BOUNDS_S, strict=False):
        if count and below + count >= wanted:
            return lower + (upper - lower) * (wanted - below) / count
        below, lower = below + count, upper
    return BOUNDS_S[-1]
