"""A cold request as an ASGI application sees it: its scope, and one cycle of uvicorn's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from modelport.http.wire import Asgi, Head

__all__ = ["asgi_cycle"]

_log = logging.getLogger(__name__)


class _CycleTransport:
    """The transport, of which a cycle may close only what it broke in the middle of an answer."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self._close = close
        self.cycle: RequestResponseCycle

    def close(self) -> None:
        """Close, unless the answer is whole: how to go on is then the connection's decision."""
        if not self.cycle.response_complete:
            self._close()


def asgi_cycle(
    head: Head,
    asgi: Asgi,
    body: bytes,
    request_id: bytes,
    *,
    keep_alive: bool,
    headers: list[tuple[bytes, bytes]],
    transport: asyncio.Transport,
    flow: FlowControl,
    close: Callable[[], None],
    answered: Callable[[], None],
) -> RequestResponseCycle:
    """The cycle that answers a request whose body is whole.

    `answered` is called once the answer is whole, `close` where it broke off.
    """
    headers = [*headers, (b"x-request-id", request_id)]
    headers += [_pair(line) for line in head.extra.split(b"\r\n") if line]
    if keep_alive and head.version == "1.0":
        headers.append((b"connection", b"keep-alive"))
    shown = _CycleTransport(transport, close)
    cycle = RequestResponseCycle(
        scope=_scope(head, asgi, request_id, transport),
        transport=cast(asyncio.Transport, shown),
        flow=flow,
        logger=_log,
        access_logger=_log,
        access_log=False,
        default_headers=headers,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=answered,
    )
    shown.cycle = cycle
    cycle.body.extend(body)
    cycle.more_body = False
    cycle.message_event.set()
    return cycle


def _scope(head: Head, asgi: Asgi, request_id: bytes, transport: asyncio.Transport) -> Any:
    raw_path, _, query = head.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.version,
        "server": _address(transport.get_extra_info("sockname")),
        "client": _address(transport.get_extra_info("peername")),
        "scheme": "https" if transport.get_extra_info("ssl_object") else "http",
        "root_path": "",
        "method": head.method.decode("ascii"),
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": list(head.headers),
        "path_params": asgi.params,
        "state": {"request_id": request_id.decode("ascii"), "principal": head.principal},
    }


def _address(name: Any) -> tuple[str, int]:
    return (name[0], name[1]) if isinstance(name, tuple) else ("", 0)


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b": ")
    return name, value
