"""XGBoost's `.json` and `.ubj` files, run through ONNX where that answers the same. Grade: silver.

Both kinds of file are data. They are read and checked by `files`, because XGBoost itself follows
their indexes unchecked. The input is one `X` of numbers, NaN where missing; where the file names
categories by text (XGBoost 3.1 and later, trained on a DataFrame), one input for each column. A
model that splits on categories runs in XGBoost itself. Not supported: trees with several targets
in one leaf, and files in the old binary format.

XGBoost takes a second to import, so it is imported where it is needed: a file that was converted
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
    linear_graph,
    opened,
    plan_of,
    value_output,
)
from modelport.runtimes._conversion import Attempt, Library, Opened, content
from modelport.runtimes._plan import Column, Plan
from modelport.runtimes._trees import Link, Tree
from modelport.runtimes.base import LoadOptions, Model, Runtime
from modelport.runtimes.xgboost.files import Learner, read

__all__ = ["RUNTIME"]

_EXPONENTS = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_LINKS: dict[str, Link] = {
    **dict.fromkeys(_EXPONENTS, "exp"),
    "reg:logistic": "sigmoid",
    "binary:logistic": "binary",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
}


def _open(path: Path, options: LoadOptions) -> Opened:
    try:
        learner = read(content(path, options), binary=path.suffix.lower() == ".ubj")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = _conversion.first_line(error)
        raise CorruptModel(f"'{path.name}' is no usable XGBoost model: {reason}") from error
    plan = _plan(learner)
    answer = partial(_answer, _booster(learner, options.threads), learner, plan)
    if learner.splits_on_categories or learner.categories:
        return opened("XGBoost", plan, answer, single=True, why_native="it splits on categories")
    return opened(
        "XGBoost",
        plan,
        answer,
        single=True,
        attempts=_attempts(learner, plan),
        splits=_boosting(learner, _margins(learner)[0]).splits(),
    )


def _plan(learner: Learner) -> Plan:
    columns = [_column(learner, at) for at in range(learner.width)]
    classes = 2 if _LINKS.get(learner.objective) == "binary" else learner.groups
    if classes > 1 and _LINKS.get(learner.objective) in ("binary", "softmax"):
        outputs = class_outputs(DType.FP32, range(classes))
    else:
        outputs = value_output(DType.FP32, learner.groups)
    return plan_of(columns, outputs, named=bool(learner.names))


def _column(learner: Learner, at: int) -> Column:
    choices = learner.categories.get(at, ())
    return Column(
        name=learner.names[at] if learner.names else f"f{at}",
        index=at,
        text=any(isinstance(choice, str) for choice in choices),
        choices=choices,
        open=not choices,
        missing="nan",
    )


def _booster(learner: Learner, threads: int) -> Any:
    import xgboost  # type: ignore[import-untyped, import-not-found, unused-ignore]

    booster = xgboost.Booster({"nthread": threads, "verbosity": 0})
    booster.load_model(bytearray(learner.rewritten()))
    return booster


def _answer(booster: Any, learner: Learner, plan: Plan, batch: Batch) -> Array:
    """XGBoost's own answer: numbers, or the probabilities of classes."""
    raw = learner.objective == "multi:softmax"  # its answer is the label alone
    rows = codes(plan, batch).astype(np.float32)
    value = (_ask_linear if learner.booster == "gblinear" else _ask)(booster, learner, rows, raw)
    return _softmax(value.reshape(len(rows), -1)) if raw else value


def _ask(booster: Any, learner: Learner, rows: Array, raw: bool) -> Array:
    value: Array = booster.inplace_predict(
        rows,
        iteration_range=(0, learner.rounds),
        predict_type="margin" if raw else "value",
        validate_features=False,
    )
    return value


def _ask_linear(booster: Any, learner: Learner, rows: Array, raw: bool) -> Array:
    import xgboost

    matrix = xgboost.DMatrix(rows, nthread=1)
    value: Array = booster.predict(matrix, output_margin=raw, validate_features=False)
    return value


def _softmax(margins: Any) -> Array:
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _attempts(learner: Learner, plan: Plan) -> list[Attempt]:
    """Conversions, one for each meaning that the base score had in versions of XGBoost."""
    if learner.booster == "gblinear":
        return [partial(_linear, learner, plan, start) for start in _margins(learner)]
    return [partial(graph_of, _boosting(learner, start), plan) for start in _margins(learner)]


def _margins(learner: Learner) -> list[Any]:
    """What the base score adds to the sum: as a probability or mean, or as it stands."""
    base = np.broadcast_to(np.array(learner.base_score), (learner.groups,))
    link = _LINKS.get(learner.objective, "identity")
    with np.errstate(all="ignore"):
        if link in ("binary", "sigmoid"):
            return [np.log(base / (1 - base)), base]
        return [np.log(base), base] if link == "exp" else [base]


def _boosting(learner: Learner, start: Any) -> Boosting:
    trees, left = _started(learner, start)
    return Boosting(
        trees=trees,
        start=left,
        link=_LINKS.get(learner.objective, "identity"),
        single=True,
        single_sums=True,
        below=True,
    )


def _started(learner: Learner, start: Any) -> tuple[list[Tree], Any]:
    """The trees with the start in the first of each target, and what is left of it.

    XGBoost adds the trees to the start one by one in single precision; so do these.
    """
    trees, left = list(learner.trees), np.array(start)
    for target in range(learner.groups):
        if target in learner.targets:
            at = learner.targets.index(target)
            values = trees[at].values.astype(np.float32)
            values[:, target] += np.float32(start[target])
            trees[at] = trees[at]._replace(values=values)
            left[target] = 0.0
    return trees, left


def _linear(learner: Learner, plan: Plan, start: Any) -> Any:
    weights = np.array(learner.weights).reshape(-1, learner.groups)
    link = _LINKS.get(learner.objective, "identity")
    return linear_graph(weights[:-1], weights[-1] + start, link, plan)


_LIBRARY = Library(
    name="XGBoost",
    prefix="xgboost",
    packages=("xgboost", "onnx", "onnxruntime", "numpy"),
    open=_open,
)


def _load(path: Path, options: LoadOptions) -> Model:
    return _conversion.load(path, options, _LIBRARY)


RUNTIME = Runtime(name="XGBoost", load=_load)
