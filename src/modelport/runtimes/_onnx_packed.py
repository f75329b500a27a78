"""ONNX models as this machine runs them, kept on disk: optimised, and their weights laid out.

ONNX Runtime rearranges weights for the processor when it loads a model, into memory of each
session's own. It can keep what it made in a file, and map that file instead: then a start takes
milliseconds, and all sessions in all processes share one copy of the weights, in the page cache.

An entry is a folder with the model and its weights, put in place whole. One without a model says
that this model is better left as it is. What is kept answers bit for bit as the original, on a
row that is tried when it is made.

Source: ONNX Runtime, `onnxruntime_session_options_config_keys.h`, on
`session.save_external_prepacked_constant_initializers`.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from modelport.kit.storage import flush_folder, locked
from modelport.runtimes._onnx_external import external_locations
from modelport.runtimes.base import LoadOptions

__all__ = ["Keep", "is_small", "packed"]

Keep: TypeAlias = Callable[[Path, Path, str], bool]
"""Writes a model, and its weights under that name beside it; whether they answer alike."""

_log = logging.getLogger(__name__)
_LEAST_BYTES = 1024 * 1024
"""Smaller models load fast enough, and their copies take little."""
_UNUSED_S = 30 * 24 * 3600
"""An entry that nobody has opened for so long is removed when another one is made."""
_MODEL, _WEIGHTS = "model.onnx", "weights.bin"


def packed(model: Path, options: LoadOptions, library: str, keep: Keep) -> Path | None:
    """The file to load in the model's place; None where it is small, or none can be made.

    Args:
        model: the model's own file.
        options: where entries are kept, and the file's digest.
        library: the version of what made the entries.
        keep: makes one.
    """
    if options.cache_dir is None or is_small(model):
        return None
    key = _key(options.digest, _files_beside(model), library)
    entry = options.cache_dir / f"packed-{options.digest[:16]}-{key}"
    try:
        if not entry.is_dir():
            entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(entry.with_suffix(".lock")):
                if not entry.is_dir():
                    _make(entry, model, keep)
        os.utime(entry)
    except OSError as error:
        _log.warning("'%s' could not be kept as it runs here: %s", model.name, error.strerror)
        return None
    found = entry / _MODEL
    return found if found.is_file() else None


def is_small(model: Path) -> bool:
    """Whether copies of the model and its weights take little."""
    return sum(path.stat().st_size for path in (model, *_files_beside(model))) < _LEAST_BYTES


def _files_beside(model: Path) -> list[Path]:
    return [model.parent / place for place in sorted(external_locations(model))]


def _key(digest: str, beside: Iterable[Path], library: str) -> str:
    """Everything that the entry depends on."""
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in beside]
    facts = [digest, files, library, _processor()]
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:24]


def _processor() -> str:
    """What the layout of the weights may depend on: the processor's instructions."""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open() as file:
        flags = {line.partition(":")[2] for line in file if line.startswith(("flags", "Features"))}
        return " ".join(sorted(flags))
    return platform.processor()


def _make(entry: Path, model: Path, keep: Keep) -> None:
    _forget_unused(entry.parent)
    with _draft(entry) as draft:
        started = time.monotonic()
        alike = keep(draft / _MODEL, draft / _WEIGHTS, _WEIGHTS)
        if not alike:
            for path in draft.iterdir():
                path.unlink()
        for path in draft.iterdir():
            _flush(path)
        _log.info(
            "'%s' %s (%.1f s)",
            model.name,
            "is kept as it runs here" if alike else "is loaded as it is each time",
            time.monotonic() - started,
        )


@contextlib.contextmanager
def _draft(entry: Path) -> Iterator[Path]:
    """A folder that takes its place at the end, whole, or is removed."""
    draft = Path(tempfile.mkdtemp(dir=entry.parent, prefix=".packed-"))
    try:
        yield draft
        draft.rename(entry)
        flush_folder(entry.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _forget_unused(folder: Path) -> None:
    for entry in folder.glob("packed-*/"):
        with contextlib.suppress(OSError):
            if time.time() - entry.stat().st_mtime > _UNUSED_S:
                shutil.rmtree(entry)
                entry.with_suffix(".lock").unlink(missing_ok=True)
