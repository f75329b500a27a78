"""Models of a known size: a table of numbers, and the answer is what stands in a place of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

_MIB = 1024**2


def value(number: int, place: int) -> float:
    """What the table of that number has in a place."""
    return float(number * 1000 + place % 997)


def write_table(folder: Path, number: int, size_mib: int) -> None:
    """Write `mNUMBER/1/model.onnx`, whose input `i` is a place in its table."""
    onnx = pytest.importorskip("onnx")
    places = np.arange(size_mib * _MIB // 4)
    table = (number * 1000 + places % 997).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gather", ["table", "i"], ["y"])],
        "table",
        [onnx.helper.make_tensor_value_info("i", onnx.TensorProto.INT64, ["rows"])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["rows"])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    opset = onnx.helper.make_opsetid("", 15)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    path = folder / f"m{number}" / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(model, path)
