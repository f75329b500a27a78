"""MLflow folders of networks, saved by MLflow, asked by their own libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats import (
    cases_keras,
    cases_transformers,
)
from tests.conformance.formats.mlflows import logged, save, signature_of
from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _keras_model(folder: Path) -> tuple[Any, Any, Truth]:
    """A Keras model, the signature of its rows and scores, and the truth of its own case."""
    import keras

    truth = cases_keras.CASES["keras"].build(folder)
    model = keras.models.load_model(folder / truth.path)
    return model, signature_of(truth.inputs["x"], truth.outputs["scores"]), truth


def _keras(folder: Path) -> Truth:
    model, signature, truth = _keras_model(folder)
    return logged("keras", model, folder, truth, "data/model.keras", signature=signature)


def _keras_exported(folder: Path) -> Truth:
    """A Keras model as a SavedModel, where its tensors have other names."""
    model, signature, truth = _keras_model(folder)
    truth.inputs = {"inputs": truth.inputs["x"]}
    truth.outputs = {"output_0": truth.outputs["scores"]}
    truth.signature = {"inputs": ("FP32", [-1, 4]), "output_0": ("FP32", [-1, 3])}
    spoiled = "data/model/saved_model.pb"
    options = {"signature": signature, "save_exported_model": True}
    return logged("keras", model, folder, truth, spoiled, **options)


def _tensorflow_keras(folder: Path) -> Truth:
    model, signature, truth = _keras_model(folder)
    return logged("tensorflow", model, folder, truth, "data/model.keras", signature=signature)


def _lambda(folder: Path) -> Path:
    """A Keras model with a Python function, which makes a file when it is called."""
    import keras

    marker = str(folder / "ran")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Lambda(lambda x: (Path(marker).touch(), x)[1])]
    )
    rows = np.zeros((2, 4), np.float32)
    save("keras", model, folder / "unsafe", signature=signature_of(rows, rows))
    return folder / "unsafe"


def _tensorflow(folder: Path) -> Truth:
    """A `tf.Module`, which MLflow saves as a SavedModel."""
    import tensorflow as tf

    rng = np.random.default_rng(3)
    weights = rng.normal(size=(4, 3)).astype(np.float32)

    class Scores(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(weights)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def __call__(self, x):  # type: ignore[no-untyped-def]
            return {"scores": tf.nn.softmax(tf.matmul(x, self.w))}

    model = Scores()
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    scores = model(tf.constant(rows))["scores"].numpy()
    truth = Truth(
        path="",
        inputs={"x": rows},
        outputs={"scores": scores},
        prediction=scores.tolist(),
        signature={"x": ("FP32", [-1, 4]), "scores": ("FP32", [-1, 3])},
    )
    signature = signature_of(rows, scores)
    spoiled = "tf2model/saved_model.pb"
    return logged("tensorflow", model, folder, truth, spoiled, signature=signature)


def _network() -> tuple[Any, Any, Truth]:
    """A network of PyTorch, some rows, and what it answers."""
    import torch

    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    rows = np.random.default_rng(7).normal(size=(6, 4)).astype(np.float32)
    with torch.inference_mode():
        answer = network.eval()(torch.from_numpy(rows)).numpy()
    truth = Truth(
        path="",
        inputs={"input": rows},
        outputs={"output": answer},
        prediction=answer[:, 0].tolist(),
        signature={"input": ("FP32", [-1, 4]), "output": ("FP32", [-1, 1])},
    )
    return network, rows, truth


def _torch_export(folder: Path) -> Truth:
    """A network as `torch.export` writes it, which MLflow does by an example."""
    network, rows, truth = _network()
    options = {"serialization_format": "pt2", "input_example": rows[:2]}
    return logged("pytorch", network, folder, truth, "data/model.pt2", **options)


def _traced(folder: Path) -> Truth:
    """A traced network, which has its example with it."""
    import torch

    network, rows, truth = _network()
    model = torch.jit.trace(network, torch.from_numpy(rows[:2]))
    options = {"serialization_format": "pickle"}
    return logged("pytorch", model, folder, truth, "data/model.pth", **options)


def _scripted(folder: Path) -> Truth:
    """A network of text, whose inputs only MLflow's signature describes, without their names."""
    import torch

    network, rows, truth = _network()
    signature = signature_of(rows, truth.outputs["output"])
    options = {"serialization_format": "pickle", "signature": signature}
    return logged("pytorch", torch.jit.script(network), folder, truth, "data/model.pth", **options)


def _transformers(folder: Path) -> Truth:
    from transformers import pipeline

    truth = cases_transformers.CASES["transformers-text-classification"].build(folder)
    model = pipeline("text-classification", str(folder / truth.path), device="cpu")
    return logged("transformers", model, folder, truth, "model/model.safetensors")


def _sentence_transformers(folder: Path) -> Truth:
    from sentence_transformers import SentenceTransformer

    truth = cases_transformers.CASES["sentence-transformers-steps"].build(folder)
    model = SentenceTransformer(str(folder / truth.path), device="cpu")
    spoiled = "model.sentence_transformer/model.safetensors"
    return logged("sentence_transformers", model, folder, truth, spoiled)


_KERAS = ["mlflow", "tensorflow", "keras"]
_TORCH = ["mlflow", "torch"]
_TEXTS = [*_TORCH, "transformers"]

CASES = {
    "mlflow-keras": Case(format="MLflow", build=_keras, build_unsafe=_lambda, needs=_KERAS),
    "mlflow-keras-exported": Case(format="MLflow", build=_keras_exported, needs=_KERAS),
    "mlflow-tensorflow-keras": Case(format="MLflow", build=_tensorflow_keras, needs=_KERAS),
    "mlflow-tensorflow": Case(format="MLflow", build=_tensorflow, needs=_KERAS),
    "mlflow-torch-export": Case(format="MLflow", build=_torch_export, trusted=True, needs=_TORCH),
    "mlflow-torchscript-traced": Case(format="MLflow", build=_traced, trusted=True, needs=_TORCH),
    "mlflow-torchscript-scripted": Case(
        format="MLflow", build=_scripted, trusted=True, needs=_TORCH
    ),
    "mlflow-transformers": Case(format="MLflow", build=_transformers, needs=_TEXTS),
    "mlflow-sentence-transformers": Case(
        format="MLflow",
        build=_sentence_transformers,
        needs=[*_TEXTS, "sentence_transformers"],
    ),
}
