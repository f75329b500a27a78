"""Models that add a number: whose answer to 0 tells which one answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def biased(folder: Path, bias: int) -> str:
    """A model that adds a number."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "b"], ["y"])],
        "biased",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None])],
        [numpy_helper.from_array(np.array([float(bias)]), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "biased.onnx")
    return str(folder / "biased.onnx")
