"""SavedModels, asked by TensorFlow itself, before they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _save(folder: Path, module: Any, function: Any) -> None:
    import tensorflow as tf

    tf.saved_model.save(module, str(folder / "model"), signatures=function)


def _dense(folder: Path) -> Truth:
    """A layer with a variable, as `tf.Module` writes it."""
    import tensorflow as tf

    rng = np.random.default_rng(3)
    module = tf.Module()
    module.w = tf.Variable(rng.normal(size=(4, 3)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def serve(x: Any) -> Any:
        return {"scores": tf.nn.softmax(tf.matmul(x, module.w))}

    module.serve = serve
    _save(folder, module, serve)
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    scores = serve(tf.constant(rows))["scores"].numpy()
    return Truth(
        path="model",
        inputs={"x": rows},
        outputs={"scores": scores},
        prediction=scores.tolist(),
        signature={"x": ("FP32", [-1, 4]), "scores": ("FP32", [-1, 3])},
        spoiled="model/saved_model.pb",
    )


def _texts(folder: Path) -> Truth:
    """Texts and numbers: a table from words to weights, times a number."""
    import tensorflow as tf

    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["red", "green", "blue"], [1.5, 2.5, 3.5]), -1.0
    )

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "colour"),
            tf.TensorSpec([None], tf.float32, "size"),
        ]
    )
    def serve(colour: Any, size: Any) -> Any:
        return {"price": module.table.lookup(tf.strings.lower(colour)) * size}

    module.serve = serve
    _save(folder, module, serve)
    colours, sizes = ["Red", "blue", "grün", "GREEN"], np.arange(1, 5, dtype=np.float32)
    price = serve(tf.constant(colours), tf.constant(sizes))["price"].numpy()
    return Truth(
        path="model",
        inputs={"colour": colours, "size": sizes},
        outputs={"price": price},
        prediction=price.tolist(),
        signature={"colour": ("BYTES", [-1]), "size": ("FP32", [-1]), "price": ("FP32", [-1])},
        spoiled="model/saved_model.pb",
    )


def _writes_a_file(folder: Path) -> Path:
    """A model whose every run writes a file, from a function that a branch calls."""
    import tensorflow as tf

    marker = str(folder / "ran")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def serve(x: Any) -> Any:
        def write() -> Any:
            tf.io.write_file(marker, "it ran")
            return x

        return {"y": tf.cond(tf.reduce_sum(x) > -1e9, write, lambda: x)}

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(folder / "unsafe"), signatures=serve)
    return folder / "unsafe"


CASES = {
    "tensorflow": Case(format="SavedModel", build=_dense, build_unsafe=_writes_a_file),
    "tensorflow-texts": Case(format="SavedModel", build=_texts),
}
