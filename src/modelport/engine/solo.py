"""Turns: most work may run beside other work, and some must be alone."""

from __future__ import annotations

import asyncio

__all__ = ["Solo"]


class Solo:
    """Who works, who is alone, and who waits; where nobody wants to be alone, nobody waits."""

    def __init__(self) -> None:
        self._busy = 0
        self._wanted = 0
        """How many want to be alone; the one that is, too."""
        self._is_alone = False
        self._waiters: list[asyncio.Future[None]] = []

    async def enter(self, alone: bool) -> None:
        """Wait for a turn; who wants to be alone comes before all that have not begun."""
        self._wanted += alone
        try:
            while (self._busy or self._is_alone) if alone else self._wanted:
                await self._change()
        except BaseException:
            self._wanted -= alone
            self._wake()
            raise
        if alone:
            self._is_alone = True
        else:
            self._busy += 1

    def leave(self, alone: bool) -> None:
        """The turn is over."""
        if alone:
            self._is_alone = False
            self._wanted -= 1
        else:
            self._busy -= 1
        if self._waiters:
            self._wake()

    async def _change(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
