"""Answers in this process: the least recently used make room."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["NearStore"]

_OVERHEAD_BYTES = 256
"""Of the key, the objects and the table, for each entry."""


class NearStore:
    """Payloads by key, within a bound of bytes, each for a time."""

    def __init__(
        self, most_bytes: int, ttl_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_bytes = most_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self.taken_bytes = 0
        """Of all entries, with what keeping them takes."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> bytes | None:
        """The payload, unless it is too old or had to make room."""
        found = self._entries.get(key)
        if found is None:
            return None
        payload, until = found
        if self._clock() >= until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return payload

    def put(self, key: bytes, payload: bytes) -> bool:
        """Keep a payload; whether it was, for one above an eighth of the bound is not."""
        size = len(payload) + _OVERHEAD_BYTES
        if size > self._most_bytes // 8:
            return False
        if key in self._entries:
            self._drop(key)
        self._entries[key] = payload, self._clock() + self._ttl_s
        self.taken_bytes += size
        while self.taken_bytes > self._most_bytes:
            self._drop(next(iter(self._entries)))
        return True

    def _drop(self, key: bytes) -> None:
        payload, _ = self._entries.pop(key)
        self.taken_bytes -= len(payload) + _OVERHEAD_BYTES
