"""Whether those who were answered come back at once, as the clients of a closed loop do.

A batch that starts when the first of them is back leaves the others to a batch of their own. Where
a run takes about the same whatever its size, that halves the throughput; then it is worth a moment
to wait for them, and nobody else knows that they are about to come.
"""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Returns"]

_WEIGHT = 0.2
"""Of the last batch in what is known."""
_SURE = 0.8
"""The part of the batches, weighted so, after which as many came as were answered."""
_PATIENCE = 1.5
"""They are given up after so many times what they usually take."""


class Returns:
    """What came after each batch, as long as nothing else ran."""

    def __init__(self) -> None:
        self._kind: Hashable = None
        self._ended = 0.0
        self._answered = 0
        self._rows = 0.0  # of each of them
        self._came = 0
        self._first = self._last = 0.0
        self._faithful = 0.0
        self._first_s = 0.0
        self._gap_s = 0.0

    def answered(self, jobs: int, rows: int, now: float, kind: Hashable = None) -> None:
        """A batch of a kind ended."""
        self._learn()
        self._kind = kind
        self._ended = now
        self._answered, self._rows, self._came = jobs, rows / jobs, 0

    def arrived(self, now: float, kind: Hashable = None) -> None:
        """A job came; one that does not fit those who were answered is none of them."""
        if kind != self._kind:
            return
        self._came += 1
        if self._came == 1:
            self._first = now
        self._last = now

    def _learn(self) -> None:
        is_closed = self._came == self._answered
        self._faithful += _WEIGHT * (is_closed - self._faithful)
        if not is_closed or not self._came:
            return
        self._first_s += _WEIGHT * (self._first - self._ended - self._first_s)
        if self._came > 1:
            gap = (self._last - self._first) / (self._came - 1)
            self._gap_s += _WEIGHT * (gap - self._gap_s)

    def due(self, now: float, kind: Hashable = None) -> tuple[float, float, float]:
        """Those of a kind who are about to come: rows, the seconds until then and until given up.

        No rows where those who were answered come back late, never, or among many others.
        """
        left = self._answered - self._came
        if self._faithful < _SURE or left <= 0 or kind != self._kind:
            return 0.0, 0.0, 0.0
        takes = self._first_s + (self._answered - 1) * self._gap_s
        until = self._ended + _PATIENCE * takes
        if now >= until:
            return 0.0, 0.0, 0.0
        return left * self._rows, max(0.0, self._ended + takes - now), until - now
