"""One HTTP request as data: sent by ourselves to check an answer, by a generator to make load."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Answer", "Call", "ask"]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names are in lower case."""
    body: bytes


@dataclass(frozen=True)
class Call:
    """A POST, and how to read the numbers in its answer."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    read: Callable[[Answer], list[float]]


def ask(port: int, call: Call, limit_s: float) -> Answer:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit_s)
    try:
        connection.request("POST", call.path, call.body, dict(call.headers))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        connection.close()
