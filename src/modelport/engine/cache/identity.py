"""What a version's answers depend on besides the request: its files, and what is said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modelport.repository import integrity
from modelport.repository.layout import Source
from modelport.repository.store import read_manifest
from modelport.runtimes.base import Description
from modelport.runtimes.formats import format_of
from modelport.semantics.model_toml import ModelToml

__all__ = ["Identity", "identity_of"]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A version whose answers may be stored."""

    digest: bytes
    """16 bytes: another one where anything is different that answers depend on."""
    is_asked_for: bool = False
    """Whether its owner says so: then its requests are looked up however fast it is."""


def identity_of(
    source: Source, toml: ModelToml, description: Description, digest: str, stored_by: str
) -> Identity | None:
    """The identity of a version; None where its answers are not stored.

    A program may have effects, or answer by chance: its owner has to say that it may be cached.

    Args:
        source: where it lies.
        toml: what its owner says.
        description: of the loaded model.
        digest: of its file or folder.
        stored_by: who stores its answers, with a version: another may have its model run otherwise.
    """
    if toml.cache is False or (toml.cache is None and description.execution != "compute"):
        return None
    facts = [
        *(stored_by, description.runtime, source.name, source.version, source.attribute or ""),
        *_files(source, digest),
        *(_content(path) for path in (source.toml, source.config)),
    ]
    found = hashlib.sha256(msgspec.msgpack.encode(facts)).digest()[:16]
    return Identity(digest=found, is_asked_for=toml.cache is True)


def _files(source: Source, digest: str) -> Iterator[str]:
    yield digest
    path = Path(source.path)
    manifest = read_manifest(Path(source.folder)) if source.folder else None
    if manifest is not None:  # it was compared with the files when the version was opened
        yield manifest.digest
    elif path.is_file() and (known := format_of(path)) is not None:
        for name in sorted(known.companions(path)):
            yield integrity.digest(path.parent / name)


def _content(file: str) -> bytes:
    return Path(file).read_bytes() if file and Path(file).is_file() else b""
