"""What the server does, as server-sent events: one question to control a second, for all watchers.

Source: HTML Standard, "Server-sent events" (https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from modelport.core.errors import ModelportError, Overloaded
from modelport.guard.policy import Policy, Principal, is_admitted
from modelport.http.admin import AskControl

__all__ = ["Live"]

_EVERY_S = 1.0
_LONGEST_S = 15 * 60.0
"""Then a browser connects anew, perhaps to a worker that has less to do."""
_MOST = 32
_BEGIN = b"retry: 1000\n\n"
_NOTHING = b": control is being restarted\n\n"
"""A comment, so that whoever is in between sees that the stream lives."""
_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would collect the events, and pass them on late
}


class Live:
    """The streams of one worker."""

    def __init__(
        self,
        ask: AskControl,
        policy: Callable[[], Policy],
        clock: Callable[[], float] = time.time,
        *,
        most: int = _MOST,
        longest_s: float = _LONGEST_S,
    ) -> None:
        """
        Args:
            ask: hands an operation to control.
            policy: what the operator decided, now.
            clock: seconds since the epoch, which end sessions.
            most: how many streams there may be.
            longest_s: how long each may take.
        """
        self._ask = ask
        self._policy = policy
        self._clock = clock
        self._most = most
        self._longest_s = longest_s
        self._watchers = 0
        self._is_over = False
        self._latest = _NOTHING
        """What was seen last, while somebody watches."""
        self._interruptions = 0
        self._next: asyncio.Future[None] | None = None
        """Done at the next look, or interruption."""
        self._looking: asyncio.Task[None] | None = None

    async def endpoint(self, request: Request) -> Response:
        """A stream, until the caller leaves or somebody ends it.

        Raises:
            Overloaded: there are as many streams as there may be.
        """
        if request.method == "HEAD":
            return _Stream(_no_more())
        if self._watchers >= self._most:
            raise Overloaded(
                f"{self._most} others watch this server already; try again later, or ask"
                " /server/overview now and then",
                retry_after_s=5,
            )
        self._watchers += 1  # here: the events begin later, after others have asked
        return _Stream(self._events(request.state.principal), self._left)

    def _left(self) -> None:
        self._watchers -= 1

    def interrupt(self) -> None:
        """End every stream: who may watch has changed, and browsers pass the gate anew."""
        self._interruptions += 1
        self._wake()

    def close(self) -> None:
        """End every stream, and begin none: the server drains."""
        self._is_over = True
        self.interrupt()

    async def _events(self, principal: Principal) -> AsyncIterator[bytes]:
        ends, interruptions = self._ends(principal), self._interruptions
        yield _BEGIN
        is_fresh = self._latest is not _NOTHING
        while not self._is_over and self._clock() < ends:
            if not is_fresh:
                await self._looked()
            if interruptions != self._interruptions:
                break
            is_fresh = False
            yield self._latest

    def _ends(self, principal: Principal) -> float:
        """When a stream ends at the latest, in seconds since the epoch."""
        now, policy = self._clock(), self._policy()
        if not is_admitted(policy, principal):  # any more: the policy changed since the head came
            return now
        ends, session = now + self._longest_s, principal.session
        if session is None:
            return ends
        return min(ends, session.ends, session.begun + policy.sessions.lasts_s)

    async def _looked(self) -> None:
        """Wait for the next look, or for an interruption."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._next)

    async def _look(self) -> None:
        """Look once a second for as long as anybody watches."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while self._watchers:
                try:
                    overview = await self._ask("figures.overview", b"")
                    self._latest = b"event: overview\ndata: " + overview + b"\n\n"
                except ModelportError:
                    self._latest = _NOTHING
                self._wake()
                due = max(due + _EVERY_S, loop.time())
                await asyncio.sleep(due - loop.time())
        finally:
            self._looking, self._latest = None, _NOTHING
            self.interrupt()  # whoever still watches would wait in vain

    def _wake(self) -> None:
        waited, self._next = self._next, None
        if waited is not None:
            waited.set_result(None)


async def _no_more() -> AsyncIterator[bytes]:
    return
    yield


class _Stream(StreamingResponse):
    """Events, and what to do after them; also where a caller left before the first."""

    def __init__(
        self, events: AsyncIterator[bytes], after: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS)
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._after()
