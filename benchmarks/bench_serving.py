"""Modelport beside Flask + gunicorn and FastAPI + uvicorn, in turn, on this machine."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import bare, load, machine, report, tables
from benchmarks.errors import BenchError, ToolMissing
from benchmarks.report import Spread
from benchmarks.samples import Bare, Samples
from benchmarks.servers import MODELPORT, SERVERS
from benchmarks.trial import Trial
from benchmarks.workloads import ROOT, WORKLOADS, Workload, prepare

__all__ = ["main"]

_MODELS = Path("build/bench-models")
_BARE = "bare loop"
_PIPED_WIDTH = 140


@dataclasses.dataclass(frozen=True)
class _Options:
    rounds: int
    seconds: int
    workloads: tuple[str, ...]
    servers: tuple[str, ...]
    connections: tuple[int, ...]
    smoke: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the JSON: 0, or 1 when anything failed, 2 without `wrk`."""
    options, output = _parse(arguments)
    try:
        load.find_wrk()
        commit, here = machine.commit(), machine.machine()
        samples = _measure(options)
    except BenchError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2 if isinstance(error, ToolMissing) else 1
    console = Console() if sys.stdout.isatty() else Console(width=_PIPED_WIDTH)
    _print(console, options, samples)
    result = {"commit": commit, "machine": here} | _result(options, samples)
    path = output or _default_output(options, str(commit["id"] or "uncommitted"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    console.print(f"samples: {path}", markup=False, highlight=False, soft_wrap=True)
    return 0 if all(cell.clean for cell in samples.cells) else 1


def _parse(arguments: Sequence[str] | None) -> tuple[_Options, Path | None]:
    parser = argparse.ArgumentParser(prog="bench_serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="length of one load")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--servers", nargs="+", choices=tuple(SERVERS), default=tuple(SERVERS))
    parser.add_argument("--connections", nargs="+", type=int, default=(1, 32, 128))
    parser.add_argument(
        "--smoke", action="store_true", help="one short round of `linear`, to see that all works"
    )
    parser.add_argument("--output", type=Path, help="the JSON file to write")
    given = parser.parse_args(arguments)
    if min(given.rounds, given.seconds, *given.connections) < 1:
        parser.error("--rounds, --seconds and --connections take numbers from 1 on")
    servers = tuple(given.servers)
    if given.smoke:
        return _Options(1, 1, ("linear",), servers, (1, 32), smoke=True), given.output
    workloads, connections = tuple(given.workloads), tuple(given.connections)
    options = _Options(given.rounds, given.seconds, workloads, servers, connections, smoke=False)
    return options, given.output


def _measure(options: _Options) -> Samples:
    samples = Samples()
    turns = list(_turns(options, prepare(_MODELS, options.workloads)))
    columns = (TextColumn("{task.description:34}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(turns))
        for number, workload, name in turns:
            progress.update(task, description=f"round {number}: {workload.name}, {name}")
            _take_turn(options, samples, number, workload, name)
            progress.advance(task)
    return samples


def _turns(options: _Options, workloads: Sequence[Workload]) -> Iterator[tuple[int, Workload, str]]:
    """Each round begins with another server, so that none always runs after the same one."""
    names = [*options.servers] if options.smoke else [*options.servers, _BARE]
    for number in range(1, options.rounds + 1):
        first = (number - 1) % len(names)
        for workload in workloads:
            for name in names[first:] + names[:first]:
                yield number, workload, name


def _take_turn(
    options: _Options, samples: Samples, number: int, workload: Workload, name: str
) -> None:
    cores = machine.cores()
    if name == _BARE:
        rate = bare.rows_per_s(workload, cores, options.seconds)
        samples.bare.append(Bare(number, workload.name, cores, rate))
        return
    trial = Trial(number, workload, SERVERS[name], cores)
    start, cells = trial.run(options.connections, options.seconds)
    samples.starts.append(start)
    samples.cells.extend(cells)


def _print(console: Console, options: _Options, samples: Samples) -> None:
    for name in options.workloads:
        console.print(tables.cell_table(name, samples.cells))
    console.print(tables.start_table(samples.starts))
    if options.smoke or MODELPORT not in options.servers:
        return
    console.print(tables.ratio_table(report.ratios(samples.cells, MODELPORT), MODELPORT))
    console.print(tables.ceiling_table(samples.cells, samples.bare, samples.starts, MODELPORT))


def _result(options: _Options, samples: Samples) -> dict[str, object]:
    cells, starts = report.of_cells(samples.cells), report.of_starts(samples.starts)
    shares = report.ceiling(samples.cells, samples.bare, MODELPORT)
    ratios = report.ratios(samples.cells, MODELPORT)
    names = ("workload", "server", "connections")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": machine.versions(),
        "options": dataclasses.asdict(options),
        "medians": [dict(zip(names, k, strict=True)) | _plain(v) for k, v in cells.items()],
        "start_medians": [
            dict(zip(names[:2], k, strict=True)) | _plain(v) for k, v in starts.items()
        ],
        "ratios": [dataclasses.asdict(ratio) for ratio in ratios],
        "share_of_bare_loop": [
            {"workload": workload, "connections": connections, **dataclasses.asdict(share)}
            for (workload, connections), share in shares.items()
        ],
        "samples": dataclasses.asdict(samples),
    }


def _plain(metrics: Mapping[str, Spread]) -> dict[str, object]:
    return {name: dataclasses.asdict(value) for name, value in metrics.items()}


def _default_output(options: _Options, commit: str) -> Path:
    if options.smoke:
        return ROOT / "build" / "bench-smoke.json"
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return ROOT / "benchmarks" / "results" / f"serving-{moment}-{commit[:10]}.json"


if __name__ == "__main__":
    sys.exit(main())
