"""Modelport beside other servers, in turn, on this machine."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import bare, environments, load, machine, result, tables
from benchmarks.errors import BenchError, EnvironmentFailed, ToolMissing
from benchmarks.options import Options, parse
from benchmarks.samples import Bare, Failure, Samples
from benchmarks.servers import SERVERS, programs
from benchmarks.trial import Trial
from benchmarks.workloads import ROOT, Workload, prepare

__all__ = ["main"]

_MODELS = Path("build/bench-models")
_BARE = "bare loop"
_BARE_SHARE = 0.4
"""A window of the bare loop is so much of a load: there are many, and they vary less."""
_PIPED_WIDTH = 160


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the JSON: 0, or 1 when anything failed, 2 without `wrk`."""
    options, output = parse(arguments)
    try:
        load.find_wrk()
        commit, here = machine.commit(), machine.machine()
        samples = _measure(options)
    except BenchError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2 if isinstance(error, ToolMissing) else 1
    content = {"commit": commit, "machine": here} | result.result(options, samples)
    path = output or _default_output(options, str(commit["id"] or "uncommitted"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    console = Console() if sys.stdout.isatty() else Console(width=_PIPED_WIDTH)
    tables.show(console, options, samples)
    console.print(f"samples: {path}", markup=False, highlight=False, soft_wrap=True)
    clean = all(cell.clean for cell in samples.cells) and not samples.failures
    return 0 if clean else 1


def _measure(options: Options) -> Samples:
    samples = Samples()
    workloads = prepare(_MODELS, options.workloads)
    ready = _environments(options, samples)
    turns = list(_turns(options, [name for name in options.servers if name in ready], workloads))
    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(turns))
        for number, workload, name in turns:
            progress.update(task, description=f"round {number}: {workload.name}, {name}")
            if name == _BARE:
                samples.bare.extend(_bare(options, number, workload))
            else:
                _take_turn(options, samples, number, workload, name, ready[name])
            progress.advance(task)
    return samples


def _environments(options: Options, samples: Samples) -> dict[str, Path]:
    """The programs of each server's environment; one that cannot be installed is told."""
    ready: dict[str, Path] = {}
    console = Console(stderr=True)
    for name in options.servers:
        environment = SERVERS[name].environment
        try:
            if environment is not None and not environments.folder(environment).exists():
                console.print(f"installing {environment} …")
            ready[name] = programs() if environment is None else environments.build(environment)
        except EnvironmentFailed as error:
            samples.failures += [Failure(0, work, name, str(error)) for work in options.workloads]
    return ready


def _turns(
    options: Options, servers: Sequence[str], workloads: Sequence[Workload]
) -> Iterator[tuple[int, Workload, str]]:
    """Each round begins with another server, so that none always runs after the same one."""
    names = [*servers, _BARE] if options.batches else [*servers]
    for number in range(1, options.rounds + 1):
        first = (number - 1) % max(1, len(names))
        for workload in workloads:
            for name in names[first:] + names[:first]:
                if name == _BARE or SERVERS[name].serves(workload.name):
                    yield number, workload, name


def _take_turn(
    options: Options, samples: Samples, number: int, workload: Workload, name: str, bin_: Path
) -> None:
    factors = options.factors if workload.name in options.open_loop else ()
    trial = Trial(number, workload, SERVERS[name], machine.cores(), bin_)
    try:
        life = trial.run(options.connections, options.seconds, factors)
    except (BenchError, OSError) as error:
        reason = str(error) if isinstance(error, BenchError) else repr(error)
        samples.failures.append(Failure(number, workload.name, name, reason))
        return
    samples.starts.append(life.start)
    samples.cells.extend(life.cells)
    samples.opens.extend(life.opens)


def _bare(options: Options, number: int, workload: Workload) -> Iterator[Bare]:
    seconds = options.seconds * _BARE_SHARE
    for loop in options.loops():
        rates = bare.rows_per_s(workload, loop, options.batches, seconds)
        for size, rate in rates.items():
            yield Bare(number, workload.name, loop.processes, loop.threads, size, rate)


def _default_output(options: Options, commit: str) -> Path:
    kind = "peers" if options.peers else "serving"
    if options.smoke:
        return ROOT / "build" / f"bench-{kind}-smoke.json"
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return ROOT / "benchmarks" / "results" / f"{kind}-{moment}-{commit[:10]}.json"


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # As an interrupt does: leave by the way that ends the server which is being measured.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
