"""Identical requests in the air: one leads and runs, the others wait for what it gets.

A leader that is cancelled, comes too late or is refused ends alone: the next one leads. Where the
model itself fails, each of the others runs for itself, as it would have without the one that led.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from enum import Enum, auto
from typing import Generic, TypeVar

from modelport.core.errors import DeadlineExceeded, LimitExceeded, NotReady, Overloaded

__all__ = ["Flights"]

R = TypeVar("R")
_OWN = (asyncio.CancelledError, DeadlineExceeded, LimitExceeded, NotReady, Overloaded)
"""What befalls a request by its own deadline, place in the queue or client."""


class _Told(Enum):
    LEAD = auto()
    ALONE = auto()


class Flights(Generic[R]):
    """Runs by key, with those that wait for each."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[R | _Told]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def share(self, key: Hashable, run: Callable[[], Awaitable[R]]) -> tuple[R, bool]:
        """What `run` gives, or what it gave to another with the same key; and whether it is that.

        Raises whatever `run` raises when it is this caller's that runs.
        """
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return await self._lead(key, run), False
        told = await self._follow(key, waiting)
        if told is _Told.LEAD:
            return await self._lead(key, run), False
        if told is _Told.ALONE:
            return await run(), False
        return told, True

    async def _follow(self, key: Hashable, waiting: deque[asyncio.Future[R | _Told]]) -> R | _Told:
        future: asyncio.Future[R | _Told] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.done() and future.result() is _Told.LEAD:
                self._pass_on(key)  # it was to lead, and left before it could
            raise

    async def _lead(self, key: Hashable, run: Callable[[], Awaitable[R]]) -> R:
        try:
            result = await run()
        except _OWN:
            self._pass_on(key)
            raise
        except BaseException:
            self._tell_all(key, _Told.ALONE)
            raise
        self._tell_all(key, result)
        return result

    def _pass_on(self, key: Hashable) -> None:
        """Have the one that waits longest lead."""
        waiting = self._waiting[key]
        while waiting:
            future = waiting.popleft()
            if not future.done():
                future.set_result(_Told.LEAD)
                return
        del self._waiting[key]

    def _tell_all(self, key: Hashable, told: R | _Told) -> None:
        for future in self._waiting.pop(key):
            if not future.done():
                future.set_result(told)
