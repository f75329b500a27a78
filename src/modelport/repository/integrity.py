"""The digests that name the content of models, and those that an operator trusts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modelport.core.errors import ConfigError

__all__ = [
    "MANIFEST",
    "digest",
    "digest_of",
    "files_in",
    "listing",
    "size_bytes",
    "trusted_digests",
]

MANIFEST = ".manifest.json"
"""In a version's folder: what was published. No part of the digest, which it holds."""
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of a folder's content (`digest_of`), in hexadecimal."""
    if path.is_dir():
        return digest_of(listing(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listing(folder: Path) -> dict[str, str]:
    """The digest of each plain file below a folder, by its path there."""
    return {str(path.relative_to(folder)): digest(path) for path in files_in(folder)}


def digest_of(files: Mapping[str, str]) -> str:
    """The digest of a folder's content, from those of its files.

    It is that of one line for each file, in the order of their paths: its digest, two spaces and
    its path, which is what `sha256sum` prints.
    """
    lines = "".join(f"{files[path]}  {path}\n" for path in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def files_in(folder: Path) -> Iterator[Path]:
    """The plain files below a folder; links are not followed, and a manifest is left out.

    What is not a plain file has no part in a digest: no runtime is to depend on such a thing.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path != folder / MANIFEST:
            yield path


def size_bytes(path: Path) -> int:
    """The size of a file, or of all files below a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in files_in(path))
    return path.stat().st_size


def trusted_digests(given: Iterable[str]) -> frozenset[str]:
    """Digests as people write them, in the form that `digest` has.

    Raises:
        ConfigError: one is no SHA-256.
    """
    found = set()
    for text in given:
        match = _DIGEST.fullmatch(text.lower())
        if match is None:
            raise ConfigError(
                f"a file is trusted by its digest, sha256: and 64 hexadecimal digits, not {text!r}"
            )
        found.add(match[1])
    return frozenset(found)
