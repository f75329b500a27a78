"""Models of many kinds, each of them a small graph: what the application is made from without code.

Together with the demo's: a table of classes (`breast-cancer`) and a drawing (`digits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

__all__ = ["write_kinds"]

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
node = helper.make_node
value = helper.make_tensor_value_info

COLOURS = """
title = "Main colour"
description = "Says whether a picture is mostly red, green or blue."
[inputs.photo]
kind = "image"
tensor = "x"
[outputs.y]
kind = "probabilities"
classes = ["red", "green", "blue"]
"""

DETECTOR = """
title = "Bright things"
description = "Marks where a picture is bright."
[inputs.photo]
kind = "image"
tensor = "x"
[outputs.boxes]
kind = "boxes"
layout = "rows"
classes = ["left half", "right half"]
relative = true
threshold = 0.2
"""

GROUND = """
title = "Bright ground"
description = "Marks which pixels of a picture are bright."
[inputs.photo]
kind = "image"
tensor = "x"
[outputs.y]
kind = "mask"
classes = ["dark", "bright"]
"""

MOOD = """
title = "Mood of a message"
[inputs.text]
kind = "text"
description = "What a customer wrote."
[outputs.y]
kind = "probabilities"
classes = ["bad", "good"]
[[examples]]
input = { text = "good and fast" }
[[examples]]
input = { text = "late and broken" }
"""

EMBEDDING = """
title = "Sentence vector"
description = "Sentences that mean the same point the same way."
[inputs.text]
kind = "text"
"""

PRICE = """
title = "House price"
description = "What a house would sell for."
[inputs.area]
unit = "m²"
minimum = 10
maximum = 1000
[inputs.rooms]
minimum = 1
maximum = 12
[inputs.age]
unit = "years"
nullable = true
[inputs.city]
kind = "category"
choices = ["Oslo", "Rome", "Lima"]
[outputs.price]
unit = "EUR"
[[examples]]
input = { area = 120, rooms = 4, age = 30, city = "Rome" }
[inputs.x]
columns = ["area", "rooms", "age", "city"]
"""

FORECAST = """
title = "Next two days"
description = "Carries on a day of hourly values."
[outputs.y]
unit = "°C"
"""

LOUDNESS = """
title = "Loud or quiet"
[inputs.clip]
kind = "audio"
tensor = "x"
rate = 8000
[outputs.y]
kind = "probabilities"
classes = ["quiet", "loud"]
"""

PIPELINE = """
[steps.first]
model = "first.onnx"

[steps.second]
model = "second.onnx"
inputs = { x = "first.y" }

