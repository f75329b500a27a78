"""TorchScript archives (`.pt`, `.pth`), run by PyTorch.

An archive keeps the names of its inputs, not their types and shapes. A traced one has its example
inputs with it: their types count, their shapes too, and their first dimension is free if the
program takes another size there. What `model.toml` declares comes first; a scripted model needs
it, or a signature beside it. The outputs are found by running the program on zeros of several
sizes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.signature import Shape, Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.runtimes.base import Description, LoadOptions, Runtime
from modelport.runtimes.torch.probe import accepts_rows, probed_outputs
from modelport.runtimes.torch.tensors import (
    Program,
    TorchModel,
    archived,
    named_outputs,
    use_threads,
)
from modelport.runtimes.torch.traced import traced_inputs

__all__ = ["RUNTIME"]

_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_EXPORT = (
    "torch.export.save(torch.export.export(model.eval(), (example,),"
    " dynamic_shapes=({0: torch.export.Dim.AUTO},)), 'model.pt2')"
)


def _examine(path: Path) -> None:
    """Tell the other files of PyTorch that have this ending."""
    names = archived(path)
    if "constants.pkl" in names:
        return
    if {"archive_format", "serialized_exported_program.json"} & names:
        raise UnsupportedModel(f"'{path.name}' is a torch.export archive: rename it to end in .pt2")
    with path.open("rb") as file:
        is_pickle = file.read(2) in _PICKLES
    if is_pickle or "data.pkl" in names:
        raise UnsupportedModel(
            f"'{path.name}' was made by torch.save: it holds weights, and no program that uses"
            f" them, and loading it can run code. Export the model where its code is: {_EXPORT}"
        )
    raise CorruptModel(f"'{path.name}' is damaged, or no TorchScript archive")


def _load(path: Path, options: LoadOptions) -> TorchModel:
    use_threads(options.threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of all of TorchScript
        module = torch.jit.load(str(path), map_location="cpu").eval()
    names = _inputs(module)
    ordered = [(spec.dtype, spec.shape) for spec in options.ordered_inputs]
    traced: Sequence[tuple[DType, Shape]] = traced_inputs(path) or ordered
    declared = options.declared_for(names)
    open_names = [name for name in names if name not in declared]
    if open_names and len(traced) != len(names):
        raise UnsupportedModel(_what_to_write(path, open_names))
    examples = dict(zip(names, traced, strict=False))
    specs = tuple(
        declared[name] if name in declared else _like(name, examples[name]) for name in names
    )
    return _model(module, specs)


RUNTIME = Runtime(name="TorchScript", load=_load, examine=_examine)


def _model(module: Any, specs: tuple[TensorSpec, ...]) -> TorchModel:
    def program(inputs: Any) -> Any:
        return named_outputs(module(**inputs))

    inputs = _with_free_rows(program, specs)
    description = Description(
        runtime=f"PyTorch {torch.__version__} (TorchScript)",
        signature=Signature(inputs, probed_outputs(program, inputs)),
    )
    return TorchModel(program, description)


def _inputs(module: Any) -> list[str]:
    """The names of the arguments that have to be given."""
    names = []
    for argument in module.forward.schema.arguments[1:]:
        if argument.has_default_value():
            continue
        if str(argument.type) != "Tensor":
            raise UnsupportedModel(
                f"the model's input '{argument.name}' is of type {argument.type}: wrap the model"
                " in a module that takes tensors, or give the argument a default"
            )
        names.append(argument.name)
    if not names:
        raise UnsupportedModel("the model takes no tensor")
    return names


def _like(name: str, example: tuple[DType, Shape]) -> TensorSpec:
    dtype, shape = example
    return TensorSpec(name, dtype, shape)


def _with_free_rows(program: Program, specs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """The same with a free first dimension, where all inputs have one size there that may vary."""
    leading = {spec.shape[0] if spec.shape else None for spec in specs}
    if len(leading) != 1 or leading == {None}:
        return specs
    freed = tuple(TensorSpec(s.name, s.dtype, (None, *s.shape[1:])) for s in specs)
    return freed if accepts_rows(program, freed) else specs


def _what_to_write(path: Path, names: list[str]) -> str:
    lines = " and ".join(f'inputs.{name} = {{ dtype = "FP32", shape = [-1, 3] }}' for name in names)
    return (
        f"'{path.name}' does not say the types and shapes of its inputs: write them at the top of"
        f" model.toml, -1 for a size that is free, as in {lines}"
    )
