"""From samples to medians, ratios and shares: pure functions on plain data."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.samples import Bare, Cell, Open, Start

__all__ = [
    "METRICS",
    "START_METRICS",
    "Best",
    "Limit",
    "Ratio",
    "Spread",
    "best_peers",
    "ceiling",
    "limits",
    "of_cells",
    "of_opens",
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


@dataclass(frozen=True)
class Best:
    """One cell: ours, and the peer with the most requests/s (by its median) beside it."""

    workload: str
    connections: int
    peer: str
    rounds: int
    """In which both were measured."""
    ours: dict[str, Spread]
    theirs: dict[str, Spread]
    ratios: dict[str, Spread]
    """Of each metric: ours ÷ theirs, round by round."""


@dataclass(frozen=True)
class Limit:
    """The most that the runtime reaches in a bare loop."""

    processes: int
    threads: int
    batch: int
    rows_per_s: Spread


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


def best_peers(cells: Sequence[Cell], ours: str, peers: Collection[str]) -> list[Best]:
    """For each workload and number of connections the peer that is hardest to beat."""
    medians = of_cells(cells)
    compared = ratios(cells, ours)
    found = []
    for workload, connections in dict.fromkeys((c.workload, c.connections) for c in cells):
        rates = {
            server: metrics["requests_per_s"].median
            for (w, server, n), metrics in medians.items()
            if (w, n) == (workload, connections) and server in peers
        }
        mine = medians.get((workload, ours, connections))
        if not rates or mine is None:
            continue
        peer = max(rates, key=lambda name: rates[name])
        both = [r for r in compared if (r.workload, r.peer) == (workload, peer)]
        divided = {r.metric: r.spread for r in both if r.connections == connections}
        theirs = medians[workload, peer, connections]
        rounds = _rounds(cells, workload, connections, {ours, peer})
        found.append(Best(workload, connections, peer, rounds, mine, theirs, divided))
    return found


def limits(bare: Sequence[Bare]) -> dict[str, Limit]:
    """For each workload the loop and the size of batch with the most rows/s, by their medians."""
    groups: dict[tuple[str, int, int, int], list[float]] = {}
    for loop in bare:
        key = (loop.workload, loop.processes, loop.threads, loop.batch)
        groups.setdefault(key, []).append(loop.rows_per_s)
    best: dict[str, Limit] = {}
    for (workload, processes, threads, batch), values in groups.items():
        limit = Limit(processes, threads, batch, spread(values))
        if workload not in best or limit.rows_per_s.median > best[workload].rows_per_s.median:
            best[workload] = limit
    return best


def ceiling(
    cells: Iterable[Cell], bare: Sequence[Bare], server: str
) -> dict[tuple[str, int], Spread]:
    """For each workload and number of connections the share of the bare loop's best rows/s."""
    best = limits(bare)
    rates = {
        (loop.round, loop.workload): loop.rows_per_s
        for loop in bare
        if (b := best[loop.workload])
        and (loop.processes, loop.threads, loop.batch) == (b.processes, b.threads, b.batch)
    }
    shares: dict[tuple[str, int], list[float]] = {}
    for cell in cells:
        limit = rates.get((cell.round, cell.workload))
        if cell.clean and cell.server == server and limit:
            key = (cell.workload, cell.connections)
            shares.setdefault(key, []).append(cell.requests_per_s / limit)
    return {key: spread(values) for key, values in shares.items()}


def of_opens(opens: Iterable[Open]) -> dict[tuple[str, str, float], dict[str, Spread]]:
    """For each workload, server and factor of the capacity what became of the arrivals.

    `goodput` is a share of the most good answers/s that the same life of the server gave, in a
    closed loop or in any of its open ones; `generator_cpu` is in cores.
    """
    groups: dict[tuple[str, str, float], list[Open]] = {}
    peaks: dict[tuple[int, str, str], float] = {}
    for sample in opens:
        groups.setdefault((sample.workload, sample.server, sample.factor), []).append(sample)
        life = (sample.round, sample.workload, sample.server)
        peaks[life] = max(peaks.get(life, sample.capacity), sample.load.goodput)
    return {key: _of_open(group, peaks) for key, group in groups.items()}


def _of_open(group: Sequence[Open], peaks: dict[tuple[int, str, str], float]) -> dict[str, Spread]:
    loads = [sample.load for sample in group]
    shares = [o.load.goodput / peaks[o.round, o.workload, o.server] for o in group]
    return {
        "rate": spread([load.rate for load in loads]),
        "goodput": spread(shares),
        "good_p50_ms": spread([load.good.p50_ms for load in loads]),
        "good_p99_ms": spread([load.good.p99_ms for load in loads]),
        "refused": spread([load.refused.count / load.arrivals for load in loads]),
        "refused_p99_ms": spread([load.refused.p99_ms for load in loads]),
        "failed": spread([sum(load.failures.values()) / load.arrivals for load in loads]),
        "late_p99_ms": spread([load.late_p99_ms for load in loads]),
        "generator_cpu": spread([load.cpu_s / load.wall_s for load in loads]),
    }


def _rounds(cells: Iterable[Cell], workload: str, connections: int, servers: set[str]) -> int:
    seen: dict[int, set[str]] = {}
    for cell in cells:
        if cell.clean and (cell.workload, cell.connections) == (workload, connections):
            seen.setdefault(cell.round, set()).add(cell.server)
    return sum(servers <= present for present in seen.values())


def _spreads(group: Sequence[object], metrics: Sequence[str]) -> dict[str, Spread]:
    return {name: spread([getattr(item, name) for item in group]) for name in metrics}
