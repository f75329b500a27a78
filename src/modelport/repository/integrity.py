"""The digest that names the content of a model, and the digests that an operator trusts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelport.core.errors import ConfigError

__all__ = ["digest", "files_in", "size_bytes", "trusted_digests"]

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of a folder's content, in hexadecimal.

    A folder's is that of one line for each file below it, in the order of their paths: the file's
    own digest, two spaces and its path, which is what `sha256sum` prints. What is not a file or a
    folder, a link included, has no part in it: no runtime is to depend on such a thing.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    listing = "".join(f"{digest(file)}  {file.relative_to(path)}\n" for file in files_in(path))
    return hashlib.sha256(listing.encode()).hexdigest()


def files_in(folder: Path) -> Iterator[Path]:
    """The plain files below a folder, in the order of their paths; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
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
