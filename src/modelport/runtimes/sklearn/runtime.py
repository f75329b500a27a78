"""scikit-learn files, run through their ONNX conversion where it answers the same. Grade: silver.

A `.skops` file is loaded by a reviewed list of types (`trusted`); joblib and pickle files
run code when loaded, and the operator allows them by digest.

The signature is the estimator's own view, whatever runs it: one input `X` of numbers, or, where
columns hold texts, one input for each column that the estimator uses, or one `text` for a
pipeline that begins by splitting texts into words. A missing number is NaN. A missing text is the
empty text, unless the empty text is one of the column's categories.
"""

from __future__ import annotations

from pathlib import Path

from modelport.runtimes import _conversion
from modelport.runtimes._conversion import Conversion, Library, Opened
from modelport.runtimes._plan import Plan
from modelport.runtimes.base import Description, LoadOptions, Model, Runtime

__all__ = ["RUNTIME"]


def _open(path: Path, options: LoadOptions) -> Opened:
    from modelport.runtimes.sklearn import conversion, files, native, view

    loaded = files.read(path, options)

    def convert(plan: Plan, threads: int) -> Conversion:
        native.settle(loaded.estimator, keep_names=plan.frame)
        return conversion.convert(loaded.estimator, plan, threads=threads)

    def run(plan: Plan, description: Description, threads: int) -> Model:
        native.settle(loaded.estimator, keep_names=plan.frame)
        return native.NativeModel(loaded.estimator, plan, description, threads)

    return Opened(
        plan=lambda: view.plan_of(loaded.estimator),
        convert=convert,
        native=run,
        warnings=loaded.warnings,
    )


_LIBRARY = Library(
    name="scikit-learn",
    prefix="sklearn",
    packages=("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "skops", "numpy", "pandas"),
    open=_open,
)


def _load(path: Path, options: LoadOptions) -> Model:
    return _conversion.load(path, options, _LIBRARY)


RUNTIME = Runtime(name="scikit-learn", load=_load)
