"""A `Connection` without sockets: bytes in, bytes out, and a clock that the test moves."""

from __future__ import annotations

import asyncio
import itertools
import math
import selectors
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from modelport.core.errors import Forbidden, InvalidInput, ModelportError
from modelport.core.settings import HttpLimits
from modelport.http.connection import Connection
from modelport.http.shared import Shared
from modelport.http.wire import Asgi, Head, Reply, reply
from modelport.monitor.recent import ErrorLog

HIGH_WATER = 64 * 1024


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once: waiting moves the clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        return self.now

    def passes(self, seconds: float = 0.0) -> None:
        """Let time go by; 0 lets everything run that is due."""
        self.run_until_complete(asyncio.sleep(seconds))
        for _ in range(3):
            self.run_until_complete(asyncio.sleep(0))


class _Impatient(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout > 0:
            self._clock.now += timeout
        return super().select(0)


class Socket:
    """What the kernel knows of the connection."""

    def __init__(self) -> None:
        self.error = 0

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR)
        return self.error

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER)


class Wire(asyncio.Transport):
    """The transport: what the server wrote, and whether anybody takes it."""

    def __init__(self, clock: Clock, peer: object) -> None:
        super().__init__()
        self.clock = clock
        self.sent = bytearray()
        self.unsent = bytearray()
        self.is_read = True
        self.reading = True
        self.ended = self.closed = self.aborted = False
        self.protocol: Connection
        self.socket = Socket()
        self._peer = peer
        self._paused = self._lost = False

    def get_extra_info(self, name: str, default: object = None) -> Any:
        known = {
            "peername": self._peer,
            "sockname": ("127.0.0.1", 8080),
            "socket": self.socket,
        }
        return known.get(name, default)

    def write(self, data: bytes) -> None:
        assert not self.ended, "written after the end"
        if self.closed:
            return
        (self.sent if self.is_read and not self.unsent else self.unsent).extend(data)
        if len(self.unsent) > HIGH_WATER and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def takes(self, count: int) -> None:
        """The client reads that many bytes."""
        self.sent += self.unsent[:count]
        del self.unsent[:count]
        if self._paused and len(self.unsent) <= HIGH_WATER // 4:
            self._paused = False
            self.protocol.resume_writing()
        if self.closed and not self.unsent:
            self._lose()

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if not self.unsent:
                self._lose()

    def abort(self) -> None:
        if not self.aborted:
            self.aborted = True
            self.closed = True
            self.unsent.clear()
            self._lose()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self.clock.call_soon(self.protocol.connection_lost, None)


@dataclass
class Answer:
    """One answer as the client read it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class Client:
    """The other end."""

    def __init__(self, server: Server, peer: object) -> None:
        self.clock = server.clock
        self.wire = Wire(server.clock, peer)
        self.protocol = Connection(_CONFIG, server.state, {}, server.clock, shared=server.shared)
        self.wire.protocol = self.protocol
        self.protocol.connection_made(self.wire)
        self._held = bytearray()

    def sends(self, data: bytes, *, in_pieces_of: int = 0) -> None:
        """Send; what the server does not read now is held back."""
        step = in_pieces_of or max(len(data), 1)
        for at in range(0, len(data), step):
            self._held += data[at : at + step]
            self.flows()

    def flows(self) -> None:
        """Let the server have what it reads; nothing after it closed."""
        for _ in range(10_000):
            if self.wire.closed:
                self._held.clear()
            if self._held and self.wire.reading:
                data = bytes(self._held)
                self._held.clear()
                self.protocol.data_received(data)
            self.clock.passes()
            if not self._held:
                return
            if not self.wire.reading:
                return

    def ends(self) -> None:
        """Close this side; the transport closes the other unless the protocol keeps it open."""
        if not self.protocol.eof_received():
            self.wire.close()
        self.clock.passes()

    def goes(self) -> None:
        """Vanish."""
        self.wire.closed = self.wire._lost = True
        self.protocol.connection_lost(ConnectionResetError())
        self.clock.passes()

    def waits(self, seconds: float) -> None:
        self.clock.passes(seconds)
        self.flows()

    @property
    def sent(self) -> bytes:
        return bytes(self.wire.sent)

    @property
    def answers(self) -> list[Answer]:
        return list(parsed(self.sent))

    @property
    def only(self) -> Answer:
        (answer,) = self.answers
        return answer

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed its side."""
        return self.wire.closed or self.wire.ended


def parsed(data: bytes, *, heads: bool = False) -> Iterator[Answer]:
    """The answers in a stream; every byte belongs to one."""
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, f"no whole head in {head!r}"
        start, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = start.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), f"a header is written twice: {lines}"
        length = 0 if status == "100" or heads else int(headers["content-length"])
        assert len(data) >= length
        yield Answer(int(status), headers, data[:length])
        data = data[length:]


