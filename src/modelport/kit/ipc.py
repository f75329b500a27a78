"""Frames over unix sockets: a 4-byte big-endian length, then that many bytes of MessagePack."""

from __future__ import annotations

import asyncio
import struct
from typing import Generic, TypeVar

import msgspec

__all__ = ["Channel"]

_LENGTH = struct.Struct(">I")
_LARGEST = 64 * 1024 * 1024

Received = TypeVar("Received")


class Channel(Generic[Received]):
    """One end of a connection that carries whole messages."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        receives: type[Received] | object,
    ) -> None:
        """
        Args:
            reader, writer: the connected stream.
            receives: the type, mostly a union of tagged structs, of what the other end sends.
        """
        self._reader = reader
        self._writer = writer
        self._decode = msgspec.msgpack.Decoder(receives).decode
        self._encode = msgspec.msgpack.Encoder().encode

    async def send(self, message: object) -> None:
        """Send one message; returns when the socket's buffer has room again.

        Raises:
            ConnectionError: the other end is gone.
            ValueError: the message is too large.
        """
        frame = self._encode(message)
        if len(frame) > _LARGEST:
            raise ValueError(f"a frame has {_LARGEST} bytes at most, and this one {len(frame)}")
        self._writer.write(_LENGTH.pack(len(frame)) + frame)
        await self._writer.drain()

    async def receive(self) -> Received | None:
        """The next message; None when the other end is gone.

        Raises:
            msgspec.DecodeError: the other end sent something else.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > _LARGEST:
                raise msgspec.DecodeError(f"a frame of {length} bytes")
            frame = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return self._decode(frame)  # type: ignore[no-any-return]  # by the decoder's type

    def close(self) -> None:
        """Close; the other end receives None."""
        self._writer.close()
