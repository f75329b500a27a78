"""Protocol Buffers' wire format, walked without a schema and without copying what is skipped.

Source: "Encoding" in the documentation of Protocol Buffers.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["fields", "mapped"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    """The content of a file, which is not read before it is looked at."""
    if path.stat().st_size == 0:
        yield b""  # the system maps no empty file
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def fields(data: mmap.mmap | bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number, start and end of each field that has a length, between two places.

    Raises:
        ValueError: the bytes are not in the wire format.
    """
    while at < end:
        tag, at = _varint(data, at, end)
        wire_type = tag & 7
        if wire_type == _BYTES:
            length, at = _varint(data, at, end)
            if length > end - at:
                raise ValueError("it is cut off, or of another format")
            yield tag >> 3, at, at + length
            at += length
        elif wire_type == _VARINT:
            _, at = _varint(data, at, end)
        elif wire_type in (_FIXED32, _FIXED64):
            at += 4 if wire_type == _FIXED32 else 8
        else:  # groups, which no format of ours has, and what is not defined
            raise ValueError("it is damaged, or of another format")
    if at > end:
        raise ValueError("it is cut off, or of another format")


def _varint(data: mmap.mmap | bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : min(at + 10, end)]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("it is cut off, or of another format")
