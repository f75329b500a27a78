"""MLflow model folders. Grade: silver.

The file `MLmodel` names the flavours in which a model was saved, and the file or folder of each.
The first flavour with a format of its own is opened as that format, which keeps its own rules of
safety: a pickle in the folder needs the trust of the folder, and is refused with the call of MLflow
that saves the model without one. Nothing of MLflow itself is used, and neither is code beside the
model. A model with the flavour `python_function` alone is a program, and
is not served. All paths must stay inside the folder, which may hold no links.

The signature names the columns of the single input, or the inputs, where the model's own file does
not name them and their number fits; columns that are not required may be missing. Tensors without a
name are the inputs in their order, for a file that says no types and shapes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

import msgspec
import yaml

from modelport.core.errors import CorruptModel, UnsupportedModel, UntrustedModel
from modelport.core.semantics import Field, InputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.runtimes._folders import refuse_links
from modelport.runtimes.base import Description, LoadOptions, Model, Runtime, load
from modelport.runtimes.formats import format_of

__all__ = ["RUNTIME", "MLflowModel"]

_LARGEST_BYTES = 16 << 20
_KEYS = {
    "sklearn": "pickled_model",
    "onnx": "data",
    "xgboost": "data",
    "lightgbm": "data",
    "catboost": "data",
    "tensorflow": "data",
    "keras": "data",
    "pytorch": "model_data",
    "transformers": "model_binary",
    "sentence_transformers": "data",
}
"""By flavour: the key of its file or folder. The flavours that are served, and no others."""
_ENDINGS = {".lgb": ".txt", ".cb": ".cbm", ".xgb": ".ubj"}
"""MLflow's own endings, and those that their libraries use."""
_UNSAID = {"sentence_transformers": "model.sentence_transformer"}
"""Where a flavour is kept whose place is said for its python_function only."""
_INNER = ("model.keras", "model", "model.pt2", "model.pth", "model.pt", "tf2model", "model.h5")
"""Where in a flavour's folder the model is, if that is not the model itself."""
_EXPORTED = "mlflow.keras.save_model(model, path, save_exported_model=True, signature=signature)"
_SAFER = {
    ("sklearn", ".pkl"): "mlflow.sklearn.save_model(model, path, serialization_format='skops')",
    ("keras", ".keras"): _EXPORTED,
    ("tensorflow", ".keras"): _EXPORTED,
    ("lightgbm", ".pkl"): "mlflow.lightgbm.save_model(model.booster_, path)",
    ("lightgbm", ".skops"): "mlflow.lightgbm.save_model(model.booster_, path)",
}
"""By flavour and ending of what has to be trusted: how MLflow saves it as data."""
_SERVED = {
    ("keras", ".h5"): "mlflow.keras.save_model(model, path)",
    ("pytorch", ".pth"): "mlflow.pytorch.save_model(model, path, serialization_format='pt2',"
    " input_example=rows)",
    ("tensorflow", ".h5"): "mlflow.keras.save_model(model, path)",
}
"""By flavour and ending of what is not served: how MLflow saves it as something that is."""
_DTYPES = {kind.numpy.name: kind for kind in DType} | {"str": DType.BYTES}


class _Schema(msgspec.Struct, frozen=True):
    """The inputs as MLflow describes them: columns, or tensors."""

    columns: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    tensors: tuple[TensorSpec, ...] = ()
    ordered: tuple[TensorSpec, ...] = ()
    """Tensors that have no names."""


class MLflowModel:
    """A model of another format, described with what the folder adds."""

    def __init__(self, inner: Model, description: Description) -> None:
        self._inner = inner
        self.description = description

    def predict(self, batch: Batch) -> Batch | Awaitable[Batch]:
        """The inner model's outputs."""
        return self._inner.predict(batch)

    def close(self) -> None:
        """Close the inner model."""
        self._inner.close()


