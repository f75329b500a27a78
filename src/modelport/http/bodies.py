"""What a head says of its body and of the answer: types, encodings, time; and bodies unpacked."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable

import msgspec

from modelport.core.errors import InvalidInput, PayloadTooLarge, UnsupportedMedia
from modelport.http.wire import Head

__all__ = [
    "NOT_JSON",
    "accepted",
    "media_type",
    "not_json",
    "packing",
    "time_allowed",
    "unpacking",
]

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a JSON decoder raises for a body that is none, or not of the right form."""

_MEMBERS = 64
"""Parts that a gzip body may be joined from; each costs a copy of what follows it."""
_AUTO = 32 + zlib.MAX_WBITS  # gzip or zlib, by the first bytes
_RAW = -zlib.MAX_WBITS


def media_type(head: Head) -> str:
    """The content type without its parameters, in lower case; empty if there is none."""
    value = head.get(b"content-type") or b""
    return value.partition(b";")[0].strip().lower().decode("latin-1")


def accepted(head: Head, offered: dict[str, str], default: str) -> str:
    """The offered answer that `Accept` likes best; `offered` is from media type to its name.

    Raises:
        UnsupportedMedia: the header names none of them (status 406).
    """
    given = head.get(b"accept") or b"*/*"
    if given == b"*/*":
        return default
    value = given.decode("latin-1").lower()
    ranges: dict[str, float] = {}
    for item in value.split(","):
        media, _, parameters = item.partition(";")
        ranges[media.strip()] = _quality(parameters)
    names = sorted(offered, key=lambda media: (-_liking(ranges, media), offered[media] != default))
    if _liking(ranges, names[0]) <= 0:
        known = ", ".join(offered)
        raise UnsupportedMedia(f"answers are {known}; 'Accept' names none of them", status=406)
    return offered[names[0]]


def time_allowed(head: Head, longest_s: float) -> float:
    """Seconds for the answer: `X-Request-Timeout` where it is shorter than the server's own.

    Raises:
        InvalidInput: the header is not a positive number.
    """
    value = head.get(b"x-request-timeout")
    if value is None:
        return longest_s
    try:
        asked = math.nan if b"_" in value else float(value)  # `1_0` is Python, and no number
    except ValueError:
        asked = math.nan
    if not asked > 0:
        raise InvalidInput(
            "X-Request-Timeout is a number of seconds above 0, and"
            f" {value[:40].decode('latin-1')!r} came"
        )
    return min(asked, longest_s)


def unpacking(head: Head, limit: int) -> Callable[[bytes], bytes] | None:
    """What unpacks a body in the head's `Content-Encoding`; None where nothing is packed.

    Raises:
        UnsupportedMedia: an encoding that is not understood.
    """
    encoding = (head.get(b"content-encoding") or b"identity").lower()
    if encoding == b"identity":
        return None
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        raise UnsupportedMedia(
            f"the content encodings are gzip and deflate, not {encoding.decode('latin-1')!r}"
        )
    return lambda body: _inflate(body, limit)


def packing(head: Head) -> tuple[bytes, Callable[[bytes], bytes]] | None:
    """The one encoding that the client asks the answer to be in, and what packs it."""
    # A list such as `gzip, deflate` is what every library sends by itself, and on a fast network
    # packing costs more than it saves; a single name is somebody's wish.
    encoding = (head.get(b"accept-encoding") or b"").lower()
    if encoding not in (b"gzip", b"deflate"):
        return None
    pack = gzip.compress if encoding == b"gzip" else zlib.compress
    return encoding, lambda body: pack(body, 1)


def not_json(error: Exception, body: bytes) -> InvalidInput:
    """The words for a body that is no JSON."""
    if not body.strip():
        return InvalidInput("the body is empty; a request is JSON")
    if isinstance(error, RecursionError):
        return InvalidInput("the JSON is nested too deep")
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput(f"the body is not valid JSON: its text is not UTF-8 ({error.reason})")
    if isinstance(error, msgspec.ValidationError):
        return InvalidInput(f"the JSON does not have the right form: {error}")
    return InvalidInput(f"the body is not valid JSON: {error}")


def _inflate(body: bytes, limit: int) -> bytes:
    try:
        return _within(body, _AUTO, limit)
    except zlib.error as error:
        try:
            return _within(body, _RAW, limit)  # what some clients mean by `deflate`
        except zlib.error:
            raise InvalidInput(f"the body is not what its encoding says: {error}") from error


def _within(body: bytes, wbits: int, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    for _ in range(_MEMBERS):
        if not body:
            return b"".join(parts)
        machine = zlib.decompressobj(wbits)
        part = machine.decompress(body, left + 1)
        left -= len(part)
        if left < 0:
            raise PayloadTooLarge(f"the body unpacks to more than {limit} bytes", limit=limit)
        if not machine.eof:
            raise zlib.error("it ends too early")
        parts.append(part)
        body = machine.unused_data
    raise InvalidInput(f"the body is joined from {_MEMBERS} gzip parts or more")


def _liking(ranges: dict[str, float], media: str) -> float:
    """The quality of the most specific range that has the media type (RFC 9110, section 12.5.1)."""
    family = media.partition("/")[0] + "/*"
    return next((ranges[name] for name in (media, family, "*/*") if name in ranges), 0.0)


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
