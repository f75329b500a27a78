"""Missing values in converted models, where skl2onnx leaves them out or loses precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.tree._tree import Tree  # type: ignore[import-untyped]

from modelport.runtimes.sklearn.checks import parts

__all__ = ["fill_missing", "mark_missing"]

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


def fill_missing(model: onnx.ModelProto, estimator: Any) -> None:
    """Let imputers work in double precision, in place.

    ONNX Runtime has the operator for single precision alone, and its attribute holds the values
    in that; here they are those of the estimator.
    """
    known = {
        part.statistics_.astype(np.float32).tobytes(): part.statistics_
        for part in parts(estimator)
        if isinstance(part, SimpleImputer)
        and hasattr(part, "statistics_")
        and part.statistics_.dtype.kind == "f"
    }
    for at, node in enumerate(list(model.graph.node)):
        values = next((a.floats for a in node.attribute if a.name == "imputed_value_floats"), ())
        filling = known.get(np.array(values, dtype=np.float32).tobytes())
        if node.op_type == "Imputer" and filling is not None:
            _fill(model.graph, node, filling, f"filling_{at}")


def _fill(graph: onnx.GraphProto, node: onnx.NodeProto, filling: Any, name: str) -> None:
    """Put `where(isnan(x), filling, x)` in the place of an imputer."""
    at = list(graph.node).index(node)
    given, result = node.input[0], node.output[0]
    graph.initializer.append(numpy_helper.from_array(filling.astype(np.float64), name))
    graph.node.remove(node)
    graph.node.insert(at, helper.make_node("Where", [f"{name}_at", name, given], [result]))
    graph.node.insert(at, helper.make_node("IsNaN", [given], [f"{name}_at"]))


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
