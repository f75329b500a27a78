"""Why runs at once have a session each: `python -m benchmarks.sessions transformer`.

Two threads run a model, as it is kept for this machine, with 1 to 16 rows, as they come, and then
with 8 for a while: in one ONNX Runtime session for both, and in a session each. And a row alone, on
threads that sleep between the nodes of a run, and on threads that stay awake.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnxruntime as ort

from benchmarks.errors import BenchError
from benchmarks.peers.handlers import form_of
from benchmarks.workloads import ROOT, WORKLOADS, Workload, prepare
from modelport.kit.cpus import available_cpus
from modelport.repository.integrity import digest
from modelport.runtimes.base import LoadOptions, load
from modelport.runtimes.onnx import open_session

__all__ = ["main"]

_ROWS, _MOST_ROWS = 8, 16
_MIXED_S, _EVEN_S, _ALONE_S = 2.0, 3.0, 4.0
_CLIENT_S = 0.001
"""Between an answer and the next request: as in a server, threads that may sleep then do."""
_Open: TypeAlias = Callable[..., ort.InferenceSession]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="sessions", description=__doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--tries", type=int, default=10)
    given = parser.parse_args(arguments)
    try:
        (workload,) = prepare(Path("build/bench-models"), [given.workload])
    except BenchError as error:
        sys.stderr.write(f"sessions: {error}\n")
        return 2
    feeds = _feeds(workload)
    with tempfile.TemporaryDirectory() as folder:
        _show(_opener(ROOT / workload.model, Path(folder)), feeds, given.tries)
    return 0


def _opener(model: Path, folder: Path) -> _Open:
    """Opens sessions of what a server loads: the model as it is kept, or itself if it is small."""
    load(model, LoadOptions(digest=digest(model), cache_dir=folder)).close()
    kept = next(folder.glob("packed-*/model.onnx"), None)
    return partial(open_session, kept or model, is_optimised=kept is not None)


def _show(open_one: _Open, feeds: Sequence[dict[str, object]], count: int) -> None:
    sys.stdout.write(f"CPU ms for a row, two runs of {_ROWS} at once, each try in turn\n")
    for name, sessions in (("one session", 1), ("one each", 2)):
        tries = [_at_once(open_one, feeds, sessions, seed) for seed in range(count)]
        sys.stdout.write(f"  {name:12s} {' '.join(f'{each:5.2f}' for each in tries)}\n")
    threads = available_cpus()
    sys.stdout.write(f"ms for a row alone on {threads} threads, and its CPU time\n")
    for name, spins in (("asleep", False), ("awake", True)):
        took, cpu = _alone(open_one(threads, spins=spins), feeds[0])
        sys.stdout.write(f"  {name:12s} {took:5.2f} {cpu:5.2f}\n")


def _feeds(workload: Workload) -> list[dict[str, object]]:
    """The inputs, by rows - 1."""
    form = form_of(workload.name)
    row = form.decode((ROOT / workload.body_file).read_bytes())
    return [
        dict(zip(form.inputs, [np.repeat(array, rows, axis=0) for array in row], strict=True))
        for rows in range(1, _MOST_ROWS + 1)
    ]


def _at_once(
    open_one: _Open, feeds: Sequence[dict[str, object]], sessions: int, seed: int
) -> float:
    """The CPU milliseconds of a row in two threads that share so many sessions."""
    opened = [open_one(1) for _ in range(sessions)]
    spent: list[float] = []
    start = time.monotonic()

    def loop(number: int) -> None:
        session, chance = opened[number % sessions], random.Random(2 * seed + number)
        _until(start + _MIXED_S, lambda: session.run(None, chance.choice(feeds)))
        began = time.thread_time()
        runs = _until(start + _MIXED_S + _EVEN_S, lambda: session.run(None, feeds[_ROWS - 1]))
        spent.append(1e3 * (time.thread_time() - began) / (runs * _ROWS))

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.mean(spent)


def _alone(session: ort.InferenceSession, feed: dict[str, object]) -> tuple[float, float]:
    """The milliseconds of a run in the middle of many, and the CPU time of each."""
    took: list[float] = []

    def once() -> None:
        began = time.monotonic()
        session.run(None, feed)
        took.append(time.monotonic() - began)
        time.sleep(_CLIENT_S)

    _until(time.monotonic() + 0.1 * _ALONE_S, once)
    took.clear()
    cpu = time.process_time()
    runs = _until(time.monotonic() + _ALONE_S, once)
    return 1e3 * statistics.median(took), 1e3 * (time.process_time() - cpu) / runs


def _until(end: float, work: Callable[[], object]) -> int:
    """Do it again and again; how often."""
    done = 0
    while time.monotonic() < end:
        work()
        done += 1
    return done


if __name__ == "__main__":
    sys.exit(main())
