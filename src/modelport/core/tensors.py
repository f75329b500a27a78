"""Tensors: the data types of the Open Inference Protocol, and their bytes.

Numbers are numpy arrays of the matching dtype. BYTES tensors are object arrays whose elements
are `bytes`; what a person calls text travels as its UTF-8.

Source: Open Inference Protocol v2, "Tensor Data Types" and the binary tensor data extension
(https://github.com/kserve/open-inference-protocol).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from modelport.core.errors import InvalidInput

__all__ = [
    "Array",
    "Batch",
    "DType",
    "bytes_tensor",
    "decode_text",
    "from_raw",
    "to_raw",
    "widened",
]

Array: TypeAlias = npt.NDArray[np.generic]
Batch: TypeAlias = Mapping[str, Array]


_NUMPY_NAMES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}


class DType(Enum):
    """The element type of a tensor, named as in the Open Inference Protocol."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    numpy: np.dtype[np.generic]
    """The numpy dtype of an array that holds this type (`object` for BYTES)."""

    def __init__(self, name: str) -> None:
        # An attribute, not a look-up: it is asked in every request.
        self.numpy = np.dtype(_NUMPY_NAMES[name])

    @property
    def is_float(self) -> bool:
        """Whether values may have fractions, and may be missing as NaN."""
        return self in _FLOATS

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers, signed or not."""
        return self not in _FLOATS and self not in (DType.BOOL, DType.BYTES)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The smallest and the largest finite value, both included; None where there are none.

        A float bound is the largest double that still rounds to a finite value of the type.
        """
        return _BOUNDS[self]

    @classmethod
    def of(cls, dtype: np.dtype[np.generic]) -> DType:
        """The type of arrays of `dtype`; strings and objects are BYTES.

        Raises:
            InvalidInput: the protocol has no such type (complex numbers, dates).
        """
        if dtype.kind in "OSTU":
            return cls.BYTES
        found = _BY_NUMPY.get(dtype.newbyteorder("="))
        if found is None:
            known = ", ".join(t.value for t in cls)
            raise InvalidInput(f"arrays of {dtype} have no tensor type; the types are {known}")
        return found


_BY_NUMPY = {dtype.numpy: dtype for dtype in DType}
_FLOATS = frozenset({DType.FP16, DType.FP32, DType.FP64})


def _bounds(dtype: DType) -> tuple[float, float] | None:
    if dtype in (DType.BOOL, DType.BYTES):
        return None
    if dtype is DType.FP64:
        return -math.inf, math.inf  # JSON has no literal beyond, once parsed
    if dtype.is_float:
        info = np.finfo(dtype.numpy.name)
        # Halfway to the next power of two, a value would round to infinity.
        tie = float(info.max) + math.ldexp(1.0, int(info.maxexp) - int(info.nmant) - 2)
        top = math.nextafter(tie, 0.0)
        return -top, top
    whole = np.iinfo(dtype.numpy.name)
    return int(whole.min), int(whole.max)


_BOUNDS = {dtype: _bounds(dtype) for dtype in DType}


def bytes_tensor(values: Iterable[bytes], shape: tuple[int, ...]) -> Array:
    """An object array of `bytes` in the given shape (numpy would guess one from the values)."""
    flat = np.empty(math.prod(shape), dtype=np.object_)
    flat[:] = list(values)
    return flat.reshape(shape)


def decode_text(name: str, tensor: Array) -> Array:
    """The `str` of every element of a BYTES tensor; the shape stays.

    Raises:
        InvalidInput: an element is not UTF-8; names the tensor.
    """
    try:
        texts = [value.decode() if isinstance(value, bytes) else value for value in tensor.flat]
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"tensor '{name}' holds bytes that are not UTF-8 text: {error.reason}", tensor=name
        ) from error
    flat = np.empty(len(texts), dtype=np.object_)
    flat[:] = texts
    return flat.reshape(tensor.shape)


def widened(tensor: Array) -> Array:
    """In a float type where sums and powers are neither cut off nor rough, as half precision is."""
    if tensor.dtype in (np.float32, np.float64):
        return tensor
    return tensor.astype(np.float32 if tensor.dtype == np.float16 else np.float64)


def to_raw(tensor: Array) -> bytes:
    """The little-endian bytes of a tensor in row order; BYTES elements carry a uint32 length."""
    if tensor.dtype != np.object_:
        return tensor.astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes()
    values: list[bytes] = tensor.ravel().tolist()
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def from_raw(name: str, raw: bytes | memoryview, dtype: DType, shape: tuple[int, ...]) -> Array:
    """The tensor whose `to_raw` is `raw`; numbers share the memory of `raw`, read-only.

    Raises:
        InvalidInput: `raw` is shorter or longer than the shape says; names the tensor.
    """
    count = math.prod(shape)
    if dtype is DType.BYTES:
        return bytes_tensor(_split(name, memoryview(raw), count), shape)
    expected = count * dtype.numpy.itemsize
    if len(raw) != expected:
        raise InvalidInput(
            f"tensor '{name}' of type {dtype.value} and shape {list(shape)} takes {expected} bytes"
            f" of binary data, and {len(raw)} came",
            tensor=name,
            expected=expected,
            got=len(raw),
        )
    if dtype is DType.BOOL and bytes(raw).translate(None, b"\x00\x01"):
        raise InvalidInput(
            f"tensor '{name}' of type BOOL holds a byte other than 0 or 1", tensor=name
        )
    return np.frombuffer(raw, dtype.numpy.newbyteorder("<")).reshape(shape)


def _split(name: str, raw: memoryview, count: int) -> list[bytes]:
    values: list[bytes] = []
    at = 0
    while at < len(raw) and len(values) <= count:
        if at + 4 > len(raw):
            raise _cut_short(name)
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4
        if at + length > len(raw):
            raise _cut_short(name)
        values.append(bytes(raw[at : at + length]))
        at += length
    if len(values) != count:
        got = f"{len(values)}" if len(values) < count else f"more than {count}"
        raise InvalidInput(
            f"tensor '{name}' has a shape of {count} elements, and its binary data holds {got}",
            tensor=name,
        )
    return values


def _cut_short(name: str) -> InvalidInput:
    return InvalidInput(
        f"the binary data of tensor '{name}' ends inside an element: each element of a BYTES"
        " tensor is a 4-byte little-endian length and that many bytes",
        tensor=name,
    )
