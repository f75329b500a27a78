"""Writes the models that the tests use: `python tests/data/make.py`.

linear.onnx: x FP64 [?, 3] → y FP64 [?], y = 0.4 + 0.1 a + 0.2 b + 0.3 c. The bias is the first
weight, of a column of ones, so that [1, 2, 3] gives exactly 1.8 in double precision.

fails.onnx: the same signature; it loads, and every run fails, as no number of rows of 3 has 7
elements.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def linear() -> onnx.ModelProto:
    weights = np.array([0.4, 0.1, 0.2, 0.3])
    nodes = [
        helper.make_node("Shape", ["x"], ["rows"], end=1),
        helper.make_node("Concat", ["rows", "one"], ["column"], axis=0),
        helper.make_node(
            "ConstantOfShape", ["column"], ["ones"], value=numpy_helper.from_array(np.ones(1))
        ),
        helper.make_node("Concat", ["ones", "x"], ["row"], axis=1),
        helper.make_node("MatMul", ["row", "weights"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "one"),
    ]
    return _model("linear", nodes, constants)


def fails() -> onnx.ModelProto:
    nodes = [helper.make_node("Reshape", ["x", "seven"], ["y"])]
    return _model("fails", nodes, [numpy_helper.from_array(np.array([7]), "seven")])


def _model(
    name: str, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["rows", 3])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None])],
        constants,
    )
    opset = helper.make_opsetid("", 15)
    model = helper.make_model(graph, producer_name="", opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    folder = Path(__file__).parent
    onnx.save(linear(), folder / "linear.onnx")
    onnx.save(fails(), folder / "fails.onnx")
