"""A model for its owner: every version that is there, and where its aliases point, to be moved."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from modelport.control.hub import Operation
from modelport.control.messages import VersionState
from modelport.control.reconcile import Problem
from modelport.core.errors import ConfigError, CorruptModel, ModelNotFound
from modelport.monitor.versions import VersionNow
from modelport.repository.aliases import DEFAULT, LATEST, Aliases
from modelport.repository.layout import version_order
from modelport.repository.owned import AliasMoved, OwnedAlias, OwnedModel, OwnedVersion
from modelport.repository.store import Manifest, Repository

__all__ = ["AliasMeant", "Home", "Ownership"]

_UNLOADED = "UNLOADED"
_PATIENCE_S = 1.0
"""How long a change waits for a process that publishes, which holds the repository all the while:
a thread that waits is one that keys cannot be changed with."""


class AliasMeant(msgspec.Struct, frozen=True):
    """Which alias of which model."""

    name: str
    alias: str = ""
    version: str = ""
    """Where it is to point, where it is moved."""


class Home(msgspec.Struct, frozen=True):
    """Where the models of a server lie."""

    root: Path | None
    """The folder that is followed; None where files were named."""
    is_remote: bool = False
    """Whether it was fetched from a URL."""

    def why_not(self, name: str) -> str | None:
        """Why the aliases of a model cannot be set through the server; None where they can.

        Asks the file system, and so is called in a thread.
        """
        if self.root is None:
            return (
                "this server was started with files of models: versions and aliases are those of a"
                " repository, a folder into which 'modelport push' puts models"
            )
        if self.is_remote:
            return (
                "the models come from another place: set the aliases there, and have the server"
                " reload them"
            )
        if not (self.root / name).is_dir():
            return (
                "this server was started with the folder of one model: start it with the folder"
                " that holds the models to set aliases here"
            )
        if not os.access(self.root, os.W_OK) or not os.access(self.root / name, os.W_OK):
            return "the server may not write to its repository"
        return None


class Ownership:
    """The operations on one model's aliases; each is carried out by all workers when it ends."""

    def __init__(
        self,
        home: Callable[[], Home],
        reload: Callable[[], Awaitable[list[Problem]]],
        served: Callable[[], Mapping[str, Mapping[str, str]]],
        states: Callable[[], Iterable[VersionState]],
        refresh: Callable[[], Awaitable[list[VersionNow]]],
        hidden: Collection[str],
    ) -> None:
        """
        Args:
            home: where the models lie.
            reload: serves what lies there now; returns what could not be done.
            served: by model, where the aliases point that workers act on.
            states: how the versions stood when they were loaded.
            refresh: how they stand now.
            hidden: models that are not served though they lie there.
        """
        self._home = home
        self._reload = reload
        self._served = served
        self._states = states
        self._refresh = refresh
        self._hidden = hidden
        self._changing = asyncio.Lock()  # so that those that wait take one thread, not all

    def table(self) -> dict[str, Operation]:
        """By name."""
        return {
            "models.owned": self.owned,
            "models.promote": self.promote,
            "models.rollback": self.roll_back,
            "models.forget": self.forget,
        }

    async def owned(self, body: bytes) -> bytes:
        """An `OwnedModel`, but for what only a process knows that has it in memory."""
        name = msgspec.json.decode(body, type=AliasMeant).name
        states = {state.version: state for state in self._states() if state.name == name}
        now = {each.version: each for each in await self._refresh() if each.model == name}
        home = self._home()
        aliases, published = await asyncio.to_thread(_on_disk, home, name)
        versions = {*published, *now, *states}
        if not versions:
            raise ModelNotFound.named(name)
        why_not = await asyncio.to_thread(home.why_not, name)
        served = self._served().get(name, {})
        model = OwnedModel(
            name=name,
            default_alias=DEFAULT if DEFAULT in aliases.history else LATEST,
            versions=[
                _version(
                    version,
                    aliases,
                    published.get(version),
                    states.get(version),
                    now.get(version),
                )
                for version in sorted(versions, key=version_order, reverse=True)
            ],
            aliases={
                alias: OwnedAlias(
                    version=versions_[-1], before=list(versions_[:-1]), served=served.get(alias)
                )
                for alias, versions_ in sorted(aliases.history.items())
            },
            can_promote=why_not is None,
            why_not=why_not,
        )
        return msgspec.json.encode(model)

    async def promote(self, body: bytes) -> bytes:
        """Have an alias point to a version."""
        meant = msgspec.json.decode(body, type=AliasMeant)

        def move(repository: Repository) -> Aliases:
            return repository.set_alias(meant.name, meant.alias, meant.version)

        return await self._changed(meant, move)

    async def roll_back(self, body: bytes) -> bytes:
        """Have an alias point to the version that it pointed to before."""
        meant = msgspec.json.decode(body, type=AliasMeant)
        return await self._changed(meant, lambda r: r.roll_back(meant.name, meant.alias))

    async def forget(self, body: bytes) -> bytes:
        """Forget an alias."""
        meant = msgspec.json.decode(body, type=AliasMeant)
        return await self._changed(meant, lambda r: r.drop_alias(meant.name, meant.alias))

    async def _changed(self, meant: AliasMeant, change: Callable[[Repository], Aliases]) -> bytes:
        home, name = self._home(), meant.name
        known = {each.name for each in self._states()}
        if name not in known and not await asyncio.to_thread(_is_there, home, name):
            raise ModelNotFound.named(name)
        if (why_not := await asyncio.to_thread(home.why_not, name)) is not None:
            raise ConfigError(f"the aliases of '{name}' cannot be set here: {why_not}")
        assert home.root is not None  # else there is a reason why not
        try:
            async with self._changing:
                await asyncio.to_thread(change, Repository(home.root, patience_s=_PATIENCE_S))
        except ConfigError as error:
            if isinstance(error.__cause__, OSError):  # whose words have the folder's path
                reason = error.__cause__.strerror
                raise ConfigError(f"the repository cannot be changed: {reason}") from error
            raise
        problems = [each.sentence for each in await self._reload() if each.model in ("", name)]
        if name in self._hidden:
            problems.append(f"'{name}' is unloaded: the change holds once it is loaded again")
        moved = AliasMoved(
            alias=meant.alias,
            version=self._served().get(name, {}).get(meant.alias),
            problems=problems,
        )
        return msgspec.json.encode(moved)


