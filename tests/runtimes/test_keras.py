"""Keras files, as this process runs them."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelport.core.errors import CorruptModel, UnsupportedModel, UntrustedModel
from modelport.runtimes.base import LoadOptions, Model, load
from modelport.runtimes.keras import _import_keras
from modelport.runtimes.tensorflow import import_tensorflow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import_tensorflow(1)
    keras = _import_keras()

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built"),
]
"""What Keras itself does when it saves."""


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any], Path]:
    def save(model: Any) -> Path:
        model.save(tmp_path / "m.keras")
        return tmp_path / "m.keras"

    return save


def opened(path: Path, *trusted: str) -> Model:
    return load(path, LoadOptions(digest="0", trusted=frozenset(trusted)))


def dense() -> Any:
    return keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1, name="y")])


def weights_of(path: Path, change: Callable[[Any], None]) -> Path:
    """The same file with its weights changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(entries["model.weights.h5"])
    with h5py.File(content, "a") as file:
        change(file)
    entries["model.weights.h5"] = content.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return path


def test_several_outputs_have_the_names_of_layers_or_keys(saved: Callable[[Any], Path]) -> None:
    x = keras.Input((2,), name="x")
    twice = keras.layers.Dense(2, name="twice")
    outputs = [twice(x), twice(twice(x)), keras.ops.sum(x, axis=1)]
    specs = opened(saved(keras.Model(x, outputs))).description.signature.outputs
    assert [spec.name for spec in specs][:2] == ["twice", "twice_1"]
    assert [spec.shape for spec in specs] == [(None, 2), (None, 2), (None,)]
    named = opened(saved(keras.Model(x, {"b": outputs[0], "a": outputs[2]})))
    specs = named.description.signature.outputs
    assert {spec.name: spec.shape for spec in specs} == {"a": (None,), "b": (None, 2)}


def test_many_threads_have_answers_of_their_own(saved: Callable[[Any], Path]) -> None:
    kept = dense()
    model = opened(saved(kept))
    weights = np.asarray(kept.layers[-1].kernel)

    def ask(value: int) -> bool:
        rows = np.full((1 + value % 3, 2), value, np.float32)
        answer = model.predict({"x": rows})
        assert isinstance(answer, dict)
        return np.allclose(answer["y"], rows @ weights, rtol=1e-5)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(60)))
    model.close()


def test_a_lambda_needs_trust_and_runs_with_it(saved: Callable[[Any], Path]) -> None:
    layers = [keras.Input((2,), name="x"), keras.layers.Lambda(lambda x: x + 1, (2,), name="y")]
    path = saved(keras.Sequential(layers))
    with pytest.raises(UntrustedModel, match=r"keras\.layers\.Lambda\. Replace them"):
        opened(path)
    answer = opened(path, "0").predict({"x": np.zeros((1, 2), np.float32)})
    assert isinstance(answer, dict)
    assert answer["y"].tolist() == [[1, 1]]


def test_weights_in_other_files_are_refused(saved: Callable[[Any], Path], tmp_path: Path) -> None:
    def link(file: Any) -> None:
        file["further"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")

    def external(file: Any) -> None:
        place = [(str(tmp_path / "raw"), 0, 8)]
        file.create_dataset("further", shape=(2,), dtype="float32", external=place)

    for change, reason in ((link, "have links"), (external, "lie in other files")):
        with pytest.raises(CorruptModel, match=reason):
            opened(weights_of(saved(dense()), change))


def test_a_model_without_known_inputs_is_refused(saved: Callable[[Any], Path]) -> None:
    model = keras.Sequential([keras.layers.Dense(1)], name="open")
    with pytest.raises(UnsupportedModel, match="'open' does not say what its inputs are"):
        opened(saved(model))
