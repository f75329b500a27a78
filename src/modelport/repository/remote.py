"""Models that lie elsewhere: from a URL to a path of this machine.

What was fetched is kept under the digest of its content, and appears there by one rename. A file
that its server says has not changed since is not fetched again. Only the operator's commands come
here: nothing that a caller sends is an address.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.settings import Fetching
from modelport.kit.storage import locked, private_folder, unheld, write_whole
from modelport.repository._filesystems import (
    Address,
    RemoteFile,
    address,
    download,
    explained,
    files,
    opened,
)
from modelport.repository.integrity import digest_of, listing

__all__ = ["Progress", "fetch", "is_remote"]

Progress: TypeAlias = Callable[[int, int | None], None]
"""Told how many bytes have arrived, and of how many if that is known."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PART = re.compile(r"[^\x00-\x1f\x7f\\/]{1,255}")
_STAGING = ".staging-"
"""Then the name of the lock, below `known`, that whoever fills the folder holds."""
_MOST_FILES = 10_000
_AT_ONCE = 8
"""Files that are fetched at the same time."""


class _Kept(msgspec.Struct, frozen=True):
    """What was fetched from an address the last time."""

    digest: str
    marks: dict[str, str | None]
    """By file: as `RemoteFile.mark`."""


def is_remote(argument: str) -> bool:
    """Whether a command line's argument is a URL and not a path."""
    return _URL.match(argument) is not None


