"""The tables that a run prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table

from benchmarks.report import (
    METRICS,
    START_METRICS,
    Ratio,
    Spread,
    ceiling,
    of_cells,
    of_starts,
    spread,
)
from benchmarks.samples import Bare, Cell, Start

__all__ = ["ceiling_table", "cell_table", "ratio_table", "start_table"]


def cell_table(workload: str, cells: Sequence[Cell]) -> Table:
    """One line for each server and number of connections."""
    table = _table(workload, "server", "conn", "req/s", "p50 ms", "p99 ms", "CPU µs/req", "failed")
    medians = of_cells(cells)
    keys = dict.fromkeys((c.server, c.connections) for c in cells if c.workload == workload)
    for server, connections in keys:
        key = (workload, server, connections)
        metrics = medians.get(key, {})
        shown = [_shown(metrics.get(name)) for name in METRICS]
        table.add_row(server, str(connections), *shown, _failures(cells, key))
    return table


def start_table(starts: Sequence[Start]) -> Table:
    """One line for each workload and server."""
    columns = ("workload", "server", "first answer s", "PSS MiB", "RSS MiB")
    table = _table("start and memory", *columns, "PSS/worker", "RSS/worker")
    for (workload, server), metrics in of_starts(starts).items():
        table.add_row(workload, server, *(_shown(metrics[name]) for name in START_METRICS))
    return table


def ratio_table(found: Sequence[Ratio], ours: str) -> Table:
    """Requests/s and p99, one line for each workload, peer and number of connections."""
    columns = ("workload", "peer", "conn", "req/s ÷", "p99 ÷", "CPU/req ÷")
    table = _table(f"{ours} ÷ peer", *columns)
    values = {(r.workload, r.peer, r.connections, r.metric): r.spread for r in found}
    for key in dict.fromkeys((r.workload, r.peer, r.connections) for r in found):
        workload, peer, connections = key
        metrics = ("requests_per_s", "p99_ms", "cpu_us_per_request")
        shown = [_shown(values.get((*key, metric))) for metric in metrics]
        table.add_row(workload, peer, str(connections), *shown)
    return table


def ceiling_table(
    cells: Sequence[Cell], bare: Sequence[Bare], starts: Sequence[Start], server: str
) -> Table:
    """The server's share of what the bare loop reaches, with the memory of one worker."""
    title = f"{server} ÷ bare loop"
    table = _table(title, "workload", "conn", "bare rows/s", "share %", "PSS MiB/worker")
    memory = of_starts(starts)
    for (workload, connections), share in ceiling(cells, bare, server).items():
        loops = spread([loop.rows_per_s for loop in bare if loop.workload == workload])
        percent = Spread(share.median * 100, share.low * 100, share.high * 100)
        worker = memory[workload, server]["worker_pss_mib"]
        row = (_shown(loops), _shown(percent), _shown(worker))
        table.add_row(workload, str(connections), *row)
    return table


def _failures(cells: Iterable[Cell], key: tuple[str, str, int]) -> str:
    same = [c for c in cells if (c.workload, c.server, c.connections) == key and not c.clean]
    kinds = sorted({kind for cell in same for kind in cell.errors})
    counts = [f"{sum(cell.errors.get(kind, 0) for cell in same)} {kind}" for kind in kinds]
    return ", ".join(counts) if counts else ("no answer" if same else "")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        words = column in ("server", "workload", "peer", "failed")
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    return table


def _shown(value: Spread | None) -> str:
    if value is None:
        return "-"
    if value.low == value.high:
        return _number(value.median)
    return f"{_number(value.median)} ({_number(value.low)}-{_number(value.high)})"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
