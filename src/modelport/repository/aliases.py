"""The aliases of a model: names that point to versions, and where each pointed before."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from modelport.core.errors import ConfigError
from modelport.kit.storage import write_whole

__all__ = ["DEFAULT", "LATEST", "Aliases", "check_alias", "read_aliases", "write_aliases"]

LATEST = "latest"
"""Points to the newest version by itself, and is never set."""
DEFAULT = "production"
"""Where it is set, requests that name no version go there; else to the latest."""
_FILE = ".aliases.json"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_REMEMBERED = 20


class Aliases(msgspec.Struct, frozen=True, kw_only=True):
    """The aliases of one model, as they are kept beside its versions."""

    next: int = 1
    """The number of the next version; it rises only, so that a number is never used twice."""
    history: dict[str, tuple[str, ...]] = {}
    """By alias: the versions that it pointed to, the present one last."""

    @property
    def current(self) -> dict[str, str]:
        """The version that each alias points to."""
        return {alias: versions[-1] for alias, versions in sorted(self.history.items())}

    def pointing_to(self, version: str) -> list[str]:
        """The aliases of a version."""
        return [alias for alias, current in self.current.items() if current == version]

    def moved(self, alias: str, version: str) -> Aliases:
        """With an alias pointing to that version."""
        before = self.history.get(alias, ())
        if before[-1:] == (version,):
            return self
        kept = (*before, version)[-_REMEMBERED:]
        return msgspec.structs.replace(self, history={**self.history, alias: kept})

    def rolled_back(self, alias: str, existing: set[str]) -> Aliases:
        """With an alias pointing to the version before, of those that still exist.

        Raises:
            ConfigError: there is no such alias, or nothing before.
        """
        if alias not in self.history:
            known = ", ".join(self.history) or "none"
            raise ConfigError(f"there is no alias '{alias}'; there are: {known}")
        present = self.history[alias][-1]
        kept = [v for v in self.history[alias][:-1] if v in existing and v != present]
        if not kept:
            raise ConfigError(f"'{alias}' pointed to no other version that still exists")
        return msgspec.structs.replace(self, history={**self.history, alias: tuple(kept)})

    def without(self, alias: str) -> Aliases:
        """With an alias gone."""
        rest = {name: versions for name, versions in self.history.items() if name != alias}
        return msgspec.structs.replace(self, history=rest)


def check_alias(alias: str) -> None:
    """Refuse what is no name for an alias.

    Raises:
        ConfigError: says what would be one.
    """
    if alias == LATEST or not _NAME.fullmatch(alias):
        raise ConfigError(
            "an alias begins with a letter and has letters, digits, '.', '_' and '-', and"
            f" '{LATEST}' moves by itself; {alias!r} cannot be set"
        )


def read_aliases(folder: Path) -> Aliases:
    """The aliases of the model whose versions lie in a folder.

    Raises:
        ConfigError: the file is damaged.
    """
    path = folder / _FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Aliases)
    except FileNotFoundError:
        return Aliases()
    except (msgspec.DecodeError, OSError) as error:
        raise ConfigError(f"the aliases of '{folder.name}' cannot be read: {error}") from error


def write_aliases(folder: Path, aliases: Aliases) -> None:
    """Keep the aliases, whole or as they were."""
    write_whole(folder / _FILE, msgspec.json.encode(aliases), mode=0o644)