def _load(path: Path, options: LoadOptions) -> Model:
    refuse_links(path)
    said = _read(path)
    name, flavour = _flavour(said)
    schema = _schema(said.get("signature"))
    declared = {spec.name: spec for spec in schema.tensors} | dict(options.declared_inputs)
    options = replace(options, declared_inputs=declared, ordered_inputs=schema.ordered)
    saved = _saved(path, name, flavour)
    with _opened(path, saved, _ending(saved, flavour)) as place:
        inner = _load_inner(place, options, (name, saved.suffix))
    return MLflowModel(inner, _described(inner.description, schema, name))


RUNTIME = Runtime(name="MLflow", load=_load)


def _load_inner(place: Path, options: LoadOptions, kind: tuple[str, str]) -> Model:
    """What the folder holds, of that flavour and ending; who trusts the folder trusts it, too."""
    own = _digest(place) or options.digest
    also = {own} if options.digest in options.trusted else set()
    try:
        return load(place, replace(options, digest=own, trusted=options.trusted | also))
    except UntrustedModel as error:
        message = error.message.replace(own, options.digest) + _anew(_SAFER, kind)
        raise UntrustedModel(message, digest=options.digest) from error
    except UnsupportedModel as error:
        raise UnsupportedModel(error.message + _anew(_SERVED, kind)) from error


def _anew(ways: Mapping[tuple[str, str], str], kind: tuple[str, str]) -> str:
    """The end of a sentence that says why something is refused: the better way, if there is one."""
    return f"; or save it anew with {ways[kind]}" if kind in ways else ""


def _digest(place: Path) -> str | None:
    if not place.is_file():
        return None
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Mapping[str, object]:
    file = path / "MLmodel"
    if file.stat().st_size > _LARGEST_BYTES:
        raise CorruptModel("the file 'MLmodel' is too large")
    try:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CorruptModel("the file 'MLmodel' is not YAML") from error
    if not isinstance(said, dict) or not isinstance(said.get("flavors"), dict):
        raise CorruptModel("the file 'MLmodel' names no flavors")
    return said


