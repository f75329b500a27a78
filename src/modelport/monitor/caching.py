"""What the response cache did in one process, and the sum over several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

__all__ = ["CacheCounts", "CacheReport", "CacheState", "add_cache_reports", "cache_families"]


class CacheCounts(msgspec.Struct):
    """What became of one version's look-ups."""

    model: str
    version: str
    hits: int = 0
    misses: int = 0
    shared: int = 0
    """Answered by the run of an identical request that was in the air."""


class CacheState(msgspec.Struct):
    """How the cache is now."""

    taken_bytes: int = 0
    """Memory that answers take in this process."""
    entries: int = 0
    """Answers in this process."""
    open: int = 0
    """1 while its server does not answer, so that it is not asked; over several, how many."""


class CacheReport(msgspec.Struct):
    """All of it."""

    versions: list[CacheCounts] = []
    stored: int = 0
    """Answers that the server has taken."""
    dropped: int = 0
    """Answers that it has not: it takes none, or too many waited."""
    errors: dict[str, int] = {}
    """What went wrong with it, by kind."""
    state: CacheState = msgspec.field(default_factory=CacheState)


def add_cache_reports(reports: Iterable[CacheReport]) -> CacheReport:
    """The sum of the reports; none of them is changed."""
    total = CacheReport(versions=[], errors={})
    versions: dict[tuple[str, str], CacheCounts] = {}
    for report in reports:
        total.stored += report.stored
        total.dropped += report.dropped
        for kind, count in report.errors.items():
            total.errors[kind] = total.errors.get(kind, 0) + count
        for counts in report.versions:
            fresh = CacheCounts(counts.model, counts.version)
            _add(versions.setdefault((counts.model, counts.version), fresh), counts)
        total.state.taken_bytes += report.state.taken_bytes
        total.state.entries += report.state.entries
        total.state.open += report.state.open
    total.versions = [versions[key] for key in sorted(versions)]
    return total


def _add(sum_: CacheCounts, counts: CacheCounts) -> None:
    sum_.hits += counts.hits
    sum_.misses += counts.misses
    sum_.shared += counts.shared


def cache_families(report: CacheReport) -> Iterator[Metric]:
    """The figures for Prometheus."""
    labels = ["model", "version"]
    hits = CounterMetricFamily(
        "modelport_cache_hits", "Requests answered from the cache.", labels=labels
    )
    misses = CounterMetricFamily(
        "modelport_cache_misses", "Requests looked up in the cache and not found.", labels=labels
    )
    shared = CounterMetricFamily(
        "modelport_cache_shared",
        "Requests answered by the run of an identical one that was in the air.",
        labels=labels,
    )
    for counts in report.versions:
        key = [counts.model, counts.version]
        hits.add_metric(key, counts.hits)
        misses.add_metric(key, counts.misses)
        shared.add_metric(key, counts.shared)
    errors = CounterMetricFamily(
        "modelport_cache_errors", "What went wrong with the cache's server.", labels=["kind"]
    )
    for kind, count in sorted(report.errors.items()):
        errors.add_metric([kind], count)
    yield from (hits, misses, shared, errors)
    yield CounterMetricFamily(
        "modelport_cache_stored", "Answers that the cache's server has taken.", report.stored
    )
    yield CounterMetricFamily(
        "modelport_cache_dropped", "Answers that it was not given, or refused.", report.dropped
    )
    yield GaugeMetricFamily(
        "modelport_cache_bytes", "Memory of answers in the workers.", report.state.taken_bytes
    )
    yield GaugeMetricFamily(
        "modelport_cache_entries", "Answers in the memory of the workers.", report.state.entries
    )
    yield GaugeMetricFamily(
        "modelport_cache_open",
        "Workers that do without the cache's server because it does not answer.",
        report.state.open,
    )
