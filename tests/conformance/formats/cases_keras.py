"""Keras files, asked by Keras itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _dense(folder: Path) -> Truth:
    """A classifier of four numbers, normalised by what was seen."""
    import keras

    rng = np.random.default_rng(3)
    rows = rng.normal(2, 3, size=(6, 4)).astype(np.float32)
    normal = keras.layers.Normalization()
    normal.adapt(rows)
    layers = [
        keras.Input((4,), name="x"),
        normal,
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(3, activation="softmax", name="scores"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "categorical_crossentropy")
    model.save(folder / "model.keras")
    answer = np.asarray(model(rows, training=False))
    return Truth(
        path="model.keras",
        inputs={"x": rows},
        outputs={"scores": answer},
        prediction=answer.tolist(),
        signature={"x": ("FP32", [-1, 4]), "scores": ("FP32", [-1, 3])},
    )


def _texts(folder: Path) -> Truth:
    """A sentence and a number, through a vocabulary that the file holds as an asset."""
    import keras
    import tensorflow as tf

    split = keras.layers.TextVectorization(output_sequence_length=4)
    split.adapt(["the small red house", "a green tree", "the red tree"])
    text = keras.Input((), dtype="string", name="text")
    size = keras.Input((1,), name="size")
    found = keras.layers.Embedding(split.vocabulary_size(), 3)(split(text))
    pooled = keras.layers.GlobalAveragePooling1D()(found)
    price = keras.layers.Dense(1, name="price")(keras.layers.Concatenate()([pooled, size]))
    model = keras.Model({"text": text, "size": size}, price)
    model.save(folder / "model.keras")
    texts, sizes = ["the red house", "a tree", "unknown words"], np.ones((3, 1), np.float32)
    answer = model({"text": tf.constant(texts), "size": tf.constant(sizes)}, training=False).numpy()
    return Truth(
        path="model.keras",
        inputs={"size": sizes, "text": texts},
        outputs={"price": answer},
        plain={"size": [1.0, 1.0, 1.0], "text": texts},
        prediction=answer[:, 0].tolist(),
        signature={"text": ("BYTES", [-1]), "size": ("FP32", [-1, 1]), "price": ("FP32", [-1, 1])},
    )


def _lambda(folder: Path) -> Path:
    """A model with a Python function, which makes a file when it is called."""
    import keras

    marker = str(folder / "ran")

    def ran(x):  # type: ignore[no-untyped-def]
        Path(marker).touch()
        return x

    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(ran)])
    model.save(folder / "unsafe.keras")
    return folder / "unsafe.keras"


CASES = {
    "keras": Case(format="Keras", build=_dense, build_unsafe=_lambda),
    "keras-texts": Case(format="Keras", build=_texts),
}
