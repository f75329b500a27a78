"""Load from many connections that note what happens to each request, for tests that break things.

Raw sockets on the event loop: a client library would retry, and so hide what is looked for.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Load", "Outcome", "latency_p99", "request"]

GOOD = b'{"prediction":1.8}'


def request(body: bytes = b'{"x":[1,2,3]}', path: str = "/models/linear/predict") -> bytes:
    """The bytes of a prediction request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Outcome:
    """What one connection saw."""

    answered: int = 0
    worker: str = ""
    """The worker that answered, by the prefix of its request ids."""
    wrong: list[bytes] = field(default_factory=list)
    lost: str | None = None
    """How a request that was sent stayed without an answer."""
    seen_at: dict[str, float] = field(default_factory=dict)
    """When each worker answered first, on the monotonic clock."""


class Load:
    """So many connections that send one request after the other until told to stop."""

    def __init__(self, url: str, connections: int, *, reconnect: bool) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._reconnect = reconnect
        self._stop = asyncio.Event()
        self.outcomes = [Outcome() for _ in range(connections)]
        self._tasks = [asyncio.create_task(self._run(o)) for o in self.outcomes]

    @property
    def answered(self) -> int:
        """Requests that were answered so far."""
        return sum(outcome.answered for outcome in self.outcomes)

    async def stop(self) -> list[Outcome]:
        """Let each connection finish its request, and return what they saw."""
        self._stop.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)
        return self.outcomes

    async def _run(self, outcome: Outcome) -> None:
        while not self._stop.is_set():
            try:
                async with asyncio.timeout(5):
                    reader, writer = await asyncio.open_connection(*self._address)
            except (OSError, TimeoutError):
                return  # refused: no request was accepted
            try:
                await self._converse(reader, writer, outcome)
            finally:
                writer.close()
            if not self._reconnect or outcome.lost:
                return

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, outcome: Outcome
    ) -> None:
        message = request()
        while not self._stop.is_set():
            try:
                writer.write(message)
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
            except (OSError, asyncio.IncompleteReadError) as error:
                outcome.lost = repr(error)
                return
            outcome.answered += 1
            outcome.worker = _worker(head)
            outcome.seen_at.setdefault(outcome.worker, time.monotonic())
            if not head.startswith(b"HTTP/1.1 200") or body != GOOD:
                outcome.wrong.append(head + body)
            if b"connection: close" in head:
                return


def _length(head: bytes) -> int:
    return int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])


def _worker(head: bytes) -> str:
    return head.partition(b"x-request-id: ")[2].partition(b"-")[0].decode()


async def latency_p99(url: str, seconds: float, connections: int = 4) -> float:
    """The 99th percentile of the time of a request, in seconds."""
    parts = urlsplit(url)
    until = time.monotonic() + seconds
    times: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while time.monotonic() < until:
            started = time.perf_counter()
            writer.write(request())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            times.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return statistics.quantiles(times, n=100)[98]
