"""Checks of what compiled scikit-learn code would read out of bounds.

scikit-learn follows the indexes of a fitted model without bounds checks, because it made them
itself. A damaged or hostile file can hold others, and would make the process read foreign memory
or crash (https://github.com/scikit-learn/scikit-learn/pull/34558). Everything here raises
`ValueError` with what is wrong; the caller names the file.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zipfile import ZipFile

import numpy as np
from sklearn.base import BaseEstimator  # type: ignore[import-untyped]
from sklearn.ensemble import (  # type: ignore[import-untyped]
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.neighbors import BallTree, KDTree  # type: ignore[import-untyped]
from sklearn.neighbors._base import NeighborsBase  # type: ignore[import-untyped]
from sklearn.svm._base import BaseLibSVM  # type: ignore[import-untyped]
from sklearn.tree import BaseDecisionTree  # type: ignore[import-untyped]
from sklearn.tree._tree import Tree  # type: ignore[import-untyped]

from modelport.runtimes.sklearn.trusted import nodes

__all__ = ["check_file", "check_fitted", "parts"]


def check_file(schema: object, archive: ZipFile) -> None:
    """Refuse arguments for which the constructor of a tree itself reads out of bounds.

    skops takes any earlier node with the same `__id__` for a node, so all of them are checked.

    Raises:
        ValueError: a tree has fewer class counts than outputs.
    """
    same: dict[object, list[Any]] = defaultdict(list)
    for node in nodes(schema):
        same[node.get("__id__")].append(node)
    for tree in nodes(schema):
        if tree["__loader__"] != "TreeNode":
            continue
        reduced: Any = tree["__reduce__"]
        for args in _likely(reduced["args"], same):
            _check_arguments(args, same, archive)


def _likely(node: Mapping[str, Any], same: Mapping[object, list[Any]]) -> list[Any]:
    return same[node["__id__"]] if "__id__" in node else [node]


def _check_arguments(
    args: Mapping[str, Any], same: Mapping[object, list[Any]], archive: ZipFile
) -> None:
    _, counts, outputs = args["content"]
    needed = [int(json.loads(node["content"])) for node in _likely(outputs, same)]
    for node in _likely(counts, same):
        array = np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
        _require(array.ndim == 1 and array.dtype.kind in "iu", "a tree's class counts are no list")
        _require(
            bool(needed) and min(needed) >= 1 and max(needed) <= len(array),
            "a tree has fewer class counts than outputs",
        )


def parts(root: object) -> Iterator[object]:
    """`root` and every object that it holds, each once."""
    stack, seen = [root], set()
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, str | bytes | int | float | type(None) | type):
            continue
        seen.add(id(item))
        yield item
        stack.extend(_held(item))


def _held(item: object) -> list[object]:
    held: list[object] = []
    if isinstance(item, Mapping):
        held.extend(item.values())
    elif isinstance(item, list | tuple | set):
        held.extend(item)
    elif isinstance(item, np.ndarray):
        held.extend(item.ravel().tolist() if item.dtype == object else [])
    held.extend(getattr(item, "__dict__", {}).values())
    return held


def check_fitted(root: object) -> None:
    """Refuse an estimator, or a step of it, whose arrays do not fit each other.

    Steps without fitted attributes, such as the pattern of an ensemble, have nothing to read.

    Raises:
        ValueError: says what does not fit.
    """
    everything = list(parts(root))
    for kind, check in _CHECKS:
        for part in everything:
            if isinstance(part, kind):
                check(part)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _check_tree(tree: Any) -> None:
    _require(1 <= tree.node_count <= tree.capacity, "a tree counts more nodes than it has")
    _require(bool((tree.n_classes >= 1).all()), "a tree has an output without values")
    inner = tree.children_left != -1
    _check_nodes(
        tree.children_left[inner],
        tree.children_right[inner],
        tree.feature[inner],
        at=np.flatnonzero(inner),
        count=tree.node_count,
        width=tree.n_features,
    )


def _check_nodes(left: Any, right: Any, feature: Any, *, at: Any, count: int, width: int) -> None:
    """Children stand behind their parents in every tree that scikit-learn grows: no cycles."""
    for child in (left, right):
        within = bool(((child > at) & (child < count)).all())
        _require(within, "a tree has a node whose child is out of range")
    within = bool(((feature >= 0) & (feature < width)).all())
    _require(within, "a tree splits on a feature that does not exist")


def _check_decision_tree(model: Any) -> None:
    if hasattr(model, "tree_"):
        _require(isinstance(model.tree_, Tree), "a decision tree has no nodes")
        fits = model.tree_.n_features == getattr(model, "n_features_in_", None)
        _require(fits, "a tree has another number of features than its model")


def _check_boosting(model: Any) -> None:
    if not hasattr(model, "estimators_"):
        return
    trees = np.asarray(model.estimators_)
    _require(trees.ndim == 2 and trees.size > 0, "the boosting stages are no table of trees")
    for tree in trees.ravel():
        _require(isinstance(tree, BaseDecisionTree), "a boosting stage is not a tree")
        fits = tree.n_features_in_ == model.n_features_in_ and tree.tree_.n_outputs == 1
        _require(fits, "a boosting stage has another shape than its model")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))
    _require(start.shape == (1, trees.shape[1]), "the boosting stages do not fit their start")


def _check_histograms(model: Any) -> None:
    if not hasattr(model, "_predictors"):
        return
    bins = model._bin_mapper
    categorical = np.asarray(bins.is_categorical_)
    width = model.n_features_in_
    _require(categorical.shape == (width,), "the bins do not fit the number of features")
    _check_reordered(model, width)
    for predictor in (one for stage in model._predictors for one in stage):
        _check_predictor(predictor, categorical)


def _check_reordered(model: Any, width: int) -> None:
    if getattr(model, "_preprocessor", None) is not None:
        listed = [len(at) for at in model._preprocessor._transformer_to_input_indices.values()]
        _require(sum(listed) == width, "the encoder of categories gives another width")


def _check_predictor(predictor: Any, categorical: Any) -> None:
    table, bitsets = predictor.nodes, np.asarray(predictor.raw_left_cat_bitsets)
    _require(table.ndim == 1 and len(table) > 0, "a boosting stage has no nodes")
    _require(bitsets.ndim == 2 and bitsets.shape[1] == 8, "a boosting stage has no category sets")
    at = np.flatnonzero(table["is_leaf"] == 0)
    inner = table[at]
    left, right = inner["left"].astype(np.int64), inner["right"].astype(np.int64)
    feature = inner["feature_idx"].astype(np.int64)
    _check_nodes(left, right, feature, at=at, count=len(table), width=len(categorical))
    split = inner["is_categorical"] != 0
    known = bool(categorical[feature[split]].all())
    within = bool((inner["bitset_idx"][split].astype(np.int64) < len(bitsets)).all())
    _require(known and within, "a boosting stage splits on categories that do not exist")


def _check_vectors(model: Any) -> None:
    if not hasattr(model, "support_vectors_"):
        return
    _require(not model._sparse, "support vectors in a sparse matrix are not checked")
    vectors, counts = model.support_vectors_, model._n_support
    total, pairs = len(model.support_), len(counts) * (len(counts) - 1) // 2
    if model.kernel == "precomputed":
        fits = bool(((model.support_ >= 0) & (model.support_ < model.n_features_in_)).all())
    else:
        fits = vectors.shape == (total, model.n_features_in_)
    fits &= bool((counts >= 0).all()) and model._dual_coef_.shape[1] == total
    if model._impl in ("c_svc", "nu_svc"):
        classes = len(model.classes_)
        fits &= len(counts) == classes >= 2 and int(counts.sum()) == total
        fits &= model._dual_coef_.shape[0] == classes - 1 and len(model._intercept_) == pairs
        fits &= all(len(each) in (0, pairs) for each in (model._probA, model._probB))
        fits &= len(model._probA) == len(model._probB)
    else:
        fits &= len(model._dual_coef_) == 1 and len(model._intercept_) == 1
        fits &= len(counts) == 2 and all(len(each) <= 1 for each in (model._probA, model._probB))
    _require(fits, "the support vectors do not fit their counts")


def _check_neighbours(model: Any) -> None:
    if not hasattr(model, "_fit_X"):
        return
    points = model._fit_X
    dense = isinstance(points, np.ndarray) and points.ndim == 2
    _require(dense and points.shape[1] == model.n_features_in_, "its points have another width")
    targets = getattr(model, "_y", None)
    if targets is None:
        return
    _require(len(targets) == len(points), "its points and their targets differ in number")
    if hasattr(model, "classes_"):
        several = isinstance(model.classes_, list)
        counts = np.array([len(c) for c in (model.classes_ if several else [model.classes_])])
        within = bool(((targets >= 0) & (targets < (counts if several else counts[0]))).all())
        _require(within, "a target is not one of its classes")
    tree = getattr(model, "_tree", None)
    if tree is not None:
        same = np.asarray(tree.data).shape == points.shape
        _require(same, "its search tree is of other points")


def _check_search_tree(tree: Any) -> None:
    state = tree.__getstate__()
    data, order, table, bounds = (np.asarray(each) for each in state[:4])
    count = int(state[6])
    at = np.arange(count)
    _require(1 <= count <= len(table), "a search tree counts more nodes than it has")
    _require(
        bounds.shape[1:] == (len(table), data.shape[1])
        and bounds.shape[0] == (2 if isinstance(tree, KDTree) else 1),
        "a search tree has other bounds than nodes",
    )
    inside = len(order) == len(data) and bool(((order >= 0) & (order < len(data))).all())
    start, end = table["idx_start"][:count], table["idx_end"][:count]
    inside &= bool(((start >= 0) & (start <= end) & (end <= len(data))).all())
    inside &= bool((2 * at[table["is_leaf"][:count] == 0] + 2 < count).all())
    _require(inside, "a search tree has an index out of range")


def _check_centers(model: Any) -> None:
    centers = getattr(model, "cluster_centers_", None)
    if centers is not None:
        fits = isinstance(centers, np.ndarray) and centers.ndim == 2
        fits = fits and centers.shape[1] == getattr(model, "n_features_in_", None)
        _require(fits, "its cluster centres have another width than its features")


def _check_position(random: Any) -> None:
    position = random.get_state(legacy=False)["state"].get("pos", 0)
    _require(0 <= position <= 624, "a random state points out of its numbers")


def _check_generator(random: Any) -> None:
    kind = random.bit_generator.state["bit_generator"]
    _require(kind == "PCG64", f"a random generator is of the kind {str(kind)[:20]}")


_CHECKS: tuple[tuple[type | tuple[type, ...], Callable[[Any], None]], ...] = (
    (Tree, _check_tree),
    (BaseDecisionTree, _check_decision_tree),
    ((HistGradientBoostingClassifier, HistGradientBoostingRegressor), _check_histograms),
    (BaseLibSVM, _check_vectors),
    (NeighborsBase, _check_neighbours),
    ((KDTree, BallTree), _check_search_tree),
    (BaseEstimator, _check_centers),
    (np.random.RandomState, _check_position),
    (np.random.Generator, _check_generator),
    # The last, because it asks the estimator that the boosting starts from.
    ((GradientBoostingClassifier, GradientBoostingRegressor), _check_boosting),
)
