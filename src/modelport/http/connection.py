"""One HTTP/1.1 connection: bytes in, answers out, in order, within bounds and deadlines.

uvicorn's server owns the sockets and the life cycle and makes one `Connection` for each client.
llhttp parses; what it leaves open is decided here: how large a head or a body may be, how long
each may take, which framings are refused, and what happens to a client that does not read.

Two ways lead to an answer. A client that keeps its connection sends the same head again and
again: those bytes are looked up in a memo, which holds what llhttp, the gate and the router made
of them, and only the body is new. Everything else goes through the parser. Both end in `_begin`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from modelport.core.errors import Internal, InvalidInput, ModelportError, Overloaded, PayloadTooLarge
from modelport.core.settings import HttpLimits
from modelport.http.errors import error_reply
from modelport.http.wire import Asgi, Head, Reply

__all__ = ["Connection", "Shared"]

_log = logging.getLogger(__name__)

_SMALL_BODY = 64 * 1024
"""A refused request's body up to this size is read to its end, so that the connection lives on."""
_LINGER_S = 2.0
"""How long a connection that is being closed may still send, so that its answer is not lost."""
_DRAIN_IDLE_S = 0.5
"""How long an idle connection is kept when draining, for a request that is on its way."""
_PIPELINE = 16
"""Requests that may wait in one connection before reading stops."""
_MEMO_HEADS = 512
_MEMO_BYTES = 2048
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


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
            rejected: told of each error that a head met before its handler ran.
            request_ids: a new id for each request that has none.
        """
        self.limits = limits
        self.resolve = resolve
        self.rejected = rejected
        self.request_ids = request_ids
        self.memos: dict[bool, dict[bytes, Head]] = {True: {}, False: {}}
        """By whether the peer is on this machine: the bytes of a head to the head."""
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


class Connection(asyncio.Protocol):
    """The protocol object of one client."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        shared: Shared,
    ) -> None:
        self._server_state = server_state
        self._shared = shared
        self._limits = shared.limits
        self._loop = _loop or asyncio.get_running_loop()
        self._parser: httptools.HttpRequestParser | None = None
        self._transport: asyncio.Transport
        self._memo: dict[bytes, Head]
        # Between requests, or in one: what of the next request has come, and what is in the air.
        self._reading = False
        self._busy = False
        self._pending: deque[tuple[Head, bytes]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._cycle: RequestResponseCycle | None = None
        # How the connection ends.
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._unreadable = False
        self._flow: FlowControl | None = None
        self._write_paused = False
        self._read_paused = False

    # -- life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._server_state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own classes
        self._loopback = _is_loopback(transport.get_extra_info("peername"))
        self._memo = self._shared.memos[self._loopback]
        self._wait(self._limits.head_s)
        if len(self._server_state.connections) > self._limits.max_connections:
            self._refuse(Overloaded("this server holds as many connections as it may"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(self)  # type: ignore[arg-type]  # as above
        self._closing = self._unreadable = True
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._cycle is not None:
            self._cycle.disconnected = True
            self._cycle.message_event.set()
        if self._flow is not None:
            self._flow.resume_writing()
        if self._task is not None:
            self._task.cancel()
        self._parser = None

    def eof_received(self) -> bool:
        # A client may close its side after a request and still wait for the answer.
        if self._busy or self._pending:
            self._closing = True
            return True
        return False

    def shutdown(self) -> None:
        """Close once what was accepted is answered; called by uvicorn when the server stops."""
        if not (self._busy or self._reading or self._pending):
            self._wait(_DRAIN_IDLE_S)

    # -- reading

    def data_received(self, data: bytes) -> None:
        if not (self._reading or self._busy or self._closing or self._write_paused):
            end = data.find(b"\r\n\r\n") + 4
            head = self._memo.get(data[:end])
            if head is not None and len(data) - end == head.length:
                self._begin(head, data[end:])
                return
        if not self._unreadable:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
            self._chunks: list[bytes] = []
        self._raw = None
        if not self._reading:
            self._wait(self._limits.head_s)
            end = data.find(b"\r\n\r\n") + 4
            if 4 <= end <= _MEMO_BYTES:
                self._raw = data[:end]
            self._reading = self._in_head = True
            self._head_bytes = 0
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Another protocol is offered, not demanded: the answer is HTTP/1.1, and the last one.
            self._unreadable = True
        except httptools.HttpParserError as error:
            self._refuse(InvalidInput(f"this is not HTTP/1.1 as RFC 9112 has it: {_words(error)}"))
        if self._in_head and self._reading and self._head_bytes > self._limits.max_head_bytes:
            self._refuse(self._too_long())
        self._next()
        if self._busy and not self._reading:
            self._deadline = math.inf

    def on_message_begin(self) -> None:
        """llhttp: a request starts."""
        self._reading = self._in_head = True
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._size = self._head_bytes = 0
        self._chunks = []

    def on_url(self, url: bytes) -> None:
        """llhttp: a part of the target."""
        self._target += url
        if len(self._target) > self._limits.max_line_bytes:
            self._refuse(
                InvalidInput(
                    f"the request line is longer than {self._limits.max_line_bytes} bytes",
                    status=414,
                )
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: one header."""
        self._headers.append((name.lower(), value))
        self._size += len(name) + len(value) + 4
        if (
            len(self._headers) > self._limits.max_headers
            or self._size + len(self._target) > self._limits.max_head_bytes
        ):
            self._refuse(self._too_long())

    def on_headers_complete(self) -> None:
        """llhttp: the head is there; decide who answers before the body is read."""
        if self._unreadable:
            return
        assert self._parser is not None
        self._in_head = False
        self._size = 0
        self._wait(self._limits.body_s)
        self._head = self._complete_head(self._parser)
        try:
            _check_framing(self._head)
        except InvalidInput as error:
            self._refuse(error)
            return
        try:
            if (self._head.length or 0) > self._limits.max_body_bytes:
                raise self._too_large()
            self._shared.resolve(self._head)
        except ModelportError as error:
            self._raw = None
            if self._head.length is None or self._head.length > _SMALL_BODY:
                self._refuse(error)
            else:
                self._shared.rejected(error)
                self._head.handler = _raising(error)
            return
        expectation = self._head.get(b"expect")
        if expectation is not None:
            self._expect(expectation)

    def _complete_head(self, parser: httptools.HttpRequestParser) -> Head:
        head = Head(parser.get_method(), self._target, tuple(self._headers))
        head.version = parser.get_http_version()
        head.keep_alive = parser.should_keep_alive()
        head.loopback = self._loopback
        request_id = head.get(b"x-request-id")
        if request_id is not None and _REQUEST_ID.fullmatch(request_id):
            head.request_id = request_id
        length = head.get(b"content-length")
        if length is not None and length.isdigit():
            head.length = int(length)
        elif head.get(b"transfer-encoding") is None:
            head.length = 0
        return head

    def _expect(self, expectation: bytes) -> None:
        if expectation.lower() != b"100-continue":
            self._refuse(InvalidInput("the only expectation known is 100-continue", status=417))
        elif not (self._busy or self._pending) and self._head.length != 0:
            self._transport.write(_CONTINUE)
        self._raw = None

    def on_body(self, body: bytes) -> None:
        """llhttp: a part of the body."""
        if self._unreadable:
            return
        self._size += len(body)
        if self._size > self._limits.max_body_bytes:
            self._refuse(self._too_large())
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """llhttp: the request is whole."""
        if self._unreadable:
            return
        self._reading = False
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        head = self._head
        if self._raw is not None and self._memorable(head, self._raw):
            self._shared.remember(self._raw, head)
        self._raw = None
        self._pending.append((head, body))
        if len(self._pending) > _PIPELINE and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()

    def _memorable(self, head: Head, raw: bytes) -> bool:
        """Whether the same bytes will mean the same: no lone CR or LF that could end a line."""
        return (
            not isinstance(head.handler, Asgi)
            and head.length is not None
            and raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
        )

    def _refuse(self, error: ModelportError) -> None:
        """Answer with an error after what is pending, read no more, and close."""
        if self._unreadable:
            return
        self._shared.rejected(error)
        head = Head(b"", b"", ())
        head.keep_alive = False
        head.loopback = self._loopback
        head.handler = _raising(error)
        self._unreadable = True
        self._reading = False
        self._pending.append((head, b""))
        if not self._busy:
            self._loop.call_soon(self._next)

    def _too_long(self) -> InvalidInput:
        return InvalidInput(
            f"the head has more than {self._limits.max_headers} headers or"
            f" {self._limits.max_head_bytes} bytes",
            status=431,
        )

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"the body is larger than {self._limits.max_body_bytes} bytes",
            limit=self._limits.max_body_bytes,
        )

    # -- answering

    def _next(self) -> None:
        while self._pending and not (self._busy or self._write_paused):
            head, body = self._pending.popleft()
            self._begin(head, body)
        if self._read_paused and len(self._pending) < _PIPELINE:
            self._read_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _begin(self, head: Head, body: bytes) -> None:
        self._busy = True
        self._deadline = math.inf
        handler = head.handler
        try:
            if type(handler) is Asgi:
                self._begin_asgi(head, handler, body)
                return
            answer = handler(body)  # type: ignore[operator]  # not an Asgi, as just asked
        except Exception as error:
            self._send_error(head, error)
            return
        if type(answer) is tuple:
            self._send(head, answer, head.request_id or self._shared.request_ids())
        else:
            self._task = self._loop.create_task(self._finish(head, answer))

    async def _finish(self, head: Head, answer: Awaitable[Reply]) -> None:
        try:
            made = await answer
        except asyncio.CancelledError:
            self._transport.abort()  # the client is gone, or the server gives up waiting
            raise
        except Exception as error:
            self._send_error(head, error)
        else:
            self._send(head, made, head.request_id or self._shared.request_ids())
        self._task = None
        self._next()

    def _send_error(self, head: Head, error: Exception) -> None:
        request_id = head.request_id or self._shared.request_ids()
        if not isinstance(error, ModelportError):
            _log.error("request %s failed", request_id.decode(), exc_info=error)
            error = Internal("something failed inside the server; its log has the request's id")
        self._send(head, error_reply(error, request_id), request_id)

    def _send(self, head: Head, answer: Reply, request_id: bytes) -> None:
        prefix, body = answer
        shared = self._shared
        keep = head.keep_alive and not (self._closing or shared.draining or self._unreadable)
        if keep:
            connection = b"" if head.version == "1.1" else b"connection: keep-alive\r\n"
        else:
            connection = b"connection: close\r\n"
        start = b"%b%b%bcontent-length: %d\r\nx-request-id: %b\r\n%b\r\n" % (
            prefix,
            shared.stamp(self._server_state.default_headers),
            head.extra,
            len(body),
            request_id,
            connection,
        )
        if head.method == b"HEAD":
            self._transport.write(start)
        elif len(body) < _SMALL_BODY:
            self._transport.write(start + body)
        else:
            self._transport.writelines((start, body))
        self._answered(keep)

    def _answered(self, keep: bool) -> None:
        self._busy = False
        if not keep:
            self._close()
        elif self._reading:
            self._wait(self._limits.head_s if self._in_head else self._limits.body_s)
        else:
            self._deadline = self._loop.time() + self._limits.idle_s
            if self._timer is None:
                self._wait(self._limits.idle_s)

    def _close(self) -> None:
        """Close after the last byte is sent; linger where the client may still be sending."""
        lingering = self._unreadable and not self._transport.is_closing()
        self._closing = self._unreadable = True
        self._pending.clear()
        if lingering and self._transport.can_write_eof():
            # Closing with unread bytes would reset the connection and destroy the answer
            # (RFC 9112, section 9.6): close this side, read on for a moment, then let go.
            self._transport.write_eof()
            self._wait(_LINGER_S)
        else:
            self._transport.close()
            self._wait(self._limits.write_s)

    # -- ASGI, for everything but inference

    def _begin_asgi(self, head: Head, asgi: Asgi, body: bytes) -> None:
        if self._flow is None:
            self._flow = FlowControl(self._transport)
        request_id = head.request_id or self._shared.request_ids()
        default_headers = [*self._server_state.default_headers, (b"x-request-id", request_id)]
        default_headers += [_pair(line) for line in head.extra.split(b"\r\n") if line]
        keep = head.keep_alive and not (self._shared.draining or self._unreadable)
        cycle = RequestResponseCycle(
            scope=_scope(head, asgi, request_id, self._transport),
            transport=self._transport,
            flow=self._flow,
            logger=_log,
            access_logger=_log,
            access_log=False,
            default_headers=default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keep,
            on_response=lambda: self._asgi_answered(keep),
        )
        cycle.body.extend(body)
        cycle.more_body = False
        cycle.message_event.set()
        self._cycle = cycle
        self._task = self._loop.create_task(cycle.run_asgi(asgi.app))

    def _asgi_answered(self, keep: bool) -> None:
        self._cycle = self._task = None
        self._answered(keep)
        self._loop.call_soon(self._next)

    # -- deadlines

    def _wait(self, seconds: float) -> None:
        """Close the connection after that time, unless something happens."""
        self._deadline = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._expired)

    def _expired(self) -> None:
        # The timer is left alone while requests come and go; only when it fires is it asked
        # whether the deadline has moved meanwhile.
        self._timer = None
        if self._deadline == math.inf:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expired)
        elif self._reading and not self._closing and not self._write_paused:
            part = "head" if self._in_head else "body"
            limit = self._limits.head_s if self._in_head else self._limits.body_s
            self._refuse(
                InvalidInput(f"the request's {part} did not arrive within {limit:g} s", status=408)
            )
        elif self._closing or self._write_paused:
            self._transport.abort()
        else:
            self._closing = True
            self._transport.close()

    def pause_writing(self) -> None:
        """The transport holds more than it likes: the client does not read."""
        self._write_paused = True
        if self._flow is not None:
            self._flow.pause_writing()
        self._wait(self._limits.write_s)

    def resume_writing(self) -> None:
        """The client has read."""
        self._write_paused = False
        if self._flow is not None:
            self._flow.resume_writing()
        if self._closing:
            return
        if self._busy:
            self._deadline = math.inf
        else:
            self._wait(self._limits.idle_s)
        self._next()


def _raising(error: ModelportError) -> Callable[[bytes], Reply]:
    def handler(body: bytes) -> Reply:
        raise error

    return handler


def _check_framing(head: Head) -> None:
    """Refuse what two servers could read differently (RFC 9112, sections 3.2, 6.1 and 6.3)."""
    names = [name for name, _ in head.headers]
    encodings = [value for name, value in head.headers if name == b"transfer-encoding"]
    lengths = names.count(b"content-length")
    if lengths > 1 or (lengths and head.length is None):
        raise InvalidInput("Content-Length is given once, as a number")
    if encodings and lengths:
        raise InvalidInput("a request has Content-Length or Transfer-Encoding, not both")
    if encodings and (len(encodings) > 1 or encodings[0].strip().lower() != b"chunked"):
        raise InvalidInput("the only Transfer-Encoding known is chunked", status=501)
    if encodings and head.version == "1.0":
        raise InvalidInput("HTTP/1.0 has no Transfer-Encoding")
    hosts = names.count(b"host")
    if hosts > 1 or (hosts == 0 and head.version == "1.1"):
        raise InvalidInput(f"a request has one Host header, and {hosts} came")


def _scope(head: Head, asgi: Asgi, request_id: bytes, transport: asyncio.Transport) -> Any:
    raw_path, _, query = head.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.version,
        "server": (transport.get_extra_info("sockname") or ("", 0))[:2],
        "client": (transport.get_extra_info("peername") or ("", 0))[:2],
        "scheme": "https" if transport.get_extra_info("ssl_object") else "http",
        "root_path": "",
        "method": head.method.decode("ascii"),
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": list(head.headers),
        "path_params": asgi.params,
        "state": {"request_id": request_id.decode("ascii")},
    }


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b": ")
    return name, value


def _is_loopback(peer: Any) -> bool:
    if not isinstance(peer, tuple):
        return True  # a unix socket
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _words(error: httptools.HttpParserError) -> str:
    return str(error).split("\n")[0][:200] or type(error).__name__
