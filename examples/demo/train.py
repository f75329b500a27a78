"""Train the demo models from data sets that ship with scikit-learn, and write a repository.

python examples/demo/train.py build/demo
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import skops.io
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

LINEAR_TOML = """\
title = "Weighted sum"
description = "0.5·a + 0.3·b + 0.2·c + 0.1: the smallest model there is."

[[examples]]
input = { x = [1, 2, 3] }
"""

BREAST_CANCER_TOML = """\
title = "Breast cancer"
description = "Tells malignant from benign by 30 measurements of cell nuclei. Not for diagnosis."

[[examples]]
input = %s
"""

DIGITS_TOML = """\
title = "Handwritten digits"
description = "Reads a digit from a picture of 8 by 8 grey values."

[inputs.image]
minimum = 0
maximum = 16
description = "Rows from top to bottom; 0 is paper, 16 is ink."

[[examples]]
input = { image = %s }
"""


def main(folder: Path) -> None:
    """Write `folder/<name>/1/<file>` and `folder/<name>/model.toml` for each demo model."""
    _write(folder, "linear", LINEAR_TOML, lambda path: onnx.save(_linear(), path / "model.onnx"))
    forest, columns, row = _breast_cancer()
    _write(
        folder,
        "breast-cancer",
        BREAST_CANCER_TOML % _inline({"record": dict(zip(columns, row, strict=True))})["record"],
        lambda path: skops.io.dump(
            forest, path / "model.skops", compression=zipfile.ZIP_DEFLATED, compresslevel=9
        ),
    )
    digits, picture = _digits()
    _write(
        folder,
        "digits",
        DIGITS_TOML % json.dumps(picture),
        lambda path: onnx.save(digits, path / "model.onnx"),
    )


def _write(folder: Path, name: str, toml: str, save: object) -> None:
    version = folder / name / "1"
    version.mkdir(parents=True, exist_ok=True)
    save(version)  # type: ignore[operator]  # a function of the folder
    (folder / name / "model.toml").write_text(toml, encoding="utf-8")
    size = sum(path.stat().st_size for path in version.iterdir())
    sys.stdout.write(f"trained {name:14} {size / 1000:6.1f} kB\n")


def _inline(tables: dict[str, dict[str, float]]) -> dict[str, str]:
    """Each table as an inline table of TOML."""
    return {
        name: "{ " + ", ".join(f"{json.dumps(k)} = {v!r}" for k, v in table.items()) + " }"
        for name, table in tables.items()
    }


def _linear() -> onnx.ModelProto:
    # In float64 and with the bias as the first weight, [1, 2, 3] gives 1.8 to the last bit.
    weights = numpy_helper.from_array(np.array([0.1, 0.5, 0.3, 0.2]), "weights")
    one = numpy_helper.from_array(np.ones((1, 1)), "one")
    nodes = [
        helper.make_node("Slice", ["x", "zero", "first", "axis"], ["column"]),
        helper.make_node("Shape", ["column"], ["rows"]),
        helper.make_node("Expand", ["one", "rows"], ["ones"]),
        helper.make_node("Concat", ["ones", "x"], ["extended"], axis=1),
        helper.make_node("MatMul", ["extended", "weights"], ["y"]),
    ]
    places = [
        numpy_helper.from_array(np.array([value], dtype=np.int64), name)
        for name, value in (("zero", 0), ("first", 1), ("axis", 1))
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["rows_", 3])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["rows_"])],
        [weights, one, *places],
    )
    return _model(graph)


def _breast_cancer() -> tuple[RandomForestClassifier, list[str], list[float]]:
    data = load_breast_cancer(as_frame=True)
    names = data.target_names[data.target]
    train, test, train_names, test_names = train_test_split(
        data.data, names, random_state=0, stratify=names
    )
    forest = RandomForestClassifier(n_estimators=40, min_samples_leaf=2, random_state=0)
    forest.fit(train, train_names)
    sys.stdout.write(f"breast-cancer: {forest.score(test, test_names):.1%} right on unseen rows\n")
    return forest, list(train.columns), [float(v) for v in test.iloc[0]]


def _digits() -> tuple[onnx.ModelProto, list[list[int]]]:
    pictures, numbers = load_digits(return_X_y=True)
    train, test, train_numbers, test_numbers = train_test_split(
        pictures, numbers, random_state=0, stratify=numbers
    )
    network = MLPClassifier((48,), max_iter=500, tol=1e-3, random_state=0).fit(
        train / 16, train_numbers
    )
    right = network.score(test / 16, test_numbers)
    sys.stdout.write(f"digits: {right:.1%} right on unseen pictures\n")
    seven = test[test_numbers == 7][0].reshape(8, 8).astype(int).tolist()
    return _network(network), seven


def _network(network: MLPClassifier) -> onnx.ModelProto:
    """The two layers of a fitted network as an ONNX graph over 8 by 8 pictures."""
    arrays = {
        "flat": np.array([-1, 64], dtype=np.int64),
        "hidden": (network.coefs_[0] / 16).astype(np.float32),
        "hidden_bias": network.intercepts_[0].astype(np.float32),
        "output": network.coefs_[1].astype(np.float32),
        "output_bias": network.intercepts_[1].astype(np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["pixels"]),
        helper.make_node("Gemm", ["pixels", "hidden", "hidden_bias"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "output", "output_bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["rows", 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 10])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = _model(graph)
    helper.set_model_props(model, {"classes": json.dumps([str(digit) for digit in range(10)])})
    return model


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1]))
