"""Whether a batch waits for those who always come back, or leaves some for the next one."""

from __future__ import annotations

import math

from modelport.engine.cost import Curve
from modelport.engine.returns import Due

__all__ = ["regrouped"]

_GAIN = 1.05
"""How much less time is worth a wait, or another size: more than what t(n) may be wrong by."""
_WAIT = 0.5
"""The most that a wait may take, as a part of the run that follows."""


def regrouped(
    curve: Curve, have: int, best: int, due: Due, *, limit: int, within_s: float, slack_s: float
) -> tuple[int, float]:
    """The rows that the next batch takes at most, and the seconds to wait for them.

    Compared is the time until all have run, those who are here and those who are due: with those
    who are here now, after a wait for the others or for as many as are best, or in two runs of the
    same size.

    Args:
        curve: what a run takes.
        have: rows that wait.
        best: the size that is best where enough wait, or one that is to be tried.
        due: those who are about to come.
        limit: most rows of a batch.
        within_s: a run may take no longer.
        slack_s: the wait and the run may take no longer, for the sake of those who wait.
    """
    total, most = have + round(due.rows), min(have, best)

    def takes_s(size: int) -> float:
        rest = total - size
        following_s = curve.seconds(min(rest, best)) * max(1.0, rest / best) if rest else 0.0
        return curve.seconds(size) + following_s

    least_s, choice = takes_s(most) / _GAIN, (best, 0.0)
    half = math.ceil(total / 2)
    if half < most <= curve.largest and takes_s(half) < least_s:
        least_s, choice = takes_s(half), (half, 0.0)
    for size in (total, best):
        run_s = curve.seconds(size)
        if not most < size <= min(total, limit) or run_s > within_s:
            continue
        comes_s = due.comes_s * max(0, size - have) / max(due.rows, 1)
        wait_s = due.until_s if size > have else 0.0
        if comes_s > _WAIT * run_s or wait_s + run_s > slack_s:
            continue
        if curve.largest < size <= best:
            return size, wait_s  # to see what it takes
        if comes_s + takes_s(size) < least_s:
            least_s, choice = comes_s + takes_s(size), (size, wait_s)
    return choice
