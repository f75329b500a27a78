"""What a Keras archive would call, told without Keras."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from modelport.core.errors import CorruptModel
from modelport.runtimes._keras_archive import unknown_parts

DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {"units": 2, "activation": "relu"},
    "registered_name": None,
}


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    def make(layer: object = DENSE, /, more: Mapping[str, bytes] = {}, **left_out: bool) -> Path:
        config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}}
        entries = {
            "config.json": json.dumps(config).encode(),
            "metadata.json": b"{}",
            "model.weights.h5": b"weights",
            **more,
        }
        path = tmp_path / "m.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in entries.items():
                if name.partition(".")[0] not in left_out:
                    file.writestr(name, content)
        return path

    return make


def part(module: object, name: str, **more: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": {}, **more}


@pytest.mark.parametrize(
    "layer",
    [
        DENSE,
        part("keras.src.models.functional", "Functional", registered_name="Functional"),
        part("keras.src.ops.numpy", "Absolute", registered_name="Absolute"),
        part("keras", "DTypePolicy"),
        part("builtins", "function", config="relu"),
        {"class_name": "__keras_tensor__", "config": {"shape": [None, 2], "dtype": "float32"}},
        part("keras.layers", "StringLookup", config={"vocabulary": ["a", "b"]}),
    ],
)
def test_what_builds_layers_is_known(archive: Callable[..., Path], layer: object) -> None:
    assert unknown_parts(archive(layer)) == []


@pytest.mark.parametrize(
    ("layer", "called"),
    [
        (part("keras.layers", "Lambda"), "keras.layers.Lambda"),
        (part(None, "Lambda"), "?.Lambda"),
        (part("keras.layers", "TFSMLayer"), "keras.layers.TFSMLayer"),
        (part("builtins", "__lambda__"), "builtins.__lambda__"),
        (part("os", "function", config="system"), "os.system"),
        (part("keras.utils", "function", config="get_file"), "keras.utils.get_file"),
        (part("keras.config", "function", config="enable_unsafe_deserialization"), "keras.config"),
        (part("keras", "config.enable_unsafe_deserialization"), "keras.config"),
        (part("keras.saving", "function", config="load_model"), "keras.saving.load_model"),
        (part("keras.layersevil", "Dense"), "keras.layersevil.Dense"),
        (part("own", "Layer", registered_name="own>Layer"), "own.Layer"),
        (part("keras.layers", "Dense", registered_name="own>Dense"), "keras.layers.Dense"),
        (part("keras.layers", "StringLookup", config={"vocabulary": "/etc/passwd"}), "vocabulary"),
        (part("keras.layers", ["Dense"]), "keras.layers"),  # type: ignore[arg-type]
        (part("keras.layers", "TimeDistributed", config={"layer": part("os", "x")}), "os.x"),
    ],
)
def test_what_could_do_more_is_named(
    archive: Callable[..., Path], layer: object, called: str
) -> None:
    (found,) = unknown_parts(archive(layer))
    assert called in found


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"config.json": b"{"}, "is not a usable Keras file"),
        ({"config.json": b"[" * 100_000}, "is not a usable Keras file"),
        ({"assets/big.txt": bytes(100 << 20)}, "would unpack to far more than it is"),
        ({"../outside.txt": b""}, "the entry 'outside.txt'"),
        ({"assets/../../outside.txt": b""}, "the entry 'outside.txt'"),
        ({"/outside.txt": b""}, "the entry 'outside.txt'"),
        ({"model.weights.npz": b""}, "the entry 'model.weights.npz'"),
    ],
)
def test_an_archive_that_is_no_model_is_refused(
    archive: Callable[..., Path], more: Mapping[str, bytes], reason: str
) -> None:
    with pytest.raises(CorruptModel, match=reason):
        unknown_parts(archive(more=more))


def test_how_it_was_trained_is_not_read(archive: Callable[..., Path]) -> None:
    own = {"loss": part("own", "function", config="loss")}
    config = {**part("keras", "Sequential"), "compile_config": own}
    assert unknown_parts(archive(more={"config.json": json.dumps(config).encode()})) == []
    nested = archive({**DENSE, "compile_config": own})
    assert unknown_parts(nested) == ["own.loss"]


def test_a_missing_entry_is_named(archive: Callable[..., Path]) -> None:
    with pytest.raises(CorruptModel, match=r"has no metadata\.json"):
        unknown_parts(archive(metadata=True))


def test_two_entries_of_one_name_are_refused(archive: Callable[..., Path]) -> None:
    path = archive()
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(path, "a") as file,
    ):
        file.writestr("config.json", b"{}")
    with pytest.raises(CorruptModel, match="two of one name"):
        unknown_parts(path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(bytes(64))
    with pytest.raises(CorruptModel, match="is not a usable Keras file"):
        unknown_parts(path)
