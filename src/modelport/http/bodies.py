"""Bodies: what they are encoded in, how they unpack, and the words for those that do not parse."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeAlias

import msgspec

from modelport.core.errors import InvalidInput, PayloadTooLarge, UnsupportedMedia
from modelport.http.wire import Handler, Head, Reply

__all__ = ["accepted", "compressed", "media_type", "not_json", "unpacked", "wants_compression"]

Decompress: TypeAlias = Callable[[bytes], bytes]

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
    value = head.get(b"accept")
    if value is None:
        return default
    best, best_quality = None, 0.0
    for item in value.decode("latin-1").lower().split(","):
        media, _, parameters = item.partition(";")
        quality = _quality(parameters)
        name = default if media.strip() in ("*/*", "application/*") else offered.get(media.strip())
        if name is not None and quality > best_quality:
            best, best_quality = name, quality
    if best is None:
        known = ", ".join(offered)
        raise UnsupportedMedia(f"answers are {known}; 'Accept' names none of them", status=406)
    return best


def unpacked(head: Head, handler: Handler, limit: int) -> Handler:
    """The handler behind what `Content-Encoding` asks for; unpacking runs in a thread.

    Raises:
        UnsupportedMedia: an encoding that is not understood.
    """
    encoding = (head.get(b"content-encoding") or b"identity").strip().lower()
    if encoding == b"identity":
        return handler
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        raise UnsupportedMedia(
            f"the content encodings are gzip and deflate, not {encoding.decode('latin-1')!r}"
        )

    async def unpack(body: bytes) -> Reply:
        plain = await asyncio.to_thread(_inflate, body, limit)
        answer = handler(plain)
        return await answer if isawaitable(answer) else answer

    return unpack


def wants_compression(head: Head) -> bytes | None:
    """The encoding, where the client asks for exactly one that we write."""
    # A list such as `gzip, deflate` is what every library sends by itself, and on a fast network
    # packing costs more than it saves; a single name is somebody's wish.
    value = (head.get(b"accept-encoding") or b"").strip().lower()
    return value if value in (b"gzip", b"deflate") else None


async def compressed(answer: Reply | Awaitable[Reply], encoding: bytes) -> Reply:
    """The same answer with its body packed, in a thread."""
    prefix, body = await answer if isawaitable(answer) else answer
    pack = gzip.compress if encoding == b"gzip" else zlib.compress
    packed = await asyncio.to_thread(pack, body, 1)
    return prefix + b"content-encoding: " + encoding + b"\r\n", packed


def not_json(error: Exception, body: bytes) -> InvalidInput:
    """The words for a body that is no JSON."""
    if not body.strip():
        return InvalidInput("the body is empty; a request is JSON")
    if isinstance(error, RecursionError):
        return InvalidInput("the JSON is nested too deep")
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
    while body:  # a gzip file may have several members
        machine = zlib.decompressobj(wbits)
        part = machine.decompress(body, left + 1)
        left -= len(part)
        if left < 0:
            raise PayloadTooLarge(f"the body unpacks to more than {limit} bytes", limit=limit)
        if not machine.eof:
            raise zlib.error("it ends too early")
        parts.append(part)
        body = machine.unused_data
    return b"".join(parts)


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
