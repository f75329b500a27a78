"""Between numpy arrays and PyTorch's tensors, and the outputs of a program by name."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from modelport.core.errors import InvalidInput, UnsupportedModel
from modelport.core.tensors import Array, Batch, DType
from modelport.runtimes.base import Description

__all__ = [
    "DTYPES",
    "Program",
    "TorchModel",
    "archived",
    "last_line",
    "named_outputs",
    "use_threads",
]

Program: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From input tensors to output tensors, both by name."""

DTYPES = {
    torch.bool: DType.BOOL,
    torch.uint8: DType.UINT8,
    torch.uint16: DType.UINT16,
    torch.uint32: DType.UINT32,
    torch.uint64: DType.UINT64,
    torch.int8: DType.INT8,
    torch.int16: DType.INT16,
    torch.int32: DType.INT32,
    torch.int64: DType.INT64,
    torch.float16: DType.FP16,
    torch.bfloat16: DType.FP32,
    torch.float32: DType.FP32,
    torch.float64: DType.FP64,
}
"""The type that carries each type of PyTorch; outputs in bfloat16 are widened, which is exact."""

_REFUSALS = ("Guard failed", "Expected input")
"""How an exported program's own checks of its inputs begin."""


class TorchModel:
    """A program in inference mode."""

    def __init__(self, program: Program, description: Description) -> None:
        self._program = program
        self.description = description

    def predict(self, batch: Batch) -> Batch:
        """Run the program on copies of the arrays, which it may change."""
        inputs = {name: torch.tensor(array) for name, array in batch.items()}
        try:
            with torch.inference_mode():
                outputs = self._program(inputs)
        except (AssertionError, RuntimeError) as error:
            if str(error).startswith(_REFUSALS):
                reason = str(error).splitlines()[0]
                raise InvalidInput(f"the model does not take this input: {reason}") from error
            raise
        return {name: _array(value) for name, value in outputs.items()}

    def close(self) -> None:
        """Give the weights' memory back."""
        vars(self).pop("_program", None)


def _array(tensor: Any) -> Array:
    """A copy: a program may hand out its own weights, or an input."""
    wide = tensor.float() if tensor.dtype is torch.bfloat16 else tensor
    copy: Array = np.array(wide.numpy())
    return copy


def named_outputs(value: object) -> dict[str, Any]:
    """The tensors of what a program returned, in order.

    A dict's and a named tuple's are named by their keys; others are `output`, or `output_0` and so
    on. Names inside of others are joined by a dot. What is no tensor is left out.

    Raises:
        UnsupportedModel: there is none, or two have one name.
    """
    found = list(_named("", value))
    names = [name for name, _ in found]
    if not found or len(set(names)) < len(names):
        problem = "returns no tensor" if not found else "gives two outputs one name"
        raise UnsupportedModel(f"the model {problem}: let it return a dict of tensors")
    return dict(found)


def _named(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, torch.Tensor):
        yield path or "output", value
    for key, item in _items(value):
        name = str(key) if isinstance(key, str) else f"{'' if path else 'output_'}{key}"
        yield from _named(f"{path}.{name}" if path else name, item)


def _items(value: object) -> list[tuple[str | int, object]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    return list(enumerate(value)) if isinstance(value, tuple | list) else []


def use_threads(threads: int) -> None:
    """Let every run in this process use `threads` CPU threads: PyTorch has one number for all."""
    torch.set_num_threads(threads)


def archived(path: Path) -> frozenset[str]:
    """The names in an archive of PyTorch's, without its top folder; empty where it is none."""
    if not zipfile.is_zipfile(path):
        return frozenset()
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.partition("/")[2] or name for name in archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return frozenset()


def last_line(error: Exception) -> str:
    """What PyTorch says at the end of a message, after its traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
