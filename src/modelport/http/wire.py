"""What a connection and its handlers hand each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from modelport.guard.policy import Principal
from modelport.monitor.metrics import ModelMetrics

__all__ = ["JSON", "Asgi", "Handler", "Head", "Reply", "reply"]

Reply: TypeAlias = tuple[bytes, bytes]
"""The status line with the headers that belong to the content, and the body."""

JSON = b"content-type: application/json\r\n"
_ANYONE = Principal("anyone", "infer")


class Asgi:
    """An ASGI application that answers in place of a handler, with what its scope needs."""

    __slots__ = ("app", "params")

    def __init__(self, app: Any, params: dict[str, str]) -> None:
        self.app = app
        self.params = params


Handler: TypeAlias = Callable[[bytes], Reply | Awaitable[Reply]]
"""From a body to an answer, for requests with one particular head; raises `ModelportError`."""


class Head:
    """The request line and headers of a request, and who answers it.

    A head is immutable once it is complete, and may stand for many requests: clients send the
    same bytes again and again (see `shared.Shared.remember`).
    """

    __slots__ = (
        "extra",
        "handler",
        "headers",
        "keep_alive",
        "length",
        "loopback",
        "method",
        "metrics",
        "once",
        "principal",
        "request_id",
        "target",
        "tls",
        "version",
    )

    def __init__(
        self, method: bytes, target: bytes, headers: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        self.method = method
        self.target = target
        """The path and the query, as sent."""
        self.headers = headers
        """In the order sent, names in lower case."""
        self.version = "1.1"
        self.keep_alive = True
        self.loopback = True
        """Whether the connection comes from this machine."""
        self.tls = False
        """Whether it is encrypted."""
        self.principal = _ANYONE
        """Who sends it; the gate finds out where the route asks."""
        self.once = False
        """Whether what was decided holds for this request alone, as it depends on the time."""
        self.length: int | None = None
        """The body's size in bytes; None where only its end tells."""
        self.request_id: bytes | None = None
        """What the caller calls this request, if it said so."""
        self.extra = b""
        """Header lines that the gate adds to every answer."""
        self.metrics: ModelMetrics | None = None
        """Where errors that are answered are counted, once it is known which version is meant."""
        self.handler: Handler | Asgi

    def get(self, name: bytes) -> bytes | None:
        """The value of a header, by its name in lower case; of several, the first."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]


def reply(status: bytes, headers: bytes, body: bytes) -> Reply:
    """An answer from `200 OK`, header lines and a body."""
    return b"HTTP/1.1 " + status + b"\r\n" + headers, body
