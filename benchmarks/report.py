"""From samples to medians, ratios and shares: pure functions on plain data."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.samples import Bare, Cell, Start

__all__ = [
    "METRICS",
    "START_METRICS",
    "Ratio",
    "Spread",
    "ceiling",
    "of_cells",
    "of_starts",
    "ratios",
    "spread",
]

METRICS = ("requests_per_s", "p50_ms", "p99_ms", "cpu_us_per_request")
START_METRICS = ("first_answer_s", "pss_mib", "rss_mib", "worker_pss_mib", "worker_rss_mib")


@dataclass(frozen=True)
class Spread:
    """The middle of several rounds, and how far they lie apart."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """Ours divided by a peer's, in one cell: the median of the rounds' own ratios."""

    workload: str
    peer: str
    connections: int
    metric: str
    spread: Spread


def spread(values: Sequence[float]) -> Spread:
    """Median, smallest and largest."""
    return Spread(statistics.median(values), min(values), max(values))


def of_cells(cells: Iterable[Cell]) -> dict[tuple[str, str, int], dict[str, Spread]]:
    """For each workload, server and number of connections the spread of each metric."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        if cell.clean:
            groups.setdefault((cell.workload, cell.server, cell.connections), []).append(cell)
    return {key: _spreads(group, METRICS) for key, group in groups.items()}


def of_starts(starts: Iterable[Start]) -> dict[tuple[str, str], dict[str, Spread]]:
    """For each workload and server the spread of memory and of the time to the first answer."""
    groups: dict[tuple[str, str], list[Start]] = {}
    for start in starts:
        groups.setdefault((start.workload, start.server), []).append(start)
    return {key: _spreads(group, START_METRICS) for key, group in groups.items()}


def ratios(cells: Iterable[Cell], ours: str) -> list[Ratio]:
    """Ours ÷ each peer's; both measured in the same round, so a slow moment divides out."""
    clean = [cell for cell in cells if cell.clean]
    mine = {(c.round, c.workload, c.connections): c for c in clean if c.server == ours}
    found: dict[tuple[str, str, int, str], list[float]] = {}
    for cell in clean:
        own = mine.get((cell.round, cell.workload, cell.connections))
        if own is None or cell.server == ours:
            continue
        for metric in METRICS:
            if divisor := getattr(cell, metric):
                key = (cell.workload, cell.server, cell.connections, metric)
                found.setdefault(key, []).append(getattr(own, metric) / divisor)
    return [Ratio(*key, spread(values)) for key, values in found.items()]


def ceiling(
    cells: Iterable[Cell], bare: Iterable[Bare], server: str
) -> dict[tuple[str, int], Spread]:
    """For each workload and number of connections the share of the bare loop's rows/s."""
    limits = {(loop.round, loop.workload): loop.rows_per_s for loop in bare}
    shares: dict[tuple[str, int], list[float]] = {}
    for cell in cells:
        limit = limits.get((cell.round, cell.workload))
        if cell.clean and cell.server == server and limit:
            key = (cell.workload, cell.connections)
            shares.setdefault(key, []).append(cell.requests_per_s / limit)
    return {key: spread(values) for key, values in shares.items()}


def _spreads(group: Sequence[object], metrics: Sequence[str]) -> dict[str, Spread]:
    return {name: spread([getattr(item, name) for item in group]) for name in metrics}
