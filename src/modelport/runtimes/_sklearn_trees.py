"""Missing values in converted trees: skl2onnx leaves out on which side they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from sklearn.tree._tree import Tree  # type: ignore[import-untyped]

from modelport.runtimes._sklearn_checks import parts

__all__ = ["mark_missing"]

_Whole = npt.NDArray[np.int64]


def mark_missing(model: onnx.ModelProto, estimator: Any) -> None:
    """Send NaN the way that the estimator's trees send it, in place.

    Trees are recognised by their shape and features. One that is not found leaves its ensemble
    as it is, and the comparison of answers decides.
    """
    sides = {
        _key(tree.children_left, tree.feature): tree.__getstate__()["nodes"]["missing_go_to_left"]
        for tree in _trees(estimator)
    }
    for node in model.graph.node:
        if node.op_type in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
            _mark(node, sides)


def _trees(estimator: Any) -> list[Any]:
    """All fitted trees of an estimator."""
    return [part for part in parts(estimator) if isinstance(part, Tree)]


def _key(left: _Whole, feature: _Whole) -> bytes:
    inner = left >= 0
    table = np.stack([np.where(inner, left, -1), np.where(inner, feature, -1)])
    return table.astype(np.int64).tobytes()


def _mark(node: onnx.NodeProto, sides: Mapping[bytes, npt.NDArray[np.uint8]]) -> None:
    lists = {a.name: np.array(a.ints, dtype=np.int64) for a in node.attribute if a.ints}
    modes = next(a.strings for a in node.attribute if a.name == "nodes_modes")
    leaf = np.array([mode == b"LEAF" for mode in modes])
    left = np.where(leaf, -1, lists["nodes_truenodeids"])
    tracks = np.zeros(len(leaf), dtype=np.int64)
    for tree in np.unique(lists["nodes_treeids"]):
        at = np.flatnonzero(lists["nodes_treeids"] == tree)
        at = at[np.argsort(lists["nodes_nodeids"][at])]
        side = sides.get(_key(left[at], lists["nodes_featureids"][at]))
        if side is None:
            return
        tracks[at] = np.where(leaf[at], 0, side)
    kept = [a for a in node.attribute if a.name != "nodes_missing_value_tracks_true"]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.append(helper.make_attribute("nodes_missing_value_tracks_true", tracks.tolist()))
