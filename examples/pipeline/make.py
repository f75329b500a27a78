"""Write a pipeline: a function, an encoder and two heads, ready to be served.

python examples/pipeline/make.py build/messages
modelport inspect build/messages    # says how to trust it: one of its steps is a program
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PARTS = Path(__file__).parent / "messages"
WORDS = np.array(
    [
        # bad, good, delivery, payment: of an unknown word, then of those in words.py
        [0, 0, 0, 0],
        [1, 0, 0.5, 0],
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0.5, 0, 1],
    ],
    dtype=np.float32,
)


def main(folder: Path) -> None:
    """Write the pipeline's folder."""
    shutil.copytree(PARTS, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    encoder = [
        helper.make_node("Gather", ["table", "words"], ["each"], axis=0),
        helper.make_node("ReduceMean", ["each"], ["features"], axes=[1], keepdims=0),
    ]
    _save(
        folder / "encoder.onnx",
        encoder,
        helper.make_tensor_value_info("words", TensorProto.INT64, ["rows", 16]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", 4]),
        {"table": WORDS},
    )
    _head(folder / "mood.onnx", (0, 1))
    _head(folder / "topic.onnx", (2, 3))


def _head(path: Path, columns: tuple[int, int]) -> None:
    """The larger of two features."""
    nodes = [
        helper.make_node("Gather", ["features", "columns"], ["scores"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    takes = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", 4])
    gives = helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"])
    _save(path, nodes, takes, gives, {"columns": np.array(columns)})


def _save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    takes: onnx.ValueInfoProto,
    gives: onnx.ValueInfoProto,
    constants: dict[str, np.ndarray],
) -> None:
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, path.stem, [takes], [gives], tensors)
    opset = helper.make_opsetid("", 15)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
