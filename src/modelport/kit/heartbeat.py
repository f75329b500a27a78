"""Processes that show to whoever started them that their event loop turns: a number each, in memory
that they share, so that nobody is woken for it."""

from __future__ import annotations

import asyncio
import mmap
import os
import time

import numpy as np

__all__ = ["EVERY_S", "Beats", "beating"]

EVERY_S = 0.25


class Beats:
    """The reader's side; one place for each process."""

    def __init__(self, places: int) -> None:
        self.fd = os.memfd_create("beats", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, places * 8)
        self._numbers = np.frombuffer(mmap.mmap(self.fd, places * 8), np.float64)

    def fileno(self) -> int:
        """The descriptor, for the processes."""
        return self.fd

    def read(self, place: int) -> float:
        """When the process last showed a turn, on the monotonic clock; 0 before the first."""
        return float(self._numbers[place])

    def clear(self, place: int) -> None:
        """Another process takes the place."""
        self._numbers[place] = 0.0

    def close(self) -> None:
        """Let go of the memory."""
        os.close(self.fd)


async def beating(fd: int, place: int) -> None:
    """Show each turn; ends when cancelled.

    Args:
        fd: that of the reader's `Beats`, which this takes over.
        place: this process'.
    """
    numbers = np.frombuffer(mmap.mmap(fd, os.fstat(fd).st_size), np.float64)
    os.close(fd)
    while True:
        numbers[place] = time.monotonic()
        await asyncio.sleep(EVERY_S)
