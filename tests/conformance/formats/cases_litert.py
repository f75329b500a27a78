"""LiteRT files, asked by TensorFlow, which they are made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _converted(folder: Path, *functions: Any, owner: Any) -> Any:
    import tensorflow as tf

    graphs = [function.get_concrete_function() for function in functions]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(graphs, owner)
    (folder / "model.tflite").write_bytes(converter.convert())


def _dense(folder: Path) -> Truth:
    """A classifier's layers, with a free batch."""
    import tensorflow as tf

    rng = np.random.default_rng(3)
    module = tf.Module()
    module.w = tf.Variable(rng.normal(size=(4, 3)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def serve(x: Any) -> Any:
        return tf.nn.softmax(tf.tanh(tf.matmul(x, module.w)))

    _converted(folder, serve, owner=module)
    rows = rng.normal(size=(5, 4)).astype(np.float32)
    answer = serve(tf.constant(rows)).numpy()
    return Truth(
        path="model.tflite",
        inputs={"x": rows},
        outputs={"output_0": answer},
        prediction=answer.tolist(),
        signature={"x": ("FP32", [-1, 4]), "output_0": ("FP32", [-1, 3])},
    )


def _image(folder: Path) -> Truth:
    """A convolution over images, with a signature."""
    import tensorflow as tf

    rng = np.random.default_rng(4)
    module = tf.Module()
    module.w = tf.Variable(rng.normal(size=(3, 3, 3, 2)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "image")])
    def serve(image: Any) -> Any:
        scores = tf.nn.relu(tf.nn.conv2d(image, module.w, 2, "SAME"))
        return {"scores": tf.reduce_mean(scores, axis=(1, 2))}

    module.serve = serve
    tf.saved_model.save(module, str(folder / "saved"), signatures=serve)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    (folder / "model.tflite").write_bytes(converter.convert())
    images = rng.normal(size=(3, 8, 8, 3)).astype(np.float32)
    answer = serve(tf.constant(images))["scores"].numpy()
    return Truth(
        path="model.tflite",
        inputs={"image": images},
        outputs={"scores": answer},
        prediction=answer.tolist(),
        signature={"image": ("FP32", [-1, 8, 8, 3]), "scores": ("FP32", [-1, 2])},
    )


CASES = {
    "litert": Case(format="LiteRT", build=_dense, needs=["tensorflow"]),
    "litert-image": Case(format="LiteRT", build=_image, needs=["tensorflow"]),
}
