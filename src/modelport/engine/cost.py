"""What a run takes: t(n), the seconds of a batch of n rows, learnt from the runs themselves.

One `Curve` holds t(n) for rows of one size; a `CostModel` holds a curve for each size of row and
for each number of runs at once, because runs that share the cores slow each other down.

A machine's speed changes from one second to the next: clocks, and neighbours on its cores. Sizes
that ran at different moments could not be compared. So each run is measured by the `Pace` at that
moment, which those sizes tell that are known well, and a curve holds what is left of it.
"""

from __future__ import annotations

import bisect
import math

import msgspec

__all__ = ["FEW", "CostModel", "Curve", "Pace", "Point", "Points", "grid", "larger", "row_class"]

_MEMORY = 20
"""Runs after which an old one has lost two thirds of its weight."""
_CLOCK_S = 1e-9
"""No run takes less, whatever a clock says."""
_SURE = 3
"""Runs that are more than chance."""
_OLD = 64
"""Runs of the model after which half of the runs of a size that was not among them are forgotten,
so that it is soon learnt anew where it is tried again."""
_KNOWN = _MEMORY // 2
"""Runs from which on a size is known well enough to tell that the machine has changed."""
_FOLLOW = 0.5
"""The part of what a well-known size takes more or less that is put down to the machine's pace."""
_OUTLIER = 1.5
"""A run that takes more than so many times the usual (or less than its part) says nothing, unless
`_SURE` come in a row, all slower or all faster: then the machine has changed."""
_PART = 4
"""A size tells the pace if it is at least such a part of the best one: of a row alone, more is
spent on other things, and it wavers otherwise."""
_MOST_CHANGE = 8.0
"""A machine becomes at most so many times as fast, or as slow, as at the beginning: what says more
are stalls, and they count for their size alone. Sizes that do not run then would otherwise be
scaled further with each stall."""
_DOUBT = 0.03
"""So much more, over the root of its runs, makes a larger batch the better one, which answers
later: the best of many figures may be a lucky one."""
_STAY = 1.015
"""So many times the rows/s are worth another size than the one before: of sizes that are level, now
this would be best and now that, and with each change some wait for one more batch."""
_NEARLY = 0.85
"""Part of the best rows/s from which on a smaller size is tried again: a few runs may deceive."""
_AS_GOOD = 0.98
"""Part of the rows/s of a size from which on another is as good."""
_GROWTH = 1.03
"""As long as twice the rows get so many times the rows/s, more of them are tried; ..."""
FEW = 8
"""... beyond the best size in any case, where that is so few: noise would hide what more get."""


class Point(msgspec.Struct, array_like=True):
    """One measured size."""

    rows: int
    seconds: float
    runs: int
    """How many were measured, up to where older ones are forgotten."""


class Points(msgspec.Struct, frozen=True):
    """A curve as data."""

    row_class: int
    """Binary logarithm of the elements of a row, where rows differ in size; else 0."""
    at_once: int
    """Runs of the model at the same time, this one counted."""
    points: list[Point]


