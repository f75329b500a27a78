"""The `data` of a tensor in the Open Inference Protocol's JSON: flat or nested lists."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import numpy as np

from modelport.core.errors import InvalidInput, ModelFailed
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.http.bodies import NOT_JSON

__all__ = ["decode_data", "encode_data"]


def decode_data(name: str, dtype: DType, shape: tuple[int, ...], raw: msgspec.Raw) -> Array:
    """The tensor of a JSON list, flat or nested as its shape.

    Raises:
        InvalidInput: an element of another type, or more or fewer than the shape says.
    """
    try:
        values = _FLAT[dtype](raw)
    except msgspec.ValidationError as error:
        values = _nested(name, dtype, shape, raw, error)
    except NOT_JSON as error:
        raise _refused(name, dtype, shape, error) from error
    count = math.prod(shape)
    if len(values) != count:
        raise InvalidInput(
            f"input '{name}' has the shape {list(shape)}, which is {count} elements, and"
            f" {len(values)} came",
            tensor=name,
            expected=count,
            got=len(values),
        )
    if dtype is DType.BYTES:
        return bytes_tensor([text.encode() for text in values], shape)
    try:
        return np.array(values, dtype.numpy).reshape(shape)
    except OverflowError as error:
        raise InvalidInput(f"input '{name}' has a value that {dtype.value} cannot hold") from error


def encode_data(name: str, tensor: Array) -> Any:
    """What `orjson` writes as the flat list of a tensor.

    Raises:
        ModelFailed: NaN, infinity, or bytes that are not text, which JSON cannot carry.
    """
    if tensor.dtype == np.object_:
        try:
            return [value.decode() for value in tensor.reshape(-1).tolist()]
        except UnicodeDecodeError as error:
            raise ModelFailed(
                f"output '{name}' holds bytes that are no text; ask for it as binary data"
            ) from error
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise ModelFailed(
            f"output '{name}' holds NaN or infinity, which JSON cannot carry; ask for it as binary"
            " data"
        )
    return np.ascontiguousarray(tensor).reshape(-1)


def _element(dtype: DType) -> Any:
    if dtype is DType.BYTES:
        return str
    if dtype is DType.BOOL:
        return bool
    if dtype is DType.UINT64:
        return int  # as below, both ends
    assert dtype.bounds is not None
    low, high = dtype.bounds
    if dtype.is_float:
        return float if math.isinf(high) else Annotated[float, msgspec.Meta(ge=low, le=high)]
    # msgspec compares whole numbers as int64; numpy refuses what is beyond uint64.
    return Annotated[int, msgspec.Meta(ge=int(low), le=min(int(high), 2**63 - 1))]


def _decoder(dtype: DType) -> Callable[[msgspec.Raw], list[Any]]:
    return msgspec.json.Decoder(_LISTS[dtype]).decode


_LISTS: dict[DType, Any] = {dtype: list[_element(dtype)] for dtype in DType}  # type: ignore[misc]  # made here
_FLAT = {dtype: _decoder(dtype) for dtype in DType}
_any = msgspec.json.Decoder().decode


def _nested(
    name: str, dtype: DType, shape: tuple[int, ...], raw: msgspec.Raw, error: Exception
) -> list[Any]:
    try:
        level: list[Any] = [_any(raw)]
    except NOT_JSON as worse:
        raise _refused(name, dtype, shape, worse) from worse
    for size in shape:
        if not all(isinstance(item, list) and len(item) == size for item in level):
            raise _refused(name, dtype, shape, error)
        level = [value for item in level for value in item]
    try:
        return msgspec.convert(level, _LISTS[dtype])  # type: ignore[no-any-return]  # a list
    except msgspec.ValidationError as again:
        raise _refused(name, dtype, shape, again) from again


def _refused(name: str, dtype: DType, shape: tuple[int, ...], error: Exception) -> InvalidInput:
    reason = str(error).split(" - at")[0]
    if isinstance(error, RecursionError):
        reason = "it is nested too deep"
    return InvalidInput(
        f"input '{name}' takes a list of {dtype.value} values, flat or nested as {list(shape)}:"
        f" {reason}",
        tensor=name,
        expected=dtype.value,
    )
