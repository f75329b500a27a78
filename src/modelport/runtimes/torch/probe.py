"""What a program returns, found by running it on zeros."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from modelport.core.errors import UnsupportedModel
from modelport.core.signature import Shape, TensorSpec
from modelport.core.tensors import DType
from modelport.runtimes.torch.tensors import DTYPES, Program, last_line

__all__ = ["accepts_rows", "probed_outputs"]

_SIZES = (4, 32, 64, 224)
"""Sizes of free dimensions that are tried: the smallest that the program takes is enough."""
_TORCH = {ours: theirs for theirs, ours in DTYPES.items() if theirs is not torch.bfloat16}


def accepts_rows(program: Program, inputs: Sequence[TensorSpec]) -> bool:
    """Whether it takes 1, 2 and 3 rows and answers with as many in every output."""
    try:
        for rows in (1, 2, 3):
            outputs = _run(program, inputs, rows, _SIZES[0])
            if not all(spec.shape[:1] == (rows,) for spec in outputs):
                return False
    except Exception:  # whatever the program raises means no
        return False
    return True


def probed_outputs(program: Program, inputs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The outputs; a size that follows one of the inputs' free sizes is free.

    Raises:
        UnsupportedModel: the program takes no inputs of this signature.
    """
    size, first = _smallest(program, inputs)
    seen = [first, _run(program, inputs, 3, size)]
    if any(None in spec.shape[1:] for spec in inputs):
        seen.append(_run(program, inputs, 2, 2 * size))
    return tuple(
        TensorSpec(spec.name, spec.dtype, _free(*(outputs[at].shape for outputs in seen)))
        for at, spec in enumerate(first)
    )


def _smallest(program: Program, inputs: Sequence[TensorSpec]) -> tuple[int, list[TensorSpec]]:
    has_free = any(None in spec.shape[1:] for spec in inputs)
    failure = ""
    for size in _SIZES if has_free else _SIZES[:1]:
        try:
            return size, _run(program, inputs, 2, size)
        except UnsupportedModel:
            raise
        except Exception as error:
            failure = last_line(error)
    raise UnsupportedModel(
        f"the model did not take zeros of its inputs' types and shapes, in model.toml or the file:"
        f" {failure}"
    )


def _run(program: Program, inputs: Sequence[TensorSpec], rows: int, size: int) -> list[TensorSpec]:
    """The outputs, with all sizes as they came."""
    zeros = {spec.name: _zeros(spec, rows, size) for spec in inputs}
    with torch.inference_mode():
        outputs = program(zeros)
    return [_spec(name, value) for name, value in outputs.items()]


def _zeros(spec: TensorSpec, rows: int, size: int) -> torch.Tensor:
    if spec.dtype is DType.BYTES:
        raise UnsupportedModel(f"input '{spec.name}' is BYTES, and PyTorch takes numbers only")
    free = [rows, *[size] * len(spec.shape)]
    shape = [free[at] if known is None else known for at, known in enumerate(spec.shape)]
    return torch.zeros(shape, dtype=_TORCH[spec.dtype])


def _spec(name: str, value: torch.Tensor) -> TensorSpec:
    dtype = DTYPES.get(value.dtype)
    if dtype is None:
        raise UnsupportedModel(
            f"output '{name}' is of {value.dtype}, which no protocol of this server can carry"
        )
    return TensorSpec(name, dtype, tuple(value.shape))


def _free(*shapes: Shape) -> Shape:
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))
