"""ONNX models that the tests build: small, and each with one property."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper, save

from modelport.core.tensors import DType
from modelport.repository.layout import Source
from tests.http.serving import source

ONNX_TYPES = {
    DType.BOOL: TensorProto.BOOL,
    DType.UINT8: TensorProto.UINT8,
    DType.UINT16: TensorProto.UINT16,
    DType.UINT32: TensorProto.UINT32,
    DType.UINT64: TensorProto.UINT64,
    DType.INT8: TensorProto.INT8,
    DType.INT16: TensorProto.INT16,
    DType.INT32: TensorProto.INT32,
    DType.INT64: TensorProto.INT64,
    DType.FP16: TensorProto.FLOAT16,
    DType.FP32: TensorProto.FLOAT,
    DType.FP64: TensorProto.DOUBLE,
    DType.BYTES: TensorProto.STRING,
}

Info = tuple[str, int, list[int | str | None]]


def graph(
    nodes: list[tuple[str, list[str], list[str]]],
    inputs: list[Info],
    outputs: list[Info],
    constants: dict[str, np.ndarray] | None = None,
    **metadata: list[str],
) -> ModelProto:
    """A model of a few operators, with what an exporter writes about columns and classes."""
    made = helper.make_graph(
        [helper.make_node(kind, ins, outs) for kind, ins, outs in nodes],
        "test",
        [helper.make_tensor_value_info(*info) for info in inputs],
        [helper.make_tensor_value_info(*info) for info in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    return model


def identity(dtype: DType, shape: list[int | str | None]) -> ModelProto:
    """`y` is `x`."""
    kind = ONNX_TYPES[dtype]
    return graph([("Identity", ["x"], ["y"])], [("x", kind, shape)], [("y", kind, shape)])


def flowers() -> ModelProto:
    """Four named columns, three classes; the scores are the softmax of the first three."""
    return graph(
        [("MatMul", ["x", "w"], ["z"]), ("Softmax", ["z"], ["scores"])],
        [("x", TensorProto.FLOAT, ["rows", 4])],
        [("scores", TensorProto.FLOAT, ["rows", 3])],
        {"w": np.eye(4, 3, dtype=np.float32)},
        columns=["a", "b", "c", "d"],
        classes=["setosa", "versicolor", "virginica"],
    )


def logarithm() -> ModelProto:
    """`y` is the logarithm of `x`: NaN for negative numbers, infinite for 0."""
    shape: list[int | str | None] = ["rows", 1]
    return graph(
        [("Log", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, shape)],
        [("y", TensorProto.FLOAT, shape)],
    )


def sums() -> ModelProto:
    """Two inputs, two outputs: `sum` and `difference`."""
    kind = TensorProto.FLOAT
    return graph(
        [("Add", ["a", "b"], ["sum"]), ("Sub", ["a", "b"], ["difference"])],
        [("a", kind, ["rows", 2]), ("b", kind, ["rows", 2])],
        [("sum", kind, ["rows", 2]), ("difference", kind, ["rows", 2])],
    )


def written(folder: Path, name: str, model: ModelProto) -> Source:
    """The model as a file, and where it lies."""
    path = folder / f"{name}.onnx"
    save(model, path)
    return source(path)
