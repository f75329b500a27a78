"""What happened between two reports of one process, which say all that it has counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelport.monitor.caching import CacheCounts
from modelport.monitor.metrics import BOUNDS_S, ModelMetrics, Report

__all__ = ["Changes", "VersionChanges", "changes_between"]

_Key = tuple[str, str]


def _no_latency() -> list[int]:
    return [0] * (len(BOUNDS_S) + 1)


@dataclass
class VersionChanges:
    """What one version did meanwhile."""

    requests: int = 0
    errors: int = 0
    rows: int = 0
    found: int = 0
    """Answered from the cache, or by the run of an identical request."""
    looked_up: int = 0
    """All that were looked up there."""
    latency: list[int] = field(default_factory=_no_latency)
    """Answered requests, by buckets of `BOUNDS_S`."""

    def add(self, other: VersionChanges) -> None:
        """Count what another process did, or this one later."""
        self.requests += other.requests
        self.errors += other.errors
        self.rows += other.rows
        self.found += other.found
        self.looked_up += other.looked_up
        self.latency = [a + b for a, b in zip(self.latency, other.latency, strict=True)]


@dataclass
class Changes:
    """What happened meanwhile."""

    versions: dict[_Key, VersionChanges] = field(default_factory=dict)
    """By model and version, where anything did."""
    rejected: int = 0
    """Requests that reached no model."""

    def add(self, other: Changes) -> None:
        """Count what happened in another process, or in this one later."""
        for key, more in other.versions.items():
            self.of(key).add(more)
        self.rejected += other.rejected

    def of(self, key: _Key) -> VersionChanges:
        """Those of a version."""
        return self.versions.setdefault(key, VersionChanges())

    def total(self) -> VersionChanges:
        """Of all versions together."""
        total = VersionChanges()
        for each in self.versions.values():
            total.add(each)
        return total


def changes_between(before: Report, after: Report) -> Changes:
    """What a process did between two reports.

    Where a figure is less than it was, it was counted anew from zero.
    """
    changes = Changes(rejected=_rise(sum(before.rejected.values()), sum(after.rejected.values())))
    known = {metrics.key: metrics for metrics in before.models}
    for metrics in after.models:
        old = known.get(metrics.key)
        # Whatever is counted of a request is counted with it.
        if metrics.requests and (old is None or old.requests != metrics.requests):
            key = metrics.model, metrics.version
            changes.of(key).add(_done(old, metrics))
    looked = {(counts.model, counts.version): counts for counts in before.cache.versions}
    for counts in after.cache.versions:
        key = counts.model, counts.version
        if (more := _looked_up(looked, key, counts)).looked_up:
            changes.of(key).add(more)
    return changes


def _done(before: ModelMetrics | None, after: ModelMetrics) -> VersionChanges:
    if before is None or after.requests < before.requests:
        before = ModelMetrics(*after.key)
    latency = zip(before.stages["total"].counts, after.stages["total"].counts, strict=True)
    return VersionChanges(
        requests=after.requests - before.requests,
        errors=_rise(sum(before.errors.values()), sum(after.errors.values())),
        rows=_rise(before.rows, after.rows),
        latency=[_rise(old, new) for old, new in latency],
    )


def _looked_up(known: Mapping[_Key, CacheCounts], key: _Key, after: CacheCounts) -> VersionChanges:
    before = known.get(key) or CacheCounts(*key)
    found = _rise(before.hits + before.shared, after.hits + after.shared)
    return VersionChanges(found=found, looked_up=found + _rise(before.misses, after.misses))


def _rise(before: int, after: int) -> int:
    return after - before if after >= before else after
