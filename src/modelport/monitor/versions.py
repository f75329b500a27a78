"""How the versions of models stand now, in one process or in several."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

__all__ = ["VersionNow", "add_versions"]

_WORST_FIRST = ("FAILED", "UNLOADED", "DRAINING", "LOADING", "WARMING", "READY", "STANDBY")


class VersionNow(msgspec.Struct, frozen=True, kw_only=True):
    """How one version stands."""

    model: str
    version: str
    state: str = "READY"
    """Over several processes the worst; one that is in memory in any of them does not stand by."""
    resident_bytes: int = 0
    """What it takes in memory; 0 where it is not there."""
    evictions: int = 0
    """How often it had to make room for others."""
    waiting: int = 0
    """Requests that wait for it in the process."""
    waiting_elsewhere: int = 0
    """Those of all workers that wait in the engine process, of which each worker says the same."""
    copies: int = 0
    """In memory."""
    is_shared: bool = False
    """Whether the copy is that of the engine process, which each worker counts."""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.model, self.version

    @property
    def queue(self) -> int:
        """All requests that wait for it."""
        return self.waiting + self.waiting_elsewhere


def add_versions(versions: Iterable[VersionNow]) -> list[VersionNow]:
    """Each version over all processes."""
    found: dict[tuple[str, str], VersionNow] = {}
    for each in versions:
        known = found.get(each.key)
        found[each.key] = each if known is None else _both(known, each)
    return [found[key] for key in sorted(found)]


def _both(one: VersionNow, other: VersionNow) -> VersionNow:
    is_shared = one.is_shared or other.is_shared
    return VersionNow(
        model=one.model,
        version=one.version,
        state=min(one.state, other.state, key=_WORST_FIRST.index),
        resident_bytes=one.resident_bytes + other.resident_bytes,
        evictions=one.evictions + other.evictions,
        waiting=one.waiting + other.waiting,
        waiting_elsewhere=max(one.waiting_elsewhere, other.waiting_elsewhere),
        copies=max(one.copies, other.copies) if is_shared else one.copies + other.copies,
        is_shared=is_shared,
    )
