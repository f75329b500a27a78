"""A repository that Modelport itself writes: immutable versions, published whole or not at all.

A version is prepared in a staging folder on the same disk, and becomes visible by one rename.
Whoever is killed in between leaves a staging folder, which the next publish removes. Changes take
turns by a lock; readers need none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from modelport.core.errors import ConfigError, CorruptModel, ModelNotFound, NotReady
from modelport.core.signature import Signature
from modelport.kit.storage import flush_folder, locked, write_whole
from modelport.repository.aliases import (
    Aliases,
    check_alias,
    read_aliases,
    write_aliases,
)
from modelport.repository.integrity import MANIFEST, digest_of, files_in, listing
from modelport.repository.layout import check_name, version_order

__all__ = ["Manifest", "Repository", "Staged", "check_integrity", "read_manifest"]

_STAGING, _LOCK = ".staging", ".lock"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a version is, written when it is published."""

    digest: str
    """Of all its files, as `integrity.digest_of` has it."""
    files: dict[str, str]
    """The SHA-256 of each file, by its path in the version's folder."""
    created: str
    """When it was published, in UTC (ISO 8601)."""
    source: str
    """The name of what was pushed."""
    format: str
    runtime: str
    signature: Signature
    attribute: str | None = None
    """The class or function inside a `.py` file."""
    libraries: dict[str, str] = {}
    """The versions of the libraries that it was checked with."""
    metrics: dict[str, float] = {}
    """What its owner measured."""


class Staged:
    """A version that is being prepared: put its files into `folder`, then commit."""

    def __init__(self, folder: Path, commit: Callable[[Callable[[], Manifest]], str]) -> None:
        self.folder = folder
        self.commit = commit