def grid(rows: int) -> int:
    """The size, of 1, 2, 3, 4, 6, 8, 12, 16, 24 and so on, that is nearest as a ratio."""
    if rows <= 4:
        return max(rows, 1)
    power = 1 << (rows.bit_length() - 1)
    sizes = (power, power + power // 2, 2 * power)
    return min(sizes, key=lambda size: max(size / rows, rows / size))


def larger(rows: int) -> int:
    """The size after that on the grid, from 4 rows on in steps of about a half."""
    return grid(2 * rows if rows < 4 else rows + rows // 2)


def row_class(elements: int, rows: int) -> int:
    """The class of rows of that size: classes are an octave wide."""
    return max(0, math.ceil(math.log2(max(elements, 1) / max(rows, 1))))


class Pace:
    """How long everything takes at the moment, in multiples of what it took at the beginning."""

    def __init__(self) -> None:
        self.factor = 1.0
        self.runs = 0
        """All that were learnt."""
        self.jumped = 0
        """How many there were when it changed at once."""


class Curve:
    """t(n) for one kind of row: measured at some sizes, and between them on a straight line."""

    def __init__(self, points: list[Point] | None = None, pace: Pace | None = None) -> None:
        """
        Args:
            points: what was learnt before.
            pace: that of the machine, where other curves share it.
        """
        self._pace = pace or Pace()
        self._points = {
            point.rows: Point(point.rows, point.seconds / self._pace.factor, point.runs)
            for point in points or ()
        }
        """At a pace of 1."""
        self._sizes = sorted(self._points)
        self._best: dict[float, int] = {}  # by the largest allowed; found out anew after each run
        self._stayed: dict[float, int] = {}  # the same, as it was before
        self._odd: dict[int, list[float]] = {}
        """By size: how many times the usual its outliers took since the last run that was none."""
        self._ran: dict[int, int] = {}  # by size: the model's runs when it ran last

    def __len__(self) -> int:
        """The sizes that were measured; a curve without any is false."""
        return len(self._sizes)

    @property
    def points(self) -> list[Point]:
        """What was measured, by size, at the present pace."""
        factor = self._pace.factor
        known = (self._points[size] for size in self._sizes)
        return [Point(point.rows, point.seconds * factor, point.runs) for point in known]

    @property
    def largest(self) -> int:
        """The largest size that was measured; 0 where none was."""
        return self._sizes[-1] if self._sizes else 0

    def is_sure(self, rows: int) -> bool:
        """Whether that size was measured more often than chance would have it."""
        point = self._points.get(rows)
        return point is not None and point.runs >= _SURE

    def untried(self, best: int) -> int:
        """The next size that should be tried because it may be better still; 0 where none is."""
        if not self.is_sure(best) or not (best <= FEW or self._grows(best)):
            return 0
        size = larger(best)
        while self.is_sure(size):
            if not self._grows(size):
                return 0
            size = larger(size)
        return size

    def _grows(self, rows: int) -> bool:
        """Whether so many rows get clearly more rows/s than half as many."""
        point = self._points.get(rows)
        doubt = 2 * _DOUBT / math.sqrt(point.runs) if point and rows > FEW else 0.0
        return self.rows_per_s(rows) >= (_GROWTH + doubt) * self.rows_per_s(rows // 2)

    def proven(self, limit: int) -> float:
        """The most rows/s of the sizes that were measured more often than chance would have it."""
        sure = (n for n in self._sizes if n <= limit and self.is_sure(n))
        return max((self.rows_per_s(n) for n in sure), default=0.0)

    def promised(self, best: int, rows: int) -> float:
        """The rows/s of more than the best size, on the line through that and its half.

        Infinity where the best size is a row: it has no half.
        """
        half = best // 2
        if not half:
            return math.inf
        slope = max(0.0, (self.seconds(best) - self.seconds(half)) / (best - half))
        return rows / (self.seconds(best) + slope * (rows - best))

    def nearly(self, best: int) -> list[int]:
        """The sizes down to a quarter that are nearly as good, and may be better; largest first."""
        least = _NEARLY * self.rows_per_s(best)
        sizes = self._sizes[: bisect.bisect_left(self._sizes, best)]
        return [n for n in reversed(sizes) if 4 * n >= best and self.rows_per_s(n) >= least]

    def least(self, best: int) -> int:
        """The smallest known size that is as good as the best one."""
        least = _AS_GOOD * self.rows_per_s(best)
        known = (n for n in self._sizes if n < best and self.is_sure(n))
        return next((n for n in known if self.rows_per_s(n) >= least), best)

    def evenly(self, size: int, total: int, most: int) -> int:
        """A known size, `most` at most, that parts so many rows evenly and is as good as another;
        else that other size itself."""
        least = _AS_GOOD * self.rows_per_s(size)
        near = (n for n in self._sizes[::-1] if size <= 2 * n <= 4 * size and n <= most)
        as_good = (n for n in near if self.is_sure(n) and self.rows_per_s(n) >= least)
        return next((n for n in (size, *as_good) if not total % n), size)

    def learn(self, rows: int, seconds: float) -> None:
        """Take in one run; a single slow one (a page fault, a neighbour) moves little."""
        self._best.clear()
        pace = self._pace
        pace.runs += 1
        size = grid(rows)
        if size != rows:
            known = self.seconds(rows)
            ratio = self.seconds(size) / known if known else size / rows
            # More rows take more time, and at most in proportion, whatever was learnt wrongly.
            seconds *= sorted((1.0, ratio, size / rows))[1]
        seconds = max(seconds, _CLOCK_S) / pace.factor
        point = self._points.get(size)
        if point is None:
            self._points[size] = Point(size, seconds, 1)
            bisect.insort(self._sizes, size)
        else:
            self._age(point)
            self._adjust(point, seconds)
        self._ran[size] = pace.runs

    def _age(self, point: Point) -> None:
        """Give less weight to what a size took long ago, or before the machine changed."""
        last = self._ran.get(point.rows, 0)
        if last < self._pace.jumped:
            point.runs = min(point.runs, _KNOWN - 1)
        forgotten = (self._pace.runs - last) // _OLD
        point.runs = max(min(point.runs, _SURE), point.runs >> forgotten)

    def _adjust(self, point: Point, seconds: float) -> None:
        if point.runs == 1:
            point.seconds = min(seconds, point.seconds)  # the first pays for what is set up once
            point.runs = 2
            return
        factor = seconds / point.seconds
        known = min(1.0, point.runs / _MEMORY)
        if point.runs >= _SURE and not _is_usual(factor):
            odd = self._odd.setdefault(point.rows, [])
            if odd and (odd[0] > 1) is not (factor > 1):
                odd.clear()
            odd.append(factor)
            if len(odd) >= _SURE:
                self._change(point, min(odd) if factor > 1 else max(odd))
            return
        self._odd.pop(point.rows, None)
        # Both as geometric means: else the two would drift apart with the noise of each run.
        point.runs = min(point.runs + 1, _MEMORY)
        point.seconds *= factor ** (1 / point.runs)
        if self._is_telling(point):
            self._pace.factor *= factor ** (_FOLLOW * known * known)

    def _is_telling(self, point: Point) -> bool:
        """Whether what this size takes says how fast the machine is with larger ones, too."""
        return _PART * point.rows >= self.best()

    def _change(self, point: Point, factor: float) -> None:
        """Either the machine has changed, for all sizes, or this one was learnt wrongly.

        Args:
            point: the size that says so.
            factor: how many times the usual it took, at least.
        """
        self._odd.clear()
        pace = self._pace
        is_known = point.runs >= _KNOWN and self._is_telling(point)
        if is_known and 1 / _MOST_CHANGE < pace.factor * factor < _MOST_CHANGE:
            pace.factor *= factor
            pace.jumped = pace.runs
        else:
            point.seconds, point.runs = point.seconds * factor, _SURE

    def seconds(self, rows: int) -> float:
        """The predicted seconds of a batch; 0 where nothing was measured.

        Beyond what was measured, more rows take in proportion more, which promises no gain.
        """
        return self._at_pace_1(rows) * self._pace.factor

    def _at_pace_1(self, rows: int) -> float:
        sizes = self._sizes
        if not sizes:
            return 0.0
        at = bisect.bisect_left(sizes, rows)
        if at == len(sizes):
            last = self._points[sizes[-1]]
            return last.seconds * rows / last.rows
        above = self._points[sizes[at]]
        if above.rows == rows or at == 0:
            return above.seconds
        below = self._points[sizes[at - 1]]
        part = (rows - below.rows) / (above.rows - below.rows)
        return below.seconds + part * (above.seconds - below.seconds)

    def guess(self, rows: int) -> float:
        """As `seconds`; beyond what was measured, on the line through the two largest sizes."""
        if len(self._sizes) < 2 or rows <= self._sizes[-1]:
            return self.seconds(rows)
        last, before = (self._points[size] for size in self._sizes[-1:-3:-1])
        slope = max(0.0, (last.seconds - before.seconds) / (last.rows - before.rows))
        return (last.seconds + slope * (rows - last.rows)) * self._pace.factor

    def best(self, limit: float = math.inf, within_s: float = math.inf) -> int:
        """The smallest size than which no larger one gets clearly more rows/s, or 1.

        Args:
            limit: the largest size allowed.
            within_s: the longest run allowed; a single row is always allowed.
        """
        if within_s < math.inf:
            return self._find_best(limit, within_s)  # which changes with the pace, too
        known = self._best.get(limit)
        if known is None:
            known = self._best[limit] = self._stay(limit, self._find_best(limit, within_s))
        return known

    def _stay(self, limit: float, best: int) -> int:
        """The size that was best before, unless another gets clearly more."""
        before = self._stayed.get(limit, 0)
        if before in self._points and (self.rows_per_s(best) < _STAY * self.rows_per_s(before)):
            return before
        self._stayed[limit] = best
        return best

    def _find_best(self, limit: float, within_s: float) -> int:
        allowed = [p for p in self.points if p.rows <= limit and p.seconds <= within_s]
        if not allowed:
            return 1
        best, *others = allowed
        for point in others:
            gain = best.seconds * point.rows / (point.seconds * best.rows)
            if gain > 1.0 + _DOUBT / math.sqrt(max(point.runs, 1)):
                best = point
        return best.rows

    def rows_per_s(self, rows: int) -> float:
        """The predicted rows/s of batches of that size; infinity where nothing was measured."""
        seconds = self.seconds(rows)
        return rows / seconds if seconds else math.inf


def _is_usual(factor: float) -> bool:
    return 1 / _OUTLIER < factor < _OUTLIER


class CostModel:
    """The curves of one version in one placement."""

    def __init__(self, curves: list[Points] | None = None) -> None:
        """
        Args:
            curves: what was learnt before, as `data` gave it.
        """
        self._pace = Pace()
        self._curves = {(c.row_class, c.at_once): Curve(c.points, self._pace) for c in curves or ()}
        self.is_changed = False
        """Whether anything was learnt that is not kept yet; whoever keeps it sets it back."""

    def learn(self, rows: int, seconds: float, *, row_class: int = 0, at_once: int = 1) -> None:
        """Take in one run that was alone, or one of several at once."""
        key = row_class, at_once
        if key not in self._curves:
            self._curves[key] = Curve(pace=self._pace)
        self._curves[key].learn(rows, seconds)
        self.is_changed = True

    def curve(self, row_class: int = 0, at_once: int = 1) -> Curve:
        """What was measured for exactly this; an empty curve where nothing was."""
        return self._curves.get((row_class, at_once)) or Curve()

    def seconds(self, rows: int, row_class: int = 0, at_once: int = 1) -> float:
        """The predicted seconds of a run, from the nearest that is known; 0 where nothing is."""
        known = self._curves.get((row_class, at_once))
        if known:
            return known.seconds(rows)
        if not self._curves:
            return 0.0
        near = min(
            self._curves, key=lambda key: (abs(key[0] - row_class), abs(key[1] - at_once), key)
        )
        return self._curves[near].seconds(rows) * 2.0 ** (row_class - near[0])

    def data(self) -> list[Points]:
        """Everything, for keeping and for showing."""
        return [
            Points(row_class, at_once, curve.points)
            for (row_class, at_once), curve in sorted(self._curves.items())
        ]
