"""SavedModels, as this process runs them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import UnsupportedModel, UntrustedModel
from modelport.core.tensors import DType
from modelport.runtimes.base import LoadOptions, Model, load
from modelport.runtimes.tensorflow import import_tensorflow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tf, _ = import_tensorflow(1)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(function: Callable[..., Any], *specs: Any, key: str = "serving_default") -> Path:
        module = tf.Module()
        module.serve = tf.function(function, input_signature=specs)
        signatures = {name: module.serve.get_concrete_function() for name in key.split()}
        tf.saved_model.save(module, str(tmp_path / "m"), signatures=signatures)
        return tmp_path / "m"

    return save


def opened(path: Path, **options: Any) -> Model:
    return load(path, LoadOptions(**{"digest": "0", **options}))


def test_scalars_texts_and_other_keys(saved: Callable[..., Path]) -> None:
    path = saved(
        lambda text, by: {"length": tf.strings.length(text) * by, "best": text[0]},
        tf.TensorSpec([None], tf.string, "text"),
        tf.TensorSpec([], tf.int32, "by"),
        key="own",
    )
    model = opened(path)
    assert {s.name: (s.dtype, s.shape) for s in model.description.signature.outputs} == {
        "best": (DType.BYTES, ()),
        "length": (DType.INT32, (None,)),
    }
    texts = np.array([b"a", b"bcd"], object)
    answer = model.predict({"text": texts, "by": np.array(2, np.int32)})
    assert isinstance(answer, dict)
    assert answer["length"].tolist() == [2, 6]
    assert answer["best"].tolist() == b"a"
    model.close()


def test_what_reads_files_needs_trust_and_runs_with_it(saved: Callable[..., Path]) -> None:
    path = saved(lambda x: {"y": tf.io.read_file(x)}, tf.TensorSpec([], tf.string, "x"))
    with pytest.raises(UntrustedModel, match=r"not known: ReadFile\. If you made it"):
        opened(path)
    opened(path, trusted=frozenset({"0"})).close()


def test_a_model_without_a_signature_names_those_it_has(saved: Callable[..., Path]) -> None:
    path = saved(lambda x: {"y": x}, tf.TensorSpec([None], tf.float32), key="a b")
    with pytest.raises(UnsupportedModel, match="it has 'a', 'b'"):
        opened(path)


def test_open_ranks_and_other_types_are_refused(saved: Callable[..., Path]) -> None:
    path = saved(lambda x: {"y": x}, tf.TensorSpec(None, tf.float32, "x"))
    with pytest.raises(UnsupportedModel, match="'x' has an open number of dimensions"):
        opened(path)
    path = saved(lambda x: {"y": x}, tf.TensorSpec([None], tf.complex64, "x"))
    with pytest.raises(UnsupportedModel, match="'x' is of type complex64"):
        opened(path)


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt"])
def test_what_would_be_read_in_its_place_is_refused(saved: Callable[..., Path], name: str) -> None:
    path = saved(lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, "x"))
    (path / name).touch()
    with pytest.raises(UnsupportedModel, match=name):
        opened(path)


def test_the_first_model_sets_the_threads(saved: Callable[..., Path]) -> None:
    path = saved(lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, "x"))
    assert opened(path, threads=3).description.warnings == (
        "TensorFlow keeps the 1 threads of its first model",
    )
