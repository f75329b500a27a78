"""Folders that belong to this user alone, files that are whole or not there, and locks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from modelport.core.errors import ConfigError

__all__ = ["flush_folder", "locked", "private_folder", "unheld", "write_whole"]

_AGAIN_S = 0.05
"""How long after a look at a lock that is held the next one is."""


def private_folder(folder: Path) -> Path:
    """The folder, made if it is not there, readable by this user alone.

    Raises:
        ConfigError: it cannot be made, is a link, is another user's, or is one that users share,
            such as `/tmp`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # By a handle, so that what is checked is what is changed.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _make_private(folder, handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise ConfigError(
            f"the state folder '{folder}' cannot be made private: {error.strerror}"
        ) from error
    return folder


def _make_private(folder: Path, handle: int) -> None:
    found = os.fstat(handle)
    if found.st_mode & stat.S_ISVTX:
        raise ConfigError(f"the state folder '{folder}' is shared by users: name one below it")
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"the state folder '{folder}' belongs to another user: name one of your own in"
            " MODELPORT_STATE_DIR"
        )
    os.fchmod(handle, 0o700)


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that whoever reads it, now or after a crash, finds the old or the new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Have the disk hold the names in a folder as they are now."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(path: Path, patience_s: float | None = None) -> Iterator[None]:
    """Hold a lock file; other processes that want it wait. A process that ends lets go of it.

    Args:
        path: the file, made if it is not there.
        patience_s: how long to wait for who holds it; None is as long as that takes.

    Raises:
        BlockingIOError: it is held for longer.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(handle, patience_s)
        yield
    finally:
        os.close(handle)


def _take(handle: int, patience_s: float | None) -> None:
    if patience_s is None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return
    end = time.monotonic() + patience_s
    while not _is_taken(handle):  # the kernel has no wait for a lock that ends by itself
        if time.monotonic() >= end:
            raise BlockingIOError(errno.EWOULDBLOCK, "another process holds the lock")
        time.sleep(_AGAIN_S)


@contextlib.contextmanager
def unheld(path: Path) -> Iterator[bool]:
    """Hold a lock file for as long as the block runs, if nobody does; whether it is so.

    One that is not there is held by nobody, and is not made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _is_taken(handle)
    finally:
        os.close(handle)


def _is_taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
