"""The elements of a field: values of JSON and of Python as a tensor's type has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.fields import InputField
from modelport.semantics.files import file_bytes

__all__ = ["cast", "elements", "flatten", "is_missing", "kind_of"]

_WHOLE = frozenset({int})
_FLOATS = frozenset({float, int})
_KINDS: dict[DType, frozenset[type]] = {
    DType.BYTES: frozenset({str}),
    DType.BOOL: frozenset({bool}),
    **{dtype: _FLOATS for dtype in DType if dtype.is_float},
}
"""The types of Python whose values can be elements of a tensor as they are; else `_WHOLE`."""


def cast(field: InputField, array: Array) -> Array:
    """An array as the field's dtype: nearest value for floats, exact for everything else.

    Raises:
        InvalidInput: a value does not fit (a fraction for an integer, an overflow, a text).
    """
    want = field.dtype
    if array.dtype == want.numpy and want is not DType.BYTES:
        return array
    have = DType.of(array.dtype)
    if have is DType.BYTES:
        return elements(field, array.ravel().tolist(), array.shape)
    numbers = (want.is_float or want.is_integer) and have is not DType.BOOL
    if not numbers or (want.is_integer and have.is_float):
        raise _wrong_type(field, f"{have.value} values")
    with np.errstate(over="ignore"):  # the next line looks
        out = array.astype(want.numpy)
    lost = np.isinf(out) & np.isfinite(array) if want.is_float else out != array
    if lost.any():
        raise _no_room(field, array[lost].flat[0])
    return out


def flatten(field: InputField, value: object) -> tuple[list[Any], tuple[int, ...]]:
    """The elements in row order and the shape of nested lists; ragged ones are refused."""
    shape: list[int] = []
    level: list[Any] = [value]
    while level and isinstance(level[0], list | tuple):
        size = len(level[0])
        for item in level:
            if not isinstance(item, list | tuple) or len(item) != size:
                raise _ragged(field, size, item, len(shape))
        shape.append(size)
        level = _without_numpy(list(chain.from_iterable(level)))
        if len(shape) > 32:
            raise InvalidInput(f"'{field.name}' is nested more than 32 deep", tensor=field.name)
    if any(issubclass(kind, list | tuple) for kind in set(map(type, level))):
        raise InvalidInput(
            f"'{field.name}' is ragged: a list stands where others have a single value",
            tensor=field.name,
        )
    return level, tuple(shape)


def _without_numpy(level: list[Any]) -> list[Any]:
    """The same with lists and Python's own numbers in place of arrays and scalars."""
    if not any(issubclass(kind, np.ndarray | np.generic) for kind in set(map(type, level))):
        return level
    return [v.tolist() if isinstance(v, np.ndarray | np.generic) else v for v in level]


def _ragged(field: InputField, size: int, item: object, depth: int) -> InvalidInput:
    got = f"one of {len(item)}" if isinstance(item, list | tuple) else kind_of(item)
    return InvalidInput(
        f"'{field.name}' is ragged: at depth {depth + 1} a list of {size} stands beside {got}",
        tensor=field.name,
    )


def elements(field: InputField, flat: Sequence[Any], shape: tuple[int, ...]) -> Array:
    """The elements in a shape, as the field's type has them.

    Raises:
        InvalidInput: one is of another type, or does not fit.
    """
    dtype = field.dtype
    if field.is_file:
        return bytes_tensor([file_bytes(field, value) for value in flat], shape)
    array = _in_bulk(field, flat)
    if array is not None:
        return array.reshape(shape)
    if dtype is DType.BYTES:
        return bytes_tensor([_text(field, v) for v in flat], shape)
    return np.array([_number(field, v) for v in flat], dtype=dtype.numpy).reshape(shape)


def _in_bulk(field: InputField, flat: Sequence[Any]) -> Array | None:
    """All elements at once; None where one of them is wrong, or has to be looked at alone."""
    # A call in Python for each element of a large body would take seconds.
    dtype, kinds = field.dtype, set(map(type, flat))
    if field.meaning.nullable and (dtype.is_float or dtype is DType.BYTES):
        kinds.discard(type(None))  # which both ways below read as a missing value
    if not kinds <= _KINDS.get(dtype, _WHOLE):
        return None
    try:
        if dtype is DType.BYTES:
            return bytes_tensor([text.encode() if text else b"" for text in flat], (len(flat),))
        array = np.array(flat, np.float64 if dtype.is_float else dtype.numpy)
    except (OverflowError, UnicodeEncodeError):
        return None
    return _narrowed(dtype, array) if dtype.is_float else array


def _narrowed(dtype: DType, array: Array) -> Array | None:
    """Doubles as the nearest values of a float type; None where a finite one has no room."""
    with np.errstate(over="ignore"):  # the next line looks
        out = array.astype(dtype.numpy, copy=False)
    return None if (np.isinf(out) & np.isfinite(array)).any() else out


def _text(field: InputField, value: object) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    if is_missing(value) and field.meaning.nullable:
        return b""
    if not isinstance(value, str):
        raise _wrong_type(field, kind_of(value))
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"'{field.name}' holds half of a surrogate pair, which is no text", tensor=field.name
        ) from error


def _number(field: InputField, value: object) -> float | int | bool:
    dtype = field.dtype
    if isinstance(value, np.generic):
        value = value.item()
    if dtype is DType.BOOL and isinstance(value, bool):
        return value
    if is_missing(value) and field.meaning.nullable and dtype.is_float:
        return math.nan
    if dtype is DType.BOOL or isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(field, kind_of(value))
    if isinstance(value, float) and not dtype.is_float:
        raise _wrong_type(field, kind_of(value))
    if isinstance(value, float) and not math.isfinite(value):
        return value  # from Python; JSON has neither NaN nor infinity
    assert dtype.bounds is not None  # of every number
    try:
        number = float(value) if dtype.is_float else value
    except OverflowError as error:
        raise _no_room(field, value) from error
    if not dtype.bounds[0] <= number <= dtype.bounds[1]:
        raise _no_room(field, value)
    return number


def is_missing(value: object) -> bool:
    """Whether it is None, or what pandas has in its place."""
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _no_room(field: InputField, value: object) -> InvalidInput:
    return InvalidInput(
        f"'{field.name}' takes {field.dtype.value}, and {_short(value)} does not fit into it",
        tensor=field.name,
    )


def _wrong_type(field: InputField, got: str) -> InvalidInput:
    expected = {
        DType.BOOL: "true or false",
        DType.BYTES: "text",
    }.get(field.dtype, "numbers" if field.dtype.is_float else "whole numbers")
    return InvalidInput(
        f"'{field.name}' takes {expected} ({field.dtype.value}), and {got} came",
        tensor=field.name,
        expected=field.dtype.value,
        got=got,
    )


def kind_of(value: object) -> str:
    """What a value of JSON is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {_short(value)}"
        case str():
            return f"the text {value[:40]!r}"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a number of {math.floor(math.log10(abs(value))) + 1} digits"
    return str(value)
