"""A model that takes milliseconds for a row of whole numbers, and little to send."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TOKENS = 32
_WIDTH, _LAYERS, _WORDS = 384, 24, 100


def write_heavy(folder: Path, layers: int = _LAYERS) -> Path:
    """A folder of models with one: an embedding, `layers` matrices, and a mean of 4 numbers."""
    chance = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return (chance.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)

    names = [f"h{n}" for n in range(layers + 1)]
    nodes = [helper.make_node("Gather", ["words", "ids"], [names[0]])]
    tensors = [numpy_helper.from_array(weights(_WORDS, _WIDTH), "words")]
    for n in range(layers):
        tensors.append(numpy_helper.from_array(weights(_WIDTH, _WIDTH), f"w{n}"))
        nodes.append(helper.make_node("MatMul", [names[n], f"w{n}"], [f"m{n}"]))
        nodes.append(helper.make_node("Tanh", [f"m{n}"], [names[n + 1]]))
    tensors.append(numpy_helper.from_array(weights(_WIDTH, 4), "last"))
    nodes.append(helper.make_node("ReduceMean", [names[-1]], ["mean"], axes=[1], keepdims=0))
    nodes.append(helper.make_node("MatMul", ["mean", "last"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "heavy",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [None, TOKENS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
        tensors,
    )
    version = folder / "heavy" / "1"
    version.mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, version / "model.onnx")
    return folder
