"""Every exception that httpx can raise ends as one of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import httpx
import pytest

from modelport.client.budget import RetryBudget
from modelport.client.calls import Call, Request
from modelport.client.flow import Rules, answer
from modelport.client.target import Target
from modelport.client.transport import AsyncTransport, Transport, lost
from modelport.core.errors import (
    ConfigError,
    DeadlineExceeded,
    Internal,
    ModelportError,
    NotReady,
)

EXCEPTIONS = [
    kind
    for kind in (getattr(httpx, name) for name in httpx.__all__)
    if isinstance(kind, type) and issubclass(kind, Exception)
]
EXPECTED = {
    httpx.CloseError: NotReady,
    httpx.ConnectError: NotReady,
    httpx.ConnectTimeout: DeadlineExceeded,
    httpx.CookieConflict: Internal,
    httpx.DecodingError: Internal,
    httpx.HTTPError: Internal,
    httpx.HTTPStatusError: Internal,
    httpx.InvalidURL: ConfigError,
    httpx.LocalProtocolError: Internal,
    httpx.NetworkError: NotReady,
    httpx.PoolTimeout: DeadlineExceeded,
    httpx.ProtocolError: Internal,
    httpx.ProxyError: NotReady,
    httpx.ReadError: NotReady,
    httpx.ReadTimeout: DeadlineExceeded,
    httpx.RemoteProtocolError: NotReady,
    httpx.RequestError: Internal,
    httpx.RequestNotRead: Internal,
    httpx.ResponseNotRead: Internal,
    httpx.StreamClosed: Internal,
    httpx.StreamConsumed: Internal,
    httpx.StreamError: Internal,
    httpx.TimeoutException: DeadlineExceeded,
    httpx.TooManyRedirects: ConfigError,
    httpx.TransportError: Internal,
    httpx.UnsupportedProtocol: ConfigError,
    httpx.WriteError: NotReady,
    httpx.WriteTimeout: DeadlineExceeded,
}
TARGET = Target("http://127.0.0.1:9", {})


class Raising(Mapping[str, str]):
    """Headers that raise when the request is built from them."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __iter__(self) -> Iterator[str]:
        raise self._error

    def __getitem__(self, name: str) -> str:
        raise self._error

    def __len__(self) -> int:
        return 1


def made(kind: type[Exception]) -> Exception:
    return kind.__new__(kind, "the reason")  # some constructors want requests and responses


def test_the_list_below_is_all_of_httpx():
    assert set(EXCEPTIONS) == set(EXPECTED)


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_an_exception_of_httpx_has_its_meaning_and_is_the_cause(kind):
    failure = made(kind)
    found = lost(failure, "http://a/predict")
    assert type(found.error) is EXPECTED[kind]
    assert found.error.message.startswith("http://a/predict ")
    assert found.error.__cause__ is failure
    assert found.again is (EXPECTED[kind] is NotReady)


@pytest.mark.parametrize("kind", [*EXCEPTIONS, TimeoutError])
def test_no_exception_of_httpx_leaves_the_transport(kind):
    flow = answer(
        Call(Request("GET", "/", Raising(made(kind))), lambda reply: None),
        Rules(timeout_s=1, retries=0, budget=RetryBudget()),
    )
    transport = Transport(TARGET, 1)
    with pytest.raises(ModelportError):
        transport.run(flow)
    transport.close()


@pytest.mark.parametrize("kind", [*EXCEPTIONS, TimeoutError])
def test_no_exception_of_httpx_leaves_the_async_transport(kind):
    flow = answer(
        Call(Request("GET", "/", Raising(made(kind))), lambda reply: None),
        Rules(timeout_s=1, retries=0, budget=RetryBudget()),
    )

    async def run() -> None:
        transport = AsyncTransport(TARGET, 1)
        with pytest.raises(ModelportError):
            await transport.run(flow)
        await transport.close()

    asyncio.run(run())
