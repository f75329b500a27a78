"""ONNX graphs of trees, from their arrays.

Converters of other projects round thresholds and sums in their own ways; here a row takes the same
way through a tree as in the library that grew it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelport.core.tensors import DType
from modelport.runtimes._trees import Link, Numbers, Tree

__all__ = ["boosted", "constant", "ensemble", "label", "linear", "linked", "model", "node"]


def node(
    kind: str, given: str, result: str, second: str | None = None, **attributes: Any
) -> onnx.NodeProto:
    """An operator of one or two inputs."""
    inputs = [given] if second is None else [given, second]
    return helper.make_node(kind, inputs, [result], **attributes)


def constant(name: str, values: Numbers) -> onnx.TensorProto:
    """A tensor of at least one dimension."""
    return numpy_helper.from_array(np.atleast_1d(values), name)


def linked(link: Link) -> list[onnx.NodeProto]:
    """The operators from `raw` to `answer`."""
    if link == "binary":
        return [
            node("Sigmoid", "raw", "second"),
            node("Neg", "raw", "opposite"),
            node("Sigmoid", "opposite", "first"),
            helper.make_node("Concat", ["first", "second"], ["answer"], axis=1),
        ]
    if link == "signed_square":
        return [node("Abs", "raw", "size"), node("Mul", "raw", "answer", second="size")]
    if link == "softmax":
        return [node("Softmax", "raw", "answer", axis=1)]
    single = {"identity": "Identity", "exp": "Exp", "log1p_exp": "Softplus", "sigmoid": "Sigmoid"}
    return [node(single[link], "raw", "answer")]


def label(
    classes: Numbers, constants: list[onnx.TensorProto], nodes: list[onnx.NodeProto]
) -> onnx.ValueInfoProto:
    """Add the class of the largest element of `answer`, as `label`."""
    texts = classes.dtype.kind in "OUS"
    kind = TensorProto.STRING if texts else TensorProto.DOUBLE
    names = classes.astype(object if texts else np.float64)
    if classes.dtype.kind in "biu":
        kind, names = TensorProto.INT64, classes.astype(np.int64)
    constants.append(constant("classes", names))
    nodes.append(node("ArgMax", "answer", "best", axis=1, keepdims=0))
    nodes.append(node("Gather", "classes", "label", second="best"))
    return helper.make_tensor_value_info("label", kind, [None])


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    given: onnx.ValueInfoProto,
    outputs: Sequence[onnx.ValueInfoProto],
    opsets: dict[str, int],
) -> onnx.ModelProto:
    """A model of one input."""
    graph = helper.make_graph(nodes, "trees", [given], outputs, constants)
    versions = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


def boosted(
    trees: Sequence[Tree],
    start: Numbers,
    link: Link,
    *,
    width: int,
    classes: Numbers | None,
    rows: DType,
    sums: DType,
    mode: str,
    opsets: dict[str, int],
) -> onnx.ModelProto:
    """Trees over rows `X`, whose sum from `start` is linked to `answer`, and `label` if asked."""
    taken, kind = (helper.np_dtype_to_tensor_dtype(each.numpy) for each in (rows, sums))
    given = helper.make_tensor_value_info("X", taken, [None, width])
    nodes = [
        node("Cast", "X", "rows", to=kind),
        ensemble(trees, "rows", double=sums is DType.FP64, mode=mode),
        node("Cast", "votes", "sums", to=kind),
        node("Add", "sums", "raw", second="start"),
        *linked(link),
    ]
    if not start.any():
        nodes[2:4] = [node("Cast", "votes", "raw", to=kind)]
    constants = [constant("start", start.astype(sums.numpy))] if start.any() else []
    return _answering(nodes, constants, given, kind, classes, opsets)


def linear(
    weights: Numbers, bias: Numbers, link: Link, *, classes: Numbers | None, opsets: dict[str, int]
) -> onnx.ModelProto:
    """Rows `X`, where NaN counts as 0, times weights, linked to `answer`, and `label` if asked."""
    nodes = [
        node("IsNaN", "X", "missing"),
        helper.make_node("Where", ["missing", "zero", "X"], ["given"]),
        node("MatMul", "given", "sums", second="weights"),
        node("Add", "sums", "raw", second="bias"),
        *linked(link),
    ]
    numbers = {"weights": weights, "bias": bias, "zero": np.zeros(1)}
    constants = [constant(name, each.astype(np.float32)) for name, each in numbers.items()]
    given = helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, len(weights)])
    return _answering(nodes, constants, given, TensorProto.FLOAT, classes, opsets)


def _answering(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    given: onnx.ValueInfoProto,
    kind: int,
    classes: Numbers | None,
    opsets: dict[str, int],
) -> onnx.ModelProto:
    outputs = [helper.make_tensor_value_info("answer", kind, [None, None])]
    if classes is not None:
        outputs.insert(0, label(classes, constants, nodes))
    return model(nodes, constants, given, outputs, opsets)


def ensemble(
    trees: Sequence[Tree], name: str, *, double: bool, mode: str = "BRANCH_LEQ"
) -> onnx.NodeProto:
    """The sum of the trees' leaves for rows in `name`, as `votes`: of single precision, always."""
    whole = [tree.left < 0 for tree in trees]  # where the leaves are
    sizes = [len(tree.left) for tree in trees]
    leaf = np.concatenate(whole)
    targets = [_targets(tree) for tree in trees]
    per_tree = list(zip(trees, whole, targets, strict=True))
    places = [np.repeat(np.flatnonzero(at), len(to)) for _, at, to in per_tree]
    counts = [len(place) for place in places]
    number = np.float64 if double else np.float32
    weights = _all(tree.values[at][:, to].ravel() for tree, at, to in per_tree)
    lists = {
        "nodes_treeids": np.repeat(np.arange(len(trees)), sizes),
        "nodes_nodeids": np.concatenate([np.arange(size) for size in sizes]),
        "nodes_featureids": np.where(leaf, 0, _all(t.feature for t in trees)),
        "nodes_truenodeids": np.where(leaf, 0, _all(t.left for t in trees)),
        "nodes_falsenodeids": np.where(leaf, 0, _all(t.right for t in trees)),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, _all(t.missing_left for t in trees)),
        "target_treeids": np.repeat(np.arange(len(trees)), counts),
        "target_nodeids": np.concatenate(places),
        "target_ids": _all(np.tile(to, at.sum()) for _, at, to in per_tree),
    }
    values = np.where(leaf, 0.0, _all(t.threshold for t in trees)).astype(number)
    attributes: dict[str, Any] = {key: at.astype(int).tolist() for key, at in lists.items()}
    attributes["nodes_modes"] = ["LEAF" if at else mode for at in leaf]
    ending = "_as_tensor" if double else ""
    for key, numbers in (("nodes_values", values), ("target_weights", weights.astype(number))):
        attributes[key + ending] = constant(key, numbers) if double else numbers.tolist()
    return helper.make_node(
        "TreeEnsembleRegressor",
        [name],
        ["votes"],
        domain="ai.onnx.ml",
        n_targets=trees[0].values.shape[1],
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )


def _all(arrays: Iterable[Numbers]) -> Numbers:
    return np.concatenate(list(arrays))


def _targets(tree: Tree) -> Numbers:
    """The targets that a tree adds to; at least one."""
    used: Numbers = np.flatnonzero(tree.values.any(axis=0))
    return used if len(used) else np.zeros(1, dtype=np.int64)
