"""Memory that one process writes and another reads, with no lock between them.

Each direction of a connection has an arena of its own. All that says which stretches are taken
lives in the writer; the reader says when it needs one no longer. So neither side's death leaves
anything behind that the other could stumble over: the memory goes when both have let go of it.

Source: memfd_create(2), "File-sealing"; madvise(2), MADV_REMOVE.
"""

from __future__ import annotations

import bisect
import fcntl
import mmap
import os

__all__ = ["ALIGNMENT", "Arena", "ArenaFull", "Window", "is_supported"]

ALIGNMENT = 64
"""Of every stretch, in bytes: a cache line, and what vector instructions like best."""
_GIB = 1024**3
_KEPT_BYTES = 16 * 1024 * 1024
_GIVEN_BACK_BYTES = 1024 * 1024
"""Less than this is not worth a call of the kernel."""


class ArenaFull(Exception):
    """No stretch of that length is free."""


def is_supported() -> bool:
    """Whether this system has what an arena is made of."""
    return hasattr(os, "memfd_create")


class Arena:
    """The writer's side: a file in memory of which only what was written takes any."""

    def __init__(
        self, size_bytes: int = _GIB, head_bytes: int = 0, kept_bytes: int = _KEPT_BYTES
    ) -> None:
        """
        Args:
            size_bytes: how much address space it has.
            head_bytes: at its start, left for other uses.
            kept_bytes: from its start, what is not given back to the system when it is free.
        """
        self.fd = os.memfd_create("modelport", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size_bytes)
        # What the reader has mapped can never be cut off under it.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)
        self.memory = mmap.mmap(self.fd, size_bytes)
        self._free = [_aligned(head_bytes)]
        """Where the free stretches begin, in order."""
        self._length = {self._free[0]: size_bytes - self._free[0]}
        self._taken: dict[int, int] = {}
        self._kept = _paged(max(kept_bytes, self._free[0]))
        self._touched = self._kept
        """Nothing beyond was written, or it was given back."""

    @property
    def taken_bytes(self) -> int:
        """The length of all stretches that are taken."""
        return sum(self._taken.values())

    def take(self, size_bytes: int) -> int:
        """The place of a free stretch: the lowest that is long enough.

        Raises:
            ArenaFull: there is none.
        """
        wanted = max(ALIGNMENT, _aligned(size_bytes))
        fits = (i for i, at in enumerate(self._free) if self._length[at] >= wanted)
        index = next(fits, -1)
        if index < 0:
            raise ArenaFull(f"{self.taken_bytes} bytes are taken, and {size_bytes} were wanted")
        at = self._free[index]
        left = self._length.pop(at) - wanted
        if left:
            self._free[index] = at + wanted
            self._length[at + wanted] = left
        else:
            del self._free[index]
        self._taken[at] = wanted
        self._touched = max(self._touched, at + wanted)
        return at

    def give(self, at: int) -> None:
        """Let a stretch be taken again.

        Raises:
            KeyError: none that is taken begins there.
        """
        length = self._taken.pop(at)
        index = bisect.bisect(self._free, at)
        if index < len(self._free) and self._free[index] == at + length:
            length += self._length.pop(self._free.pop(index))
        before = self._free[index - 1] if index else -1
        if index and before + self._length[before] == at:
            at, length = before, self._length[before] + length
        else:
            self._free.insert(index, at)
        self._length[at] = length
        if at + length >= self._touched:
            self._give_back(max(at, self._kept))

    def _give_back(self, start: int) -> None:
        """Return what lies free at the end to the system, where it is much."""
        start = _paged(start)
        if self._touched - start >= _GIVEN_BACK_BYTES:
            self.memory.madvise(mmap.MADV_REMOVE, start, _paged(self._touched) - start)
            self._touched = start

    def close(self) -> None:
        """Let go of the file; the memory goes with the last array that shows a part of it."""
        os.close(self.fd)


class Window:
    """The reader's side: the other process' arena."""

    def __init__(self, fd: int) -> None:
        """
        Args:
            fd: the arena's, which this takes over.

        Raises:
            ValueError: it could be cut off while it is read.
        """
        try:
            if not fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
                raise ValueError("shared memory that is not sealed")
            self.size_bytes = os.fstat(fd).st_size
            self._view = memoryview(mmap.mmap(fd, self.size_bytes, prot=mmap.PROT_READ))
        finally:
            os.close(fd)

    def part(self, at: int, size_bytes: int) -> memoryview:
        """A stretch, as it is now; read-only.

        Raises:
            ValueError: it does not lie inside.
        """
        if at < 0 or size_bytes < 0 or at + size_bytes > self.size_bytes:
            raise ValueError(f"{size_bytes} bytes at {at} of {self.size_bytes}")
        return self._view[at : at + size_bytes]


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def _paged(size_bytes: int) -> int:
    return -(-size_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