class Repository:
    """The folder `models/`, changed by one process at a time."""

    def __init__(
        self,
        root: Path,
        at: Callable[[str], None] = lambda step: None,
        patience_s: float | None = None,
    ) -> None:
        """
        Args:
            root: the folder; made when something is published.
            at: told each step of a change, before it; for tests that end the process there.
            patience_s: how long a change waits for another process's, before it is `NotReady`;
                None is as long as that takes.
        """
        self.root = root
        self._at = at
        self._patience_s = patience_s

    # -- reading

    def names(self) -> list[str]:
        """The models that have a version."""
        if not self.root.is_dir():
            return []
        folders = (path for path in sorted(self.root.iterdir()) if not path.name.startswith("."))
        return [folder.name for folder in folders if folder.is_dir() and _versions(folder)]

    def versions(self, name: str) -> list[str]:
        """The versions of a model, the newest first.

        Raises:
            ModelNotFound: it has none.
        """
        found = _versions(self.root / name) if name and "/" not in name else []
        if not found:
            known = ", ".join(self.names()) or "none"
            raise ModelNotFound(f"there is no model {name!r} in the repository; there are: {known}")
        return found

    def aliases(self, name: str) -> Aliases:
        """Where the aliases of a model point, and pointed."""
        self.versions(name)
        return read_aliases(self.root / name)

    def manifest(self, name: str, version: str) -> Manifest | None:
        """What was published as a version; None for one that was laid there by hand."""
        self._check_version(name, version)
        return read_manifest(self.root / name / version)

    # -- changing

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Staged]:
        """A folder for the files of a new version, gone afterwards unless it was committed.

        Raises:
            ConfigError: the name is none for a model, or the folder cannot be written.
        """
        check_name(name)
        with self._changing():
            staging = self.root / _STAGING
            shutil.rmtree(staging, ignore_errors=True)  # of a publish that was killed
            staging.mkdir()
            folder = Path(tempfile.mkdtemp(dir=staging))
            try:
                yield Staged(folder, lambda describe: self._commit(name, folder, describe))
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def _commit(self, name: str, staged: Path, describe: Callable[[], Manifest]) -> str:
        self._at("manifest")
        written = msgspec.json.format(msgspec.json.encode(describe()))
        write_whole(staged / MANIFEST, written, mode=0o644)
        self._at("flush")
        _flush(staged)
        home = self.root / name
        home.mkdir(exist_ok=True)
        aliases = read_aliases(home)
        numbers = [int(version) for version in _versions(home) if version.isdecimal()]
        number = max([aliases.next, *(each + 1 for each in numbers)])
        self._at("reserve")
        write_aliases(home, msgspec.structs.replace(aliases, next=number + 1))
        self._at("rename")
        staged.chmod(0o755)  # a temporary folder is its owner's alone
        staged.rename(home / str(number))
        flush_folder(home)
        self._at("published")
        return str(number)

    def set_alias(self, name: str, alias: str, version: str) -> Aliases:
        """Have an alias point to a version.

        Raises:
            ConfigError: the alias is no name for one.
            ModelNotFound: there is no such version.
        """
        check_alias(alias)
        with self._changing():
            self._check_version(name, version)
            return self._write(name, self.aliases(name).moved(alias, version))

    def drop_alias(self, name: str, alias: str) -> Aliases:
        """Forget an alias.

        Raises:
            ConfigError: there is none of that name.
        """
        with self._changing():
            aliases = self.aliases(name)
            if alias not in aliases.history:
                known = ", ".join(aliases.history) or "none"
                raise ConfigError(f"there is no alias '{alias}'; there are: {known}")
            return self._write(name, aliases.without(alias))

    def roll_back(self, name: str, alias: str) -> Aliases:
        """Have an alias point to where it pointed before.

        Raises:
            ConfigError: there is no such alias, or nothing before.
        """
        with self._changing():
            aliases = self.aliases(name).rolled_back(alias, set(self.versions(name)))
            return self._write(name, aliases)

    def remove(self, name: str, version: str) -> None:
        """Delete a version for good.

        Raises:
            ConfigError: an alias points to it.
            ModelNotFound: there is no such version.
        """
        with self._changing():
            self._check_version(name, version)
            holders = self.aliases(name).pointing_to(version)
            if holders:
                raise ConfigError(
                    f"version {version} of '{name}' is what '{holders[0]}' points to: move the"
                    " alias first"
                )
            # Out of sight by one rename, then deleted: a half-deleted version is never seen.
            staging = self.root / _STAGING
            staging.mkdir(exist_ok=True)
            gone = Path(tempfile.mkdtemp(dir=staging)) / version
            self._at("remove")
            (self.root / name / version).rename(gone)
            self._at("removed")
            shutil.rmtree(staging, ignore_errors=True)

    def _write(self, name: str, aliases: Aliases) -> Aliases:
        self._at("alias")
        write_aliases(self.root / name, aliases)
        self._at("aliased")
        return aliases

    def _check_version(self, name: str, version: str) -> None:
        versions = self.versions(name)
        if version not in versions:
            raise ModelNotFound(
                f"model '{name}' has no version {version!r}; there are: {', '.join(versions)}"
            )

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with locked(self.root / _LOCK, self._patience_s):
                yield
        except BlockingIOError as error:
            raise NotReady("somebody publishes to this repository now; try again") from error
        except OSError as error:
            raise ConfigError(
                f"the repository '{self.root}' cannot be changed: {error.strerror or error}"
            ) from error


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a version's folder; None where there is none.

    Raises:
        CorruptModel: it is damaged.
    """
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise CorruptModel(f"the manifest of version {folder.name} is damaged: {error}") from error


def check_integrity(folder: Path) -> None:
    """Refuse a published version whose files are not those that were published.

    Raises:
        CorruptModel: a file was changed, added or taken away; names it.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return
    found = listing(folder)
    if digest_of(found) != manifest.digest or found != manifest.files:
        raise CorruptModel(
            f"version {folder.name} is not what was published: {_difference(found, manifest.files)}"
        )


def _difference(found: Mapping[str, str], published: Mapping[str, str]) -> str:
    for path in sorted({*found, *published}):
        if path not in published:
            return f"the file '{path}' was added"
        if path not in found:
            return f"the file '{path}' is gone"
        if found[path] != published[path]:
            return f"the file '{path}' was changed"
    return "its manifest was changed"


def _versions(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    inside = [path.name for path in folder.iterdir() if not path.name.startswith((".", "_"))]
    return sorted((name for name in inside if (folder / name).is_dir()), key=version_order)[::-1]


def _flush(folder: Path) -> None:
    """Have the disk hold every file of a folder, before its name says that they are there."""
    for path in (*files_in(folder), *(path for path in folder.rglob("*") if path.is_dir())):
        if path.is_dir():
            flush_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    flush_folder(folder)
