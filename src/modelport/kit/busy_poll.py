"""Looking for work a moment longer before going to sleep, where work comes that fast.

Sleeping in the kernel and being woken costs tens of microseconds, and more on a virtual machine,
whose idle CPU has to be woken by an interrupt through the hypervisor; a client that waits for its
answer before it sends the next request pays that each time. The kernel does the same for network
devices (`net.core.busy_poll`) and hypervisors for virtual CPUs (`halt_poll_ns`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

__all__ = ["BusyPoll"]

_LONGEST_PAUSE = 1024
"""Answers after which a loop tries again, however often nothing came in time."""


class BusyPoll:
    """Keeps an event loop from sleeping for a moment after each answer, while that pays."""

    def __init__(self, span_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            span_s: how long to look for the next request, in seconds; 0: not at all.
            clock: what tells the seconds.
        """
        self._span_s = span_s
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop
        self._until = 0.0
        self._is_looking = False
        self._answered = False
        self._pause = self._misses = 0

    def expect(self, loop: asyncio.AbstractEventLoop) -> None:
        """An answer was sent: the next request may be near."""
        if self._is_looking:
            self._answered = True
        elif self._pause > 0:
            self._pause -= 1
        elif self._span_s:
            self._is_looking = True
            self._loop = loop
            self._until = self._clock() + self._span_s
            loop.call_soon(self._look)

    def _look(self) -> None:
        # A callback that is ready keeps the loop from sleeping in its next turn.
        if self._answered:
            self._answered = False
            self._misses = 0
            self._until = self._clock() + self._span_s
        elif self._clock() > self._until:
            # Nothing came: the next answers do without, twice as many each time.
            self._is_looking = False
            self._pause = min(2**self._misses, _LONGEST_PAUSE)
            self._misses = min(self._misses + 1, 16)
            return
        else:
            os.sched_yield()  # whoever else wants this CPU goes first
        self._loop.call_soon(self._look)
