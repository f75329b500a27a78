"""ONNX: a small network, asked by onnx's own reference implementation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _dense(folder: Path) -> Truth:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(7)
    weights = rng.normal(size=(4, 2)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Tanh", ["h"], ["y"])],
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "dense.onnx")
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    (answer,) = ReferenceEvaluator(model).run(None, {"x": rows})
    return Truth(
        path="dense.onnx",
        inputs={"x": rows},
        outputs={"y": answer},
        prediction=answer.tolist(),
        signature={"x": ("FP32", [-1, 4]), "y": ("FP32", [-1, 2])},
    )


CASES = {"onnx": Case(format="ONNX", build=_dense, needs=["onnx"])}
