"""Signatures: the named, typed inputs and outputs of a model, and the check of a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from modelport.core.errors import InvalidInput
from modelport.core.tensors import Array, Batch, DType

__all__ = ["Shape", "Signature", "TensorSpec", "fits", "position", "show_shape", "sizes"]

Shape = tuple[int | None, ...]


class TensorSpec(msgspec.Struct, frozen=True):
    """One input or output: its name, its element type and its shape; None is a free dimension."""

    name: str
    dtype: DType
    shape: Shape

    @property
    def row_shape(self) -> Shape:
        """The shape of one row: without the leading dimension, where that is the batch's."""
        return self.shape[1:] if self.is_batched else self.shape

    @property
    def is_batched(self) -> bool:
        """Whether the first dimension is free, and so counts rows."""
        return bool(self.shape) and self.shape[0] is None

    def check(self, tensor: Array) -> None:
        """Refuse a tensor of another type or shape.

        Raises:
            InvalidInput: names the tensor, what was expected and what came.
        """
        if tensor.dtype != self.dtype.numpy:
            raise InvalidInput(
                f"input '{self.name}' takes {self.dtype.value}, and"
                f" {DType.of(tensor.dtype).value} came",
                tensor=self.name,
                expected=self.dtype.value,
                got=DType.of(tensor.dtype).value,
            )
        if not fits(tensor.shape, self.shape):
            raise InvalidInput(
                f"input '{self.name}' takes the shape {show_shape(self.shape)}, and"
                f" {show_shape(tensor.shape)} came",
                tensor=self.name,
                expected=sizes(self.shape),
                got=list(tensor.shape),
            )
        if not tensor.size:
            raise InvalidInput(
                f"input '{self.name}' is empty: its shape {show_shape(tensor.shape)} has a 0",
                tensor=self.name,
                got=list(tensor.shape),
            )


class Signature(msgspec.Struct, frozen=True):
    """The inputs and outputs of one version, in the order of its file.

    `lockstep` says that the leading free dimension of all inputs counts the same rows, as it does
    for nearly every model; a runtime whose file says otherwise clears it.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    lockstep: bool = True

    @property
    def is_batched(self) -> bool:
        """Whether rows can be stacked: every input has a leading free dimension."""
        return self.lockstep and all(spec.is_batched for spec in self.inputs)

    def input(self, name: str) -> TensorSpec:
        """The input of that name.

        Raises:
            InvalidInput: there is none; the message lists those that there are.
        """
        for spec in self.inputs:
            if spec.name == name:
                return spec
        raise InvalidInput(
            f"the model has no input '{name}'; its inputs are {_names(self.inputs)}",
            tensor=name,
            expected=[spec.name for spec in self.inputs],
        )

    def check(self, inputs: Batch) -> int:
        """Refuse inputs that the model does not take, and count their rows (1 if unbatched).

        Raises:
            InvalidInput: an input is unknown, missing, or of another type, shape or row count.
        """
        if len(inputs) != len(self.inputs):
            raise self._wrong_names(inputs)
        rows = -1
        for spec in self.inputs:
            tensor = inputs.get(spec.name)
            if tensor is None:
                raise self._wrong_names(inputs)
            spec.check(tensor)
            if spec.is_batched and self.lockstep:
                if rows not in (-1, tensor.shape[0]):
                    raise self._uneven(inputs)
                rows = tensor.shape[0]
        return 1 if rows < 0 else rows

    def checker(self) -> Callable[[Batch], int]:
        """The same check, made ready for many requests; raises as `check`."""
        if len(self.inputs) != 1 or None in self.inputs[0].row_shape or not self.is_batched:
            return self.check
        (spec,) = self.inputs
        name, dtype, row_shape = spec.name, spec.dtype.numpy, spec.row_shape
        is_empty = 0 in row_shape

        def check(inputs: Batch) -> int:
            tensor = inputs.get(name)
            if tensor is not None and len(inputs) == 1 and tensor.dtype == dtype:
                shape = tensor.shape
                if shape[1:] == row_shape and not is_empty and shape and shape[0]:
                    return int(shape[0])
            return self.check(inputs)  # which knows what to say

        return check

    def check_outputs(self, names: Iterable[str]) -> None:
        """Refuse the name of an output that the model does not have.

        Raises:
            InvalidInput: names it, and lists those that there are.
        """
        known = {spec.name for spec in self.outputs}
        for name in names:
            if name not in known:
                raise InvalidInput(
                    f"the model has no output '{name}'; its outputs are {_names(self.outputs)}",
                    tensor=name,
                    expected=sorted(known),
                )

    def _wrong_names(self, inputs: Batch) -> InvalidInput:
        for name in inputs:
            self.input(name)
        missing = [spec for spec in self.inputs if spec.name not in inputs]
        return InvalidInput(
            f"input {_names(missing)} is missing; the model takes {_names(self.inputs)}",
            tensor=missing[0].name,
            expected=[spec.name for spec in self.inputs],
        )

    def _uneven(self, inputs: Batch) -> InvalidInput:
        counts = {s.name: inputs[s.name].shape[0] for s in self.inputs if s.is_batched}
        listed = ", ".join(f"'{name}' has {count}" for name, count in counts.items())
        return InvalidInput(f"all inputs need the same number of rows: {listed}", got=counts)


def fits(shape: tuple[int, ...], expected: Shape) -> bool:
    """Whether a concrete shape is one of those that `expected` allows."""
    if len(shape) != len(expected):
        return False
    for have, want in zip(shape, expected, strict=True):  # `all` costs a generator
        if have != want and want is not None:
            return False
    return True


def position(name: str) -> int | None:
    """The place that Triton's names of tensors tell, 0 for `INPUT__0`; None for other names."""
    match = re.fullmatch(r".*__([0-9]{1,4})", name)
    return None if match is None else int(match[1])


def sizes(shape: Shape) -> list[int]:
    """A shape as programs write it: -1 for a free dimension."""
    return [-1 if size is None else size for size in shape]


def show_shape(shape: Shape) -> str:
    """A shape as people write it: `[?, 3]`."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


def _names(specs: Iterable[TensorSpec]) -> str:
    return ", ".join(f"'{spec.name}'" for spec in specs)
