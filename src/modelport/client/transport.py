"""The wire: the only importer of httpx, whose exceptions end here."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import httpx

from modelport.client.answers import Reply
from modelport.client.flow import Flow, Lost, Send
from modelport.client.target import Target
from modelport.core.errors import (
    ConfigError,
    DeadlineExceeded,
    Internal,
    ModelportError,
    NotReady,
)

__all__ = ["AsyncTransport", "Transport", "lost"]

T = TypeVar("T")

# What httpx raises on purpose, and what the two loops below raise past a deadline.
_FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    TimeoutError,
)

# By class, the first that fits: the error, whether another try could end better, and the words
# after the url. `{reason}` is httpx's text, left out where it could repeat a header.
_MEANINGS: tuple[tuple[type[Exception], type[ModelportError], bool, str], ...] = (
    (
        httpx.PoolTimeout,
        DeadlineExceeded,
        False,
        "was not asked in time, as all connections of this client were busy: raise"
        " max_connections, or ask less at once",
    ),
    (
        httpx.ConnectTimeout,
        DeadlineExceeded,
        False,
        "could not be reached in time: is the host's name right, and does a firewall let this"
        " machine through?",
    ),
    (
        httpx.TimeoutException,
        DeadlineExceeded,
        False,
        "gave no complete answer in time: raise timeout_s, or send less in one request",
    ),
    (
        TimeoutError,
        DeadlineExceeded,
        False,
        "gave no complete answer in time: raise timeout_s, or send less in one request",
    ),
    (
        httpx.ConnectError,
        NotReady,
        True,
        "cannot be reached: {reason}. Is the server running, and is this its address?",
    ),
    (
        httpx.ProxyError,
        NotReady,
        True,
        "cannot be reached through the proxy: {reason}. The proxy comes from the environment"
        " (HTTP_PROXY, HTTPS_PROXY; NO_PROXY names hosts that need none)",
    ),
    (
        httpx.NetworkError,
        NotReady,
        True,
        "was connected and then lost: {reason}. Did the server restart?",
    ),
    (
        httpx.RemoteProtocolError,
        NotReady,
        True,
        "closed the connection before its answer was complete, or does not speak HTTP: did the"
        " server restart, and is this its address?",
    ),
    (
        httpx.UnsupportedProtocol,
        ConfigError,
        False,
        "cannot be asked: the url starts with http:// or https://",
    ),
    (httpx.InvalidURL, ConfigError, False, "is no url: {reason}"),
    (
        httpx.TooManyRedirects,
        ConfigError,
        False,
        "points to another address again and again: give the client the last one",
    ),
    (
        httpx.DecodingError,
        Internal,
        False,
        "sent an answer whose Content-Encoding is broken: a proxy between may have changed it",
    ),
    (Exception, Internal, False, "could not be asked, by a fault of the client ({kind})"),
)

# The bound on a whole try comes a little after httpx's own, which say what was slow.
_GRACE_S = 0.05


def lost(failure: Exception, url: str) -> Lost:
    """What a failure of httpx means to a caller; the failure is the error's cause."""
    meaning = next(row for row in _MEANINGS if isinstance(failure, row[0]))
    _, kind, again, words = meaning
    words = words.format(reason=_reason(failure), kind=type(failure).__name__)
    error = kind(f"{url} {words}")
    error.__cause__ = failure
    return Lost(error, again)


class Transport:
    """Runs flows in the calling thread; any number of threads may share one."""

    def __init__(self, target: Target, max_connections: int) -> None:
        self._url = target.url
        self._http = httpx.Client(headers=target.headers, limits=_limits(max_connections))

    def run(self, flow: Flow[T]) -> T:
        """Do what a flow asks for until it returns, and return that."""
        try:
            send = next(flow)
            while True:
                send = flow.send(self._try(send))
        except StopIteration as done:
            value: T = done.value
            return value

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _try(self, send: Send) -> Reply | Lost:
        time.sleep(send.after_s)
        try:
            response = self._http.send(_request(self._http, self._url, send), stream=True)
            with contextlib.closing(response):
                body = b"".join(_by(send.deadline, response.iter_bytes()))
            return _reply(response, body)
        except _FAILURES as failure:
            return lost(failure, self._url + send.request.path)


class AsyncTransport:
    """Runs flows in the calling task."""

    def __init__(self, target: Target, max_connections: int) -> None:
        self._url = target.url
        self._http = httpx.AsyncClient(headers=target.headers, limits=_limits(max_connections))

    async def run(self, flow: Flow[T]) -> T:
        """Do what a flow asks for until it returns, and return that."""
        try:
            send = next(flow)
            while True:
                send = flow.send(await self._try(send))
        except StopIteration as done:
            value: T = done.value
            return value

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _try(self, send: Send) -> Reply | Lost:
        await asyncio.sleep(send.after_s)
        try:
            async with asyncio.timeout(_left(send) + _GRACE_S):
                response = await self._http.send(_request(self._http, self._url, send))
            return _reply(response, response.content)
        except _FAILURES as failure:
            return lost(failure, self._url + send.request.path)


def _reason(failure: BaseException) -> str:
    """The operating system's words where there are any: asyncio's back end hides them deep down."""
    root = failure
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner.exceptions[0] if isinstance(inner, BaseExceptionGroup) else inner
    shown = root if isinstance(root, OSError) and str(root) else failure
    return str(shown).rstrip(".") or type(failure).__name__


def _limits(max_connections: int) -> httpx.Limits:
    if max_connections < 1:
        raise ConfigError(f"max_connections is 1 or more, and {max_connections} came")
    # All of them may stay open, so that a burst does not connect again for every request.
    return httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)


def _request(http: httpx.Client | httpx.AsyncClient, url: str, send: Send) -> httpx.Request:
    if http.is_closed:
        raise ConfigError("this client was closed: make another one")
    asked = send.request
    left = _left(send)
    headers = {**asked.headers, "X-Request-Timeout": _tenths(left)}
    return http.build_request(
        asked.method,
        url + asked.path,
        headers=headers,
        content=asked.body or None,
        timeout=left,
    )


def _left(send: Send) -> float:
    # A sleep can end late; httpx takes no time-out below zero.
    return max(send.deadline - time.monotonic(), 0.001)


def _tenths(seconds: float) -> str:
    """Rounded up to tenths: a head that is the same for most calls is one the server remembers."""
    return f"{math.ceil(seconds * 10) / 10:g}"


def _by(deadline: float, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of an answer, as long as there is time: httpx bounds only each single read."""
    for piece in pieces:
        yield piece
        if time.monotonic() > deadline:
            raise TimeoutError


def _reply(response: httpx.Response, body: bytes) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(str(response.request.url), response.status_code, headers, body)
