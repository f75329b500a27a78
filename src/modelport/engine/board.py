"""A page of figures that the engine process writes and every worker reads, without a message."""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

from modelport.engine.limits import Backlog
from modelport.kit.arena import Arena, Window

__all__ = ["Board", "BoardView"]

_FIGURES = len(Backlog._fields)
_PLACES = mmap.PAGESIZE // 8 // _FIGURES


class Board:
    """The writer's side: for each version what waits for it."""

    def __init__(self) -> None:
        self._arena = Arena(mmap.PAGESIZE, head_bytes=mmap.PAGESIZE)
        self._figures = _figures(self._arena.memory)
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
        self.write(place, Backlog())
        if place:
            self._free.append(place)

    def write(self, place: int, backlog: Backlog) -> None:
        """Tell all who read; who reads meanwhile may see some of the figures before the others."""
        if place:
            self._figures[place] = backlog


class BoardView:
    """A reader's side."""

    def __init__(self, fd: int) -> None:
        """
        Args:
            fd: the board's, which this takes over.
        """
        window = Window(fd)
        self._figures = _figures(window.part(0, window.size_bytes))

    def read(self, place: int) -> Backlog:
        """What stands there now."""
        return Backlog(*self._figures[place].tolist()) if place else Backlog()


def _figures(memory: memoryview | mmap.mmap) -> npt.NDArray[np.float64]:
    return np.frombuffer(memory, np.float64, _PLACES * _FIGURES).reshape(_PLACES, _FIGURES)
