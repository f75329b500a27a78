"""How much memory a process takes, how much there is, and giving it back to the system."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = [
    "available_bytes",
    "collect",
    "limit_bytes",
    "mib",
    "one_heap",
    "proportional_bytes",
    "resident_bytes",
    "trim",
]

_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_M_ARENA_MAX = -8  # malloc.h
_UNBOUNDED = 1 << 60
"""Control groups of version 1 say a number beyond this where there is no bound."""


def resident_bytes(pid: int | None = None, proc: Path = _PROC) -> int | None:
    """The resident set of a process, by default this one; None where the system does not tell.

    Source: proc(5), `/proc/PID/statm`, whose second number is in pages.
    """
    try:
        text = (proc / ("self" if pid is None else str(pid)) / "statm").read_text()
    except OSError:
        return None
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def proportional_bytes(pid: int, proc: Path = _PROC) -> int | None:
    """What a process takes, of what it shares only its part; None where the system does not tell.

    The kernel counts it page by page: it takes a while for a large process.
    Source: proc(5), `/proc/PID/smaps_rollup`.
    """
    lines = (line.split() for line in _text(proc / str(pid) / "smaps_rollup").splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == "Pss:"), None)


def limit_bytes(cgroup: Path = _CGROUP, proc: Path = _PROC) -> int | None:
    """The memory that the machine has, or its control group may use; None where unknown."""
    folders = _folders(cgroup, proc)
    limits = [limit for f in folders for limit, _ in (_v2(f), _v1(f)) if limit is not None]
    limits += _machine(proc, "MemTotal:")
    return min(limits) if limits else None


def available_bytes(cgroup: Path = _CGROUP, proc: Path = _PROC) -> int | None:
    """The memory that the machine and the control group can still give; None where unknown.

    A group's page cache counts as free, as the kernel takes it back before it refuses; so it does
    in the machine's own figure. The groups above hold as well.
    Source: Linux kernel documentation, "Control Group v2", memory interface files; proc(5).
    """
    left = [
        limit - used
        for folder in _folders(cgroup, proc)
        for limit, used in (_v2(folder), _v1(folder))
        if limit is not None
    ]
    left += _machine(proc, "MemAvailable:")
    return max(0, min(left)) if left else None


def trim() -> None:
    """Return the memory that this process has freed to the system, where the library can.

    glibc keeps what was freed for the next allocation (malloc_trim(3)); macOS and musl have no
    such call.
    """
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def one_heap() -> None:
    """Have all threads that start from now on allocate from one heap, where the library can.

    Of the heaps of other threads, `trim` returns no free memory at their end, and the more of it
    stays the larger what was freed there (mallopt(3), M_ARENA_MAX and M_MMAP_THRESHOLD).
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def collect() -> None:
    """Free what only cycles hold, what was frozen (`gc.freeze`) too; the rest is frozen anew."""
    frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.collect()
    if frozen:
        gc.freeze()


def mib(size_bytes: int) -> str:
    """A size as people read it."""
    if size_bytes < 1024**2:
        return f"{size_bytes} bytes"
    return f"{size_bytes / 1024**2:.1f} MiB"


def _machine(proc: Path, key: str) -> list[int]:
    lines = (line.split() for line in _text(proc / "meminfo").splitlines())
    return [int(words[1]) * 1024 for words in lines if words[0] == key]


def _folders(cgroup: Path, proc: Path) -> Iterator[Path]:
    # As in `kit/cpus.py`: in a container the path may be the host's, and not exist.
    groups = {(mount, Path()) for mount in ("", "memory")}
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            groups.add(("memory" if controllers else "", Path(path.lstrip("/"))))
    for mount, group in groups:
        for folder in (group, *group.parents):
            yield cgroup / mount / folder


def _v2(folder: Path) -> tuple[int | None, int]:
    limit = _text(folder / "memory.max").strip()
    if not limit.isdecimal():
        return None, 0
    used = int(_text(folder / "memory.current") or 0)
    return int(limit), used - _stat(folder, "inactive_file")


def _v1(folder: Path) -> tuple[int | None, int]:
    limit = int(_text(folder / "memory.limit_in_bytes") or _UNBOUNDED)
    if limit >= _UNBOUNDED:
        return None, 0
    used = int(_text(folder / "memory.usage_in_bytes") or 0)
    return limit, used - _stat(folder, "total_inactive_file")


def _stat(folder: Path, key: str) -> int:
    for line in _text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@functools.cache
def _glibc(name: str) -> Callable[..., int] | None:
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    return found
