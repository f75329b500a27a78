"""Several requests in one batch: which fit together, their rows joined, the outputs parted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from modelport.core.errors import ModelFailed
from modelport.core.messages import InferRequest
from modelport.core.signature import Signature
from modelport.core.tensors import Array, Batch

__all__ = ["Joined", "Padding", "Waste", "join", "kind_of", "part"]

_FINE = 4
"""Lengths that are padded to one another lie within a part of an octave of so many."""


@dataclass(frozen=True)
class Padding:
    """What the model's owner says of inputs whose rows differ in length."""

    values: Mapping[str, float | bytes] = field(default_factory=dict)
    """By input: what its free dimensions are filled up with."""
    cuts: Mapping[str, str] = field(default_factory=dict)
    """By output: the input whose lengths its free dimensions have; what is beyond is cut off."""

    def length_class(self, length: int) -> int:
        """Lengths of one class are padded to the longest: at most a fifth of it is padding."""
        if length <= _FINE:
            return length
        octave = length.bit_length() - 1
        return octave * _FINE + (length - (1 << octave)) * _FINE // (1 << octave) + _FINE


_NONE = Padding()


class Waste:
    """How much of the batches of a version was padding, since it was first loaded."""

    __slots__ = ("elements", "padding")

    def __init__(self) -> None:
        self.elements = 0
        """Of all inputs that went into batches whose rows may be padded."""
        self.padding = 0
        """Those among them that were none of a request's."""


class Joined(NamedTuple):
    """Several requests as one batch."""

    batch: Batch
    elements: int
    """Of all its inputs."""
    padding: int
    """How many of them are none of a request's."""


def kind_of(request: InferRequest, padding: Padding = _NONE) -> Hashable:
    """What requests must have in common to share a batch: their rows' shape, or its class, and
    their parameters."""
    shapes = _shapes_of(request.inputs, padding)
    if not request.parameters:
        return shapes
    # 1, 1.0 and true are equal, and not the same to a model.
    said = frozenset((name, type(value), value) for name, value in request.parameters.items())
    return shapes, said


def _shapes_of(inputs: Batch, padding: Padding) -> Hashable:
    if not padding.values:
        return tuple([tensor.shape[1:] for tensor in inputs.values()])
    return tuple(
        tuple(map(padding.length_class, tensor.shape[1:]))
        if name in padding.values
        else tensor.shape[1:]
        for name, tensor in inputs.items()
    )


def join(signature: Signature, requests: Sequence[Batch], padding: Padding = _NONE) -> Joined:
    """The rows of all requests, one after the other."""
    if len(requests) == 1:
        return Joined(requests[0], sum(tensor.size for tensor in requests[0].values()), 0)
    joined: dict[str, Array] = {}
    real = whole = 0
    for spec in signature.inputs:
        tensors = [request[spec.name] for request in requests]
        real += sum(tensor.size for tensor in tensors)
        if spec.name in padding.values and len({tensor.shape[1:] for tensor in tensors}) > 1:
            joined[spec.name] = _padded(tensors, padding.values[spec.name])
        else:
            joined[spec.name] = np.concatenate(tensors)
        whole += joined[spec.name].size
    return Joined(joined, whole, whole - real)


def _padded(tensors: Sequence[Array], value: float | bytes) -> Array:
    rows = sum(tensor.shape[0] for tensor in tensors)
    longest = np.max([tensor.shape[1:] for tensor in tensors], axis=0)
    whole = np.full((rows, *longest), value, dtype=tensors[0].dtype)
    at = 0
    for tensor in tensors:
        end = at + tensor.shape[0]
        whole[(slice(at, end), *map(slice, tensor.shape[1:]))] = tensor
        at = end
    return whole


def part(
    signature: Signature,
    outputs: Batch,
    requests: Sequence[Batch],
    rows: Sequence[int],
    padding: Padding = _NONE,
) -> list[Batch]:
    """The outputs of each request, as views of the batch's.

    Raises:
        ModelFailed: the model gave another number of rows than it was given.
    """
    total = sum(rows)
    for name, tensor in outputs.items():
        if not tensor.ndim or tensor.shape[0] != total:
            raise ModelFailed(
                f"the model gave {len(tensor) if tensor.ndim else 'no'} rows of '{name}' for the"
                f" {total} that it was given"
            )
    if len(requests) == 1:
        return [outputs]
    parts: list[Batch] = []
    at = 0
    for request, count in zip(requests, rows, strict=True):
        own = {name: tensor[at : at + count] for name, tensor in outputs.items()}
        parts.append(_cut(signature, own, request, padding) if padding.cuts else own)
        at += count
    return parts


def _cut(
    signature: Signature, outputs: dict[str, Array], request: Batch, padding: Padding
) -> Batch:
    for spec in signature.outputs:
        like = padding.cuts.get(spec.name)
        if like is not None and spec.name in outputs:
            lengths = request[like].shape
            outputs[spec.name] = outputs[spec.name][
                tuple(
                    slice(lengths[axis]) if size is None and axis < len(lengths) else slice(None)
                    for axis, size in enumerate(spec.shape)
                )
            ]
    return outputs
