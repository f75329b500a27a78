"""What is sent to many clients in one turn of an event loop, sent together at the end of the turn.

Writing to a client that sleeps wakes it, which on a virtual machine takes an interrupt through the
hypervisor, and costs as much as a small model's run. Of several writes in a row only the first pays
that: the client is still awake, or waits for a CPU, when the others come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["Outbox"]

_LONGEST_S = 0.0005
"""Nothing is held longer, but for what is done at that moment."""
_MOST_BYTES = 4096
"""More is sent at once: next to copying it the wake-up is little, and a client that does not read
is noticed."""


class Outbox:
    """What waits for the end of the turn; for one event loop, and in its thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            clock: what tells the seconds.
        """
        self._clock = clock
        self._held: list[tuple[asyncio.Transport, bytes]] = []
        self._until = 0.0
        self._count = self._last_count = 0  # in this turn and in the one before

    def send(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, data: bytes
    ) -> None:
        """Send it by the end of the turn, after what was given before.

        Whoever writes to the transport, ends or closes it in another way has to `flush` first, and
        whoever is about to do what takes long.
        """
        self._count += 1
        if self._count == 1:
            loop.call_soon(self._end_turn)
        is_lone = self._count == 1 and self._last_count <= 1
        if is_lone or len(data) > _MOST_BYTES:
            self.flush()
            transport.write(data)
            return
        now = self._clock()
        if not self._held:
            self._until = now + _LONGEST_S
        self._held.append((transport, data))
        if now > self._until:
            self.flush()

    def flush(self) -> None:
        """Send all that is held."""
        held, self._held = self._held, []
        for transport, data in held:
            if not transport.is_closing():
                transport.write(data)

    def _end_turn(self) -> None:
        self._last_count, self._count = self._count, 0
        self.flush()
