"""Whether those who were answered come back at once, as the clients of a closed loop do.

A batch that starts when the first of them is back leaves the others to a batch of their own. Where
a run takes about the same whatever its size, that halves the throughput; then it is worth a moment
to wait for them, and nobody else knows that they are about to come.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

__all__ = ["Due", "Returns"]

_WEIGHT = 0.2
"""Of the last batch in what is known."""
_SURE = 0.8
"""The part of the batches, weighted so, after which as many came as were answered."""
_STRAGGLERS = 0.1
"""The part of those who were answered that may come after the end of the next batch."""
_PATIENCE = 1.5
"""They are given up after so many times what they usually take."""


class Due(NamedTuple):
    """Those who are about to come."""

    rows: float = 0.0
    """None where all are back, or given up."""
    comes_s: float = 0.0
    """The seconds until they are predicted to be back."""
    until_s: float = 0.0
    """The seconds until they are given up."""


class Returns:
    """What came after each batch, as long as nothing else ran."""

    def __init__(self) -> None:
        self._kind: Hashable = None
        self._ended = 0.0
        self._answered = 0  # and those who are still out from before
        self._stragglers = 0
        self._rows = 0.0  # of each of them
        self._came = 0
        self._first = self._last = 0.0
        self._faithful = 0.0
        self._first_s = 0.0
        self._gap_s = 0.0

    def answered(self, jobs: int, rows: int, now: float, kind: Hashable = None) -> None:
        """A batch of a kind ended."""
        self._learn()
        if kind != self._kind:
            self._kind, self._stragglers = kind, 0
        self._ended = now
        self._answered, self._rows, self._came = jobs + self._stragglers, rows / jobs, 0

    def arrived(self, now: float, kind: Hashable = None) -> None:
        """A job came; one that does not fit those who were answered is none of them."""
        if kind != self._kind:
            return
        self._came += 1
        if self._came == 1:
            self._first = now
        self._last = now

    def _learn(self) -> None:
        out = self._answered - self._came
        is_closed = 0 <= out <= _STRAGGLERS * self._answered
        self._stragglers = out if is_closed else 0
        self._faithful += _WEIGHT * (is_closed - self._faithful)
        if not is_closed or not self._came:
            return
        self._first_s += _WEIGHT * (self._first - self._ended - self._first_s)
        if self._came > 1:
            gap = (self._last - self._first) / (self._came - 1)
            self._gap_s += _WEIGHT * (gap - self._gap_s)

    def due(self, now: float, kind: Hashable = None) -> Due | None:
        """Those of a kind who are about to come.

        None where those who were answered come back late, never, or among many others.
        """
        if self._faithful < _SURE or kind != self._kind:
            return None
        left = self._answered - self._came
        takes = self._first_s + (self._answered - 1) * self._gap_s
        until = self._ended + _PATIENCE * takes
        if left <= 0 or now >= until:
            return Due()
        return Due(left * self._rows, max(0.0, self._ended + takes - now), until - now)