def _is_there(home: Home, name: str) -> bool:
    """Whether the repository has it; the name came from a caller, and may be no name at all."""
    return home.root is not None and name in Repository(home.root).names()


def _on_disk(home: Home, name: str) -> tuple[Aliases, dict[str, Manifest | None]]:
    """The aliases and the versions of a model in a repository; nothing where it is in none."""
    if home.root is None or not _is_there(home, name):
        return Aliases(), {}
    repository = Repository(home.root)
    try:
        versions = repository.versions(name)
        aliases = repository.aliases(name)
    except (ModelNotFound, ConfigError):  # it went meanwhile, or its aliases are damaged
        return Aliases(), {}
    published: dict[str, Manifest | None] = {}
    for version in versions:
        try:
            published[version] = repository.manifest(name, version)
        except CorruptModel:  # why it is not served says so
            published[version] = None
    return aliases, published


def _version(
    version: str,
    aliases: Aliases,
    manifest: Manifest | None,
    state: VersionState | None,
    now: VersionNow | None,
) -> OwnedVersion:
    loaded = state.state if state is not None else _UNLOADED
    return OwnedVersion(
        version=version,
        state=loaded if now is None else now.state,
        reason=None if state is None else state.reason,
        aliases=aliases.pointing_to(version),
        digest=None if manifest is None else f"sha256:{manifest.digest}",
        runtime=None if manifest is None else manifest.runtime,
        created=None if manifest is None else manifest.created,
        metrics={} if manifest is None else manifest.metrics,
        placement=None,
        placement_reason=None,
        instances=None if now is None else now.copies,
        resident_bytes=0 if now is None else now.resident_bytes,
        evictions=0 if now is None else now.evictions,
    )
