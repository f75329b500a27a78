"""Keras 3 files, run by TensorFlow. Grade: silver.

A `.keras` file describes layers, which Keras builds. One that names only layers, initializers
and the like of Keras itself is loaded, in Keras's safe mode; any other, with a Lambda layer for
example, has to be trusted (`_keras_archive`). Weights that lie in other files are refused.

Served are models whose inputs are known: Functional and Sequential ones. Outputs have the names
of a dictionary's keys, else of their layers. The model is compiled to a graph for all sizes. For
threads see `tensorflow`.
"""

from __future__ import annotations

import importlib
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeAlias

import h5py

from modelport.core.errors import CorruptModel, LoadError, UnsupportedModel
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.runtimes._keras_archive import WEIGHTS, unknown_parts
from modelport.runtimes.base import Description, LoadOptions, Runtime, require_trust
from modelport.runtimes.tensorflow import FunctionModel, Tensor, import_tensorflow, tensor_spec

__all__ = ["RUNTIME"]

_Function: TypeAlias = Callable[..., Mapping[str, Tensor]]
_MOST_LINKS = 1_000_000


class _Keras(Protocol):
    """A model of Keras, as far as it is used here."""

    name: str
    inputs: Sequence[_Symbol] | None
    input: object
    output: object

    def __call__(self, inputs: object, training: bool) -> object:
        """Its outputs."""


class _Symbol(Protocol):
    """A tensor of a model before it has values."""

    name: str
    dtype: str
    shape: Sequence[int | None]


def _load(path: Path, options: LoadOptions) -> FunctionModel:
    found = unknown_parts(path)
    if found:
        require_trust(path, _why(found), options)
    _check_weights(path)
    tf, warnings = import_tensorflow(options.threads)
    keras = _import_keras()
    model = keras.saving.load_model(path, compile=False, safe_mode=not found)
    inputs = _inputs(model)
    function, outputs = _traced(tf, keras, model, inputs)
    description = Description(
        runtime=f"Keras {keras.__version__} with TensorFlow {tf.__version__}",
        signature=Signature(inputs, outputs),
        warnings=warnings,
    )
    return FunctionModel(model, function, tf.constant, description)


RUNTIME = Runtime(name="Keras", load=_load)


def _why(found: list[str]) -> str:
    return (
        f"it has parts that Keras's own layers do not need, which can run code: {', '.join(found)}."
        " Replace them with layers of Keras, or export the model as a SavedModel or ONNX file"
    )


def _import_keras() -> ModuleType:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    keras = importlib.import_module("keras")
    if keras.backend.backend() != "tensorflow":
        raise LoadError(
            f"Keras runs on {keras.backend.backend()} in this process; set"
            " KERAS_BACKEND=tensorflow in the environment"
        )
    return keras


def _check_weights(path: Path) -> None:
    """Refuse weights that HDF5 would read from other files, at whatever place in this one."""
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(WEIGHTS) as entry,
            h5py.File(entry, "r") as file,
        ):
            problem = _elsewhere(file)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise CorruptModel(
            f"'{path.name}' is not a usable Keras file: its weights cannot be read"
        ) from error
    if problem:
        raise CorruptModel(f"'{path.name}' is not a usable Keras file: {problem}")


def _elsewhere(root: h5py.Group) -> str | None:
    waiting, seen = [root], 0
    while waiting:
        group = waiting.pop()
        for name in group:
            seen += 1
            if seen > _MOST_LINKS or not isinstance(group.get(name, getlink=True), h5py.HardLink):
                return "its weights have links"
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                return "its weights lie in other files"
    return None


def _inputs(model: _Keras) -> tuple[TensorSpec, ...]:
    if not getattr(model, "inputs", None):
        raise UnsupportedModel(
            f"the model '{model.name}' does not say what its inputs are; save a Functional or"
            " Sequential model, or export it as a SavedModel"
        )
    assert model.inputs is not None
    return tuple(tensor_spec(s.name, s.dtype, s.shape) for s in model.inputs)


def _output_names(keras: ModuleType, model: _Keras) -> list[str]:
    outputs = _graph_of(model).output
    if isinstance(outputs, dict):
        return sorted(outputs)  # as Keras flattens it
    names = [tensor._keras_history.operation.name for tensor in keras.tree.flatten(outputs)]
    seen: Counter[str] = Counter()
    for at, name in enumerate(names):
        names[at] = f"{name}_{seen[name]}" if seen[name] else name
        seen[name] += 1
    return names


def _graph_of(model: _Keras) -> _Keras:
    """The Functional model; a Sequential one has it inside, and not its properties."""
    graph: _Keras = getattr(model, "_functional", model)
    return graph


def _traced(
    tf: ModuleType, keras: ModuleType, model: _Keras, inputs: tuple[TensorSpec, ...]
) -> tuple[_Function, tuple[TensorSpec, ...]]:
    """The model as one graph for all sizes, and the specs of what it gives."""
    names = _output_names(keras, model)

    def run(**tensors: object) -> dict[str, object]:
        given = keras.tree.pack_sequence_as(
            _graph_of(model).input, [tensors[s.name] for s in inputs]
        )
        values = keras.tree.flatten(model(given, training=False))
        return {n: tf.convert_to_tensor(v) for n, v in zip(names, values, strict=True)}

    kinds = {spec.name: tf.TensorSpec(spec.shape, _tf_dtype(spec), spec.name) for spec in inputs}
    graph = tf.function(run, autograph=False).get_concrete_function(**kinds)
    given = graph.structured_outputs
    specs = (tensor_spec(n, given[n].dtype.name, _shape(given[n].shape)) for n in names)
    return graph, tuple(specs)


def _tf_dtype(spec: TensorSpec) -> object:
    return "string" if spec.dtype is DType.BYTES else spec.dtype.numpy


def _shape(shape: Sequence[int | None]) -> list[int | None]:
    return list(shape)
