"""When a size beside the best is tried again, in case the machine has changed."""

from __future__ import annotations

from collections.abc import Sequence

from modelport.engine.cost import FEW, larger

__all__ = ["Looks"]

_EVERY = 8
"""So many batches are between two looks, ..."""
_ENOUGH = 8
"""... and ever more once there were so many: a few would leave in doubt which size is better."""
_MOST_SELDOM = 512
"""Batches between two looks at most: the p99 of a closed loop shows each of them."""


class Looks:
    """A larger size and a smaller one in turn, ever more seldom as long as none proves better.

    Counted are batches that had the choice.
    """

    def __init__(self) -> None:
        self._best = 0
        self.size = 0
        """What is, or was, looked at last."""
        self._is_better = False
        """Whether that took less than the best size, so that it is looked at again."""
        self._up = 0
        """The last larger size that was looked at, ..."""
        self._down = 0
        """... and how many smaller ones were."""
        self._every = self._left = _EVERY
        self._looks = 0

    def due(self, best: int, smaller: Sequence[int], most: int) -> int:
        """The size that this batch is to try; mostly 0.

        Args:
            best: the best size that is known.
            smaller: those below it that are worth a look.
            most: rows that there are for a batch.
        """
        if best != self._best:
            self._best = self._up = best
            self._is_better = False
            self._every = max(_EVERY, self._every // 2)
            self._left = min(self._left, _EVERY)
        self._left -= 1
        if self._left > 0:
            return 0
        size = self.size if self._is_better else self._next(best, smaller, most)
        if not 0 < size <= most:
            return 0  # and the next batch is asked
        if not self._is_better:
            self._looks += 1
            if self._looks >= _ENOUGH:
                self._every = min(2 * self._every, _MOST_SELDOM)
        self.size, self._left = size, self._every
        return size

    def saw(self, is_better: bool) -> None:
        """What was looked at took less time for a row than the best size is known to, or more."""
        if is_better and not self._is_better:
            self._every = self._left = _EVERY
        self._is_better = is_better

    def _next(self, best: int, smaller: Sequence[int], most: int) -> int:
        """One larger and one smaller in turn, as far as there are any; it may be above `most`."""
        if smaller and (self._looks % 2 or larger(best) > most):
            self._down += 1
            return smaller[self._down % len(smaller)]
        # Of the smallest, where twice the rows may get little more, any up to 8.
        self._up = larger(self._up)
        if self._up > min(most, max(larger(best), min(FEW, 4 * best))):
            self._up = larger(best)
        return self._up
