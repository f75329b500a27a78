"""What a case's framework itself answers, kept beside the model that it saved.

Each case is built in a process of its own, `python -m tests.conformance.formats.truth NAME FOLDER`,
because the frameworks do not get along in one, and pytest needs none of them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

__all__ = ["Case", "Truth", "cases", "read_truth"]


class Truth(msgspec.Struct, kw_only=True):
    """A saved model, and what its framework answers. Rows come first in every array."""

    path: str
    """The model's file or folder, below the case's folder."""
    inputs: dict[str, Any]
    """By input: an array of at least three rows; texts as a list."""
    outputs: dict[str, Any]
    """By output: the framework's own answers for these rows."""
    prediction: list[Any]
    """The plain `prediction` of each row: the number, the list, or the label's name."""
    signature: dict[str, tuple[str, list[int]]]
    """By input, then by output: the type as in the Open Inference Protocol, and the shape with -1
    for a free size. Every input and output of the model has to be here."""
    plain: Any = None
    """The rows as a plain request; None: as `inputs` has them."""
    rtol: float = 1e-5
    atol: float = 1e-6
    spoiled: str = ""
    """The file to damage, below the case's folder; empty: `path` itself."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model of one format."""

    format: str
    """As `modelport formats` calls it."""
    build: Callable[[Path], Truth]
    """Trains or makes the model, saves it below the folder, and asks its framework."""
    build_unsafe: Callable[[Path], Path] | None = None
    """For a format that is safe as long as its files hold no code: saves one that does, where
    loading it would make a file `ran` in the folder; the model's path."""
    trusted: bool = False
    """Of a format that is safe by its content: whether this model is only served when trusted."""
    options: Sequence[str] = ()
    """Further options of the command line that serving it needs."""
    attribute: str = ""
    """The class or function in a program, which the command line names: `FILE.py:NAME`."""
    needs: Sequence[str] = field(default_factory=tuple)
    """Modules that building it needs, besides those of the format."""


def cases() -> Mapping[str, Case]:
    """Every case by name, from the modules `cases_*.py` beside this one."""
    found: dict[str, Case] = {}
    for path in sorted(Path(__file__).parent.glob("cases_*.py")):
        found |= importlib.import_module(f"{__package__}.{path.stem}").CASES
    return found


def read_truth(folder: Path) -> Truth:
    """The truth that was kept in a case's folder, its numbers as arrays."""
    truth = msgspec.json.decode((folder / "truth.json").read_bytes(), type=Truth)
    with np.load(folder / "truth.npz") as arrays:
        for name, array in arrays.items():
            kind, _, key = name.partition("/")
            getattr(truth, kind)[key] = array
    return truth


def _write(folder: Path, truth: Truth) -> None:
    arrays = {}
    for kind in ("inputs", "outputs"):
        for key, value in getattr(truth, kind).items():
            if isinstance(value, np.ndarray) and value.dtype != np.object_:
                arrays[f"{kind}/{key}"] = value
                getattr(truth, kind)[key] = None
    np.savez(folder / "truth.npz", **arrays)
    (folder / "truth.json").write_bytes(msgspec.json.encode(truth, enc_hook=lambda v: v.tolist()))


if __name__ == "__main__":
    name, folder, what = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    case = cases()[name]
    if what == "truth":
        _write(folder, case.build(folder))
    else:
        assert case.build_unsafe is not None
        sys.stdout.write(str(case.build_unsafe(folder)))
