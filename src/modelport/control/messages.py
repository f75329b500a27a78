"""What control and the workers say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from modelport.guard.auth import KeyRecord
from modelport.monitor.metrics import Report
from modelport.repository.layout import Source

__all__ = [
    "Answer",
    "Applied",
    "Ask",
    "FromControl",
    "FromWorker",
    "Hello",
    "ReportNow",
    "Reported",
    "Snapshot",
]


class Snapshot(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """What should be true, from control to a worker: at first, and whenever it changes."""

    sources: tuple[Source, ...]
    trusted: frozenset[str]
    keys: Mapping[str, KeyRecord]
    admin_key_id: str
    number: int = 0
    """Rises with each change, as long as the control process lives."""


class ReportNow(msgspec.Struct, tag=True, frozen=True):
    """Control wants a worker's report."""


class Answer(msgspec.Struct, tag=True, frozen=True):
    """Control's answer to an `Ask`: JSON, or the code and message of an error."""

    id: int
    body: bytes = b""
    error: tuple[str, str] | None = None


class Hello(msgspec.Struct, tag=True, frozen=True):
    """A process introduces itself; a worker has an index, a tool that only asks has -1."""

    index: int
    pid: int


class Reported(msgspec.Struct, tag=True, frozen=True):
    """All that a worker has counted since it started."""

    report: Report


class Applied(msgspec.Struct, tag=True, frozen=True):
    """A worker acts on the snapshot of this number."""

    number: int


class Ask(msgspec.Struct, tag=True, frozen=True):
    """A process asks control to do something or to tell something."""

    id: int
    operation: str
    body: bytes = b""
    """JSON."""


FromControl: TypeAlias = Snapshot | ReportNow | Answer
FromWorker: TypeAlias = Hello | Reported | Applied | Ask
