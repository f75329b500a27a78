"""`torch.export` archives (`.pt2`), run by PyTorch.

Types, shapes and free sizes are the program's own; sizes outside of its ranges are refused. Inputs
are named as the arguments were, outputs by the keys of what it returns.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree as pytree

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.signature import Shape, Signature, TensorSpec
from modelport.runtimes.base import Description, LoadOptions, Runtime
from modelport.runtimes.torch.tensors import (
    DTYPES,
    TorchModel,
    archived,
    named_outputs,
    use_threads,
)

__all__ = ["RUNTIME"]

_FIXED = (
    "every size is fixed, the number of rows too: export it with dynamic_shapes to send any number"
)


def _examine(path: Path) -> None:
    names = archived(path)
    if "constants.pkl" in names:
        raise UnsupportedModel(f"'{path.name}' is a TorchScript archive: rename it to end in .pt")
    if not {"models/model.json", "serialized_exported_program.json"} & names:
        raise CorruptModel(f"'{path.name}' is damaged, or no archive of torch.export.save")


def _load(path: Path, options: LoadOptions) -> TorchModel:
    use_threads(options.threads)
    with _quiet():
        exported = torch.export.load(path)
    signature = Signature(_inputs(exported), _outputs(exported), lockstep=_is_lockstep(exported))
    description = Description(
        runtime=f"PyTorch {torch.__version__} (torch.export)",
        signature=signature,
        notes=() if any(spec.is_batched for spec in signature.inputs) else (_FIXED,),
    )
    return TorchModel(_Program(exported), description)


RUNTIME = Runtime(name="torch.export", load=_load, examine=_examine)


class _Program:
    """Takes the inputs by name, in whatever structure the program wants them."""

    def __init__(self, exported: Any) -> None:
        self._module = exported.module()
        self._names = exported.graph_signature.user_inputs
        self._structure = exported.call_spec.in_spec

    def __call__(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        flat = [inputs[name] for name in self._names]
        args, kwargs = pytree.tree_unflatten(flat, self._structure)
        return named_outputs(self._module(*args, **kwargs))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch from logging the stack of a failure that is raised anyway."""
    log = logging.getLogger("torch.export")
    was, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = was


def _inputs(exported: Any) -> tuple[TensorSpec, ...]:
    values = _example_inputs(exported)
    return tuple(_spec(f"input '{name}'", name, value) for name, value in values.items())


def _example_inputs(exported: Any) -> dict[str, Any]:
    """What the program was traced with, in the order of its arguments."""
    known = {n.name: n.meta.get("val") for n in exported.graph.nodes if n.op == "placeholder"}
    for name in exported.graph_signature.user_inputs:
        if not isinstance(known.get(name), torch.Tensor):
            raise UnsupportedModel(
                f"the program's input {name!r} is no tensor: export a module that takes tensors"
            )
    return {name: known[name] for name in exported.graph_signature.user_inputs}


def _outputs(exported: Any) -> tuple[TensorSpec, ...]:
    known = {node.name: node.meta.get("val") for node in exported.graph.nodes}
    flat = [known.get(name) for name in exported.graph_signature.user_outputs]
    structured = pytree.tree_unflatten(flat, exported.call_spec.out_spec)
    found = named_outputs(structured)
    return tuple(_spec(f"output '{name}'", name, value) for name, value in found.items())


def _spec(what: str, name: str, value: Any) -> TensorSpec:
    dtype = DTYPES.get(value.dtype)
    if dtype is None or (what.startswith("input") and value.dtype is torch.bfloat16):
        raise UnsupportedModel(
            f"{what} is of {value.dtype}, which no protocol of this server can carry"
        )
    shape: Shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return TensorSpec(name, dtype, shape)


def _is_lockstep(exported: Any) -> bool:
    """Whether no two free leading sizes are of different symbols."""
    leading = (value.shape[0] for value in _example_inputs(exported).values() if value.dim())
    return len({str(size) for size in leading if not isinstance(size, int)}) <= 1
