"""Answers on a server that workers and machines share, behind circuit breakers.

A look-up costs a request at most the link's time limit, and nothing at all while the server is
known to be down: then a probe, which no request waits for, finds out when it is back. Answers are
written by a task of their own; what it cannot write in time is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any, Protocol

from modelport.engine.cache.breaker import Breaker
from modelport.engine.cache.entry import seal, unseal
from modelport.engine.cache.redis_link import LinkBusy, LinkFailed

__all__ = ["FarStore", "Link"]

_log = logging.getLogger(__name__)
_PREFIX = b"modelport:1:"
_LARGEST_BYTES = 1024 * 1024
"""A larger payload is not stored: moving it would take longer than the link's limit allows for."""
_MOST_PENDING_BYTES = 16 * 1024 * 1024
_MOST_PENDING = 256
_IN_PLACE_BYTES = 64 * 1024
"""A longer entry is sealed, and looked at, in a thread."""


class Link(Protocol):
    """How a server is reached; see `RedisLink`."""

    async def get(self, key: bytes) -> object: ...

    async def put(self, key: bytes, value: bytes, ttl_s: float) -> None: ...

    async def close(self) -> None: ...


class FarStore:
    """Payloads by key, on a server that may be slow, full, wrong or gone."""

    def __init__(
        self,
        link: Link,
        ttl_s: float,
        name: str,
        reads: Breaker | None = None,
        writes: Breaker | None = None,
    ) -> None:
        """
        Args:
            link: how the server is reached.
            ttl_s: how long it keeps what it is given.
            name: the server's, for the log.
            reads: opens where it does not answer.
            writes: opens where it takes nothing, as one that is full or read-only does.
        """
        self._link = link
        self._ttl_s = ttl_s
        self._name = name
        self._reads = reads or Breaker()
        self._writes = writes or Breaker()
        self._pending: deque[tuple[bytes, bytes]] = deque()
        self._pending_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.Task[None] | None = None
        self.errors: Counter[str] = Counter()
        """What went wrong, by kind."""
        self.stored = 0
        self.dropped = 0
        """Answers that were not written, because the server takes none or too many wait."""

    @property
    def is_open(self) -> bool:
        """Whether the server is known not to answer, so that nobody asks it."""
        return self._reads.is_open

    async def get(self, key: bytes) -> bytes | memoryview | None:
        """The payload, if the server has it and says so in time; raises nothing."""
        if self._reads.is_open:
            self._probe_if_due()
            return None
        try:
            entry = await self._link.get(_PREFIX + key.hex().encode())
            if entry is None:
                self._reads.succeeded()
                return None
            payload = await _unsealed(key, entry)
        except LinkBusy as error:
            self.errors[error.kind] += 1
            return None
        except LinkFailed as error:
            self._failed(error.kind)
            return None
        if payload is None:
            self._failed("corrupt")
            return None
        self._reads.succeeded()
        return payload

    def _failed(self, kind: str) -> None:
        self.errors[kind] += 1
        if self._reads.failed():
            _log.warning(
                "the cache at %s does not answer as it should (%s): models run without it until it"
                " does",
                self._name,
                kind,
            )
            self._drop_pending()

    def _probe_if_due(self) -> None:
        if self._reads.begin_probe():
            self._start(self._probe())

    async def _probe(self) -> None:
        """Ask for what nobody has: whatever answers otherwise is no server of ours."""
        succeeded = False
        try:
            key = _PREFIX + b"probe:" + secrets.token_hex(8).encode()
            succeeded = await self._link.get(key) is None
        except LinkFailed as error:
            self.errors[error.kind] += 1
        finally:
            self._reads.end_probe(succeeded=succeeded)
        if succeeded:
            _log.info("the cache at %s is used again", self._name)

    def put(self, key: bytes, payload: bytes) -> None:
        """Have a payload written soon, or drop it; never waits."""
        if len(payload) > _LARGEST_BYTES:
            return
        is_full = (
            len(self._pending) >= _MOST_PENDING
            or self._pending_bytes + len(payload) > _MOST_PENDING_BYTES
        )
        if is_full or self._reads.is_open or (self._writes.is_open and not self._writes.is_due):
            self.dropped += 1
            return
        self._pending.append((key, payload))
        self._pending_bytes += len(payload)
        if self._writer is None or self._writer.done():
            self._writer = self._start(self._write())

    async def _write(self) -> None:
        while self._pending:
            key, payload = self._pending.popleft()
            self._pending_bytes -= len(payload)
            if self._writes.is_open and not self._writes.begin_probe():
                self.dropped += 1
                continue
            try:
                entry = await _sealed(key, payload)
                await self._link.put(_PREFIX + key.hex().encode(), entry, self._ttl_s)
            except LinkFailed as error:
                self.dropped += 1
                self._refused(error.kind)
            else:
                self.stored += 1
                self._took()

    def _refused(self, kind: str) -> None:
        self.errors[kind] += 1
        if self._writes.is_open:
            self._writes.end_probe(succeeded=False)
        elif self._writes.failed():
            _log.warning(
                "the cache at %s takes no answers (%s): those that it has are used",
                self._name,
                kind,
            )
            self._drop_pending()

    def _took(self) -> None:
        if self._writes.is_open:
            self._writes.end_probe(succeeded=True)
            _log.info("the cache at %s takes answers again", self._name)
        else:
            self._writes.succeeded()

    def _drop_pending(self) -> None:
        self.dropped += len(self._pending)
        self._pending.clear()
        self._pending_bytes = 0

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Drop what is not written yet, and leave the server."""
        self._drop_pending()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()


async def _sealed(key: bytes, payload: bytes) -> bytes:
    if len(payload) <= _IN_PLACE_BYTES:
        return seal(key, payload)
    return await asyncio.to_thread(seal, key, payload)


async def _unsealed(key: bytes, entry: object) -> memoryview | None:
    if not isinstance(entry, bytes):
        return None
    if len(entry) <= _IN_PLACE_BYTES:
        return unseal(key, entry)
    return await asyncio.to_thread(unseal, key, entry)
