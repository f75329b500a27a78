"""How many rows a batch takes, and how many run at once: read from the measured t(n).

What may be better still is tried now and then: a larger size, sizes beside the best (`looks.py`),
one run more or one less at once (`tries.py`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import NamedTuple

from modelport.engine.cost import CostModel, Curve, grid
from modelport.engine.limits import Limits
from modelport.engine.looks import Looks
from modelport.engine.regrouping import regrouped
from modelport.engine.returns import Due, Returns
from modelport.engine.tries import Tries

__all__ = ["Demand", "Sizing"]

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


class Demand(NamedTuple):
    """What a run could be made of that would start now."""

    now: float
    kind: Hashable
    row_class: int
    waiting: int
    """Rows of the kind."""
    running: int
    """Runs in the air."""
    running_rows: int
    kinds: int
    """How many kinds wait."""
    within_s: float
    """The most that a run may take."""
    slack_s: float
    """The seconds until the first of those that wait must be answered."""

    @property
    def rows(self) -> int:
        """All that wait, and those that run."""
        return self.waiting + self.running_rows


class Sizing:
    """The sizes of one version's batches."""

    def __init__(self, cost: CostModel, limits: Limits, returns: Returns) -> None:
        """
        Args:
            cost: what its runs take.
            limits: its bounds.
            returns: whether those who were answered come back at once.
        """
        self._cost = cost
        self._limits = limits
        self._returns = returns
        self._batches = 0
        self._tries = Tries()
        self._wanted = 0, 0  # a size that is to be tried alone, and since which batch
        self._looks: dict[tuple[int, int], Looks] = {}  # by class of row and runs at once
        self._looked_at = 0.0  # when a size beside the best was tried last
        self._look: Looks | None = None  # whose look the next run is

    def is_worth_it(self, demand: Demand) -> bool:
        """Whether to have one more run at once; now and then the other way is tried."""
        return self._is_one_more_worth_it(demand, demand.rows, demand.running)

    def plan(self, demand: Demand) -> tuple[int, float]:
        """How many rows the next batch takes at most, and the seconds to wait for more."""
        at_once = demand.running + 1
        due = self._regroups_with(demand)
        total = demand.waiting if due is None else demand.waiting + round(due.rows)
        if not demand.running and self._is_shared_out(demand, total):
            return self._share(demand, total, 2), 0.0
        curve = self._curve(demand, at_once)
        best = usual = self._usual(demand, at_once)
        if demand.running:
            best = self._share(demand, demand.rows, at_once)
        other = 0
        if self._tries.is_on:  # of one run in place of two, for which nobody is to wait longer
            best = self._part(curve, best, total, at_once)
        else:
            other = self._other(demand, best, usual, total)
        if due is None or 0 < other <= demand.waiting:
            return other or best, 0.0
        return regrouped(
            curve,
            demand.waiting,
            other or best,
            due,
            limit=self._limits.rows,
            within_s=demand.within_s,
            slack_s=demand.slack_s,
        )

    def started(self, demand: Demand, rows: int) -> Looks | None:
        """A run of so many rows starts; whose look it is, where it tries a size beside the best.

        Args:
            demand: what is left beside it.
            rows: its size.
        """
        self._batches += 1
        is_alone = not demand.running
        self._tries.started(is_alone, is_alone or self._is_telling(demand, rows))
        look, self._look = self._look, None
        return look

    def idle(self) -> None:
        """No run is in the air any more."""
        self._tries.idle()

    def looked(self, look: Looks, rows: int, took: float, curve: Curve) -> None:
        """What a run took that tried a size beside the best; it is not learnt yet.

        Args:
            look: whose it was.
            rows: its size.
            took: seconds.
            curve: what was known of so many runs at once.
        """
        if grid(rows) == look.size:
            best = curve.rows_per_s(curve.best(self._limits.rows))
            look.saw(rows / took > _BETTER * best)

    def _curve(self, demand: Demand, at_once: int) -> Curve:
        return self._cost.curve(demand.row_class, at_once)

    def _best(self, demand: Demand, at_once: int) -> int:
        return self._curve(demand, at_once).best(self._limits.rows, demand.within_s)

    def _usual(self, demand: Demand, at_once: int) -> int:
        """The best size, where there is enough for it."""
        best = self._best(demand, at_once)
        if demand.kinds > 1:  # all the others wait while one fills its batches
            return self._curve(demand, at_once).least(best)
        return best

    def _is_one_more_worth_it(self, demand: Demand, rows: int, running: int) -> bool:
        # A size that is tried alone, in the middle of such a try, would spoil both.
        if not self._tries.is_on and self._is_to_be_tried(demand, running):
            return False
        return self._tries.chosen(self._gain(demand, rows, running))

    def _gain(self, demand: Demand, rows: int, running: int) -> float:
        """How many times the rows/s for which it is worth it one more run gets; 0 if unknown."""
        more, now = self._curve(demand, running + 1), self._curve(demand, running)
        if not more:
            return 0.0
        least = _GAIN_OF_RUN * self._rate(now, rows, running)
        return self._rate(more, rows, running + 1) / least

    def _rate(self, curve: Curve, rows: int, at_once: int) -> float:
        """Rows/s of so many rows that are shared out between so many runs at once.

        Several do not end together, so that a part waits for each that ends.
        """
        if not self._limits.merges:
            return at_once * curve.rows_per_s(1)
        parts = at_once + (at_once > 1)
        size = max(1, rows // parts)
        best = curve.best(min(size, self._limits.rows))
        rows_per_s = curve.rows_per_s(best)
        if size > best and curve.untried(best):
            rows_per_s = max(rows_per_s, size / (curve.guess(size) or 1e-9))
        return at_once * rows_per_s

    def _is_to_be_tried(self, demand: Demand, running: int) -> bool:
        """Whether a larger size may be better still: beside another run it would never be tried.

        After a while in which so many rows never came together, the other run waits no longer.
        """
        curve, best = self._curve(demand, running), self._best(demand, running)
        size = self._untried(demand, best, running)
        if len(curve) < 2 or not curve.is_sure(best):
            size = best
        elif size > min(demand.rows, self._limits.rows):
            size = 0
        if not self._limits.merges or not size:
            return False
        if size != self._wanted[0]:
            self._wanted = size, self._batches
        return self._batches - self._wanted[1] < _FORBEARANCE

    def _other(self, demand: Demand, best: int, usual: int, total: int) -> int:
        """A size that is tried in place of the best, in a run of the time that is allowed; else 0.

        Beside others nothing beyond its share is tried: it would leave them crumbs.
        """
        at_once = demand.running + 1
        share = math.ceil(demand.rows / at_once) if demand.running else total
        most = min(self._limits.rows, grid(share))
        other = self._untried(demand, best, at_once)
        if not other and usual <= most:
            other = self._again(demand, usual, most)
        takes_s = self._curve(demand, at_once).guess(other)
        return other if other <= most and takes_s <= demand.within_s else 0

    def _untried(self, demand: Demand, best: int, at_once: int) -> int:
        """The next size that may be better still, and than one more run at once; else 0."""
        curve = self._curve(demand, at_once)
        size = curve.untried(best)
        if not size:
            return 0
        rows = max(size, min(demand.rows, self._limits.rows))
        more = self._curve(demand, at_once + 1).proven(rows)
        is_hopeful = at_once * curve.promised(best, rows) > _HOPE * (at_once + 1) * more
        return size if is_hopeful else 0

    def _again(self, demand: Demand, best: int, most: int) -> int:
        """Now and then a size beside the best, and else none."""
        at_once = demand.running + 1
        curve = self._curve(demand, at_once)
        if not curve:
            return 0
        looks = self._looks.setdefault((demand.row_class, at_once), Looks())
        other = looks.due(best, curve.nearly(best), most)
        loses_s = curve.guess(other) - other / curve.rows_per_s(best)
        if not other or loses_s > _LOOKING * (demand.now - self._looked_at):
            return 0
        self._looked_at = demand.now
        self._look = looks
        return other

    def _regroups_with(self, demand: Demand) -> Due | None:
        """Those who are about to come, where a batch may wait for them.

        While another runs, or other kinds wait, those fill the time that a wait would take.
        """
        if not self._limits.regroups or demand.running or demand.kinds > 1:
            return None
        return self._returns.due(demand.now, demand.kind)

    def _is_shared_out(self, demand: Demand, rows: int) -> bool:
        """Whether so many rows, while nothing runs, are parted between two runs at once."""
        at_once = self._limits.at_once
        return at_once > 1 and rows > 1 and self._is_one_more_worth_it(demand, rows, 1)

    def _share(self, demand: Demand, rows: int, at_once: int) -> int:
        """What one of several runs at once takes of so many rows."""
        curve = self._curve(demand, at_once)
        size = max(self._usual(demand, at_once), self._unknown_part(demand, at_once))
        return self._even(demand, self._part(curve, size, rows, at_once), at_once)

    def _unknown_part(self, demand: Demand, at_once: int) -> int:
        """The part of one of several runs in what is best alone, until it is known; else 0."""
        curve, best = self._curve(demand, at_once), self._best(demand, at_once)
        part = self._best(demand, 1) // at_once
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

    def _even(self, demand: Demand, size: int, at_once: int) -> int:
        """A size that is as good, and parts all rows evenly where always the same come back.

        Each then waits for as many batches as every other; else some wait for one more.
        """
        due = self._returns.due(demand.now, demand.kind)
        if due is None:
            return size
        curve = self._curve(demand, at_once)
        total = demand.rows + round(due.rows)
        even = curve.evenly(size, total, min(total // (at_once + 1), self._limits.rows))
        return even if curve.seconds(even) <= demand.within_s else size

    def _is_telling(self, demand: Demand, rows: int) -> bool:
        """Whether so many rows are at least half the share of a run beside others."""
        best = self._curve(demand, 1).best(self._limits.rows)
        return 2 * self._limits.at_once * rows >= min(best, rows + demand.rows)
