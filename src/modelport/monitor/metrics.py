"""Counters and latency histograms of one process, and their sum over several.

Recording costs a bisection and a few additions, because it happens in every request; the
Prometheus text is made only when somebody asks for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from modelport.monitor.caching import CacheReport, add_cache_reports, cache_families
from modelport.monitor.versions import VersionNow, add_versions

__all__ = [
    "BOUNDS_S",
    "CONTENT_TYPE",
    "STAGES",
    "Gathered",
    "Histogram",
    "ModelMetrics",
    "Report",
    "VersionPadding",
    "add_reports",
    "exposition",
]

CONTENT_TYPE = CONTENT_TYPE_LATEST
STAGES = ("total", "decode", "queue", "run", "encode")
BOUNDS_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)


class Histogram(msgspec.Struct):
    """How many observations fell into each bucket; the last one has no upper bound."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total += seconds

    def add(self, other: Histogram) -> None:
        """Count all that another has counted."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class ModelMetrics(msgspec.Struct):
    """What one version did."""

    model: str
    version: str
    protocol: str
    requests: int = 0
    rows: int = 0
    batches: float = 0.0
    """Runs of the model; one that answered several requests counts for each by its rows."""
    errors: dict[str, int] = {}
    """By the error's code."""
    stages: dict[str, Histogram] = msgspec.field(
        default_factory=lambda: {stage: Histogram() for stage in STAGES}
    )

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells these figures from others."""
        return self.model, self.version, self.protocol

    def answered(
        self,
        decode_s: float,
        queue_s: float,
        run_s: float,
        encode_s: float,
        rows: int,
        batch_rows: int = 0,
    ) -> None:
        """Count a request that was answered, with the seconds that each stage took.

        Args:
            decode_s: from its body to its tensors.
            queue_s: until the model was asked.
            run_s: of the model.
            encode_s: from the model's answer to its body.
            rows: how many it had.
            batch_rows: how many ran together, those of others counted; 0: these alone.
        """
        self.requests += 1
        self.rows += rows
        self.batches += rows / batch_rows if batch_rows > rows else 1.0
        stages = self.stages
        stages["decode"].observe(decode_s)
        stages["queue"].observe(queue_s)
        stages["run"].observe(run_s)
        stages["encode"].observe(encode_s)
        stages["total"].observe(decode_s + queue_s + run_s + encode_s)

    def failed(self, code: str) -> None:
        """Count a request that ended in an error."""
        self.requests += 1
        self.errors[code] = self.errors.get(code, 0) + 1

    def add(self, other: ModelMetrics) -> None:
        """Count all that another process has counted for the same version."""
        self.requests += other.requests
        self.rows += other.rows
        self.batches += other.batches
        for code, count in other.errors.items():
            self.errors[code] = self.errors.get(code, 0) + count
        for stage, histogram in other.stages.items():
            self.stages[stage].add(histogram)


class VersionPadding(msgspec.Struct, frozen=True):
    """How much of the batches of one version was padding; of versions whose rows may be padded."""

    model: str
    version: str
    elements: int
    """Of all inputs, padding counted."""
    padding: int


class Report(msgspec.Struct):
    """Everything that one process has counted since it started."""

    models: list[ModelMetrics] = []
    rejected: dict[str, int] = {}
    """Requests that never reached a model, by the error's code."""
    connections: int = 0
    """Open now."""
    versions: list[VersionNow] = []
    """How each stands now."""
    cache: CacheReport = msgspec.field(default_factory=CacheReport)
    padding: list[VersionPadding] = []


class Gathered(msgspec.Struct, frozen=True):
    """What all workers have counted, those that are gone included."""

    report: Report
    workers: int
    """Serving now."""
    restarts: int
    """Replaced since the server started."""


def add_reports(reports: Iterable[Report]) -> Report:
    """The sum of the reports; none of them is changed."""
    reports = list(reports)
    models: dict[tuple[str, str, str], ModelMetrics] = {}
    padding: dict[tuple[str, str], VersionPadding] = {}
    total = Report(models=[], rejected={})
    for report in reports:
        total.connections += report.connections
        for code, count in report.rejected.items():
            total.rejected[code] = total.rejected.get(code, 0) + count
        for metrics in report.models:
            fresh = ModelMetrics(metrics.model, metrics.version, metrics.protocol)
            models.setdefault(metrics.key, fresh).add(metrics)
        for other in report.padding:
            name = other.model, other.version
            padding[name] = _all_padding(padding.get(name), other)
    total.models = [models[key] for key in sorted(models)]
    total.versions = add_versions(each for report in reports for each in report.versions)
    total.cache = add_cache_reports(report.cache for report in reports)
    total.padding = [padding[key] for key in sorted(padding)]
    return total


