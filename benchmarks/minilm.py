"""all-MiniLM-L6-v2 as an ONNX graph, from the weights that its package ships.

The nodes stand in the order in which the usual exporters write them, so that ONNX Runtime finds the
parts that it fuses. `embed` computes the same in numpy: the expected answer is not the graph's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["LAYERS", "embed", "graph", "read_weights"]

LAYERS = 6
_WIDTH = 384
_HEADS = 12
_HEAD = _WIDTH // _HEADS
_EPSILON = 1e-12
_MASKED = -10000.0

Weights = Mapping[str, NDArray[np.float32]]


def read_weights(file: Path) -> Weights:
    """The float32 tensors of a safetensors file by name (a length, a JSON header, the bytes)."""
    content = file.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    return {
        name: np.frombuffer(
            content[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]], "<f4"
        ).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def graph(weights: Weights) -> onnx.GraphProto:
    """From `input_ids` and `attention_mask`, any number of rows of any length, to `embedding`."""
    return _Graph(weights).build()


class _Graph:
    """The nodes and weights that have been added so far."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def build(self) -> onnx.GraphProto:
        """Embeddings, layers, the mean over what the mask keeps, length one."""
        hidden = self._embeddings()
        bias = self._mask_bias()
        for number in range(LAYERS):
            hidden = self._layer(f"encoder.layer.{number}.", hidden, bias)
        self._pooled(hidden)
        tokens = ["n", "tokens"]
        return helper.make_graph(
            self._nodes,
            "transformer",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, tokens)
                for name in ("input_ids", "attention_mask")
            ],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", _WIDTH])],
            list(self._initializers.values()),
        )

    def _embeddings(self) -> str:
        words = self._add("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        summed = self._add("Add", words, self._constant("kind", kind))
        length = self._add(
            "Gather", self._add("Shape", "input_ids"), self._constant("one", np.int64(1)), axis=0
        )
        end = self._add("Unsqueeze", length, self._ints("axis0", [0]))
        table = self._weight("embeddings.position_embeddings.weight")
        places = self._add("Slice", table, self._ints("axis0", [0]), end, self._ints("axis0", [0]))
        return self._normalised("embeddings.LayerNorm.", self._add("Add", summed, places))

    def _mask_bias(self) -> str:
        wide = self._add("Unsqueeze", "attention_mask", self._ints("axes12", [1, 2]))
        kept = self._add("Cast", wide, to=TensorProto.FLOAT)
        away = self._add("Sub", self._constant("unit", np.float32(1)), kept)
        return self._add("Mul", away, self._constant("masked", np.float32(_MASKED)))

    def _layer(self, name: str, hidden: str, bias: str) -> str:
        inner = self._attention(name + "attention.", hidden, bias)
        dense = self._dense(name + "attention.output.dense.", inner)
        hidden = self._normalised(
            name + "attention.output.LayerNorm.", self._add("Add", dense, hidden)
        )
        wide = self._gelu(self._dense(name + "intermediate.dense.", hidden))
        dense = self._dense(name + "output.dense.", wide)
        return self._normalised(name + "output.LayerNorm.", self._add("Add", dense, hidden))

    def _attention(self, name: str, hidden: str, bias: str) -> str:
        query, key, value = (
            self._heads(self._dense(f"{name}self.{part}.", hidden), perm)
            for part, perm in (
                ("query", [0, 2, 1, 3]),
                ("key", [0, 2, 3, 1]),
                ("value", [0, 2, 1, 3]),
            )
        )
        scores = self._add("MatMul", query, key)
        scaled = self._add("Div", scores, self._constant("scale", np.float32(math.sqrt(_HEAD))))
        shares = self._add("Softmax", self._add("Add", scaled, bias), axis=-1)
        joined = self._add("Transpose", self._add("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self._add("Reshape", joined, self._ints("joined", [0, 0, _WIDTH]))

    def _heads(self, x: str, perm: list[int]) -> str:
        parted = self._add("Reshape", x, self._ints("heads", [0, 0, _HEADS, _HEAD]))
        return self._add("Transpose", parted, perm=perm)

    def _dense(self, name: str, x: str) -> str:
        weights = self._constant(name + "weight", self._weights[name + "weight"].T)
        return self._add("Add", self._add("MatMul", x, weights), self._weight(name + "bias"))

    def _gelu(self, x: str) -> str:
        error = self._add(
            "Erf", self._add("Div", x, self._constant("root", np.float32(math.sqrt(2))))
        )
        risen = self._add("Add", error, self._constant("unit", np.float32(1)))
        return self._add("Mul", self._add("Mul", x, risen), self._constant("half", np.float32(0.5)))

    def _normalised(self, name: str, x: str) -> str:
        scale, shift = self._weight(name + "weight"), self._weight(name + "bias")
        return self._add("LayerNormalization", x, scale, shift, axis=-1, epsilon=_EPSILON)

    def _pooled(self, hidden: str) -> None:
        wide = self._add("Unsqueeze", "attention_mask", self._ints("axis2", [2]))
        kept = self._add("Cast", wide, to=TensorProto.FLOAT)
        axis = self._ints("axis1", [1])
        total = self._add("ReduceSum", self._add("Mul", hidden, kept), axis, keepdims=0)
        mean = self._add("Div", total, self._add("ReduceSum", kept, axis, keepdims=0))
        length = self._add("ReduceL2", mean, axes=[1], keepdims=1)
        self._nodes.append(helper.make_node("Div", [mean, length], ["embedding"], "embedding"))

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _ints(self, name: str, values: list[int]) -> str:
        return self._constant(name, np.array(values, np.int64))

    def _constant(self, name: str, value: Any) -> str:
        if name not in self._initializers:
            array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
            self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def _add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name


def embed(weights: Weights, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """The embedding of one row without padding, in double precision."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = _normalise(w, "embeddings.LayerNorm.", x + w["embeddings.token_type_embeddings.weight"][0])
    for number in range(LAYERS):
        name = f"encoder.layer.{number}."
        y = _affine(w, name + "attention.output.dense.", _attend(w, name + "attention.self.", x))
        x = _normalise(w, name + "attention.output.LayerNorm.", x + y)
        y = _affine(w, name + "intermediate.dense.", x)
        y = y * 0.5 * (1 + np.vectorize(math.erf)(y / math.sqrt(2)))
        x = _normalise(w, name + "output.LayerNorm.", x + _affine(w, name + "output.dense.", y))
    mean = x.mean(axis=0)
    unit: NDArray[np.float64] = mean / np.linalg.norm(mean)
    return unit


Doubles = Mapping[str, NDArray[np.float64]]


def _attend(w: Doubles, name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    query, key, value = (
        _affine(w, f"{name}{part}.", x).reshape(len(x), _HEADS, _HEAD).transpose(1, 0, 2)
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(_HEAD)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = shares / shares.sum(axis=-1, keepdims=True)
    joined: NDArray[np.float64] = (shares @ value).transpose(1, 0, 2).reshape(len(x), _WIDTH)
    return joined


def _affine(w: Doubles, name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x @ w[name + "weight"].T + w[name + "bias"]


def _normalise(w: Doubles, name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
    scaled: NDArray[np.float64] = centred / spread * w[name + "weight"] + w[name + "bias"]
    return scaled
