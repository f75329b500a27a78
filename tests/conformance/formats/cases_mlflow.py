"""MLflow folders of scikit-learn and ONNX, saved by MLflow, asked by their own libraries."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats.mlflows import save, signature_of
from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _irises() -> tuple[Any, Any, Any]:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    kinds = data.target_names[data.target]
    return LogisticRegression(max_iter=500).fit(data.data, kinds), data.data, kinds


def _classifier(folder: Path, way: str, spoiled: str) -> Truth:
    """A classifier with named columns and classes, in one of MLflow's ways."""

    model, rows, kinds = _irises()
    signature = signature_of(rows, kinds)
    save("sklearn", model, folder / "model", serialization_format=way, signature=signature)
    some = rows.iloc[[0, 60, 120]]
    label = model.predict(some)
    return Truth(
        path="model",
        inputs={"X": some.to_numpy()},
        outputs={"label": label.tolist(), "probabilities": model.predict_proba(some)},
        prediction=label.tolist(),
        plain=some.to_dict("records"),
        signature={
            "X": ("FP64", [-1, 4]),
            "label": ("BYTES", [-1]),
            "probabilities": ("FP64", [-1, 3]),
        },
        spoiled=f"model/{spoiled}",
    )


def _skops(folder: Path) -> Truth:
    return _classifier(folder, "skops", "model.skops")


def _pickled(folder: Path) -> Truth:
    return _classifier(folder, "cloudpickle", "model.pkl")


def _onnx(folder: Path) -> Truth:
    """A regression whose columns only MLflow's signature names."""
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(11)
    weights = rng.normal(size=(3, 1)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["price"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("price", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    names = ["area", "rooms", "age"]
    signature = ModelSignature(
        inputs=Schema([ColSpec("float", name) for name in names]),
        outputs=Schema([ColSpec("float", "price")]),
    )
    save("onnx", model, folder / "model", signature=signature)
    assert onnx.checker.check_model(model) is None
    rows = rng.normal(size=(4, 3)).astype(np.float32)
    (answer,) = ReferenceEvaluator(model).run(None, {"x": rows})
    return Truth(
        path="model",
        inputs={"x": rows},
        outputs={"price": answer},
        prediction=answer[:, 0].tolist(),
        plain=[dict(zip(names, row.tolist(), strict=True)) for row in rows],
        signature={"x": ("FP32", [-1, 3]), "price": ("FP32", [-1, 1])},
        spoiled="model/MLmodel",
    )


class _Ran:
    """What runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def _pickle(folder: Path) -> Path:
    """The flavour of scikit-learn, pickled, with code."""
    unsafe = folder / "unsafe"
    unsafe.mkdir()
    (unsafe / "model.pkl").write_bytes(pickle.dumps(_Ran(folder / "ran")))
    (unsafe / "MLmodel").write_text("flavors:\n  sklearn:\n    pickled_model: model.pkl\n")
    return unsafe


CASES = {
    "mlflow-skops": Case(
        format="MLflow", build=_skops, build_unsafe=_pickle, needs=["mlflow", "skops"]
    ),
    "mlflow-pickle": Case(
        format="MLflow", build=_pickled, trusted=True, needs=["mlflow", "sklearn", "skops"]
    ),
    "mlflow-onnx": Case(format="MLflow", build=_onnx, needs=["mlflow", "onnx"]),
}
