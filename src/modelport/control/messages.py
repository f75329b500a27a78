"""What control and the workers say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from modelport.guard.auth import KeyRecord
from modelport.guard.sessions import Sessions
from modelport.monitor.metrics import Report
from modelport.monitor.recent import RecentError
from modelport.repository.layout import Source

__all__ = [
    "Answer",
    "Applied",
    "Ask",
    "FromControl",
    "FromWorker",
    "Hello",
    "LinkMade",
    "LinkRedeemed",
    "LinkShown",
    "LinkWanted",
    "ReportNow",
    "Reported",
    "Settled",
    "Snapshot",
    "VersionState",
]


class Snapshot(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """What should be true, from control to a worker: at first, and whenever it changes."""

    sources: tuple[Source, ...]
    trusted: frozenset[str]
    keys: Mapping[str, KeyRecord]
    admin_key_id: str
    sessions: Sessions
    aliases: Mapping[str, Mapping[str, str]] = {}
    """By model: from an alias to a version."""
    public_apps: frozenset[str] = frozenset()
    """The models whose apps need no key: their owners and the operator say so."""
    unloaded: tuple[tuple[str, str], ...] = ()
    """Models and their versions that are not served because an admin said so."""
    changes: int = 0
    """Rises when what is served is looked at anew: versions that failed are then tried again."""
    number: int = 0
    """Rises with each snapshot, as long as the control process lives."""


class ReportNow(msgspec.Struct, tag=True, frozen=True):
    """Control wants a worker's report."""


class Answer(msgspec.Struct, tag=True, frozen=True):
    """Control's answer to an `Ask`: JSON, or the code and message of an error."""

    id: int
    body: bytes = b""
    error: tuple[str, str] | None = None
    retry_after_s: float | None = None
    """What the error says of when another try makes sense."""


class Hello(msgspec.Struct, tag=True, frozen=True):
    """A process introduces itself; a worker has an index, a tool that only asks has -1."""

    index: int
    pid: int


class Reported(msgspec.Struct, tag=True, frozen=True):
    """All that a worker has counted since it started; it tells so as soon as it is connected."""

    report: Report
    errors: list[RecentError] = []
    """Of its last errors those that it has not told over this connection."""


class Applied(msgspec.Struct, tag=True, frozen=True):
    """A worker acts on the snapshot of this number."""

    number: int


class VersionState(msgspec.Struct, frozen=True):
    """Where a version stands in one worker."""

    name: str
    version: str
    state: str
    reason: str | None = None

    @property
    def is_served(self) -> bool:
        """Whether requests are answered, from memory or once the model is loaded for them."""
        return self.state in ("READY", "STANDBY")


class Settled(msgspec.Struct, tag=True, frozen=True):
    """A worker has loaded, or failed to load, everything in the snapshot of this number."""

    number: int
    states: tuple[VersionState, ...]


class Ask(msgspec.Struct, tag=True, frozen=True):
    """A process asks control to do something or to tell something."""

    id: int
    operation: str
    body: bytes = b""
    """JSON."""


class LinkWanted(msgspec.Struct, frozen=True):
    """Somebody on this machine wants a link to sign in with."""

    if_needed: bool = False
    """Only where callers need a key."""


class LinkMade(msgspec.Struct, frozen=True):
    """A new link, for the only time; None where it was not needed."""

    link: str | None


class LinkShown(msgspec.Struct, frozen=True):
    """A browser shows a link."""

    hash: str


class LinkRedeemed(msgspec.Struct, frozen=True):
    """Whether the link was good; it is no more."""

    good: bool


FromControl: TypeAlias = Snapshot | ReportNow | Answer
FromWorker: TypeAlias = Hello | Reported | Applied | Settled | Ask
