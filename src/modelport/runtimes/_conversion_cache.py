"""Conversions kept on disk, so that the next start needs only ONNX Runtime.

An entry is two files of one name: the model (`.onnx`), and everything else about it (`.json`),
which is written last and holds the model's digest. What cannot be read is converted again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import msgspec

from modelport.runtimes._converted import Graph
from modelport.runtimes._plan import Plan
from modelport.runtimes.base import LoadOptions

__all__ = ["Entry", "Slot", "slot_for", "version_of"]

_log = logging.getLogger(__name__)

_FORMAT = 3
"""Raised when entries or check rows change their meaning."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a file."""

    plan: Plan
    note: str
    warnings: tuple[str, ...] = ()
    graph: Graph | None = None
    """How to feed the converted model; None: it runs in its own library."""
    model_digest: str = ""
    """SHA-256 of the converted model."""


def version_of(library: str) -> str:
    """The installed version, found without importing the library."""
    return metadata.version(library)


class Slot:
    """The place of one file's entry, `base` with an ending; without one it keeps nothing."""

    def __init__(self, base: Path | None) -> None:
        self._base = base

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold off other processes that would convert the same file now."""
        with contextlib.ExitStack() as stack:
            if self._base is not None:
                try:
                    self._base.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    handle = _open(self._base.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
                    stack.callback(os.close, handle)
                    fcntl.flock(handle, fcntl.LOCK_EX)
                except OSError as error:
                    _log.warning("the cache of conversions cannot be used: %s", error.strerror)
            yield

    def read(self) -> tuple[Entry, Path] | None:
        """The entry and its model's path, if both are there and whole."""
        if self._base is None:
            return None
        model = self._base.with_suffix(".onnx")
        try:
            entry = msgspec.json.decode(_content(self._base.with_suffix(".json")), type=Entry)
            if entry.graph is not None and _digest(_content(model)) != entry.model_digest:
                raise ValueError("the model has another digest")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("a kept conversion is damaged and is made again: %s", error)
            return None
        return entry, model

    def write(self, entry: Entry, model: bytes | None) -> None:
        """Keep an entry, if the folder can be written."""
        if self._base is None:
            return
        if model is not None:
            entry = msgspec.structs.replace(entry, model_digest=_digest(model))
        try:
            if model is not None:
                _put(self._base.with_suffix(".onnx"), model)
            _put(self._base.with_suffix(".json"), msgspec.json.encode(entry))
        except OSError as error:
            _log.warning("a conversion could not be kept: %s", error.strerror)


def _open(path: Path, flags: int) -> int:
    """A handle to a file of this user; another's, or a link, could lead to any content."""
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if os.fstat(handle).st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError(errno.EPERM, "it belongs to another user", str(path))
    return handle


def _content(path: Path) -> bytes:
    with open(_open(path, os.O_RDONLY), "rb") as file:
        return file.read()


def _put(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def slot_for(options: LoadOptions, runtime: str, libraries: Iterable[str]) -> Slot:
    """The slot of a file, as these versions of the libraries convert it.

    Whether the file is trusted is part of its name, so that a file whose trust was withdrawn is
    reviewed again.
    """
    versions = [version_of(library) for library in libraries]
    trusted = options.digest in options.trusted
    key = msgspec.json.encode([_FORMAT, trusted, options.digest, versions])
    name = f"{runtime}-{options.digest[:16]}-{_digest(key)[:24]}"
    return Slot(options.cache_dir / name if options.cache_dir is not None else None)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
