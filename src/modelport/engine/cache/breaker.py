"""A circuit breaker: after some failures in a row nobody asks, but for one probe at a time.

Pauses between probes double, and start over only when what healed has proved itself: what answers a
probe and fails under load does not have every second request wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Breaker"]


class Breaker:
    """Closed: calls are made. Open: they are not, until a probe succeeds."""

    def __init__(
        self,
        *,
        failures: int = 3,
        first_pause_s: float = 0.25,
        longest_pause_s: float = 4.0,
        proved_by: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            failures: how many in a row open it.
            first_pause_s: until the first probe.
            longest_pause_s: the pauses double up to this.
            proved_by: how many calls must succeed in a row before pauses start over.
            clock: the time in seconds.
        """
        self._most_failures = failures
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._proved_by = proved_by
        self._clock = clock
        self._pause_s = first_pause_s
        self._failures = 0
        self._successes = 0
        self._probe_at = 0.0
        self._is_probing = False
        self.is_open = False

    def succeeded(self) -> None:
        """A call was answered; one that was made before it opened changes nothing."""
        if self.is_open:
            return
        self._failures = 0
        self._successes += 1
        if self._successes >= self._proved_by:
            self._pause_s = self._first_pause_s

    def failed(self) -> bool:
        """A call failed; whether that opened it."""
        if self.is_open:
            return False
        self._successes = 0
        self._failures += 1
        if self._failures < self._most_failures:
            return False
        self.is_open = True
        self._pause()
        return True

    @property
    def is_due(self) -> bool:
        """Whether it is time for a probe."""
        return self.is_open and not self._is_probing and self._clock() >= self._probe_at

    def begin_probe(self) -> bool:
        """Whether it is time for a probe, which is the caller's to make and to tell of."""
        is_due = self.is_due
        self._is_probing |= is_due
        return is_due

    def end_probe(self, *, succeeded: bool) -> None:
        """What came of a probe: it closes, or the next one comes after a longer pause."""
        self._is_probing = False
        if succeeded:
            self.is_open = False
            self._failures = self._successes = 0
        else:
            self._pause()

    def _pause(self) -> None:
        self._probe_at = self._clock() + self._pause_s
        self._pause_s = min(self._pause_s * 2, self._longest_pause_s)
