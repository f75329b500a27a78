"""TensorFlow SavedModels. Grade: silver.

A SavedModel is a program of TensorFlow's operations. One whose operations are all on a list of
pure ones is loaded; any other has to be trusted (`_saved_model`), as has every one of TensorFlow 1,
whose loader runs restore operations that the file itself brings. Tables that are filled from a
vocabulary's file are of that kind, too. Links in the folder are refused.

Served is the signature `serving_default`, or the only one. The number of threads holds for the
whole process, and the first model that is loaded sets it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, Batch, DType, bytes_tensor
from modelport.runtimes._folders import refuse_links
from modelport.runtimes._quiet import quiet_banners
from modelport.runtimes._saved_model import impure_operations
from modelport.runtimes.base import Description, LoadOptions, Runtime, require_trust

__all__ = ["RUNTIME", "Function", "FunctionModel", "Tensor", "import_tensorflow", "tensor_spec"]

_DEFAULT = "serving_default"
_OTHERS = ("saved_model.cpb", "saved_model.pbtxt")
"""What TensorFlow reads in place of `saved_model.pb`, or with it."""
_FLOATS = {"float16": "FP16", "float32": "FP32", "float64": "FP64", "string": "BYTES"}
_SHOWN = 5
"""Operations that a message names."""


class Tensor(Protocol):
    """What TensorFlow gives for a tensor, as far as it is used here."""

    def numpy(self) -> object:
        """Its values."""


class Function(Protocol):
    """A function from tensors to tensors, both by name."""

    def __call__(self, **tensors: Tensor) -> Mapping[str, Tensor]: ...


class FunctionModel:
    """A function of TensorFlow, with what owns its variables."""

    def __init__(
        self,
        owner: object,
        function: Function,
        constant: Callable[[Array], Tensor],
        description: Description,
    ) -> None:
        self._owner = owner  # the function alone does not keep it
        self._function = function
        self._constant = constant
        self.description = description

    def predict(self, batch: Batch) -> Batch:
        """Call the function."""
        outputs = self._function(**{name: self._constant(v) for name, v in batch.items()})
        specs = self.description.signature.outputs
        return {spec.name: _array(outputs[spec.name].numpy()) for spec in specs}

    def close(self) -> None:
        """Let go of the variables, once the last run in the air has ended."""
        for name in ("_owner", "_function"):
            vars(self).pop(name, None)


def import_tensorflow(threads: int) -> tuple[ModuleType, tuple[str, ...]]:
    """TensorFlow with that many threads for the process, and a warning where it has others."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_banners():
        tf = importlib.import_module("tensorflow")
        limits = tf.config.threading
        try:
            limits.set_intra_op_parallelism_threads(threads)
            limits.set_inter_op_parallelism_threads(threads)
        except RuntimeError:  # it computes already
            have = limits.get_intra_op_parallelism_threads() or "all"
            return tf, (f"TensorFlow keeps the {have} threads of its first model",)
        tf.config.list_logical_devices()  # starts it, so that nobody sets other numbers
    return tf, ()


def tensor_spec(name: str, dtype: str, shape: Sequence[int | None] | None) -> TensorSpec:
    """The spec of a tensor, from TensorFlow's name of its type.

    Raises:
        UnsupportedModel: no protocol carries the type, or the number of dimensions is open.
    """
    known = _FLOATS.get(dtype, dtype.upper())
    if known not in DType.__members__:
        raise UnsupportedModel(
            f"tensor '{name}' is of type {dtype}, which no protocol of this server can carry"
        )
    if shape is None:
        raise UnsupportedModel(
            f"tensor '{name}' has an open number of dimensions; save the model with a shape, in"
            " which None stands for a free size"
        )
    return TensorSpec(name, DType[known], tuple(shape))


def _load(path: Path, options: LoadOptions) -> FunctionModel:
    _check(path, options)
    tf, warnings = import_tensorflow(options.threads)
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures[_served(loaded.signatures)]
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    description = Description(
        runtime=f"TensorFlow {tf.__version__}",
        signature=Signature(_specs(tf, inputs), _specs(tf, outputs)),
        warnings=warnings,
    )
    return FunctionModel(loaded, function, tf.constant, description)


RUNTIME = Runtime(name="TensorFlow", load=_load)


def _check(path: Path, options: LoadOptions) -> None:
    refuse_links(path)
    for name in _OTHERS:
        if (path / name).exists():
            raise UnsupportedModel(f"'{path.name}' has a '{name}', which is not read here")
    try:
        found = impure_operations(path / "saved_model.pb")
    except ValueError as error:
        raise CorruptModel(f"'{path.name}' is not a usable SavedModel: {error}") from error
    if found:
        require_trust(path, _why(found), options)


def _why(operations: list[str]) -> str:
    more = len(operations) - _SHOWN
    shown = ", ".join(name[:60] for name in operations[:_SHOWN])
    return (
        "it has operations that may reach files, the network or other programs, or that are not"
        f" known: {shown}{f' and {more} more' if more > 0 else ''}"
    )


def _served(signatures: Mapping[str, object]) -> str:
    only = next(iter(signatures)) if len(signatures) == 1 else _DEFAULT
    name = _DEFAULT if _DEFAULT in signatures else only
    if name not in signatures:
        names = ", ".join(f"'{each}'" for each in signatures) or "none"
        raise UnsupportedModel(
            f"the SavedModel has no signature '{_DEFAULT}'; it has {names}. Save it with"
            " tf.saved_model.save(model, folder, signatures=FUNCTION)"
        )
    return name


def _specs(tf: ModuleType, found: Mapping[str, object]) -> tuple[TensorSpec, ...]:
    specs = []
    for name, spec in sorted(found.items()):  # TensorFlow's own order of names
        if not isinstance(spec, tf.TensorSpec):
            raise UnsupportedModel(f"'{name}' is not a dense tensor")
        shape = spec.shape
        known = shape.as_list() if shape.rank is not None else None
        specs.append(tensor_spec(name, spec.dtype.name, known))
    return tuple(specs)


def _array(value: object) -> Array:
    """An array of a tensor's values; TensorFlow gives a bare value for one without dimensions."""
    return bytes_tensor([value], ()) if isinstance(value, bytes) else np.asarray(value)