def _all_padding(known: VersionPadding | None, more: VersionPadding) -> VersionPadding:
    if known is None:
        return more
    elements, padding = known.elements + more.elements, known.padding + more.padding
    return VersionPadding(more.model, more.version, elements, padding)


def exposition(gathered: Gathered) -> bytes:
    """The figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(_families(gathered)))
    return generate_latest(registry)


class _Once(Collector):
    """Families that are already made, as the registry wants them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(gathered: Gathered) -> Iterator[Metric]:
    report = gathered.report
    labels = ["model", "version", "protocol"]
    requests = CounterMetricFamily(
        "modelport_requests", "Requests that named a model.", labels=labels
    )
    rows = CounterMetricFamily("modelport_rows", "Rows that were answered.", labels=labels)
    batches = CounterMetricFamily(
        "modelport_batches",
        "Runs of the model; rows by batches is how many were answered together.",
        labels=labels,
    )
    errors = CounterMetricFamily(
        "modelport_errors", "Requests that ended in an error.", labels=[*labels, "code"]
    )
    latency = HistogramMetricFamily(
        "modelport_latency_seconds",
        "Time from the decoded head of a request to its encoded answer, by stage.",
        labels=[*labels, "stage"],
    )
    for metrics in report.models:
        requests.add_metric(list(metrics.key), metrics.requests)
        rows.add_metric(list(metrics.key), metrics.rows)
        batches.add_metric(list(metrics.key), metrics.batches)
        for code, count in sorted(metrics.errors.items()):
            errors.add_metric([*metrics.key, code], count)
        for stage, histogram in metrics.stages.items():
            latency.add_metric([*metrics.key, stage], _buckets(histogram), histogram.total)
    yield from (requests, rows, batches, errors, latency)
    rejected = CounterMetricFamily(
        "modelport_rejected", "Requests refused before they reached a model.", labels=["code"]
    )
    for code, count in sorted(report.rejected.items()):
        rejected.add_metric([code], count)
    yield rejected
    resident = GaugeMetricFamily(
        "modelport_model_memory_bytes",
        "Memory that a version takes now, over all workers.",
        labels=["model", "version"],
    )
    evictions = CounterMetricFamily(
        "modelport_model_evictions",
        "How often a version had to make room for others.",
        labels=["model", "version"],
    )
    waiting = GaugeMetricFamily(
        "modelport_waiting",
        "Requests that wait for a version now.",
        labels=["model", "version"],
    )
    for now in report.versions:
        resident.add_metric([*now.key], now.resident_bytes)
        evictions.add_metric([*now.key], now.evictions)
        waiting.add_metric([*now.key], now.queue)
    yield from (resident, evictions, waiting)
    yield from cache_families(report.cache)
    yield from _padding_families(report.padding)
    yield GaugeMetricFamily("modelport_connections", "Connections open now.", report.connections)
    yield GaugeMetricFamily(
        "modelport_workers", "Worker processes that serve now.", gathered.workers
    )
    yield CounterMetricFamily(
        "modelport_worker_restarts", "Worker processes that were replaced.", gathered.restarts
    )


def _padding_families(versions: Iterable[VersionPadding]) -> Iterator[Metric]:
    elements = CounterMetricFamily(
        "modelport_batch_elements",
        "Elements of the batches of models whose rows may be padded.",
        labels=["model", "version"],
    )
    padding = CounterMetricFamily(
        "modelport_padding_elements",
        "Those among them that only fill shorter rows up.",
        labels=["model", "version"],
    )
    for each in versions:
        elements.add_metric([each.model, each.version], each.elements)
        padding.add_metric([each.model, each.version], each.padding)
    yield from (elements, padding)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    buckets: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), histogram.counts, strict=True):
        below += count
        buckets.append((bound, below))
    return buckets
