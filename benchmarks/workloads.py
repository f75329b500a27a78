"""The workloads: what is asked, and what a right answer is."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import minilm_weights
from benchmarks.errors import BenchError, WrongAnswer

__all__ = ["ROOT", "WORKLOADS", "Workload", "check", "prepare"]

ROOT = Path(__file__).resolve().parent.parent
"""The repository: every program runs here, and paths are written relative to it."""
WORKLOADS = ("linear", "tabular", "image", "transformer")
_BUILD_LIMIT_S = 120.0
_TOLERANCES = {"linear": 0.0, "tabular": 1e-5, "image": 1e-3, "transformer": 1e-4}
"""Largest difference from the expected values: float32 sums may be taken in another order."""


@dataclass(frozen=True)
class Workload:
    """One model with one request and its answer."""

    name: str
    repository: Path
    """Folder that holds `<name>/1/model.onnx` and nothing else."""
    body_file: Path
    expected: tuple[float, ...]

    @property
    def model(self) -> Path:
        """The model's file."""
        return self.repository / self.name / "1" / "model.onnx"


def prepare(folder: Path, names: Sequence[str]) -> list[Workload]:
    """Build the models under `folder`, which is relative to the repository.

    Raises `BenchError` where one cannot be built, `transformer` for want of its weights among them.
    """
    weights = str(minilm_weights()) if "transformer" in names else ""
    command = [sys.executable, "-m", "benchmarks.models", str(folder), weights, *names]
    try:
        built = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=_BUILD_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the models were not built in {_BUILD_LIMIT_S:.0f} s") from error
    if built.returncode != 0:
        raise BenchError(f"the models could not be built:\n{built.stderr}")
    return [_read(folder / name, name) for name in names]


def _read(folder: Path, name: str) -> Workload:
    expected = json.loads((ROOT / folder / "expected.json").read_text())
    return Workload(name, folder / "repository", folder / "body", tuple(expected))


def check(workload: Workload, values: Sequence[float], server: str) -> None:
    """Raise `WrongAnswer` unless `values` are the expected ones."""
    tolerance = _TOLERANCES[workload.name]
    right = len(values) == len(workload.expected) and all(
        math.isclose(got, want, rel_tol=tolerance, abs_tol=tolerance)
        for got, want in zip(values, workload.expected, strict=True)
    )
    if not right:
        raise WrongAnswer(
            f"{server} answered {list(values[:4])} on {workload.name},"
            f" expected {list(workload.expected[:4])}"
        )
