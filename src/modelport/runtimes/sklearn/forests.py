"""Forests as ONNX graphs of our own.

skl2onnx divides the shares of each leaf by the number of trees and rounds the quotients, so that
two classes with equally many votes come out unequal and the label depends on rounding. Here the
votes are added first, without rounding, and divided in double precision. Missing values go the
way that the trees say, and thresholds are rounded so that no row changes its side.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper
from sklearn._loss.link import IdentityLink, LogLink  # type: ignore[import-untyped]
from sklearn.ensemble import (  # type: ignore[import-untyped]
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # type: ignore[import-untyped]

from modelport.runtimes._tree_graph import constant, ensemble, label, linked, model, node
from modelport.runtimes._trees import Link, Numbers, Tree

__all__ = ["forest_graph", "is_forest"]

_CLASSIFIERS = (RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier)
_REGRESSORS = (RandomForestRegressor, ExtraTreesRegressor, DecisionTreeRegressor)
_HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def is_forest(estimator: Any) -> bool:
    """Whether `forest_graph` knows this estimator."""
    if isinstance(estimator, _HISTOGRAMS):
        categorical = estimator.is_categorical_ is not None and estimator.is_categorical_.any()
        links = (IdentityLink, LogLink)
        known = not hasattr(estimator, "classes_") and isinstance(estimator._loss.link, links)
        return not categorical and (known or hasattr(estimator, "classes_"))
    if isinstance(estimator, _CLASSIFIERS):
        return bool(estimator.n_outputs_ == 1)
    return isinstance(estimator, _REGRESSORS)


def forest_graph(estimator: Any, name: str, opsets: dict[str, int]) -> onnx.ModelProto:
    """The graph of a forest, with one input `name`; for histogram boosting it is of doubles."""
    double = isinstance(estimator, _HISTOGRAMS)
    trees = _boosted(estimator) if double else _grown(estimator)
    summed = trees if double else _in_parts(trees)
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    given = helper.make_tensor_value_info(name, kind, [None, estimator.n_features_in_])
    nodes = [ensemble(summed, name, double=double), node("Cast", "votes", "sums", to=_DOUBLE)]
    constants = []
    if double:
        nodes.append(node("Add", "sums", "raw", second="start"))
        constants.append(constant("start", np.asarray(estimator._baseline_prediction)))
        nodes += linked(_link(estimator))
    else:
        nodes.append(node("MatMul", "sums", "whole", second="parts"))
        nodes.append(node("Div", "whole", "answer", second="count"))
        constants.append(constant("parts", np.tile(np.eye(trees[0].values.shape[1]), (_PARTS, 1))))
        constants.append(constant("count", np.array(float(len(trees)))))
    outputs = [helper.make_tensor_value_info("answer", _DOUBLE, [None, None])]
    if hasattr(estimator, "classes_"):
        outputs.insert(0, label(estimator.classes_, constants, nodes))
    return model(nodes, constants, given, outputs, opsets)


_DOUBLE = TensorProto.DOUBLE
_PARTS = 3
"""How many numbers of single precision stand for one of double precision."""


def _link(estimator: Any) -> Link:
    if not hasattr(estimator, "classes_"):
        return "identity" if isinstance(estimator._loss.link, IdentityLink) else "exp"
    return "softmax" if len(estimator.classes_) > 2 else "binary"


def _grown(estimator: Any) -> list[Tree]:
    trees = [each.tree_ for each in getattr(estimator, "estimators_", [estimator])]
    values = [
        t.value[:, 0, :] if hasattr(estimator, "classes_") else t.value[:, :, 0] for t in trees
    ]
    return [
        Tree(
            tree.children_left,
            tree.children_right,
            tree.feature,
            _below(tree.threshold),
            tree.__getstate__()["nodes"]["missing_go_to_left"],
            value,
        )
        for tree, value in zip(trees, values, strict=True)
    ]


def _in_parts(trees: list[Tree]) -> list[Tree]:
    """The trees with each target as several, whose sums are exact in single precision.

    ONNX Runtime adds the leaves in single precision and in any order, one for a row alone and
    another for a batch. A part has so few bits that a sum of all trees rounds nothing.
    """
    carry = math.ceil(math.log2(len(trees)))
    bits = min(24 - carry, (53 - carry) // _PARTS)  # of single precision; of all parts' sum
    top = max(float(np.abs(tree.values).max()) for tree in trees)
    unit = 2.0 ** math.frexp(top)[1]
    return [tree._replace(values=_split(tree.values, unit, bits)) for tree in trees]


def _split(values: Numbers, unit: float, bits: int) -> Numbers:
    """Values as parts side by side: multiples of `unit / 2**bits`, then those of what is left."""
    left, parts = values.astype(np.float64), []
    for _ in range(_PARTS):
        unit = math.ldexp(unit, -bits)
        parts.append(np.round(left / unit) * unit)
        left = left - parts[-1]
    return np.concatenate(parts, axis=1)


def _below(threshold: npt.NDArray[np.float64]) -> Numbers:
    """The largest number of single precision that is not above: `x <= t` stays what it was."""
    rounded = threshold.astype(np.float32)
    lower = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > threshold, lower, rounded)


def _boosted(estimator: Any) -> list[Tree]:
    targets = len(estimator._predictors[0])
    trees = []
    for stage in estimator._predictors:
        for target, predictor in enumerate(stage):
            table = predictor.nodes
            leaf = table["is_leaf"] != 0
            values = np.zeros((len(table), targets))
            values[:, target] = table["value"]
            trees.append(
                Tree(
                    np.where(leaf, -1, table["left"].astype(np.int64)),
                    np.where(leaf, -1, table["right"].astype(np.int64)),
                    table["feature_idx"],
                    table["num_threshold"],
                    table["missing_go_to_left"],
                    values,
                )
            )
    return trees
