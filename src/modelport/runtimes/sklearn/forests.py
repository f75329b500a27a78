"""Forests as ONNX graphs of our own.

skl2onnx divides the shares of each leaf by the number of trees and rounds the quotients, so that
two classes with equally many votes come out unequal and the label depends on rounding. Here the
votes are added first, without rounding, and divided in double precision. Missing values go the
way that the trees say, and thresholds are rounded so that no row changes its side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
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

__all__ = ["forest_graph", "is_forest"]

_CLASSIFIERS = (RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier)
_REGRESSORS = (RandomForestRegressor, ExtraTreesRegressor, DecisionTreeRegressor)
_HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)

_Numbers = npt.NDArray[np.generic]


class _Nodes(NamedTuple):
    """One tree: of each node its children (-1 at a leaf), its split, and what a leaf adds."""

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: _Numbers
    threshold: _Numbers
    missing_left: _Numbers
    values: _Numbers
    """By node and target."""


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
    nodes = [_ensemble(summed, name, double=double), _node("Cast", "votes", "sums", to=_DOUBLE)]
    constants = []
    if double:
        nodes.append(_node("Add", "sums", "raw", second="start"))
        constants.append(_constant("start", np.asarray(estimator._baseline_prediction)))
        nodes += _linked(estimator)
    else:
        nodes.append(_node("MatMul", "sums", "whole", second="parts"))
        nodes.append(_node("Div", "whole", "answer", second="count"))
        constants.append(_constant("parts", np.tile(np.eye(trees[0].values.shape[1]), (_PARTS, 1))))
        constants.append(_constant("count", np.array(float(len(trees)))))
    outputs = [helper.make_tensor_value_info("answer", _DOUBLE, [None, None])]
    if hasattr(estimator, "classes_"):
        label = _labels(estimator.classes_, constants, nodes)
        outputs.insert(0, label)
    graph = helper.make_graph(nodes, "forest", [given], outputs, constants)
    versions = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


_DOUBLE = TensorProto.DOUBLE
_PARTS = 3
"""How many numbers of single precision stand for one of double precision."""


def _node(
    kind: str, given: str, result: str, second: str | None = None, **attributes: Any
) -> onnx.NodeProto:
    inputs = [given] if second is None else [given, second]
    return helper.make_node(kind, inputs, [result], **attributes)


def _constant(name: str, values: _Numbers) -> onnx.TensorProto:
    return numpy_helper.from_array(np.atleast_1d(values), name)


def _linked(estimator: Any) -> list[onnx.NodeProto]:
    """From the sum of a boosting to its answer, and `raw` to probabilities of all classes."""
    if not hasattr(estimator, "classes_"):
        identity = isinstance(estimator._loss.link, IdentityLink)
        return [_node("Identity" if identity else "Exp", "raw", "answer")]
    if len(estimator.classes_) > 2:
        return [_node("Softmax", "raw", "answer", axis=1)]
    return [
        _node("Sigmoid", "raw", "second"),
        _node("Neg", "raw", "opposite"),
        _node("Sigmoid", "opposite", "first"),
        helper.make_node("Concat", ["first", "second"], ["answer"], axis=1),
    ]


def _labels(
    classes: _Numbers, constants: list[onnx.TensorProto], nodes: list[onnx.NodeProto]
) -> onnx.ValueInfoProto:
    texts = classes.dtype.kind in "OUS"
    kind = TensorProto.STRING if texts else TensorProto.DOUBLE
    names = classes.astype(object if texts else np.float64)
    if classes.dtype.kind in "biu":
        kind, names = TensorProto.INT64, classes.astype(np.int64)
    constants.append(_constant("classes", names))
    nodes.append(_node("ArgMax", "answer", "best", axis=1, keepdims=0))
    nodes.append(_node("Gather", "classes", "label", second="best"))
    return helper.make_tensor_value_info("label", kind, [None])


def _grown(estimator: Any) -> list[_Nodes]:
    trees = [each.tree_ for each in getattr(estimator, "estimators_", [estimator])]
    values = [
        t.value[:, 0, :] if hasattr(estimator, "classes_") else t.value[:, :, 0] for t in trees
    ]
    return [
        _Nodes(
            tree.children_left,
            tree.children_right,
            tree.feature,
            _below(tree.threshold),
            tree.__getstate__()["nodes"]["missing_go_to_left"],
            value,
        )
        for tree, value in zip(trees, values, strict=True)
    ]


def _in_parts(trees: list[_Nodes]) -> list[_Nodes]:
    """The trees with each target as several, whose sums are exact in single precision.

    ONNX Runtime adds the leaves in single precision and in any order, one for a row alone and
    another for a batch. A part has so few bits that a sum of all trees rounds nothing.
    """
    carry = math.ceil(math.log2(len(trees)))
    bits = min(24 - carry, (53 - carry) // _PARTS)  # of single precision; of all parts' sum
    top = max(float(np.abs(tree.values).max()) for tree in trees)
    unit = 2.0 ** math.frexp(top)[1]
    return [tree._replace(values=_split(tree.values, unit, bits)) for tree in trees]


def _split(values: _Numbers, unit: float, bits: int) -> _Numbers:
    """Values as parts side by side: multiples of `unit / 2**bits`, then those of what is left."""
    left, parts = values.astype(np.float64), []
    for _ in range(_PARTS):
        unit = math.ldexp(unit, -bits)
        parts.append(np.round(left / unit) * unit)
        left = left - parts[-1]
    return np.concatenate(parts, axis=1)


def _below(threshold: npt.NDArray[np.float64]) -> _Numbers:
    """The largest number of single precision that is not above: `x <= t` stays what it was."""
    rounded = threshold.astype(np.float32)
    lower = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > threshold, lower, rounded)


def _boosted(estimator: Any) -> list[_Nodes]:
    targets = len(estimator._predictors[0])
    trees = []
    for stage in estimator._predictors:
        for target, predictor in enumerate(stage):
            table = predictor.nodes
            leaf = table["is_leaf"] != 0
            values = np.zeros((len(table), targets))
            values[:, target] = table["value"]
            trees.append(
                _Nodes(
                    np.where(leaf, -1, table["left"].astype(np.int64)),
                    np.where(leaf, -1, table["right"].astype(np.int64)),
                    table["feature_idx"],
                    table["num_threshold"],
                    table["missing_go_to_left"],
                    values,
                )
            )
    return trees


def _ensemble(trees: list[_Nodes], name: str, *, double: bool) -> onnx.NodeProto:
    whole = [tree.left < 0 for tree in trees]  # where the leaves are
    sizes = [len(tree.left) for tree in trees]
    leaf = np.concatenate(whole)
    targets = trees[0].values.shape[1]
    number = np.float64 if double else np.float32
    added = [_added(tree, at) for tree, at in zip(trees, whole, strict=True)]
    weights = np.concatenate([t.values[a] for t, a in zip(trees, added, strict=True)])
    lists = {
        "nodes_treeids": np.repeat(np.arange(len(trees)), sizes),
        "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]),
        "nodes_featureids": np.where(leaf, 0, _all(t.feature for t in trees)),
        "nodes_truenodeids": np.where(leaf, 0, _all(t.left for t in trees)),
        "nodes_falsenodeids": np.where(leaf, 0, _all(t.right for t in trees)),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, _all(t.missing_left for t in trees)),
        "target_treeids": np.repeat(np.arange(len(trees)), [len(node) for node, _ in added]),
        "target_nodeids": np.concatenate([node for node, _ in added]),
        "target_ids": np.concatenate([target for _, target in added]),
    }
    values = np.where(leaf, 0.0, _all(t.threshold for t in trees)).astype(number)
    attributes: dict[str, Any] = {key: at.astype(int).tolist() for key, at in lists.items()}
    attributes["nodes_modes"] = ["LEAF" if at else "BRANCH_LEQ" for at in leaf]
    ending = "_as_tensor" if double else ""
    for key, numbers in (("nodes_values", values), ("target_weights", weights.astype(number))):
        attributes[key + ending] = _constant(key, numbers) if double else numbers.tolist()
    return helper.make_node(
        "TreeEnsembleRegressor",
        [name],
        ["votes"],
        domain="ai.onnx.ml",
        n_targets=targets,
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )


def _added(tree: _Nodes, leaf: npt.NDArray[np.bool_]) -> tuple[_Numbers, _Numbers]:
    """The nodes and the targets of what the leaves add; a zero is left out beside another part."""
    adds = tree.values != 0
    adds[:, 0] = True
    nodes, targets = np.nonzero(adds & leaf[:, np.newaxis])
    return nodes, targets


def _all(arrays: Iterable[_Numbers]) -> _Numbers:
    return np.concatenate(list(arrays))
