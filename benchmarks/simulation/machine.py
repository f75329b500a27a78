"""What a batch takes: measured, or built in, with noise."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.errors import BenchError
from modelport.engine.cost import CostModel, Points

__all__ = ["MACHINES", "Machine", "from_file", "measured"]

_SIZES = (1, 2, 4, 8, 16, 32, 64)
_MEASURE_S = 0.5
"""For each size."""


@dataclass(frozen=True)
class Machine:
    """A model on its machine."""

    name: str
    seconds: Callable[[int, int], float]
    """From the rows of a batch and the runs at once: what a run takes."""
    at_once: int = 1
    """Most runs at once."""
    noise: float = 0.03
    """The usual deviation, as a part."""
    outliers: float = 0.005
    """The part of the runs that takes three times what a row takes in addition."""
    speed: Callable[[float], float] = lambda now: 1.0
    """By the time, what its runs take in multiples of the usual."""
    largest: int = 1024
    """Most rows of a batch."""

    def takes(self, rows: int, now: float, chance: random.Random) -> float:
        """A run that starts now, in multiples of what its size usually takes."""
        factor = max(0.5, chance.gauss(1.0, self.noise)) * self.speed(now)
        if chance.random() < self.outliers:
            factor += 3 * self.seconds(1, 1) / self.seconds(rows, 1)
        return factor

    def capacity(self) -> float:
        """The most rows/s, over all sizes and numbers of runs at once."""
        sizes = [n for n in range(1, 257) if n <= self.largest]
        return max(k * n / self.seconds(n, k) for k in range(1, self.at_once + 1) for n in sizes)


def _flat(rows: int, at_once: int) -> float:
    """As on a GPU: a run takes the same until its cores are full, at 64 rows."""
    return (4e-3 + 6e-5 * max(rows - 64, 0)) * (1.0 if at_once == 1 else 1.95)


def _affine(rows: int, at_once: int) -> float:
    """As a transformer on two cores: a fixed part, and the rows; alone it has both cores."""
    return (2e-3 + 2.5e-3 * rows) if at_once == 1 else (2e-3 + 4.9e-3 * rows)


def _linear(rows: int, at_once: int) -> float:
    """As a picture on two cores: two runs of a thread each are better than one of two threads."""
    return 8e-3 * rows if at_once == 1 else 13.5e-3 * rows


def _caching(rows: int, at_once: int) -> float:
    """As what fits into a cache up to 16 rows, and then does not."""
    return 1e-3 + 1e-3 * rows + 1.5e-3 * max(rows - 16, 0)


MACHINES = {
    machine.name: machine
    for machine in (
        Machine("flat", _flat),
        Machine("flat-2", _flat, at_once=2),
        Machine("affine", _affine),
        Machine("affine-2", _affine, at_once=2),
        Machine("linear", _linear),
        Machine("linear-2", _linear, at_once=2),
        Machine("caching", _caching),
    )
}
"""Built in. `-2`: two runs at once are possible, and slow each other."""


def from_file(path: Path) -> Machine:
    """A machine from what was learnt: the curves of `CostModel.data`, or a file of `--cost`.

    Raises:
        BenchError: the file holds no curves.
    """
    try:
        content = msgspec.json.decode(path.read_bytes())
        curves = content["curves"] if isinstance(content, dict) else content
        points = msgspec.convert(curves, list[Points])
    except (OSError, KeyError, msgspec.MsgspecError) as error:
        raise BenchError(f"{path.name} holds no curves: {error}") from error
    if not any(curve.points for curve in points):
        raise BenchError(f"{path.name} holds no curves")
    return _from_curves(path.stem, points)


def _from_curves(name: str, curves: Sequence[Points]) -> Machine:
    # Where rows differ in size, those of the class that ran most stand for all.
    runs: dict[int, int] = {}
    for curve in curves:
        runs[curve.row_class] = runs.get(curve.row_class, 0) + sum(p.runs for p in curve.points)
    row_class = max(runs, key=lambda key: runs[key])
    cost = CostModel(list(curves))
    at_once = max(curve.at_once for curve in curves if curve.row_class == row_class)
    return Machine(name, lambda rows, k: cost.seconds(rows, row_class, k), at_once)


def measured(path: Path, threads: int) -> Machine:
    """A machine from runs of an ONNX file, here and now, of 1 to 64 rows of ones."""
    import numpy as np

    from modelport.runtimes.onnx import OnnxModel, open_session

    model = OnnxModel(open_session(path.read_bytes(), threads))
    cost = CostModel()
    for rows in _SIZES:
        batch = {
            spec.name: np.ones(
                (rows, *(32 if size is None else size for size in spec.shape[1:])),
                spec.dtype.numpy,
            )
            for spec in model.description.signature.inputs
        }
        until = time.perf_counter() + _MEASURE_S
        while time.perf_counter() < until:
            began = time.perf_counter()
            model.predict(batch)
            cost.learn(rows, time.perf_counter() - began)
    return _from_curves(path.stem, cost.data())
