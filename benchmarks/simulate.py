"""The scheduler beside others, in virtual time: `python -m benchmarks.simulate --help`.

What runs is the `Batcher` that serves; only its clock and its model are made up.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchError
from benchmarks.simulation.arrivals import SHAPES, recorded
from benchmarks.simulation.cells import Cell, closed, of_arrivals, opened, policies
from benchmarks.simulation.machine import MACHINES, Machine, from_file, measured
from benchmarks.simulation.policies import ours
from benchmarks.simulation.shown import NO_PEER, Line, cell_table, compared, plot

__all__ = ["main"]

_CLIENTS = (1, 8, 32, 128)
_FACTORS = (0.5, 0.9, 1.0, 3.0, 10.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate what the command line asks for; 1 where the sweep was not reached."""
    given = _parser().parse_args(arguments)
    try:
        cells = list(_cells(given))
    except BenchError as error:
        sys.stderr.write(f"simulate: {error}\n")
        return 2
    return _sweep(cells) if given.sweep else _side_by_side(cells, given.objective / 1e3)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--machine", nargs="+", choices=(*MACHINES, "all"), default=["flat"])
    parser.add_argument("--cost", type=Path, help="t(n) of a file that Modelport keeps")
    parser.add_argument("--measure", type=Path, help="t(n) of an ONNX file, measured now")
    parser.add_argument("--threads", type=int, default=1, help="of a measured run")
    parser.add_argument("--clients", nargs="*", type=int, default=None, help="closed loops")
    parser.add_argument("--shape", nargs="+", choices=tuple(SHAPES), default=["poisson"])
    parser.add_argument(
        "--factor", nargs="*", type=float, default=None, help="open loops, times the capacity"
    )
    parser.add_argument("--arrivals", type=Path, help="lines of: seconds rows caller priority")
    parser.add_argument("--objective", type=float, default=50.0, help="milliseconds")
    parser.add_argument(
        "--sweep", action="store_true", help="against the best of all fixed sizes and waits"
    )
    return parser


def _machines(given: argparse.Namespace) -> list[Machine]:
    if given.cost is not None:
        return [from_file(given.cost)]
    if given.measure is not None:
        return [measured(given.measure, given.threads)]
    return [MACHINES[name] for name in (MACHINES if "all" in given.machine else given.machine)]


def _cells(given: argparse.Namespace) -> list[Cell]:
    clients, factors = given.clients, given.factor
    if clients is None and factors is None and given.arrivals is None:
        clients, factors = _CLIENTS, _FACTORS
    cells: list[Cell] = []
    for machine in _machines(given):
        if given.arrivals is not None:
            cells.append(of_arrivals(machine, given.arrivals.name, recorded(given.arrivals)))
        cells += [closed(machine, count) for count in clients or ()]
        for shape in given.shape:
            cells += [opened(machine, shape, factor) for factor in factors or ()]
    return cells


def _side_by_side(cells: Sequence[Cell], objective_s: float) -> int:
    for cell in cells:
        results = {name: cell.run(make) for name, make in policies(objective_s).items()}
        _print(cell_table(cell, results))
        _print(plot({name: seen.good_per_s for name, seen in results.items()}, "in time/s"))
        _print(plot({name: 1e3 * seen.p99_s for name, seen in results.items()}, "ms p99"))
        _print("")
    return 0


def _sweep(cells: Sequence[Cell]) -> int:
    lines = [
        Line(
            cell.machine.name,
            cell.name,
            cell.median(ours()),
            cell.sweep(),
        )
        for cell in cells
    ]
    _print(compared(lines))
    # Where no fixed setting answers in time, a bar would make all others look small.
    shares = {f"{line.machine}, {line.cell}": line.share for line in lines}
    _print(plot({name: 100 * share for name, share in shares.items() if share < NO_PEER}, "%"))
    return 0 if all(line.share >= 0.95 for line in lines) else 1


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