[outputs]
y = "second.y"
"""


def write_kinds(folder: Path) -> list[str]:
    """Write them into a repository; their names."""
    _write(folder, "colours", _colours(), COLOURS)
    _write(folder, "detector", _detector(), DETECTOR)
    _write(folder, "ground", _ground(), GROUND)
    _write(folder, "mood", _words(2, soft=True), MOOD, words=True)
    _write(folder, "embedding", _words(48, soft=False), EMBEDDING, words=True)
    _write(folder, "price", _price(), PRICE)
    _write(folder, "forecast", _forecast(), FORECAST)
    _write(folder, "loudness", _loudness(), LOUDNESS)
    _write(folder, "tensors", _tensors(), 'title = "Products of matrices"')
    _pipeline(folder / "chain")
    for version, factor in (("1", 2.0), ("2", 3.0)):
        _version(folder / "twins" / version, factor)
    return sorted(path.name for path in folder.iterdir())


def _write(
    folder: Path, name: str, model: onnx.ModelProto, toml: str, *, words: bool = False
) -> None:
    version = folder / name / "1"
    version.mkdir(parents=True)
    onnx.save(model, version / "model.onnx")
    (folder / name / "model.toml").write_text(toml)
    if words:
        made = Tokenizer(models.WordLevel({w: at for at, w in enumerate(_VOCABULARY)}, "[UNK]"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        made.save(str(version / "tokenizer.json"))


_VOCABULARY = ["[UNK]", "good", "fast", "late", "broken", "and", "the", "parcel"]


def _model(
    nodes: Sequence[onnx.NodeProto],
    takes: Sequence[onnx.ValueInfoProto],
    gives: Sequence[onnx.ValueInfoProto],
    arrays: dict[str, np.ndarray],
) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(list(nodes), "graph", list(takes), list(gives), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _colours() -> onnx.ModelProto:
    nodes = [
        node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
        node("Mul", ["mean", "ten"], ["scores"]),
        node("Softmax", ["scores"], ["y"], axis=1),
    ]
    return _model(
        nodes,
        [value("x", FLOAT, ["n", 3, 32, 32])],
        [value("y", FLOAT, ["n", 3])],
        {"ten": np.float32(10)},
    )


def _detector() -> onnx.ModelProto:
    """The two halves of a picture, each as surely as it is bright."""
    boxes = np.array([[[0.05, 0.1, 0.45, 0.9], [0.55, 0.1, 0.95, 0.9]]], dtype=np.float32)
    nodes = [
        node("ReduceMean", ["x"], ["rows"], axes=[1, 2], keepdims=0),  # [n, 32]: by column
        node("Reshape", ["rows", "halves"], ["parts"]),
        node("ReduceMean", ["parts"], ["scores"], axes=[2], keepdims=1),  # [n, 2, 1]
        node("Mul", ["scores", "zero"], ["nothing"]),
        node("Add", ["nothing", "corners"], ["places"]),
        node("Add", ["nothing", "numbers"], ["labels"]),
        node("Concat", ["places", "scores", "labels"], ["boxes"], axis=2),
    ]
    return _model(
        nodes,
        [value("x", FLOAT, ["n", 3, 32, 32])],
        [value("boxes", FLOAT, ["n", 2, 6])],
        {
            "halves": np.array([-1, 2, 16], dtype=np.int64),
            "zero": np.float32(0),
            "corners": boxes,
            "numbers": np.array([[[0], [1]]], dtype=np.float32),
        },
    )


def _ground() -> onnx.ModelProto:
    """For each pixel a score of being dark, and one of being bright."""
    nodes = [
        node("ReduceMean", ["x"], ["bright"], axes=[1], keepdims=1),
        node("Sub", ["one", "bright"], ["dark"]),
        node("Concat", ["dark", "bright"], ["y"], axis=1),
    ]
    return _model(
        nodes,
        [value("x", FLOAT, ["n", 3, 32, 32])],
        [value("y", FLOAT, ["n", 2, 32, 32])],
        {"one": np.float32(1)},
    )


def _words(width: int, *, soft: bool) -> onnx.ModelProto:
    table = np.random.default_rng(0).normal(size=(len(_VOCABULARY), width)).astype(np.float32)
    if soft:
        table[:] = 0
        table[1:3, 1], table[3:5, 0] = 6, 6
    nodes = [
        node("Gather", ["table", "input_ids"], ["each"], axis=0),
        node("ReduceMean", ["each"], ["mean" if soft else "vector"], axes=[1], keepdims=0),
    ]
    if soft:
        nodes.append(node("Softmax", ["mean"], ["y"], axis=1))
    return _model(
        nodes,
        [value("input_ids", INT64, ["n", "tokens"])],
        [value("y" if soft else "vector", FLOAT, ["n", width])],
        {"table": table},
    )


def _price() -> onnx.ModelProto:
    nodes = [
        node("IsNaN", ["x"], ["missing"]),
        node("Where", ["missing", "usual", "x"], ["known"]),
        node("MatMul", ["known", "weights"], ["price"]),
    ]
    return _model(
        nodes,
        [value("x", FLOAT, ["n", 4])],
        [value("price", FLOAT, ["n", 1])],
        {
            "usual": np.float32(20),
            "weights": np.array([[3000], [8000], [-500], [10000]], dtype=np.float32),
        },
    )


def _forecast() -> onnx.ModelProto:
    return _model(
        [node("Concat", ["x", "x"], ["y"], axis=1)],
        [value("x", FLOAT, ["n", 24])],
        [value("y", FLOAT, ["n", 48])],
        {},
    )


def _loudness() -> onnx.ModelProto:
    nodes = [
        node("Mul", ["x", "x"], ["square"]),
        node("ReduceMean", ["square"], ["power"], axes=[1], keepdims=1),
        node("MatMul", ["power", "weights"], ["scaled"]),
        node("Add", ["scaled", "bias"], ["scores"]),
        node("Softmax", ["scores"], ["y"], axis=1),
    ]
    return _model(
        nodes,
        [value("x", FLOAT, ["n", "samples"])],
        [value("y", FLOAT, ["n", 2])],
        {
            "weights": np.array([[0, 400]], dtype=np.float32),
            "bias": np.array([2, 0], dtype=np.float32),
        },
    )


def _tensors() -> onnx.ModelProto:
    return _model(
        [node("MatMul", ["a", "b"], ["product"])],
        [value("a", FLOAT, ["n", 2, 3]), value("b", FLOAT, ["n", 3, 2])],
        [value("product", FLOAT, ["n", 2, 2])],
        {},
    )


def _pipeline(folder: Path) -> None:
    version = folder / "1"
    version.mkdir(parents=True)
    for name, factor in (("first", 2.0), ("second", 10.0)):
        onnx.save(_times(factor), version / f"{name}.onnx")
    (version / "pipeline.toml").write_text(PIPELINE)
    (folder / "model.toml").write_text('title = "Two steps"')


def _version(folder: Path, factor: float) -> None:
    folder.mkdir(parents=True)
    onnx.save(_times(factor), folder / "model.onnx")


def _times(factor: float) -> onnx.ModelProto:
    return _model(
        [node("Mul", ["x", "factor"], ["y"])],
        [value("x", FLOAT, ["n", 3])],
        [value("y", FLOAT, ["n", 3])],
        {"factor": np.float32(factor)},
    )
