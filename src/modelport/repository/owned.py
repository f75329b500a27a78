"""A model as its owner sees it: every version that is there, and where its aliases point."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["AliasMoved", "AliasWanted", "OwnedAlias", "OwnedModel", "OwnedVersion"]


class OwnedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version, on disk or served."""

    version: str
    state: str
    """As workers have it; `UNLOADED` where it is not served."""
    reason: str | None
    """Why it is not served, where it failed."""
    aliases: list[str]
    digest: str | None
    """Null where nobody published it and no worker knows it."""
    runtime: str | None
    created: str | None
    """When it was published, in UTC (ISO 8601)."""
    metrics: dict[str, float]
    """What was measured before it was published."""
    placement: Literal["inline", "shared"] | None
    """Where it runs; null where it is not in memory."""
    placement_reason: str | None
    instances: int | None
    """Copies in memory: one in each worker that has it, or one for all."""
    resident_bytes: int
    """What it takes in memory, over all processes."""
    evictions: int
    """How often it had to make room for others."""


class OwnedAlias(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alias points."""

    version: str
    before: list[str]
    """Where it pointed before, the last one last."""
    served: str | None
    """The version to which requests go; another where that to which it points cannot be loaded,
    null where requests to it are refused."""


class OwnedModel(msgspec.Struct, frozen=True, kw_only=True):
    """All of a model."""

    name: str
    default_alias: str
    """Where requests go that name no version: `production` where it is set, else `latest`."""
    versions: list[OwnedVersion]
    """The newest first."""
    aliases: dict[str, OwnedAlias]
    """Those that were set; `latest` moves by itself and is not among them."""
    can_promote: bool
    """Whether aliases can be set here."""
    why_not: str | None


class AliasWanted(msgspec.Struct, forbid_unknown_fields=True):
    """Where an alias is to point."""

    version: str


class AliasMoved(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change of an alias; all workers act on it but those that a problem names."""

    alias: str
    version: str | None
    """Where requests to it go now; null where they are refused, or it is forgotten."""
    problems: list[str]
    """What could not be done, a sentence each; empty where all was."""