def fetch(
    url: str,
    cache: Path,
    limits: Fetching,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The file or folder that a URL means, on this machine.

    Args:
        url: `s3://`, `gs://` or `https://`; `http://` to this machine only.
        cache: where to keep it; made private.
        limits: how much it may be, and how long it may take.
        progress: told as it arrives.

    Raises:
        ConfigError: the URL is wrong; nothing is there, or not for this user; it is too large, or
            not here in time; a name in it is not safe as that of a file.
        MissingLibrary: names the extra that brings the library.
    """
    where = address(url)
    if not where.name or not _PART.fullmatch(where.name) or where.name in (".", ".."):
        raise ConfigError(f"'{where.shown}' does not end in a name: name the file or the folder")
    base, separator, _ = where.name.rpartition(":")
    if separator and base.endswith(".py"):
        raise ConfigError(
            "a program that lies elsewhere is not run by its name: fetch it, read it, and serve it"
            " from here"
        )
    for folder in (cache, cache / "known"):
        private_folder(folder)
    known = cache / "known" / hashlib.sha256(url.encode()).hexdigest()
    with locked(known.with_suffix(".lock")):
        _sweep(cache, known.name)
        return _Fetch(where, cache, known.with_suffix(".json"), limits, progress).run()


class _Fetch:
    """One address, fetched once."""

    def __init__(
        self, where: Address, cache: Path, record: Path, limits: Fetching, progress: Progress
    ) -> None:
        self._where = where
        self._cache = cache
        self._record = record
        self._limits = limits
        self._progress = progress
        self._done = 0
        self._total: int | None = None

    def run(self) -> Path:
        """Where it is on this machine; raises as `fetch`."""
        try:
            return _run(self._fetched)
        except Exception as error:
            raise explained(_first(error), self._where) from error

    async def _fetched(self) -> Path:
        limit = asyncio.timeout(self._limits.fetch_s)
        try:
            async with limit, opened(self._where) as system:
                return await self._from(system)
        except TimeoutError as error:
            if not limit.expired():
                raise  # a server that did not answer
            raise ConfigError(
                f"'{self._where.shown}' was not fetched within {self._limits.fetch_s:g} s, which"
                " is the setting fetch_s"
            ) from error

    async def _from(self, system: Any) -> Path:
        found = await files(system, self._where)
        self._check(found)
        before = self._before()
        marks = {file.name: file.mark for file in found}
        if before is not None and before.marks == marks and None not in marks.values():
            return self._cache / before.digest / self._where.name
        staging = self._cache / f"{_STAGING}{self._record.stem}"
        staging.mkdir(mode=0o700)
        try:
            await self._gather(system, found, staging, before)
            digest = self._keep(staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        kept = _Kept(digest, marks)
        write_whole(self._record, msgspec.json.encode(kept))
        return self._cache / digest / self._where.name

    def _check(self, found: Sequence[RemoteFile]) -> None:
        """Refuse what is too much, and names that are not safe or do not go together."""
        if len(found) > _MOST_FILES:
            raise ConfigError(
                f"'{self._where.shown}' holds {len(found)} files, and at most {_MOST_FILES} are"
                " fetched: name a smaller folder"
            )
        sizes = [file.size for file in found]
        if None not in sizes:
            self._total = sum(size or 0 for size in sizes)
            self._check_size(self._total)
        names = {file.name for file in found}
        for name in names:
            parts = name.split("/")
            if any(not _PART.fullmatch(part) or part in (".", "..") for part in parts):
                raise ConfigError(
                    f"'{self._where.shown}' holds the name {name[:200]!r}, which is none for a"
                    " file of this machine"
                )
            above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
            if any(folder in names for folder in above):
                raise ConfigError(
                    f"'{self._where.shown}' holds a file with the name of a folder above"
                    f" '{name[:200]}'"
                )

    def _check_size(self, size: int) -> None:
        if size > self._limits.fetch_max_bytes:
            raise ConfigError(
                f"'{self._where.shown}' holds more than {self._limits.fetch_max_bytes:,} bytes,"
                " which is the setting fetch_max_bytes"
            )

    def _before(self) -> _Kept | None:
        """What was fetched the last time, if it is still what it was."""
        try:
            kept = msgspec.json.decode(self._record.read_bytes(), type=_Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        folder = self._cache / kept.digest
        whole = folder.is_dir() and digest_of(listing(folder)) == kept.digest
        return kept if whole else None

    async def _gather(
        self, system: Any, found: Sequence[RemoteFile], staging: Path, before: _Kept | None
    ) -> None:
        """Put every file in its place, several at a time."""
        gate = asyncio.Semaphore(_AT_ONCE)
        single = len(found) == 1 and found[0].name == self._where.name

        async def put(file: RemoteFile) -> None:
            below = Path(self._where.name, *(() if single else file.name.split("/")))
            target = staging / below
            target.parent.mkdir(parents=True, exist_ok=True)
            if before is not None and file.mark and before.marks.get(file.name) == file.mark:
                _linked(self._cache / before.digest / below, target)
                self._arrived(target.stat().st_size)
                return
            async with gate:
                await download(system, file, target, self._arrived)

        async with asyncio.TaskGroup() as group:
            for file in found:
                group.create_task(put(file))

    def _arrived(self, size: int) -> None:
        self._done += size
        self._check_size(self._done)
        self._progress(self._done, self._total)

    def _keep(self, staging: Path) -> str:
        """Have what arrived appear under its digest, by one rename."""
        for path in staging.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o400)
        digest = digest_of(listing(staging))
        place = self._cache / digest
        if place.is_dir() and digest_of(listing(place)) != digest:
            shutil.rmtree(place)  # it was changed by hand
        if not place.is_dir():
            _appear(staging, place)
        return digest


def _sweep(cache: Path, own: str) -> None:
    """Remove the staging folders of fetches that were killed: nobody holds their locks.

    Args:
        cache: where they are.
        own: the lock that is held here.
    """
    for left in cache.glob(f"{_STAGING}*"):
        name = left.name.removeprefix(_STAGING)
        if name == own:
            shutil.rmtree(left, ignore_errors=True)
            continue
        with unheld(cache / "known" / f"{name}.lock") as is_left:
            if is_left:
                shutil.rmtree(left, ignore_errors=True)


def _appear(staging: Path, place: Path) -> None:
    """Rename a folder; the same content may have come from another address in the meantime."""
    try:
        staging.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _linked(source: Path, target: Path) -> None:
    """The same file under another name; nobody writes to what was fetched."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _first(error: BaseException) -> BaseException:
    """The first of the errors in a group."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _run(work: Callable[[], Coroutine[Any, Any, Path]]) -> Path:
    """Run on a loop of its own; in a thread where one runs here already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()
