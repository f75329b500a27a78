"""Reading Universal Binary JSON, with every length checked against what is there.

Source: Universal Binary JSON, draft 12 (https://ubjson.org), as XGBoost writes it: big-endian.
"""

from __future__ import annotations

import numpy as np

__all__ = ["decode"]

_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_CONSTANTS: dict[str, object] = {"Z": None, "T": True, "F": False}
_DEEPEST = 64


def decode(data: bytes) -> object:
    """The document as JSON has it; arrays of one type of number as Python lists.

    Raises:
        ValueError: it is cut short, or not of this kind.
    """
    reader = _Reader(data)
    found = reader.value(reader.mark(), 0)
    if reader.at != len(data):
        raise ValueError("something follows the document")
    return found


class _Reader:
    """A place in the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= len(self._data) - self.at:
            raise ValueError("it is cut short")
        self.at += count
        return self._data[self.at - count : self.at]

    def mark(self) -> str:
        """The next mark of a type; marks that stand for nothing are passed over."""
        while (mark := self.take(1)) == b"N":
            pass
        return mark.decode("latin-1")

    def value(self, mark: str, depth: int) -> object:
        """The value whose mark was read."""
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels")
        if mark in _CONSTANTS:
            return _CONSTANTS[mark]
        if mark in _NUMBERS:
            return self._numbers(mark, 1)[0]
        if mark == "S":
            return self.take(self._length()).decode()
        if mark == "C":
            return self.take(1).decode("latin-1")
        if mark == "[":
            return self._array(depth)
        if mark == "{":
            return self._object(depth)
        raise ValueError(f"no value begins with {mark!r}")

    def _numbers(self, mark: str, count: int) -> list[int | float]:
        dtype = np.dtype(_NUMBERS[mark])
        if count > len(self._data):
            raise ValueError("it is cut short")
        found = np.frombuffer(self.take(count * dtype.itemsize), dtype)
        if mark == "d":  # the shortest decimal of a single is read back as the same single
            return [float(text) for text in found.astype(np.float32).astype(str).tolist()]
        numbers: list[int | float] = found.tolist()
        return numbers

    def _length(self) -> int:
        mark = self.mark()
        if mark not in "iUIlL":
            raise ValueError("a length is not a whole number")
        return int(self._numbers(mark, 1)[0])

    def _counted(self) -> tuple[str, int]:
        """The type and the number of what a container holds; empty and -1: it says neither."""
        kind = ""
        if self._next() == "$":
            self.take(1)
            kind = self.take(1).decode("latin-1")
        if self._next() != "#":
            if kind:
                raise ValueError("a container has a type and no length")
            return "", -1
        self.take(1)
        count = self._length()
        if not 0 <= count <= len(self._data):
            raise ValueError("a container is longer than the file")
        return kind, count

    def _next(self) -> str:
        return self._data[self.at : self.at + 1].decode("latin-1")

    def _array(self, depth: int) -> list[object]:
        kind, count = self._counted()
        if kind in _NUMBERS:
            return list(self._numbers(kind, count))
        if kind in _CONSTANTS:
            raise ValueError("an array of constants holds more than the file has")
        if count >= 0:
            return [self.value(kind or self.mark(), depth + 1) for _ in range(count)]
        items = []
        while (mark := self.mark()) != "]":
            items.append(self.value(mark, depth + 1))
        return items

    def _object(self, depth: int) -> dict[str, object]:
        kind, count = self._counted()
        found: dict[str, object] = {}
        while len(found) != count:
            if count < 0 and self._next() == "}":
                self.take(1)
                break
            name = self.take(self._length()).decode()
            if name in found:
                raise ValueError(f"it says '{name[:40]}' twice")
            found[name] = self.value(kind or self.mark(), depth + 1)
        return found
