"""When the other number of runs at once is tried: one more where that was not worth it, one less
where it was.
"""

from __future__ import annotations

__all__ = ["Tries"]

_FIRST_TRY = 8
"""After so many runs the other number of runs at once is tried: one more, or one less."""
_TRY_AGAIN = 32
"""After so many it is tried again where a try has shown that the other way gets clearly more."""
_BACK_OFF = 4
"""After so many times as many as the last time, where it does not."""
_CLEARLY = 1.03
"""So many times the rows/s: with less, either way will do, and each try makes somebody wait."""
_TRY_ALONE, _TRY_BESIDE = 3, 6
"""So many runs: those that were beside another for only a part of their time say little."""
_LONGEST = 32
"""A try ends after so many, though few of them said anything."""
_MOST_SELDOM = 2048
"""Runs between two tries at most."""


class Tries:
    """Whether a try is due, and which way it goes.

    Counted are runs that had the choice: where a single client waits for each answer there is none.
    """

    def __init__(self) -> None:
        self._runs = 0
        self._at = _FIRST_TRY
        self._every = _TRY_AGAIN
        self._trying: bool | None = None
        """Whether one more run at once is being tried, or one less; None between two tries."""
        self._tried = self._done = 0  # runs of this try, and those that said something
        self._is_asked = False  # since the last run started
        self._way: bool | None = None  # which way the last try went, until its outcome is known
        self._is_last = False  # the run in the air is the last of a try of one run less

    @property
    def is_on(self) -> bool:
        """Whether a try goes on."""
        return self._trying is not None

    def chosen(self, gain: float) -> bool:
        """Whether to have one more run at once: where it is worth it, or as it is tried.

        Args:
            gain: how many times the rows/s for which it is worth it, as the measured t(n) says, of
                the rows that there are now. While many come and go it may be another thing each
                time, and a try goes on all the same.
        """
        self._is_asked = True
        gains = gain >= 1
        if self._way is not None:
            is_clear = not 1 / _CLEARLY < gain < _CLEARLY
            self._wait(is_better=gains is self._way and is_clear)
            self._way = None
        if self._trying is None and self._runs >= self._at:
            self._trying = not gains
        return gains if self._trying is None else self._trying

    def _wait(self, *, is_better: bool) -> None:
        """Until the next try, after one that has shown the way it went to be better, or not."""
        # What proves better may do so because of a bad moment.
        self._every = _TRY_AGAIN if is_better else min(_BACK_OFF * self._every, _MOST_SELDOM)
        self._at = self._runs + self._every

    def started(self, is_alone: bool, is_telling: bool = True) -> None:
        """A run starts, beside others or while none is in the air.

        One that had no choice, as a size is tried alone, is no try.

        Args:
            is_alone: whether none is in the air.
            is_telling: whether it is large enough to say something: what is left beside one that
                took nearly all, and began before the try, is not.
        """
        is_asked, self._is_asked = self._is_asked, False
        if not is_asked:
            return
        self._runs += 1
        if self._trying is None or is_alone is self._trying:
            return
        self._tried += 1
        self._done += is_telling
        if is_alone:
            self._is_last = self._done >= _TRY_ALONE  # alone until its end, too
        elif self._done >= _TRY_BESIDE or self._tried >= _LONGEST:
            self._end()

    def idle(self) -> None:
        """No run is in the air any more."""
        if self._is_last:
            self._end()

    def _end(self) -> None:
        self._way = self._trying
        self._trying, self._tried, self._done, self._is_last = None, 0, 0, False
