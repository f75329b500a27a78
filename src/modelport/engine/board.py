"""A page of numbers that the engine process writes and every worker reads, without a message."""

from __future__ import annotations

import mmap

import numpy as np

from modelport.kit.arena import Arena, Window

__all__ = ["Board", "BoardView"]

_PLACES = mmap.PAGESIZE // 8


class Board:
    """The writer's side: for each version the predicted seconds of the work that waits for it."""

    def __init__(self) -> None:
        self._arena = Arena(mmap.PAGESIZE, head_bytes=mmap.PAGESIZE)
        self._numbers = np.frombuffer(self._arena.memory, np.float64)
        self._free = list(range(_PLACES - 1, 0, -1))

    @property
    def fd(self) -> int:
        """The descriptor, for readers."""
        return self._arena.fd

    def take(self) -> int:
        """A place; 0, which is read as nothing, where all are taken."""
        return self._free.pop() if self._free else 0

    def give(self, place: int) -> None:
        """Let a place be taken again."""
        self.write(place, 0.0)
        if place:
            self._free.append(place)

    def write(self, place: int, seconds: float) -> None:
        """Tell all who read."""
        if place:
            self._numbers[place] = seconds


class BoardView:
    """A reader's side."""

    def __init__(self, fd: int) -> None:
        """
        Args:
            fd: the board's, which this takes over.
        """
        window = Window(fd)
        self._numbers = np.frombuffer(window.part(0, window.size_bytes), np.float64)

    def read(self, place: int) -> float:
        """What stands there now."""
        return float(self._numbers[place]) if place else 0.0
