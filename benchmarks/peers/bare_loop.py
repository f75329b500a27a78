"""ONNX Runtime without any server: one process of the ceiling that servers are compared with.

Arguments: the model's file, the request's body, the workload, the session's threads, when to start
counting (on the machine's monotonic clock, so that all processes count the same seconds), for how
long with each size of batch, and those sizes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.peers.handlers import Arrays, Form, form_of, open_session

__all__ = ["main"]

_GAP = 0.5
"""Between two sizes, as a share of the seconds: a run that began may end, a new size warms up."""


def main(*given: str) -> None:
    """Print for each size how many rows one process ran, and in how many seconds."""
    model, body, workload, threads, start_s, seconds_s, *sizes = given
    form, session = form_of(workload), open_session(model, int(threads))
    row = form.decode(Path(body).read_bytes())
    start, seconds = float(start_s), float(seconds_s)
    _run_once(session, form, row, int(sizes[0]))
    if time.monotonic() >= start:
        sys.exit("the process was not ready when counting began: the machine is too busy")
    windows = [start + index * seconds * (1 + _GAP) for index in range(len(sizes))]
    seen = [
        _count(session, form, row, int(size), begin, begin + seconds)
        for size, begin in zip(sizes, windows, strict=True)
    ]
    json.dump(seen, sys.stdout)


def _count(
    session: ort.InferenceSession, form: Form, row: Arrays, size: int, begin: float, end: float
) -> dict[str, float]:
    """Rows in the window: what began before its end is counted, with the time it took."""
    feed = _feed(form, row, size)
    _run_once(session, form, row, size)
    _run_until(begin, session, feed)
    began = time.monotonic()
    rows = _run_until(end, session, feed) * size
    return {"rows": rows, "seconds": time.monotonic() - began}


def _feed(form: Form, row: Arrays, size: int) -> dict[str, object]:
    arrays = [np.repeat(array, size, axis=0) for array in row]
    return dict(zip(form.inputs, arrays, strict=True))


def _run_once(session: ort.InferenceSession, form: Form, row: Arrays, size: int) -> None:
    session.run(None, _feed(form, row, size))


def _run_until(end: float, session: ort.InferenceSession, feed: dict[str, object]) -> int:
    run, now, runs = session.run, time.monotonic, 0
    while now() < end:
        run(None, feed)
        runs += 1
    return runs


if __name__ == "__main__":
    main(*sys.argv[1:])
