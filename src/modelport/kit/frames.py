"""Whole messages over a unix socket, for what is asked in every request; and descriptors.

The bytes are those of `kit/ipc.py`: a 4-byte big-endian length, then that many of MessagePack. Here
a message is handed to a call-back as soon as it is there, several of one read after each other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

__all__ = ["Frames", "accepted", "connected", "swap"]

_LENGTH = struct.Struct(">I")
_LARGEST = 64 * 1024 * 1024
_log = logging.getLogger(__name__)


class Frames(asyncio.Protocol):
    """One end of a connection that carries whole messages."""

    def __init__(
        self,
        receives: object,
        on_message: Callable[[Any], None],
        on_lost: Callable[[], None],
    ) -> None:
        """
        Args:
            receives: the type, mostly a union of tagged structs, of what the other end sends.
            on_message: called with each; what it raises ends the connection.
            on_lost: called once, when there is no connection any more.
        """
        self._decode = msgspec.msgpack.Decoder(receives).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._on_message = on_message
        self._on_lost = on_lost
        self._rest = bytearray()
        self._transport: asyncio.Transport | None = None

    def send(self, message: object) -> None:
        """Send one message; where there is no connection any more, nothing happens.

        Raises:
            ValueError, OverflowError, TypeError: it cannot be encoded, or is too large; nothing was
                sent.
        """
        if self._transport is not None:
            frame = self._encode(message)
            if len(frame) > _LARGEST:
                raise ValueError(f"a frame has {_LARGEST} bytes at most, and this one {len(frame)}")
            self._transport.write(_LENGTH.pack(len(frame)) + frame)

    def close(self) -> None:
        """Close, once what was sent is out."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = transport  # type: ignore[assignment]  # of a stream

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        try:
            if self._rest:
                self._rest += data
                taken = self._take(self._rest)
                del self._rest[:taken]
            else:
                self._rest += data[self._take(data) :]
        except Exception as error:  # nothing that comes after it could be understood
            _log.error("a frame was not understood", exc_info=error)
            if self._transport is not None:
                self._transport.abort()

    def _take(self, data: bytes | bytearray) -> int:
        """Hand on the whole messages at the start of some bytes; how many bytes those were."""
        at, end = 0, len(data)
        while end - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            if length > _LARGEST:
                raise ValueError(f"a frame of {length} bytes")
            start = at + _LENGTH.size
            if end - start < length:
                break
            at = start + length
            self._on_message(self._decode(data[start:at]))
        return at


async def swap(sock: socket.socket, fds: Sequence[int], most: int) -> list[int]:
    """Give the other end of a new connection descriptors, and take those that it gives.

    Args:
        sock: non-blocking; nothing was sent over it yet.
        fds: stay open here.
        most: how many the other end gives at most.

    Raises:
        ConnectionError: the other end is gone.
    """
    try:
        socket.send_fds(sock, [b"\0"], fds)  # a byte has room in an empty buffer
        await _readable(sock)
        data, received, _, _ = socket.recv_fds(sock, 1, most)
    except OSError as error:
        raise ConnectionError("the other end is gone") from error
    if not data:
        raise ConnectionError("the other end is gone")
    for fd in received:
        os.set_inheritable(fd, False)
    return received


async def connected(sock: socket.socket, frames: Frames) -> None:
    """Talk in frames over a connection that this end made."""
    await asyncio.get_running_loop().create_unix_connection(lambda: frames, sock=sock)


async def accepted(sock: socket.socket, frames: Frames) -> None:
    """Talk in frames over a connection that this end accepted."""
    await asyncio.get_running_loop().connect_accepted_socket(lambda: frames, sock)


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def on_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, on_ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)
