"""What came back: an answer, and the error it stands for when it is not a success."""

from __future__ import annotations

import http.client
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from modelport.core.errors import (
    ConfigError,
    DeadlineExceeded,
    Forbidden,
    Internal,
    InvalidInput,
    LimitExceeded,
    MethodNotAllowed,
    ModelportError,
    NotFound,
    NotReady,
    PayloadTooLarge,
    Unauthenticated,
    UnsupportedMedia,
    error_from_code,
)

__all__ = ["Reply", "decode_json", "error_of", "not_understood", "retry_after_s"]

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """One complete answer of a server."""

    url: str
    """What was asked."""
    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one of the 200s."""
        return 200 <= self.status < 300

    @property
    def shown(self) -> str:
        """The url and the status as people read them."""
        phrase = http.client.responses.get(self.status, "")
        return f"{self.url} answered {self.status} {phrase}".rstrip()


class _ErrorBody(msgspec.Struct):
    """The shape of every error; other servers of the protocol give the first field alone."""

    error: str
    code: str = ""
    detail: dict[str, object] = {}
    request_id: str = ""


# For answers that carry no code of ours: a proxy's page, or another server of the protocol.
_BY_STATUS: Mapping[int, type[ModelportError]] = {
    400: InvalidInput,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    408: DeadlineExceeded,
    413: PayloadTooLarge,
    415: UnsupportedMedia,
    422: InvalidInput,
    429: LimitExceeded,
    502: NotReady,
    503: NotReady,
    504: DeadlineExceeded,
}


def decode_json(reply: Reply, kind: type[T], body: bytes | None = None) -> T:
    """The JSON of a successful answer, checked to be of a kind.

    Args:
        reply: the answer, which an error names.
        kind: what `msgspec` is to decode.
        body: the part that is JSON; None means all of it.

    Raises:
        Internal: the answer is something else.
    """
    try:
        return msgspec.json.decode(reply.body if body is None else body, type=kind)
    except msgspec.DecodeError as error:
        raise not_understood(reply, str(error)) from error


def not_understood(reply: Reply, why: str) -> Internal:
    """The error for a success that does not hold what it should."""
    media = reply.headers.get("content-type", "no content type")
    return Internal(
        f"{reply.shown} with {media}, which is not the answer of a Modelport server ({why}):"
        " is this the server's url?"
    )


def error_of(reply: Reply) -> ModelportError:
    """The error that an answer stands for, of the server's own class where it names one."""
    wait = retry_after_s(reply)
    extra: dict[str, object] = {} if wait is None else {"retry_after_s": wait}
    try:
        body = msgspec.json.decode(reply.body, type=_ErrorBody)
    except msgspec.DecodeError:
        return _from_status(reply, extra)
    extra |= {name: value for name, value in body.detail.items() if name not in _TAKEN}
    if body.request_id:
        extra["request_id"] = body.request_id
    error = error_from_code(body.code, body.error, extra)
    if type(error) is ModelportError:  # a code that this client does not know yet, or none
        return _class_of(reply.status)(body.error, **extra)
    return error


# Names of the parameters of an error's constructor.
_TAKEN = frozenset({"self", "message"})


def retry_after_s(reply: Reply) -> float | None:
    """Seconds that the server asks to wait, as a number or until a date; None if it does not."""
    value = reply.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _class_of(status: int) -> type[ModelportError]:
    return _BY_STATUS.get(status, Internal if status >= 500 else ModelportError)


def _from_status(reply: Reply, detail: dict[str, object]) -> ModelportError:
    # The body itself is not shown: pages for debugging repeat the request's headers, with the key.
    if 300 <= reply.status < 400:
        where = reply.headers.get("location", "another address")
        return ConfigError(f"{reply.shown} and points to {where}: give the client that url")
    media = reply.headers.get("content-type", "no content type")
    return _class_of(reply.status)(
        f"{reply.shown} with {media} and no error of Modelport's: something between, such as a"
        " proxy, wrote it, or this is not the url of a Modelport server",
        **detail,
    )
