"""ONNX Runtime without any server: one process of the ceiling that servers are compared with.

Arguments: the model's file, the request's body, the workload, when to start counting (on the
machine's monotonic clock, so that all processes count the same seconds) and for how long.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.peers.handlers import open_session

__all__ = ["main"]

Feed = dict[str, NDArray[np.floating]]


def main(model: str, body: str, workload: str, start_s: str, seconds: str) -> None:
    """Print how many rows one process ran, and in how many seconds."""
    session = open_session(model)
    feed = _feed(workload, Path(body).read_bytes())
    start = float(start_s)
    session.run(None, feed)
    if time.monotonic() >= start:
        sys.exit("the process was not ready when counting began: the machine is too busy")
    _run_until(start, session, feed)
    began = time.monotonic()
    rows = _run_until(began + float(seconds), session, feed)
    json.dump({"rows": rows, "seconds": time.monotonic() - began}, sys.stdout)


def _feed(workload: str, body: bytes) -> Feed:
    if workload == "image":
        return {"x": np.frombuffer(body, np.float32).reshape(1, 3, 224, 224)}
    [(name, row)] = json.loads(body).items()
    return {name: np.array([row], np.float64 if workload == "linear" else np.float32)}


def _run_until(end: float, session: ort.InferenceSession, feed: Feed) -> int:
    run, now, rows = session.run, time.monotonic, 0
    while now() < end:
        run(None, feed)
        rows += 1
    return rows


if __name__ == "__main__":
    main(*sys.argv[1:])
