"""What all connections of one worker share: bounds, the gate, and the memo of heads."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelport.core.errors import ModelportError
from modelport.core.settings import HttpLimits
from modelport.http.errors import status_of
from modelport.http.wire import Head
from modelport.kit.busy_poll import BusyPoll
from modelport.kit.outbox import Outbox
from modelport.monitor.recent import ErrorLog, RecentError

__all__ = ["Shared"]

_MEMO_HEADS = 512
"""Distinct heads that are remembered; one more, and the memo starts anew."""

_CANCELLED, _LEFT = "CANCELLED", 499
"""No answer has this status, which is that of other servers' logs."""
_LONGEST = 300
"""Characters of a message that are kept."""


class Shared:
    """What all connections of one worker have in common."""

    def __init__(
        self,
        limits: HttpLimits,
        resolve: Callable[[Head], None],
        rejected: Callable[[ModelportError], None],
        request_ids: Callable[[], bytes],
        errors: ErrorLog,
    ) -> None:
        """
        Args:
            limits: bounds and deadlines.
            resolve: the gate and the router; sets the head's handler, or raises.
            rejected: told of each error that is answered and that no route counts.
            request_ids: a new id for each request that has none.
            errors: keeps the last ones that callers were told.
        """
        self.limits = limits
        self.resolve = resolve
        self._rejected = rejected
        self._errors = errors
        self.request_ids = request_ids
        self.memos: dict[bool, dict[bytes, Head]] = {True: {}, False: {}}
        """By whether the peer is on this machine: the bytes of a head to the head."""
        self.busy_poll = BusyPoll(limits.busy_poll_s)
        self.outbox = Outbox()
        self.draining = False
        self._stamped: list[tuple[bytes, bytes]] | None = None
        self._stamp = b""

    def failed(self, head: Head, error: ModelportError, request_id: bytes) -> None:
        """Count an error that is answered, and keep it for whoever looks into it."""
        if head.metrics is None:
            self._rejected(error)
        else:
            head.metrics.failed(error.code)
        self._note(head, request_id, error.code, status_of(error), error.message)

    def left(self, head: Head, request_id: bytes) -> None:
        """The same for a request whose caller left before there was an answer."""
        if head.metrics is not None:
            head.metrics.failed(_CANCELLED)
            self._note(head, request_id, _CANCELLED, _LEFT, "the caller left before the answer")

    def _note(self, head: Head, request_id: bytes, code: str, status: int, message: str) -> None:
        metrics = head.metrics
        error = RecentError(
            at=time.time(),
            request_id=request_id.decode("latin-1"),
            model=None if metrics is None else metrics.model,
            version=None if metrics is None else metrics.version,
            protocol=None if metrics is None else metrics.protocol,
            code=str(code),  # a model's own error may have anything here
            status=status,
            message=str(message)[:_LONGEST].encode(errors="backslashreplace").decode(),
        )
        self._errors.note(error)

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
