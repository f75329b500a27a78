"""The common forms of plain JSON, decoded straight into typed values.

For each model two decoders are made from its fields when it is loaded: one row, and many rows.
msgspec then checks types, ranges and names while it parses, which costs a fraction of looking at
each value in Python. What neither takes goes to `plain`, which also has the words for what is
wrong; so these decoders may refuse, and never accept more than `plain`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.semantics import Field
from modelport.core.signature import Shape, fits
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.fields import InputField, PlainView
from modelport.semantics.plain import PlainRequest, read

__all__ = ["JsonDecoder", "json_decoder"]

JsonDecoder: TypeAlias = Callable[[bytes], PlainRequest]
"""A JSON body to tensors; raises `InvalidInput` and `msgspec.DecodeError` (not JSON)."""

_Assemble: TypeAlias = Callable[[Sequence[Any]], dict[str, Array]]
"""The values of all fields, in order, to tensors."""

_UNKEYED = re.compile(r'["\\\x00-\x1f]')
"""Characters that msgspec does not take in the name of a field."""

_parse = msgspec.json.Decoder().decode
_parse_parts = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[dict[str, msgspec.Raw]]).decode

_REFUSED = (msgspec.ValidationError, ValueError, OverflowError, RecursionError)


def json_decoder(view: PlainView) -> JsonDecoder:
    """The fastest decoder for a model."""

    def carefully(body: bytes) -> PlainRequest:
        try:
            return read(view, _parse(body))
        except msgspec.ValidationError as error:  # the one thing that it finds in any JSON
            raise _out_of_range(view, body) from error

    elements = [_element(field) for field in view.fields]
    if (
        not view.signature.is_batched
        or any(element is None for element in elements)
        or any(_UNKEYED.search(field.name) for field in view.fields)
    ):
        return carefully
    one = _struct(
        view, [_nested(e, len(f.shape)) for e, f in zip(elements, view.fields, strict=True)]
    )
    many = _struct(
        view, [_nested(e, len(f.shape) + 1) for e, f in zip(elements, view.fields, strict=True)]
    )
    one_row, rows = _one_row(view), _rows(view)
    decode_one = msgspec.json.Decoder(one).decode
    decode_many = msgspec.json.Decoder(many).decode
    as_tuple = msgspec.structs.astuple

    def decode(body: bytes) -> PlainRequest:
        try:
            return PlainRequest(one_row(as_tuple(decode_one(body))), True)
        except _REFUSED:
            pass
        try:
            return PlainRequest(rows(as_tuple(decode_many(body))), False)
        except _REFUSED:
            return carefully(body)

    return decode


def _out_of_range(view: PlainView, body: bytes) -> InvalidInput:
    """The words for a number that no type holds, with its field where that can be known."""
    name = _place(body)
    if name is None and len(view.tensors) == 1:
        name = view.tensors[0].name
    if name is None:
        return InvalidInput("the body holds a number that is too large for any type")
    return InvalidInput(f"'{name}' holds a number that is too large for any type", tensor=name)


def _place(body: bytes) -> str | None:
    """The name under which a number is that cannot be read, in an object or a list of them."""
    try:
        parts = _parse_parts(body)
    except msgspec.DecodeError:
        return None
    records: list[dict[str, msgspec.Raw]] = parts if isinstance(parts, list) else [parts]
    for record in records:
        for name, value in record.items():
            try:
                _parse(value)
            except msgspec.ValidationError:
                return name
    return None  # pragma: no cover  # it was in none of the values


def _element(field: InputField) -> Any:
    """The type of one element as msgspec checks it; None where only `plain` can."""
    meaning, dtype = field.meaning, field.dtype
    if field.is_file:
        return None
    if meaning.choices:
        return _one_of(field)
    if dtype is DType.BYTES:
        return str | None if meaning.nullable else str
    if dtype is DType.BOOL:
        return bool
    if not dtype.is_float:
        return _whole(dtype, meaning)
    number = _fraction(dtype, meaning)
    return number | None if meaning.nullable else number


def _one_of(field: InputField) -> Any:
    choices = field.meaning.choices
    limited = field.meaning.minimum is not None or field.meaning.maximum is not None
    kind = str if field.dtype is DType.BYTES else int
    if limited or field.dtype is DType.BOOL or any(type(choice) is not kind for choice in choices):
        return None
    if any(isinstance(choice, int) and not _is_int64(choice) for choice in choices):
        return None
    return Literal[choices]


def _fraction(dtype: DType, meaning: Field) -> Any:
    low, high = _limits(dtype, meaning)
    return Annotated[
        float,
        msgspec.Meta(
            ge=low if math.isfinite(low) else None, le=high if math.isfinite(high) else None
        ),
    ]


def _whole(dtype: DType, meaning: Field) -> Any:
    low, high = _limits(dtype, meaning)
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    least, most = math.ceil(low), math.floor(high)
    if meaning.maximum is None and dtype is DType.UINT64:
        # msgspec compares whole numbers as int64; one beyond 64 bits does not fit into numpy's.
        return Annotated[int, msgspec.Meta(ge=least)]
    if not (_is_int64(least) and _is_int64(most)):
        return None
    return Annotated[int, msgspec.Meta(ge=least, le=most)]


def _limits(dtype: DType, meaning: Field) -> tuple[float, float]:
    assert dtype.bounds is not None  # of every number
    low, high = dtype.bounds
    return (
        low if meaning.minimum is None else max(low, meaning.minimum),
        high if meaning.maximum is None else min(high, meaning.maximum),
    )


def _is_int64(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _nested(element: Any, depth: int) -> Any:
    for _ in range(depth):
        element = list[element]
    return element


def _struct(view: PlainView, types: Sequence[Any]) -> Any:
    keys = [f"f{at}" for at in range(len(types))]
    names = {key: field.name for key, field in zip(keys, view.fields, strict=True)}
    return msgspec.defstruct(
        "Plain",
        list(zip(keys, types, strict=True)),
        rename=names,
        forbid_unknown_fields=True,
        gc=False,
    )


def _one_row(view: PlainView) -> _Assemble:
    """From one value per field to tensors of one row."""
    if len(view.owners) == 1 and view.fields[0].dtype is not DType.BYTES:
        field = view.fields[0]
        name, dtype = view.owners[0].name, field.dtype.numpy
        if field.column is not None:  # all columns of one tensor
            shape = _column_shape(view.owners[0])
            return lambda values: {name: np.array(values, dtype).reshape(shape)}
        if field.shape != ():
            return _one_tensor(field)
    rows = _rows(view)
    return lambda values: rows([[value] for value in values])


def _one_tensor(field: InputField) -> _Assemble:
    name, dtype, shape = field.name, field.dtype.numpy, field.tensor.shape
    fixed = None if None in field.shape else (1, *field.shape)

    def assemble(values: Sequence[Any]) -> dict[str, Array]:
        array = np.array(values, dtype)  # the tuple of fields is the batch of one
        if array.shape != fixed and not (fixed is None and _is_like(array, shape)):
            raise ValueError("another shape; `plain` has the words")
        return {name: array}

    return assemble


def _rows(view: PlainView) -> _Assemble:
    """From a list per field to tensors of as many rows."""
    makers = []
    at = 0
    for tensor in view.owners:
        count = sum(1 for field in view.fields if field.tensor is tensor.tensor)
        makers.append((tensor, slice(at, at + count), view.fields[at].column is not None))
        at += count

    def assemble(values: Sequence[Any]) -> dict[str, Array]:
        return {
            tensor.name: _joined(tensor, values[span])
            if columns
            else _array(tensor, values[span.start])
            for tensor, span, columns in makers
        }

    return assemble


def _joined(tensor: InputField, columns: Sequence[Any]) -> Array:
    if tensor.dtype is DType.BYTES:
        raise ValueError("text columns inside one tensor are read by `plain`")
    array = np.array(columns, tensor.dtype.numpy).T  # ragged columns raise ValueError
    if not array.size:
        raise ValueError("no rows; `plain` has the words")
    return np.ascontiguousarray(array).reshape(len(array), *_column_shape(tensor)[1:])


def _array(tensor: InputField, value: Any) -> Array:
    if tensor.dtype is DType.BYTES:
        if tensor.shape != ():
            raise ValueError("nested text is read by `plain`")
        array = bytes_tensor([text.encode() if text else b"" for text in value], (len(value),))
    else:
        array = np.array(value, tensor.dtype.numpy)
    if tensor.shape == () and len(tensor.tensor.shape) == 2:
        array = array[:, np.newaxis]
    if not _is_like(array, tensor.tensor.shape):
        raise ValueError("another shape; `plain` has the words")
    return array


def _is_like(array: Array, shape: Shape) -> bool:
    return array.size > 0 and fits(array.shape, shape)


def _column_shape(tensor: InputField) -> tuple[int, ...]:
    """The shape of one row of named columns: such as (1, 30), or (1, 1, 30)."""
    assert tensor.columns is not None
    return (*(1 for _ in tensor.tensor.shape[:-1]), tensor.columns)
