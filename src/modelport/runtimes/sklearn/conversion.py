"""Converting an estimator to ONNX, and finding out whether the answers stay the same."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
import numpy as np
import onnx
import onnx.compose
import skl2onnx  # type: ignore[import-untyped]
from onnx import TensorProto, helper
from skl2onnx.common.data_types import (  # type: ignore[import-untyped]
    DoubleTensorType,
    FloatTensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer  # type: ignore[import-untyped]
from sklearn.ensemble import (  # type: ignore[import-untyped]
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder  # type: ignore[import-untyped]
from sklearn.tree import BaseDecisionTree  # type: ignore[import-untyped]

from modelport.core.tensors import Array, Batch
from modelport.runtimes import _conversion
from modelport.runtimes._conversion import Attempt, Conversion, first_line, native
from modelport.runtimes._converted import Graph
from modelport.runtimes._plan import Plan
from modelport.runtimes.sklearn.checks import parts
from modelport.runtimes.sklearn.forests import forest_graph, is_forest
from modelport.runtimes.sklearn.missing import fill_missing, mark_missing
from modelport.runtimes.sklearn.native import answers, final, rows_of
from modelport.runtimes.sklearn.rows import check_rows
from modelport.runtimes.sklearn.view import TEXT_STEPS

__all__ = ["convert"]

_OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Versions that every converter of skl2onnx knows; its default is too new for some."""
_NAME = "scikit-learn"
_TREES = (
    BaseDecisionTree,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
"""Estimators that round their rows to single precision themselves, but for the next."""
_DOUBLE_TREES = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def convert(estimator: Any, plan: Plan, *, threads: int) -> Conversion:
    """The ONNX form of an estimator that gives its answers on check rows, or the reason why not.

    Double precision is tried first, because it is what most estimators compute in; trees round
    their rows to single precision, and ONNX has them in no other.
    """
    if any(isinstance(part, TEXT_STEPS) for part in parts(estimator)):
        return native(_NAME, "ONNX Runtime splits texts into words by other rules than Python's")
    try:
        batch, expected = _expected(estimator, plan)
    except Exception as error:  # however the estimator refuses them
        return native(_NAME, f"it refused the rows to compare with ({first_line(error)})")
    attempts = _attempts(estimator, plan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _conversion.convert(_NAME, attempts, plan, batch, expected, threads)


def _expected(estimator: Any, plan: Plan) -> tuple[Batch, dict[str, Array]]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        batch = check_rows(estimator, plan)
        try:
            return batch, answers(estimator, plan, rows_of(plan, batch))
        except ValueError:
            batch = check_rows(estimator, plan, positive=True)
            return batch, answers(estimator, plan, rows_of(plan, batch))


def _attempts(estimator: Any, plan: Plan) -> Iterator[Attempt]:
    adapted = _adapted(estimator, plan)
    last = final(adapted)
    trees = isinstance(last, _TREES) and not isinstance(last, _DOUBLE_TREES)
    for options in _options(adapted):
        if isinstance(last, _TREES) and isinstance(adapted, Pipeline) and len(adapted) > 1:
            yield partial(_mixed, adapted, plan, options)
        elif not trees:
            yield partial(_whole, adapted, plan, options, single=False)
        yield partial(_whole, adapted, plan, options, single=True)


def _adapted(estimator: Any, plan: Plan) -> Any:
    """A copy that says the same in the words that the converters know."""
    adapted = copy.deepcopy(estimator)
    places = {column.index: at for at, column in enumerate(plan.columns)}
    for part in parts(adapted):
        if isinstance(part, ColumnTransformer) and part.n_features_in_ == plan.width:
            _number_columns(part, places)
        if isinstance(part, VotingClassifier):
            part.flatten_transform = False
        # ONNX has no missing texts; the empty one is fed for them.
        if isinstance(part, SimpleImputer) and _has_texts(getattr(part, "statistics_", ())):
            part.missing_values = ""
        if isinstance(part, OneHotEncoder | OrdinalEncoder) and hasattr(part, "categories_"):
            part.categories_ = [_without_missing(values) for values in part.categories_]
    return adapted


def _number_columns(step: Any, places: Mapping[int, int]) -> None:
    """Address columns by their place among the inputs, however they were addressed before."""
    taken = step._transformer_to_input_indices
    step.transformers_ = [
        (name, inner, [places[index] for index in taken[name]])
        for name, inner, _ in step.transformers_
        if not (isinstance(inner, str) and inner == "drop") and len(taken[name])
    ]


def _has_texts(values: Iterable[object]) -> bool:
    return any(isinstance(value, str) for value in values)


def _without_missing(values: Any) -> Any:
    if values.dtype != object or not _has_texts(values):
        return values
    return np.array([v if isinstance(v, str) else "" for v in values], dtype=np.object_)


def _options(estimator: Any) -> list[dict[str, bool] | None]:
    """Options of the last step to try: a classifier's scores as an array, not as maps."""
    if not hasattr(estimator, "classes_"):
        return [None]
    if hasattr(estimator, "predict_proba"):
        return [{"zipmap": False}]
    return [{"zipmap": False, "raw_scores": True}, {"zipmap": False}, None]


def _whole(
    estimator: Any, plan: Plan, options: dict[str, bool] | None, *, single: bool
) -> tuple[Graph, bytes]:
    numbers = FloatTensorType if single else DoubleTensorType
    if is_forest(estimator):
        model = forest_graph(estimator, "X", _OPSETS)
    else:
        model = _to_onnx(estimator, _types(plan, numbers), options)
        if not single:
            fill_missing(model, estimator)
    return _graph(model, plan, single=single), model.SerializeToString()


def _mixed(pipeline: Any, plan: Plan, options: dict[str, bool] | None) -> tuple[Graph, bytes]:
    """The steps before the trees in double precision, then the rounding of scikit-learn's trees."""
    before, last = pipeline[:-1], pipeline.steps[-1][1]
    first = _to_onnx(before, _types(plan, DoubleTensorType), None)
    fill_missing(first, before)
    width = int(last.n_features_in_)
    if is_forest(last):
        second = forest_graph(last, "rounded", _OPSETS)
    else:
        second = _to_onnx(last, [("rounded", FloatTensorType([None, width]))], options)
    kind = second.graph.input[0].type.tensor_type.elem_type
    given = first.graph.output[0].name
    first.graph.node.append(helper.make_node("Cast", [given], ["before_rounded"], to=kind))
    del first.graph.output[:]
    first.graph.output.append(helper.make_tensor_value_info("before_rounded", kind, [None, width]))
    for model in (first, second):
        model.ir_version = 8
        for domain in model.opset_import:
            domain.version = _OPSETS[domain.domain]
    second = onnx.compose.add_prefix(second, "last_")
    joined = onnx.compose.merge_models(first, second, [("before_rounded", "last_rounded")])
    graph = _graph(joined, plan, single=False)
    if kind == TensorProto.FLOAT:
        graph = msgspec.structs.replace(graph, overflow=_count_overflow(joined.graph))
    return graph, joined.SerializeToString()


def _count_overflow(graph: onnx.GraphProto) -> str:
    """Add an output that counts the values which rounding made infinite; its name."""
    steps = [
        helper.make_node("IsInf", ["before_rounded"], ["infinite"]),
        helper.make_node("Cast", ["infinite"], ["infinite_ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["infinite_ones"], ["overflow"], keepdims=0),
    ]
    graph.node.extend(steps)
    graph.output.append(helper.make_tensor_value_info("overflow", TensorProto.FLOAT, []))
    return "overflow"


def _types(plan: Plan, numbers: Any) -> list[tuple[str, Any]]:
    if plan.layout == "matrix":
        kind = StringTensorType if plan.columns[0].text else numbers
        return [("X", kind([None, len(plan.columns)]))]
    return [
        (f"x{at}", (StringTensorType if column.text else numbers)([None, 1]))
        for at, column in enumerate(plan.columns)
    ]


def _to_onnx(estimator: Any, types: list[tuple[str, Any]], options: Any) -> Any:
    chosen = {id(estimator): options} if options else None
    model = skl2onnx.to_onnx(estimator, initial_types=types, options=chosen, target_opset=_OPSETS)
    mark_missing(model, estimator)
    return model


def _graph(model: Any, plan: Plan, *, single: bool) -> Graph:
    outputs = tuple(output.name for output in model.graph.output)[: len(plan.outputs)]
    inputs = tuple(value.name for value in model.graph.input)
    if len(inputs) != (len(plan.columns) if plan.layout == "columns" else 1):
        raise ValueError("the converted model takes other inputs")
    return Graph(single=single, outputs=outputs, inputs=inputs)
