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
import copy
import ipaddress
import logging
import math
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from modelport.core.errors import (
    InvalidInput,
    ModelportError,
    Overloaded,
    PayloadTooLarge,
)
from modelport.http.asgi import asgi_cycle
from modelport.http.errors import error_reply, fault
from modelport.http.framing import (
    check_framing,
    complete_head,
    expects_continue,
    refusal,
    without_offer,
)
from modelport.http.shared import Shared
from modelport.http.wire import Asgi, Head, Reply

__all__ = ["Connection"]

_log = logging.getLogger(__name__)

_SMALL_BODY = 64 * 1024
"""A refused request's body up to this size is read to its end, so that the connection lives on."""
_QUICK_BODY = 4096
"""A longer one may take some milliseconds to decode; no other client's answer waits for that."""
_LINGER_S = 2.0
"""How long a refused client may go on sending, so that its answer is not lost in a reset."""
_DRAIN_IDLE_S = 0.5
"""How long an idle connection is kept when draining, for a request that is on its way."""
_PROBE_S = 0.5
"""How long the network has to say that a client has left."""
_PIPELINE = 16
"""Requests that may wait in one connection before reading stops, or be answered in one turn."""
_MOST_PARTS = 1024
"""Of a body that comes in small ones, each takes memory of its own."""
_MEMO_BYTES = 2048
"""Longer heads are not remembered."""
_ONCE = frozenset((b"x-request-id", b"traceparent", b"idempotency-key"))
"""Headers that are another in each request: a head with one of them would never be met again."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


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
        # The request that is arriving.
        self._reading = False
        self._in_head = False
        self._owes_continue = False
        self._parts: list[bytes] = []
        self._raw: bytes | None = None
        self._left = 0  # bytes of a body of known length, which no parser has to see
        # Those that have arrived: the one in the air, and what waits behind it.
        self._busy = False
        self._pending: deque[tuple[Head, bytes]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._asked: Head
        self._cycle: RequestResponseCycle | None = None
        self._flow: FlowControl | None = None
        # How the connection ends. Once it is deaf, no further request is read; what is pending is
        # answered, and the last of it closes.
        self._deaf = False
        self._ended = False
        self._closing = False
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._read_paused = False
        self._write_paused = False
        self._unsent = 0

    # -- life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._server_state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own classes
        self._loopback = _is_loopback(transport.get_extra_info("peername"))
        self._tls = transport.get_extra_info("ssl_object") is not None
        self._memo = self._shared.memos[self._loopback]
        self._wait(self._limits.head_s)
        if len(self._server_state.connections) > self._limits.max_connections:
            error = Overloaded("this server holds as many connections as it may", retry_after_s=1)
            self._refuse(error)
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(self)
        self._deaf = self._closing = True
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = -math.inf  # no other is made
        if self._flow is not None:
            self._flow.resume_writing()
        if self._cycle is not None:
            # A cold request runs to its end: an admin operation is not left half done.
            self._cycle.disconnected = True
            self._cycle.message_event.set()
        elif self._task is not None:
            self._task.cancel()
        self._parser = None

    def eof_received(self) -> bool:
        self._deaf = self._ended = True
        self._shared.outbox.flush()  # who ends its side, and is answered, is closed
        if self._task is not None and self._cycle is None:
            self._probe(self._task)
        return bool(self._busy or self._pending)

    def _probe(self, task: asyncio.Task[None]) -> None:
        """Learn whether a client that sends no more still waits: no model works for one that left.

        One that ended its side (`shutdown(SHUT_WR)`) is answered. One that left (`close`) looks
        the same until something is sent to it, which its kernel answers with a reset. An interim
        response may be sent at any time, and is passed over by who expects none (RFC 9110, section
        15.2); HTTP/1.0 has none, so that its clients are answered whether they left or not.
        """
        if self._asked.version == "1.1":
            self._transport.write(_CONTINUE)
            self._loop.call_later(_PROBE_S, self._let_go, task)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        """Give up the request if its client has left."""
        if self._task is not task or self._closing:
            return
        # The transport reads no more, and so does not see the reset itself.
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abort()

    def shutdown(self) -> None:
        """Close once what was accepted is answered; called by uvicorn when the server stops."""
        self._shared.draining = True
        if self._cycle is not None and not self._pending:
            self._cycle.keep_alive = False
        if not (self._busy or self._reading or self._pending or self._closing):
            self._await_request()

    # -- reading

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._collect(data)
            return
        if not (self._reading or self._busy or self._pending or self._deaf or self._write_paused):
            end = data.find(b"\r\n\r\n") + 4
            head = self._memo.get(data[:end])
            left = -1 if head is None else (head.length or 0) + end - len(data)
            if left == 0:
                assert head is not None
                self._begin(head, data[end:])
                return
            if head is not None and left > 0:
                self._head, self._raw, self._reading = head, None, True
                self._wait(self._limits.body_s)
                self._expect(data[end:], left)
                return
        if not self._deaf:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        self._raw = None
        if not self._reading:
            self._wait(self._limits.head_s)
            end = data.find(b"\r\n\r\n") + 4
            if 4 <= end <= _MEMO_BYTES:
                self._raw = data[:end]
            self._reading = self._in_head = True
            self._unparsed = 0
        self._unparsed += len(data)
        self._parse(self._parser, data)
        if self._reading and self._unparsed > self._limits.max_head_bytes:
            self._refuse(self._too_long())
        elif self._reading and not self._in_head and self._head.length is not None:
            self._remember()
            self._expect(bytes(self._body), self._head.length - self._body_size)
        self._read_on()

    def _read_on(self) -> None:
        self._next()
        if self._busy and not self._reading:
            self._deadline = math.inf

    def _expect(self, begun: bytes, left: int) -> None:
        """Take the rest of a body as it comes: copied once, when it is whole."""
        self._parser = None
        self._parts, self._left = [begun], left

    def _collect(self, data: bytes) -> None:
        rest = data[self._left :]
        self._parts.append(data[: self._left] if rest else data)
        self._left -= len(self._parts[-1])
        if len(self._parts) > _MOST_PARTS:
            self._parts = [b"".join(self._parts)]
        if self._left:
            return
        body = b"".join(self._parts)
        self._parts = []
        self._complete(body)
        self._read_on()
        if rest:
            self.data_received(rest)

    def _parse(self, parser: httptools.HttpRequestParser, data: bytes) -> None:
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if not self._offered:
                self._deaf = True  # CONNECT; what follows is not HTTP
                return
            # Another protocol is offered, not demanded. llhttp has left HTTP behind, so another
            # parser reads the same request without the offer, and the answer is the last one.
            self._raw = None
            self._parser = httptools.HttpRequestParser(self)
            head = without_offer(parser, self._target, self._headers)
            self._parse(self._parser, head + data[offer.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(refusal(error))

    # The callbacks of llhttp. A `ModelportError` that one of them raises ends the reading.

    def on_message_begin(self) -> None:
        """llhttp: a request starts."""
        self._reading = self._in_head = True
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_size = self._body_size = 0
        self._body: bytes | bytearray = b""
        self._offered = False

    def on_url(self, url: bytes) -> None:
        """llhttp: a part of the target."""
        self._target += url
        self._head_size += len(url)
        if len(self._target) > self._limits.max_line_bytes:
            longest = self._limits.max_line_bytes
            raise InvalidInput(f"the request line is longer than {longest} bytes", status=414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: one header, or one trailer, of which none is used."""
        self._headers.append((name.lower(), value.rstrip(b" \t")))
        self._head_size += len(name) + len(value) + 4
        limits = self._limits
        if len(self._headers) > limits.max_headers or self._head_size > limits.max_head_bytes:
            raise self._too_long()

    def on_headers_complete(self) -> None:
        """llhttp: the head is there; decide who answers before the body is read."""
        assert self._parser is not None
        head = complete_head(self._parser, self._target, self._headers, self._loopback)
        head.tls = self._tls
        self._offered = self._parser.should_upgrade() and head.method != b"CONNECT"
        if self._offered:
            return
        self._head, self._in_head = head, False
        self._wait(self._limits.body_s)
        check_framing(head)
        waits = expects_continue(head)
        try:
            if (head.length or 0) > self._limits.max_body_bytes:
                raise self._too_large()
            self._shared.resolve(head)
        except Exception as error:
            self._raw = None
            most = min(_SMALL_BODY, self._limits.max_body_bytes)
            if waits or head.length is None or head.length > most:
                raise
            head.handler = _raising(error)
            return
        if waits:
            self._raw = None
            self._owes_continue = True
            self._continue()

    def on_body(self, body: bytes) -> None:
        """llhttp: a part of the body."""
        self._unparsed = 0
        self._body_size += len(body)
        if self._body_size > self._limits.max_body_bytes:
            raise self._too_large()
        if not self._body:
            self._body = body
        elif isinstance(self._body, bytearray):
            self._body += body
        else:
            self._body = bytearray(self._body) + body

    def on_message_complete(self) -> None:
        """llhttp: the request is whole."""
        if not self._offered:
            self._complete(bytes(self._body))

    def _complete(self, body: bytes) -> None:
        self._reading = self._owes_continue = False
        self._unparsed = 0
        self._remember()
        self._pending.append((self._head, body))
        self._body = b""

    def _remember(self) -> None:
        """Know the head the next time, from what was decided in this turn of the loop."""
        if self._raw is not None and self._is_memorable(self._head, self._raw):
            self._shared.remember(self._raw, self._head)
        self._raw = None

    def _is_memorable(self, head: Head, raw: bytes) -> bool:
        """Whether the same bytes may come again, and will mean the same head and body length."""
        # `raw` ends at the first empty line. It is the whole head if the request starts with its
        # first byte, and if nothing but CR LF ends a line in it.
        return (
            not isinstance(head.handler, Asgi)
            and not head.once
            and head.length is not None
            and raw.startswith(head.method + b" ")
            and raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
            and _ONCE.isdisjoint(name for name, _ in head.headers)
        )

    def _continue(self) -> None:
        """Let the client send its body, once everything before it is answered."""
        if self._owes_continue and not (self._busy or self._pending):
            self._owes_continue = False
            self._shared.outbox.send(self._loop, self._transport, _CONTINUE)

    def _refuse(self, error: Exception) -> None:
        """Read no more, answer with the error after what is pending, and close."""
        # A head that was met before is that of other requests, too.
        is_known = self._reading and not self._in_head
        head = copy.copy(self._head) if is_known else Head(b"", b"", ())
        head.keep_alive = False
        head.handler = _raising(error)
        self._deaf = True
        self._reading = False
        self._parts, self._left = [], 0
        self._pending.append((head, b""))

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
        """Begin what is pending: a few at a time, so that no client keeps the others waiting."""
        for _ in range(_PIPELINE):
            if self._busy or self._write_paused or not self._pending:
                break
            self._begin(*self._pending.popleft())
        else:
            self._loop.call_soon(self._next)
        self._govern_reading()

    def _govern_reading(self) -> None:
        """Stop reading while much is pending, and start again."""
        pending = self._pending
        much = len(pending) >= _PIPELINE or (pending and len(pending[-1][1]) > _SMALL_BODY)
        if much and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()
        elif self._read_paused and not much:
            self._read_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _begin(self, head: Head, body: bytes) -> None:
        self._busy = True
        self._deadline = math.inf
        if len(body) > _QUICK_BODY:
            self._shared.outbox.flush()
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
            self._asked = head
            self._task = self._loop.create_task(self._finish(head, answer))  # type: ignore[arg-type]  # as above

    async def _finish(self, head: Head, answer: Awaitable[Reply]) -> None:
        try:
            made = await answer
        except asyncio.CancelledError:
            self._shared.left(head, head.request_id or self._shared.request_ids())
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
            error = fault()
        try:
            answer = self._error_answer(head, error, request_id)
        except Exception:
            # A model's own error may have a code, a detail or a status that nobody can write.
            _log.exception("request %s failed, and so did its answer", request_id.decode())
            answer = self._error_answer(head, fault(), request_id)
        self._send(head, answer, request_id)

    def _error_answer(self, head: Head, error: ModelportError, request_id: bytes) -> Reply:
        """The answer for an error, which is counted once it could be made."""
        answer = error_reply(error, request_id)
        self._shared.failed(head, error, request_id)
        return answer

    def _send(self, head: Head, answer: Reply, request_id: bytes) -> None:
        prefix, body = answer
        shared = self._shared
        keep = head.keep_alive
        if self._deaf or shared.draining:
            keep = keep and not self._is_last()
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
            body = b""
        if len(body) < _SMALL_BODY:
            shared.outbox.send(self._loop, self._transport, start + body)
        else:
            shared.outbox.flush()
            self._transport.writelines((start, body))
        self._answered(keep)

    def _answered(self, keep: bool) -> None:
        self._busy = False
        if not keep:
            self._close()
        elif self._reading:
            self._await_request()
            self._continue()
        elif not self._write_paused:
            # As `_await_request`, where it matters that it is short.
            self._shared.busy_poll.expect(self._loop)
            deadline = self._deadline = self._loop.time() + self._limits.idle_s
            if self._timer_at > deadline:
                self._wait(self._limits.idle_s)

    def _close(self) -> None:
        """Close after the last byte is sent; linger where the client may still be sending."""
        self._shared.outbox.flush()
        linger = self._deaf and not self._ended and self._transport.can_write_eof()
        self._deaf = self._closing = True
        self._pending.clear()
        self._govern_reading()
        if linger and not self._transport.is_closing():
            # Closing with unread bytes would reset the connection and destroy the answer
            # (RFC 9112, section 9.6): close this side, read on for a moment, then let go.
            self._transport.write_eof()
            self._wait(_LINGER_S)
        else:
            self._transport.close()
            self._wait(self._limits.write_s)
        self._unsent = self._transport.get_write_buffer_size()

    # -- ASGI, for everything but inference

    def _begin_asgi(self, head: Head, asgi: Asgi, body: bytes) -> None:
        if self._flow is None:
            self._flow = FlowControl(self._transport)
        self._cycle = asgi_cycle(
            head,
            asgi,
            body,
            head.request_id or self._shared.request_ids(),
            keep_alive=head.keep_alive and not self._is_last(),
            headers=self._server_state.default_headers,
            transport=self._transport,
            flow=self._flow,
            close=self._close,
            answered=self._asgi_answered,
        )
        self._task = self._loop.create_task(self._cycle.run_asgi(asgi.app))

    def _asgi_answered(self) -> None:
        assert self._cycle is not None
        keep = self._cycle.keep_alive and not self._is_last()
        self._cycle = self._task = None
        self._answered(keep)
        self._next()

    def _is_last(self) -> bool:
        """Whether nothing may follow the present answer."""
        return (self._deaf or self._shared.draining) and not self._pending

    # -- deadlines

    def _wait(self, seconds: float) -> None:
        """Close the connection after that time, unless something happens."""
        self._deadline = self._loop.time() + seconds
        if self._timer_at > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._deadline
            self._timer = self._loop.call_at(self._deadline, self._expired)

    def _await_request(self) -> None:
        """Wait for the rest of a request, or for the next one."""
        if self._write_paused:
            return  # the client has to read first, and has its own time for that
        if self._reading:
            self._wait(self._limits.head_s if self._in_head else self._limits.body_s)
        else:
            self._wait(_DRAIN_IDLE_S if self._shared.draining else self._limits.idle_s)

    def _expired(self) -> None:
        # The timer is left alone while requests come and go; only when it fires is it asked
        # whether the deadline has moved meanwhile.
        self._timer, self._timer_at = None, math.inf
        if self._deadline == math.inf:
            return
        if self._loop.time() < self._deadline:
            self._timer_at = self._deadline
            self._timer = self._loop.call_at(self._deadline, self._expired)
        elif self._closing or self._write_paused:
            self._press()
        elif self._reading:
            part = "head" if self._in_head else "body"
            limit = self._limits.head_s if self._in_head else self._limits.body_s
            words = f"the request's {part} did not arrive within {limit:g} s"
            self._refuse(InvalidInput(words, status=408))
            self._next()
        else:
            self._close()

    def _press(self) -> None:
        """Wait on for a client that reads, however slowly; let go of one that does not."""
        left = self._transport.get_write_buffer_size()
        if 0 < left < self._unsent:
            self._unsent = left
            self._wait(self._limits.write_s)
        else:
            self._reset()

    def _reset(self) -> None:
        """Close at once, and let the client know."""
        # Without a linger time of zero the kernel keeps what is unsent and its FIN behind it, for
        # a client that reads neither (`socket(7)`, SO_LINGER).
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def pause_writing(self) -> None:
        """The transport holds more than it likes: the client does not read."""
        self._write_paused = True
        if self._flow is not None:
            self._flow.pause_writing()
        self._unsent = self._transport.get_write_buffer_size()
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
            self._await_request()
        self._next()


def _raising(error: Exception) -> Callable[[bytes], Reply]:
    def handler(body: bytes) -> Reply:
        raise error

    return handler


def _is_loopback(peer: Any) -> bool:
    if not isinstance(peer, tuple):
        return peer is not None  # a unix socket; None is a client that has gone already
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
