"""Folders on disk that belong to this user alone, and files that are never seen half written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from modelport.core.errors import ConfigError

__all__ = ["private_folder", "write_whole"]


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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or what was there before."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)


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
