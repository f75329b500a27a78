"""Examples: a request that works when sent, and a row to warm a model up with."""

from __future__ import annotations

import base64
import io
import math
import wave

import numpy as np

from modelport.core.semantics import Field
from modelport.core.signature import Signature
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.fields import InputField, PlainView

__all__ = ["example_request", "generated_row"]

_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
"""A PNG of one grey pixel."""
_LARGEST = 256
"""More values than this are no example that a person reads."""


def example_request(view: PlainView) -> object | None:
    """The owner's first example, else a generated one; None where it would be too long to read."""
    if view.semantics.examples:
        return view.semantics.examples[0]
    sizes = [math.prod(1 if d is None else d for d in field.shape) for field in view.fields]
    if sum(sizes) > _LARGEST:
        return None
    return {field.name: _value(field) for field in view.fields}


def generated_row(signature: Signature) -> dict[str, Array]:
    """One row that fits the signature: ones, and empty text; free dimensions are 1."""
    row: dict[str, Array] = {}
    for spec in signature.inputs:
        shape = tuple(1 if size is None else size for size in spec.shape)
        if spec.dtype is DType.BYTES:
            row[spec.name] = bytes_tensor([b""] * math.prod(shape), shape)
        else:
            row[spec.name] = np.ones(shape, dtype=spec.dtype.numpy)
    return row


def _value(field: InputField) -> object:
    if field.kind == "image":
        return _PICTURE
    if field.kind == "audio":
        return base64.b64encode(_silence()).decode()
    sizes = [1 if size is None else size for size in field.shape]
    count = math.prod(sizes)
    flat = [_element(field.dtype, field.meaning, at) for at in range(count)]
    return _shaped(flat, sizes)


def _silence() -> bytes:
    """A tenth of a second of nothing, as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 1, 8000, 0, "NONE", "not compressed"))
        writer.writeframes(b"\x80" * 800)
    return file.getvalue()


def _shaped(flat: list[object], sizes: list[int]) -> object:
    if not sizes:
        return flat[0]
    step = len(flat) // sizes[0] if sizes[0] else 0
    return [_shaped(flat[at * step : (at + 1) * step], sizes[1:]) for at in range(sizes[0])]


def _element(dtype: DType, meaning: Field, at: int) -> object:
    if meaning.choices:
        return meaning.choices[0]
    if dtype is DType.BYTES:
        return "text"
    if dtype is DType.BOOL:
        return True
    ends = [end for end in (meaning.minimum, meaning.maximum) if end is not None]
    if not ends:
        return at % 10 + 1
    assert dtype.bounds is not None  # a range is of numbers
    low, high = dtype.bounds
    middle = min(max(sum(ends) / len(ends), low), high)
    if dtype.is_float:
        return middle
    least = math.floor(middle) if meaning.minimum is None else math.ceil(meaning.minimum)
    return max(least, math.floor(middle))
