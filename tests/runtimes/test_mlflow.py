"""MLflow folders that lead to a file of ONNX, which needs no further library."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelport.core.errors import (
    CorruptModel,
    LoadError,
    UnsupportedModel,
    UntrustedModel,
)
from modelport.core.tensors import DType
from modelport.runtimes.base import LoadOptions, Model, load

ONNX = "flavors:\n  python_function: {}\n  onnx:\n    data: model.onnx\n"


@pytest.fixture
def folder(tmp_path: Path, linear_onnx: Path) -> Callable[[str], Path]:
    """A folder with `model.onnx` and some `MLmodel`."""

    def make(said: str) -> Path:
        path = tmp_path / "logged"
        path.mkdir()
        shutil.copy(linear_onnx, path / "model.onnx")
        (path / "MLmodel").write_text(said)
        return path

    return make


def opened(path: Path, digest: str = "0", *trusted: str) -> Model:
    return load(path, LoadOptions(digest=digest, trusted=frozenset(trusted)))


def columns(*names: str) -> str:
    listed = [{"name": n, "type": "double", "required": n != "b"} for n in names]
    return f"{ONNX}signature:\n  inputs: '{json.dumps(listed)}'\n"


def test_the_flavours_own_format_answers(folder: Callable[[str], Path]) -> None:
    model = opened(folder(ONNX))
    (spec,) = model.description.signature.inputs
    shape = [2 if size is None else size for size in spec.shape]
    answer = model.predict({spec.name: np.ones(shape, spec.dtype.numpy)})
    assert isinstance(answer, dict)
    assert set(answer) == {s.name for s in model.description.signature.outputs}
    assert model.description.notes == ("it is the flavour 'onnx' of an MLflow model",)
    model.close()


def test_the_signature_names_columns_where_they_fit(folder: Callable[[str], Path]) -> None:
    path = folder(ONNX)
    (spec,) = opened(path).description.signature.inputs
    names = tuple("abcdefgh"[: spec.shape[-1]])
    (path / "MLmodel").write_text(columns(*names))
    meaning = opened(path).description.semantics.inputs[spec.name]
    (path / "MLmodel").write_text(columns(*names, "further"))
    assert spec.name not in opened(path).description.semantics.inputs
    assert meaning.columns == names
    assert [name for name, f in meaning.column_fields.items() if f.nullable] == ["b"][
        : len(names) - 1
    ]


@pytest.mark.parametrize("place", ["/etc/passwd", "../model.onnx", "a/../../b", ".", "a\\b"])
def test_places_outside_of_the_folder_are_refused(
    folder: Callable[[str], Path], place: str
) -> None:
    with pytest.raises(CorruptModel, match="outside of the model's folder"):
        opened(folder(f"flavors:\n  onnx:\n    data: '{place}'\n"))


def test_links_are_refused(folder: Callable[[str], Path], linear_onnx: Path) -> None:
    path = folder(ONNX)
    (path / "model.onnx").unlink()
    (path / "model.onnx").symlink_to(linear_onnx)
    with pytest.raises(UnsupportedModel, match=r"the link 'model\.onnx'"):
        opened(path)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "names no flavors"),
        ("[1]", "names no flavors"),
        ("flavors: 3", "names no flavors"),
        ("flavors: {", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("flavors: !!python/object/apply:os.system ['true']", "is not YAML"),
        ("flavors:\n  onnx: {}", "does not say where the flavour 'onnx' is kept"),
        ("flavors:\n  onnx:\n    data: gone.onnx", r"'gone\.onnx', which .* is not there"),
        ("flavors:\n  python_function: {}", "only 'python_function'. A python_function is"),
        ("flavors:\n  spark:\n    data: model.onnx", "no flavour that is served, only 'spark'"),
        (
            "flavors:\n  catboost:\n    data: model.cb\n    save_format: json",
            r"'model\.cb' was saved with format='json', which is not served; leave format away",
        ),
        (
            "flavors:\n  tensorflow:\n    data: data",
            r"'model\.h5' is of no known format; .*; or save it anew with mlflow\.keras\.save",
        ),
    ],
)
def test_what_cannot_be_served_says_why(
    folder: Callable[[str], Path], said: str, reason: str
) -> None:
    path = folder(said or "\n")
    (path / "model.cb").write_text("{}")
    (path / "data").mkdir()
    (path / "data" / "model.h5").write_bytes(b"\x89HDF")
    with pytest.raises(LoadError, match=reason):
        opened(path)


@pytest.mark.parametrize(
    ("flavour", "file", "way"),
    [
        ("sklearn:\n    pickled_model", "model.pkl", r"mlflow\.sklearn\..*='skops'\)"),
        (
            "lightgbm:\n    data",
            "model.pkl",
            r"mlflow\.lightgbm\.save_model\(model\.booster_, path\)",
        ),
    ],
)
def test_a_pickle_is_refused_with_the_safe_way_of_mlflow(
    folder: Callable[[str], Path], flavour: str, file: str, way: str
) -> None:
    pytest.importorskip("skops")
    path = folder(f"flavors:\n  {flavour}: {file}\n")
    (path / file).write_bytes(pickle.dumps(print))
    with pytest.raises(UntrustedModel, match=f"sha256:f01der; or save it anew with {way}$"):
        opened(path, "f01der")


def test_a_network_that_was_pickled_is_refused_with_the_way_of_mlflow(
    folder: Callable[[str], Path],
) -> None:
    torch = pytest.importorskip("torch")
    path = folder("flavors:\n  pytorch:\n    model_data: data\n")
    (path / "data").mkdir()
    torch.save(torch.nn.Linear(4, 1), path / "data" / "model.pth")
    with pytest.raises(UnsupportedModel, match=r"'model\.pth' was made by .*format='pt2'"):
        opened(path, "f01der", "f01der")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_signature_without_names_describes_the_inputs_of_a_script(
    folder: Callable[[str], Path],
) -> None:
    torch = pytest.importorskip("torch")
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}
    said = "flavors:\n  pytorch:\n    model_data: data\n"
    path = folder(f"{said}signature:\n  inputs: '{json.dumps([tensor])}'\n")
    (path / "data").mkdir()
    torch.jit.script(torch.nn.Linear(4, 1)).save(str(path / "data" / "model.pth"))
    (spec,) = opened(path, "f01der", "f01der").description.signature.inputs
    assert (spec.name, spec.dtype, spec.shape) == ("input", DType.FP32, (None, 4))


def test_code_is_trusted_by_the_folders_digest(folder: Callable[[str], Path]) -> None:
    pytest.importorskip("skops")
    path = folder("flavors:\n  sklearn:\n    pickled_model: model.pkl\n")
    (path / "model.pkl").write_bytes(pickle.dumps({"no": "estimator"}))
    with pytest.raises(UntrustedModel, match="--trust sha256:f01der") as refused:
        opened(path, "f01der")
    assert refused.value.detail["digest"] == "f01der"
    with pytest.raises(LoadError) as tried:
        opened(path, "f01der", "f01der")
    assert not isinstance(tried.value, UntrustedModel)


def test_endings_of_mlflow_stand_for_those_of_the_library(folder: Callable[[str], Path]) -> None:
    pytest.importorskip("lightgbm")
    path = folder("flavors:\n  lightgbm:\n    data: model.lgb\n")
    (path / "model.lgb").write_text("tree")
    with pytest.raises(LoadError, match=r"model\.txt"):
        opened(path)
