"""ONNX files whose weights are large."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["COLUMNS", "expected", "wide"]

COLUMNS = 256


def _weights(mib: int, seed: int) -> np.ndarray:
    shape = (COLUMNS, mib * 1024 * 1024 // (4 * COLUMNS))
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def wide(path: Path, mib: int, seed: int = 0) -> Path:
    """Write a model of that many MiB: x FP32 [?, 256] → y FP32 [?], the sum over x @ weights."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"]),
        helper.make_node("ReduceMean", ["wide"], ["y"], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, COLUMNS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(_weights(mib, seed), "w")],
    )
    opset = helper.make_opsetid("", 15)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


def expected(x: list[float], mib: int, seed: int = 0) -> float:
    """What the model answers to a row."""
    return float(np.mean(np.asarray(x, np.float32) @ _weights(mib, seed)))
