"""LiteRT files, as this process runs them; they are made with TensorFlow, once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.tensors import DType
from modelport.runtimes.base import LoadOptions, Model, load

MAKE = """
import sys, tensorflow as tf
folder = sys.argv[1]

def save(name, function, shape, custom=False, dtype=tf.float32):
    signature = [tf.TensorSpec(shape, dtype, "x")]
    graph = tf.function(function, input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    converter.allow_custom_ops = custom
    open(f"{folder}/{name}.tflite", "wb").write(converter.convert())

save("double", lambda x: {"y": x * 2.0, "total": tf.reduce_sum(x, 1)}, [None, 3])
save("fixed", lambda x: {"y": x * 2.0}, [1, 3])
save("custom", lambda x: {"y": tf.raw_ops.Betainc(a=x, b=x, x=x)}, [None, 3], custom=True)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("tflite")
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], capture_output=True, check=True)
    return folder


def opened(path: Path) -> Model:
    return load(path, LoadOptions(digest="0", threads=1))


def test_names_come_from_the_signature_and_free_sizes_are_free(made: Path) -> None:
    signature = opened(made / "double.tflite").description.signature
    inputs = [(s.name, s.dtype, s.shape) for s in signature.inputs]
    assert inputs == [("x", DType.FP32, (None, 3))]
    assert {s.name: s.shape for s in signature.outputs} == {"y": (None, 3), "total": (None,)}
    fixed = opened(made / "fixed.tflite").description.signature
    assert fixed.inputs[0].shape == (1, 3)


def test_batches_of_any_size_in_many_threads(made: Path) -> None:
    model = opened(made / "double.tflite")

    def ask(value: int) -> bool:
        rows = np.full((1 + value % 5, 3), value, np.float32)
        answer = model.predict({"x": rows})
        assert isinstance(answer, dict)
        return np.array_equal(answer["y"], rows * 2) and np.array_equal(
            answer["total"], rows.sum(axis=1)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(200)))
    model.close()


def test_custom_operations_are_refused(made: Path) -> None:
    with pytest.raises(UnsupportedModel, match="Betainc"):
        opened(made / "custom.tflite")


@pytest.mark.parametrize("content", [b"text", bytes(64), b"\0\0\0\0TFL3" + bytes(60)])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(CorruptModel, match="is not a usable LiteRT file"):
        opened(path)
