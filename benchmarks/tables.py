"""The tables that a run prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.numbers import number, percent, shown
from benchmarks.options import Options
from benchmarks.report import (
    METRICS,
    START_METRICS,
    Best,
    Ratio,
    best_peers,
    ceiling,
    limits,
    of_cells,
    of_opens,
    of_starts,
    ratios,
)
from benchmarks.samples import Bare, Cell, Failure, Open, Samples, Start
from benchmarks.servers import MODELPORT, PEERS

__all__ = [
    "best_table",
    "ceiling_table",
    "cell_table",
    "failure_table",
    "open_table",
    "ratio_table",
    "show",
    "start_table",
]


_WORDS = ("server", "workload", "peer", "best peer", "failed", "reason", "as")


def show(console: Console, options: Options, samples: Samples) -> None:
    """Print what was measured; ratios not of a smoke run, where one second proves none."""
    for name in options.workloads:
        console.print(cell_table(name, samples.cells))
    console.print(start_table(samples.starts))
    if samples.opens:
        console.print(open_table(samples.opens))
    if MODELPORT in options.servers and not options.smoke:
        if not options.peers:
            console.print(ratio_table(ratios(samples.cells, MODELPORT), MODELPORT))
        console.print(best_table(best_peers(samples.cells, MODELPORT, PEERS), MODELPORT))
        console.print(ceiling_table(samples.cells, samples.bare, samples.starts, MODELPORT))
    if samples.failures:
        console.print(failure_table(samples.failures))


def cell_table(workload: str, cells: Sequence[Cell]) -> Table:
    """One line for each server and number of connections."""
    table = _table(workload, "server", "conn", "req/s", "p50 ms", "p99 ms", "CPU µs/req", "failed")
    medians = of_cells(cells)
    keys = dict.fromkeys((c.server, c.connections) for c in cells if c.workload == workload)
    for server, connections in keys:
        key = (workload, server, connections)
        metrics = medians.get(key, {})
        row = [shown(metrics.get(name)) for name in METRICS]
        table.add_row(server, str(connections), *row, _failures(cells, key))
    return table


def start_table(starts: Sequence[Start]) -> Table:
    """One line for each workload and server."""
    columns = ("workload", "server", "first answer s", "PSS MiB", "RSS MiB")
    table = _table("start and memory", *columns, "PSS/worker", "RSS/worker")
    for (workload, server), metrics in of_starts(starts).items():
        table.add_row(workload, server, *(shown(metrics[name]) for name in START_METRICS))
    return table


def ratio_table(found: Sequence[Ratio], ours: str) -> Table:
    """Requests/s and p99, one line for each workload, peer and number of connections."""
    columns = ("workload", "peer", "conn", "req/s ÷", "p99 ÷", "CPU/req ÷")
    table = _table(f"{ours} ÷ peer", *columns)
    values = {(r.workload, r.peer, r.connections, r.metric): r.spread for r in found}
    for key in dict.fromkeys((r.workload, r.peer, r.connections) for r in found):
        workload, peer, connections = key
        metrics = ("requests_per_s", "p99_ms", "cpu_us_per_request")
        row = [shown(values.get((*key, metric))) for metric in metrics]
        table.add_row(workload, peer, str(connections), *row)
    return table


def best_table(found: Sequence[Best], ours: str) -> Table:
    """One line for each workload and number of connections."""
    columns = ("workload", "conn", "best peer", "req/s", f"{ours} req/s", "÷", "p99 ms")
    table = _table(f"{ours} ÷ the best peer", *columns, f"{ours} p99", "÷ p99")
    for best in found:
        rates = (best.theirs["requests_per_s"], best.ours["requests_per_s"])
        shares = (best.ratios.get("requests_per_s"), best.theirs["p99_ms"], best.ours["p99_ms"])
        cells = [shown(value) for value in (*rates, *shares, best.ratios.get("p99_ms"))]
        table.add_row(best.workload, str(best.connections), best.peer, *cells)
    return table


def ceiling_table(
    cells: Sequence[Cell], bare: Sequence[Bare], starts: Sequence[Start], server: str
) -> Table:
    """The server's share of what the bare loop reaches, with the memory of one worker."""
    title = f"{server} ÷ bare loop"
    table = _table(title, "workload", "conn", "bare rows/s", "as", "share %", "PSS MiB/worker")
    best, memory = limits(bare), of_starts(starts)
    for (workload, connections), share in ceiling(cells, bare, server).items():
        limit = best[workload]
        shape = f"{limit.processes} × {limit.threads}, batch {limit.batch}"
        worker = memory[workload, server]["worker_pss_mib"]
        row = (shown(limit.rows_per_s), shape, percent(share), shown(worker))
        table.add_row(workload, str(connections), *row)
    return table


def open_table(opens: Sequence[Open]) -> Table:
    """One line for each workload, server and rate of arrivals."""
    columns = ("workload", "server", "rate ÷", "rate/s", "goodput %", "p50 ms", "p99 ms")
    table = _table("open loop", *columns, "refused %", "in ms (p99)", "lost %", "generator cores")
    for (workload, server, factor), seen in of_opens(opens).items():
        row = [shown(seen["rate"]), percent(seen["goodput"])]
        row += [shown(seen["good_p50_ms"]), shown(seen["good_p99_ms"]), percent(seen["refused"])]
        row += [shown(seen["refused_p99_ms"]), percent(seen["failed"])]
        table.add_row(workload, server, number(factor), *row, shown(seen["generator_cpu"]))
    return table


def failure_table(failures: Sequence[Failure]) -> Table:
    """One line for each server that was not measured, with the end of what it said."""
    table = _table("not measured", "round", "workload", "server", "reason")
    for failure in failures:
        reason = (failure.reason.strip().splitlines() or [""])[0]
        table.add_row(str(failure.round), failure.workload, failure.server, reason[:100])
    return table


def _failures(cells: Iterable[Cell], key: tuple[str, str, int]) -> str:
    same = [c for c in cells if (c.workload, c.server, c.connections) == key and not c.clean]
    kinds = sorted({kind for cell in same for kind in cell.errors})
    counts = [f"{sum(cell.errors.get(kind, 0) for cell in same)} {kind}" for kind in kinds]
    return ", ".join(counts) if counts else ("no answer" if same else "")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        words = column in _WORDS
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    return table