@dataclass
class Server:
    """What all connections share, and what came of them."""

    clock: Clock
    limits: HttpLimits
    kind: type[Shared] = Shared
    resolved: list[bytes] = field(default_factory=list)
    """The target of each head that the gate was asked about."""
    cancelled: list[bytes] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    """The errors that no route counts, by code."""
    gates: dict[bytes, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")]
        numbers = itertools.count(1)
        self.shared = self.kind(
            self.limits,
            self._resolve,
            self._rejected,
            lambda: b"r%d" % next(numbers),
            ErrorLog(),
        )

    def connect(self, peer: object = ("127.0.0.1", 50_000)) -> Client:
        return Client(self, peer)

    def opens(self, name: bytes) -> None:
        """Let the handler of `/wait/NAME` answer."""
        self.gates.setdefault(name, asyncio.Event()).set()
        self.clock.passes()

    def _rejected(self, error: ModelportError) -> None:
        self.counted[error.code] += 1

    def _resolve(self, head: Head) -> None:
        """`/echo`, `/wait/NAME`, `/large`, `/bad`, `/refused`, `/cold`, and more that fails."""
        self.resolved.append(head.target)
        path = head.path
        if path.startswith(b"/wait/"):
            head.handler = self._waiting(path[6:])
        elif path == b"/refused":
            raise Forbidden("not you")
        elif path == b"/crash":
            raise RuntimeError("a secret")
        elif path.startswith(b"/cold"):
            head.handler = Asgi(_cold, {})
        else:
            head.handler = _HOT[path](head)

    def _waiting(self, name: bytes) -> Callable[[bytes], Any]:
        async def handler(body: bytes) -> Reply:
            try:
                await self.gates.setdefault(name, asyncio.Event()).wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            return reply(b"200 OK", b"", name + b":" + body)

        return handler


def _echo(head: Head) -> Callable[[bytes], Reply]:
    who = head.get(b"authorization") or b""
    return lambda body: reply(b"200 OK", b"", head.target + b" " + who + b":" + body)


def _large(head: Head) -> Callable[[bytes], Reply]:
    return lambda body: reply(b"200 OK", b"", b"x" * 200_000)


def _raises(make: Callable[[], Exception]) -> Callable[[Head], Callable[[bytes], Reply]]:
    def prepare(head: Head) -> Callable[[bytes], Reply]:
        def handler(body: bytes) -> Reply:
            raise make()

        return handler

    return prepare


class _Own(InvalidInput):
    """As a model's author may write one."""


class _Bare(ModelportError):
    def __init__(self) -> None:
        """Without what an error needs."""


class _Hot(dict[bytes, Any]):
    def __missing__(self, path: bytes) -> Any:
        return _echo


_HOT = _Hot(
    {
        b"/large": _large,
        b"/bad": _raises(lambda: InvalidInput("bad")),
        b"/fault": _raises(lambda: RuntimeError("a secret")),
        b"/own": _raises(lambda: _Own("the model's own", status=204)),
        b"/unsaid/status": _raises(lambda: InvalidInput("a secret", status=499)),
        b"/unsaid/retry": _raises(lambda: InvalidInput("a secret", retry_after_s=math.inf)),
        b"/unsaid/detail": _raises(lambda: InvalidInput("a secret", **{"\ud800": object()})),
        b"/unsaid/bare": _raises(_Bare),
    }
)


async def _cold(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that says what it saw; `/cold/...` for special behaviour."""
    message = await receive()
    path = scope["path"]
    if path == "/cold/slow":
        await asyncio.sleep(20)
    if path == "/cold/raises":
        raise RuntimeError("a secret")
    body = path.encode() + b":" + bytes(message["body"])
    if path == "/cold/large":
        body *= 20_000
    length = len(body) + (10 if path == "/cold/short" else 0)
    headers = [(b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    half = len(body) // 2
    await send({"type": "http.response.body", "body": body[:half], "more_body": True})
    more = path == "/cold/short"
    await send({"type": "http.response.body", "body": body[half:], "more_body": more})


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


_CONFIG = Config(_nothing, log_config=None)


def request(
    target: str = "/echo",
    body: bytes = b"",
    *headers: str,
    method: str = "POST",
    version: str = "1.1",
) -> bytes:
    """A request, with a Host and the length of its body."""
    lines = [f"{method} {target} HTTP/{version}", "Host: localhost", *headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(target: str, *chunks: bytes, end: bytes = b"0\r\n\r\n", headers: str = "") -> bytes:
    """The same with a body in chunks."""
    head = (
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
    )
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + end