def _flavour(said: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    flavours = said["flavors"]
    assert isinstance(flavours, dict)
    for name, flavour in flavours.items():
        if name in _KEYS and isinstance(flavour, dict):
            return name, flavour
    names = ", ".join(f"'{name}'" for name in flavours)
    raise UnsupportedModel(
        f"the MLflow model has no flavour that is served, only {names[:300]}. A python_function is"
        f" a program: log the model with one of {', '.join(_KEYS)}, or write a .py model"
    )


def _saved(path: Path, name: str, flavour: Mapping[str, object]) -> Path:
    """The flavour's file or folder, as MLflow names it."""
    places = _within(_inside(path, _place(name, flavour)))
    return next((place for place in places if format_of(place) is not None), places[-1])


def _ending(saved: Path, flavour: Mapping[str, object]) -> str:
    """As its library would name it; CatBoost's own does not say in which of its ways."""
    way = flavour.get("save_format", "cbm")
    if saved.suffix == ".cb" and way != "cbm":
        raise UnsupportedModel(
            f"'{saved.name}' was saved with format={str(way)[:50]!r}, which is not served; leave"
            " format away: mlflow.catboost.save_model(model, path)"
        )
    return _ENDINGS.get(saved.suffix, saved.suffix)


@contextmanager
def _opened(path: Path, place: Path, ending: str) -> Iterator[Path]:
    """What was saved, under the name that its format has, for as long as it is read."""
    parts = path / "components"  # of transformers: the tokenizer beside the network
    if not parts.is_dir() and ending == place.suffix:
        yield place
        return
    with tempfile.TemporaryDirectory() as folder:
        if parts.is_dir():
            for part in (place, *sorted(parts.iterdir())):
                _put_files(part, Path(folder))
            yield Path(folder)
        else:
            named = Path(folder) / f"{place.stem}{_real_ending(place, ending)}"
            _put(place, named)
            yield named


def _place(name: str, flavour: Mapping[str, object]) -> str:
    for key in (_KEYS[name], "saved_model_dir"):
        value = flavour.get(key)
        if isinstance(value, str):
            return value
    if name not in _UNSAID:
        raise CorruptModel(f"the file 'MLmodel' does not say where the flavour '{name}' is kept")
    return _UNSAID[name]


def _inside(path: Path, place: str) -> Path:
    """A path of `MLmodel`, which must not lead out of the folder; links were refused before."""
    parts = PurePosixPath(place).parts
    if not parts or place.startswith("/") or ".." in parts or "\\" in place or "\0" in place:
        raise CorruptModel("the file 'MLmodel' names a place outside of the model's folder")
    found = path.joinpath(*parts)
    if not found.exists():
        raise CorruptModel(f"'{parts[-1]}', which the file 'MLmodel' names, is not there")
    return found


def _within(place: Path) -> list[Path]:
    return [place, *(place / name for name in _INNER if (place / name).exists())]


def _real_ending(place: Path, ending: str) -> str:
    """XGBoost's own ending does not say in which of two ways the model was written."""
    with place.open("rb") as file:
        return ".json" if ending == ".ubj" and file.read(2) == b'{"' else ending


def _put_files(source: Path, folder: Path) -> None:
    for file in sorted(source.iterdir()) if source.is_dir() else [source]:
        if file.is_file() and not (folder / file.name).exists():
            _put(file, folder / file.name)


def _put(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the folders are on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _schema(signature: object) -> _Schema:
    """The inputs of an MLflow signature, as far as they can be used."""
    listed = signature.get("inputs") if isinstance(signature, dict) else None
    try:
        inputs = json.loads(listed) if isinstance(listed, str) else None
    except ValueError:
        inputs = None
    if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
        return _Schema()
    if any(each.get("type") == "tensor" for each in inputs):
        specs = [_tensor(each, at) for at, each in enumerate(inputs)]
        if not all(specs):
            return _Schema()
        tensors = tuple(spec for spec in specs if spec)
        is_named = any("name" in each for each in inputs)
        return _Schema(tensors=tensors) if is_named else _Schema(ordered=tensors)
    names = tuple(str(each["name"]) for each in inputs if "name" in each)
    missing = frozenset(str(e.get("name")) for e in inputs if e.get("required") is False)
    return _Schema(columns=names if len(set(names)) == len(inputs) else (), missing=missing)


def _tensor(said: Mapping[str, object], at: int) -> TensorSpec | None:
    spec = said.get("tensor-spec")
    shape = spec.get("shape") if isinstance(spec, dict) else None
    kind = _DTYPES.get(str(spec.get("dtype"))) if isinstance(spec, dict) else None
    if kind is None or not isinstance(shape, list) or not all(isinstance(n, int) for n in shape):
        return None
    free = tuple(None if size < 0 else size for size in shape)
    return TensorSpec(str(said.get("name", f"input_{at}")), kind, free)


def _described(inner: Description, schema: _Schema, flavour: str) -> Description:
    meaning = _meaning(inner, schema)
    semantics = msgspec.structs.replace(
        inner.semantics, inputs={**inner.semantics.inputs, **meaning}
    )
    note = f"it is the flavour '{flavour}' of an MLflow model"
    return replace(inner, semantics=semantics, notes=(*inner.notes, note))


def _meaning(inner: Description, schema: _Schema) -> dict[str, InputMeaning]:
    """Names for the columns of the one input that has none, if their number fits."""
    inputs = inner.signature.inputs
    if len(inputs) != 1 or inputs[0].row_shape[-1:] != (len(schema.columns),):
        return {}
    known = inner.semantics.inputs.get(inputs[0].name, InputMeaning())
    columns = known.columns or schema.columns
    fields = {name: Field(nullable=True) for name in columns if name in schema.missing}
    fields = {**fields, **known.column_fields} if inputs[0].dtype.is_float else {}
    named = msgspec.structs.replace(known, columns=columns, column_fields=fields)
    return {inputs[0].name: named}
