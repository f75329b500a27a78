"""LightGBM's text files, run through ONNX where that answers the same. Grade: silver.

A file is data. It is read and checked by `files`, because LightGBM itself follows its indexes
unchecked. The input is one `X` of numbers, NaN where missing; where the file names categories by
text (trained on a DataFrame), one input for each column. A model that splits on categories, or
takes 0 for a missing value, runs in LightGBM itself. Not supported: trees with linear models in
their leaves.

LightGBM takes a second to import, so it is imported where it is needed: a file that was converted
once is served without it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from modelport.core.errors import CorruptModel
from modelport.core.tensors import Array, Batch, DType
from modelport.runtimes import _conversion
from modelport.runtimes._boosting import (
    Boosting,
    class_outputs,
    codes,
    graph_of,
    opened,
    plan_of,
    value_output,
)
from modelport.runtimes._conversion import Library, Opened, content
from modelport.runtimes._plan import Column, Plan
from modelport.runtimes._trees import Link
from modelport.runtimes.base import LoadOptions, Model, Runtime
from modelport.runtimes.lightgbm.files import Forest, read

__all__ = ["RUNTIME"]

_LINKS: dict[str, Link] = {
    "binary": "binary",
    "cross_entropy": "sigmoid",
    "cross_entropy_lambda": "log1p_exp",
    "gamma": "exp",
    "multiclass": "softmax",
    "multiclassova": "sigmoid",
    "poisson": "exp",
    "tweedie": "exp",
}
_CLASSES = ("binary", "multiclass", "multiclassova")


def _open(path: Path, options: LoadOptions) -> Opened:
    try:
        forest = read(content(path, options))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = _conversion.first_line(error)
        raise CorruptModel(f"'{path.name}' is no usable LightGBM model: {reason}") from error
    plan = _plan(forest)
    boosting = _boosting(forest)
    return opened(
        "LightGBM",
        plan,
        partial(_answer, _booster(forest), plan, options.threads),
        single=False,
        attempts=[partial(graph_of, boosting, plan)],
        splits=boosting.splits(),
        why_native="it splits on categories" if forest.categories else forest.why_native,
    )


def _plan(forest: Forest) -> Plan:
    columns = [_column(forest, at) for at in range(len(forest.names))]
    named = forest.names != tuple(f"Column_{at}" for at in range(len(forest.names)))
    if forest.objective[:1] and forest.objective[0] in _CLASSES:
        outputs = class_outputs(DType.FP64, range(max(forest.groups, 2)))
    else:
        outputs = value_output(DType.FP64, forest.groups)
    return plan_of(columns, outputs, named=named)


def _column(forest: Forest, at: int) -> Column:
    choices = forest.categories.get(at, ())
    text = any(isinstance(choice, str) for choice in choices)
    return Column(name=forest.names[at], index=at, text=text, choices=choices, missing="nan")


def _booster(forest: Forest) -> Any:
    import lightgbm  # type: ignore[import-untyped, import-not-found, unused-ignore]

    return lightgbm.Booster(model_str=forest.text)


def _answer(booster: Any, plan: Plan, threads: int, batch: Batch) -> Array:
    """LightGBM's own answer: numbers, or the probabilities of classes."""
    value: Array = booster.predict(codes(plan, batch), num_threads=threads, validate_features=False)
    return value


def _boosting(forest: Forest) -> Boosting:
    name, *settings = forest.objective or ("",)
    scale = _scale(name, settings) / (_rounds(forest) if forest.averaged else 1)
    link: Link = "signed_square" if "sqrt" in settings else _LINKS.get(name, "identity")
    trees = [tree._replace(values=np.multiply(tree.values, scale)) for tree in forest.trees]
    return Boosting(trees=trees, start=np.zeros(forest.groups), link=link, single=False)


def _rounds(forest: Forest) -> int:
    return len(forest.trees) // forest.groups


def _scale(name: str, settings: list[str]) -> float:
    """What a sum is multiplied with before the sigmoid."""
    given = dict(each.split(":", 1) for each in settings if ":" in each)
    return float(given.get("sigmoid", 1)) if name in ("binary", "multiclassova") else 1.0


_LIBRARY = Library(
    name="LightGBM",
    prefix="lightgbm",
    packages=("lightgbm", "onnx", "onnxruntime", "numpy"),
    open=_open,
)


def _load(path: Path, options: LoadOptions) -> Model:
    return _conversion.load(path, options, _LIBRARY)


RUNTIME = Runtime(name="LightGBM", load=_load)
