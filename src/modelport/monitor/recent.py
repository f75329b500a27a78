"""The errors of the last requests, for those who may see what callers were told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

__all__ = ["ErrorLog", "MergedErrors", "RecentError", "RecentErrors"]

_MOST = 50


class RecentError(msgspec.Struct, frozen=True, kw_only=True):
    """A request that ended in an error."""

    at: float
    """Seconds since the epoch."""
    request_id: str
    model: str | None
    """Null where it reached none."""
    version: str | None
    protocol: str | None
    code: str
    status: int
    """Of HTTP."""
    message: str
    """As its caller got it, its beginning."""


class RecentErrors(msgspec.Struct, frozen=True):
    """Those that are kept, the newest first."""

    errors: list[RecentError]


class ErrorLog:
    """The last errors in one process: so many of each model, and of requests that reached none."""

    def __init__(self, most: int = _MOST) -> None:
        """
        Args:
            most: how many of each model are kept.
        """
        self._most = most
        self._last = 0
        self._kept: dict[str | None, deque[tuple[int, RecentError]]] = {}

    def note(self, error: RecentError) -> None:
        """Keep one; it takes the place of the oldest of its model."""
        kept = self._kept.get(error.model)
        if kept is None:
            kept = self._kept[error.model] = deque(maxlen=self._most)
        self._last += 1
        kept.append((self._last, error))

    def since(self, number: int) -> tuple[list[RecentError], int]:
        """Those that came after the one of that number, the oldest first; and the last number."""
        if self._last == number:
            return [], number
        new = [entry for kept in self._kept.values() for entry in kept if entry[0] > number]
        new.sort(key=_number)
        return [error for _, error in new], self._last


class MergedErrors:
    """The last errors of all processes, those that are gone too."""

    def __init__(self, most: int = _MOST) -> None:
        """
        Args:
            most: how many of each model are kept, and told at once.
        """
        self._most = most
        self._kept: dict[str | None, deque[tuple[int, RecentError]]] = {}

    def add(self, pid: int, errors: Iterable[RecentError]) -> None:
        """Take over what a process tells."""
        for error in errors:
            kept = self._kept.setdefault(error.model, deque(maxlen=self._most))
            kept.append((pid, error))

    def forget(self, pid: int) -> None:
        """Let go of what a process told, because it tells all of it again."""
        for model, kept in self._kept.items():
            rest = (entry for entry in kept if entry[0] != pid)
            self._kept[model] = deque(rest, maxlen=self._most)

    def told(self, model: str | None = None) -> RecentErrors:
        """Those of a model, or all; the newest first."""
        chosen = self._kept.values() if model is None else [self._kept.get(model, deque())]
        errors = [error for kept in chosen for _, error in kept]
        errors.sort(key=_time, reverse=True)
        return RecentErrors(errors[: self._most])


def _number(entry: tuple[int, RecentError]) -> int:
    return entry[0]


def _time(error: RecentError) -> float:
    return error.at
