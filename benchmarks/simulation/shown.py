"""Tables and plots of characters, as they stand in a terminal and in a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.simulation.cells import Cell, Swept
from benchmarks.simulation.summary import Summary

__all__ = ["NO_PEER", "Line", "cell_table", "compared", "plot"]

NO_PEER = 9.99
"""The share where no fixed setting answers in time."""
_BAR = 40


@dataclass(frozen=True)
class Line:
    """A cell, in short."""

    machine: str
    cell: str
    ours: Summary
    swept: Swept

    @property
    def share(self) -> float:
        """Answers in time, of those of the best fixed setting; at most `NO_PEER`."""
        return min(NO_PEER, self.ours.good_per_s / max(self.swept.summary.good_per_s, 1e-9))


def cell_table(cell: Cell, results: Mapping[str, Summary]) -> str:
    """Policies side by side on the same arrivals."""
    head = ("policy", "rows/s", "in time/s", "p50 ms", "p99 ms", "batch", "refused %", "idle %")
    rows = [(name, *_figures(seen)) for name, seen in results.items()]
    return f"### {cell.machine.name}, {cell.name}\n\n{_table(head, rows)}"


def compared(lines: Sequence[Line]) -> str:
    """Modelport beside the best fixed setting of each cell."""
    head = ("machine", "load", "in time/s", "best fixed", "in time/s", "share %")
    head += ("p50 ms", "best fixed's", "p99 ms", "best fixed's")
    rows = [_compared(line) for line in lines]
    return _table(head, rows, words=(0, 1, 3))


def _compared(line: Line) -> tuple[str, ...]:
    seen, best = line.ours, line.swept.summary
    return (
        line.machine,
        line.cell,
        f"{seen.good_per_s:,.0f}",
        line.swept.name.removeprefix("fixed "),
        f"{best.good_per_s:,.0f}",
        f"{100 * line.share:.0f}",
        *(f"{1e3 * s:.1f}" for s in (seen.p50_s, best.p50_s, seen.p99_s, best.p99_s)),
    )


def plot(results: Mapping[str, float], unit: str) -> str:
    """A bar for each name, the longest as long as the plot is wide."""
    most, width = max([*results.values(), 1e-9]), max(map(len, results))
    return "\n".join(
        f"{name:>{width}} {'█' * max(round(_BAR * value / most), 0)} {value:,.0f} {unit}"
        for name, value in results.items()
    )


def _figures(seen: Summary) -> tuple[str, ...]:
    return (
        f"{seen.rows_per_s:,.0f}",
        f"{seen.good_per_s:,.0f}",
        f"{1e3 * seen.p50_s:.1f}",
        f"{1e3 * seen.p99_s:.1f}",
        f"{seen.batch:.1f}",
        f"{100 * seen.refused:.1f}",
        f"{100 * seen.idle:.1f}",
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    rule = ["---" if index in words else "--:" for index in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows)) + "\n"
