"""Builds the measured models, one request for each and its expected answer.

Run as a program in a process of its own, so that the measuring process maps none of these
libraries: a server's proportional memory (PSS) counts a page that two processes map as half.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

from benchmarks import minilm

__all__ = ["build"]

_OPSET = 17
_IR_VERSION = 8
_SEED = 20
_WIDTHS = (32, 64, 128, 256)
"""ResNet-18 has 64, 128, 256, 512: this is half of it."""
_CLASSES = 1000
_TOKENS = 32
_START, _END = 101, 102
_WORDS = (2000, 29000)
"""Whole words of the vocabulary; which of them costs nothing or little."""

Floats = NDArray[np.floating]


def build(folder: Path, names: Sequence[str], weights: Path | None) -> None:
    """Write for each workload `repository/<name>/1/model.onnx`, `body` and `expected.json`.

    `weights` are those of MiniLM, where `transformer` is among the names.
    """
    makers = {"linear": _linear, "tabular": _tabular, "image": _image}
    if weights is not None:
        makers["transformer"] = partial(_transformer, weights)
    for name in names:
        version = folder / name / "repository" / name / "1"
        version.mkdir(parents=True, exist_ok=True)
        model, body, expected = makers[name]()
        (version / "model.onnx").write_bytes(model)
        (folder / name / "body").write_bytes(body)
        (folder / name / "expected.json").write_text(json.dumps(expected))


def _linear() -> tuple[bytes, bytes, list[float]]:
    weights = np.array([[0.5], [0.25], [0.125]])
    # 1·0.5 + 2·0.25 + 3·0.125 = 1.375 has no rounding, so the sum is the double nearest to 1.8.
    bias = np.array([1.8 - 1.375])
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "weights", "bias"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    return _serialized(graph), b'{"x":[1,2,3]}', [1.8]


def _tabular() -> tuple[bytes, bytes, list[float]]:
    table, labels = load_breast_cancer(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=100, random_state=_SEED).fit(table, labels)
    model = to_onnx(
        forest,
        initial_types=[("X", FloatTensorType([None, table.shape[1]]))],
        options={"zipmap": False},
        target_opset={"": _OPSET, "ai.onnx.ml": 3},
    )
    # The converter writes no names; with them the answer is a label with probabilities by name.
    helper.set_model_props(model, {"classes": json.dumps(forest.classes_.tolist())})
    row = table[:1]
    body = json.dumps({"X": row[0].tolist()}, separators=(",", ":")).encode()
    # The framework's own answer, not the one of the converted file.
    expected = [float(forest.predict(row)[0]), *forest.predict_proba(row)[0].tolist()]
    return model.SerializeToString(), body, expected


def _image() -> tuple[bytes, bytes, list[float]]:
    model = _serialized(_Network().graph())
    image = np.random.default_rng(_SEED).random((1, 3, 224, 224), dtype=np.float32)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    [scores] = session.run(["y"], {"x": image})
    return model, image.tobytes(), scores[0].tolist()


def _transformer(weights: Path) -> tuple[bytes, bytes, list[float]]:
    tensors = minilm.read_weights(weights)
    words = np.random.default_rng(_SEED).integers(*_WORDS, _TOKENS - 2)
    ids = np.array([_START, *words, _END])
    row = {"input_ids": ids.tolist(), "attention_mask": [1] * _TOKENS}
    body = json.dumps(row, separators=(",", ":")).encode()
    return _serialized(minilm.graph(tensors)), body, minilm.embed(tensors, ids).tolist()


class _Network:
    """ResNet-18 with seeded random weights, batch normalisation folded into the convolutions."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(_SEED)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def graph(self) -> onnx.GraphProto:
        """Stem, four stages of two blocks, mean over the picture, classes."""
        x = self._add("Relu", self._convolution("x", 3, _WIDTHS[0], size=7, stride=2))
        x = self._add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        width = _WIDTHS[0]
        for stage, wider in enumerate(_WIDTHS):
            x = self._block(x, width, wider, stride=1 if stage == 0 else 2)
            x = self._block(x, wider, wider, stride=1)
            width = wider
        x = self._add("Flatten", self._add("GlobalAveragePool", x))
        weights = self._weight((width, _CLASSES), fan_in=width)
        self._nodes.append(helper.make_node("MatMul", [x, weights], ["y"]))
        return helper.make_graph(
            self._nodes,
            "image",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 224, 224])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, _CLASSES])],
            self._weights,
        )

    def _block(self, x: str, width: int, wider: int, stride: int) -> str:
        inner = self._add("Relu", self._convolution(x, width, wider, size=3, stride=stride))
        inner = self._convolution(inner, wider, wider, size=3, stride=1)
        if stride != 1 or width != wider:
            x = self._convolution(x, width, wider, size=1, stride=stride)
        return self._add("Relu", self._add("Add", inner, x))

    def _convolution(self, x: str, width: int, wider: int, size: int, stride: int) -> str:
        weights = self._weight((wider, width, size, size), fan_in=width * size * size)
        bias = self._initializer(np.zeros(wider, np.float32))
        return self._add("Conv", x, weights, bias, strides=[stride, stride], pads=[size // 2] * 4)

    def _weight(self, shape: tuple[int, ...], fan_in: int) -> str:
        # Half of He's variance: the values neither vanish nor grow over the eight blocks.
        scale = np.sqrt(1.0 / fan_in)
        return self._initializer((self._random.standard_normal(shape) * scale).astype(np.float32))

    def _initializer(self, values: Floats) -> str:
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name


def _serialized(graph: onnx.GraphProto) -> bytes:
    opset = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


if __name__ == "__main__":
    given = sys.argv[1:]
    build(Path(given[0]), given[2:], Path(given[1]) if given[1] else None)
