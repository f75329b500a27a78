"""What all connections of one worker share: bounds, the gate, and the memo of heads."""

from __future__ import annotations

from collections.abc import Callable

from modelport.core.errors import ModelportError
from modelport.core.settings import HttpLimits
from modelport.http.wire import Head
from modelport.kit.busy_poll import BusyPoll

__all__ = ["Shared"]

_MEMO_HEADS = 512
"""Distinct heads that are remembered; one more, and the memo starts anew."""


class Shared:
    """What all connections of one worker have in common."""

    def __init__(
        self,
        limits: HttpLimits,
        resolve: Callable[[Head], None],
        rejected: Callable[[ModelportError], None],
        request_ids: Callable[[], bytes],
    ) -> None:
        """
        Args:
            limits: bounds and deadlines.
            resolve: the gate and the router; sets the head's handler, or raises.
            rejected: told of each error that is answered and that no route counts.
            request_ids: a new id for each request that has none.
        """
        self.limits = limits
        self.resolve = resolve
        self.rejected = rejected
        self.request_ids = request_ids
        self.memos: dict[bool, dict[bytes, Head]] = {True: {}, False: {}}
        """By whether the peer is on this machine: the bytes of a head to the head."""
        self.busy_poll = BusyPoll(limits.busy_poll_s)
        self.draining = False
        self._stamped: list[tuple[bytes, bytes]] | None = None
        self._stamp = b""

    def forget(self) -> None:
        """Drop every memo: what is served, or who may call, has changed."""
        for memo in self.memos.values():
            memo.clear()

    def remember(self, raw: bytes, head: Head) -> None:
        """Keep a head that was parsed, admitted and routed."""
        memo = self.memos[head.loopback]
        if len(memo) >= _MEMO_HEADS:
            memo.clear()
        memo[raw] = head

    def stamp(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The lines of uvicorn's default headers (the date), encoded once a second."""
        if headers is not self._stamped:
            self._stamped = headers
            self._stamp = b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._stamp
