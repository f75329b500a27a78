"""Plain requests: what a person would write, as tensors, with errors that teach.

This is the careful way: it takes any JSON value (and numpy arrays), finds out which form it has,
and says what is wrong with it. `fast` reads the common forms without looking at each value.

    {"x": [1, 2, 3]}                       a tensor by name, one row
    {"x": [[1, 2, 3], [4, 5, 6]]}          many rows
    {"age": 39, "city": "Paris"}           named columns, one row
    {"age": [39, 40], "city": [...]}       many rows
    [{"age": 39, "city": "Paris"}, ...]    records
    [1, 2, 3] or [[1, 2, 3], ...]          the only input
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.semantics import Field
from modelport.core.signature import Shape, fits, show_shape
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.fields import InputField, PlainView

__all__ = ["PlainRequest", "cast", "read"]


@dataclass(frozen=True)
class PlainRequest:
    """The tensors of a plain request, and whether it was one row without a list around it."""

    inputs: dict[str, Array]
    single: bool


def read(view: PlainView, body: object) -> PlainRequest:
    """The tensors that a plain request means.

    Args:
        view: the model.
        body: parsed JSON, or the same with numpy arrays in place of lists.

    Raises:
        InvalidInput: names the field, what was expected and what came.
    """
    if isinstance(body, Mapping):
        return _from_names(view, body)
    if isinstance(body, Sequence) and not isinstance(body, str | bytes):
        if body and all(isinstance(record, Mapping) for record in body):
            return _from_names(view, _columns(view, body))
        return _from_only(view, body)
    if isinstance(body, np.ndarray):
        return _from_only(view, body)
    raise InvalidInput(
        f"a request is a JSON object with {_names(view)}, and {_kind(body)} came",
        expected=[field.name for field in view.fields],
    )


def cast(field: InputField, array: Array) -> Array:
    """An array as the field's dtype: nearest value for floats, exact for everything else.

    Raises:
        InvalidInput: a value does not fit (a fraction for an integer, an overflow, a text).
    """
    want = field.dtype
    if array.dtype == want.numpy and want is not DType.BYTES:
        return array
    have = DType.of(array.dtype)
    if want is DType.BYTES and have is DType.BYTES:
        return _texts(field, array)
    if have is DType.BYTES:
        return _elements(field, [_plain(v) for v in array.flat], array.shape)
    numbers = (want.is_float or want.is_integer) and have is not DType.BOOL
    if not numbers or (want.is_integer and have.is_float):
        raise _wrong_type(field, f"{have.value} values")
    out = array.astype(want.numpy)
    lost = np.isinf(out) & np.isfinite(array) if want.is_float else out != array
    if lost.any():
        value = array[lost].flat[0]
        raise InvalidInput(
            f"'{field.name}' takes {want.value}, and {value} does not fit into it",
            tensor=field.name,
        )
    return out


def _from_only(view: PlainView, body: object) -> PlainRequest:
    if len(view.tensors) != 1:
        raise InvalidInput(
            f"the model has {len(view.tensors)} inputs, so a request names them:"
            f" an object with {_names(view)}, or a list of such objects",
            expected=[field.name for field in view.fields],
        )
    return _from_names(view, {view.tensors[0].name: body})


def _from_names(view: PlainView, body: Mapping[object, object]) -> PlainRequest:
    given = {_text_key(key): value for key, value in body.items()}
    fields = _chosen(view, given)
    values = {f.name: _value(f, given[f.name]) for f in fields if f.name in given}
    for field in fields:
        if field.name not in given:
            raise InvalidInput(
                f"'{field.name}' is missing; the model takes {_names(view)}", tensor=field.name
            )
    return _assembled(view, fields, values)


def _text_key(key: object) -> str:
    return key if isinstance(key, str) else str(key)


def _chosen(view: PlainView, given: Mapping[str, object]) -> list[InputField]:
    """The fields that the request's names stand for: columns, or whole tensors."""
    whole = {field.name: field for field in view.tensors}
    parts = {field.name: field for field in view.fields}
    chosen: list[InputField] = []
    for tensor in view.tensors:
        columns = [field for field in view.fields if field.tensor is tensor.tensor]
        by_whole = tensor.name in given and tensor.name not in parts
        chosen += [tensor] if by_whole else columns
    for name in given:
        if name not in whole and name not in parts:
            raise InvalidInput(
                f"the model has no field '{name}'; it takes {_names(view)}",
                tensor=name,
                expected=[field.name for field in view.fields],
            )
        if name in whole and all(field.name != name for field in chosen):
            raise InvalidInput(f"'{name}' is given both as a whole and by its columns", tensor=name)
    for name in given:
        if all(field.name != name for field in chosen):
            raise InvalidInput(f"'{name}' is given twice: alone, and in its tensor", tensor=name)
    return chosen


def _columns(
    view: PlainView, records: Sequence[Mapping[object, object]]
) -> dict[object, list[object]]:
    names: dict[object, None] = {}
    for record in records:
        names.update(dict.fromkeys(record))
    nullable = {f.name for f in view.fields if f.meaning.nullable}
    for at, record in enumerate(records):
        for name in names:
            if name not in record and name not in nullable:
                raise InvalidInput(f"record {at} has no '{name}', which others have", row=at)
    return {name: [record.get(name) for record in records] for name in names}


def _assembled(
    view: PlainView, fields: Sequence[InputField], values: Mapping[str, Array]
) -> PlainRequest:
    singles = {
        field.name: values[field.name].ndim == len(field.shape)
        for field in fields
        if field.tensor.is_batched
    }
    single = all(singles.values())
    if view.signature.lockstep and not single and any(singles.values()):
        one = next(name for name, is_single in singles.items() if is_single)
        many = next(name for name, is_single in singles.items() if not is_single)
        raise InvalidInput(
            f"'{one}' has the value of one row and '{many}' those of many: give both as lists"
        )
    inputs: dict[str, Array] = {}
    for tensor in view.tensors:
        own = [field for field in fields if field.tensor is tensor.tensor]
        inputs[tensor.name] = _tensor(tensor, own, values)
    return PlainRequest(inputs, single)


def _tensor(
    tensor: InputField, own: Sequence[InputField], values: Mapping[str, Array]
) -> Array:
    spec = tensor.tensor
    one_row = values[own[0].name].ndim == len(own[0].shape)
    if own[0].column is None:
        array = values[own[0].name]
    else:
        counts = {field.name: values[field.name].shape for field in own}
        if len(set(counts.values())) > 1:
            lengths = ", ".join(f"'{n}' has {s[0]}" for n, s in list(counts.items())[:5])
            raise InvalidInput(f"all columns need the same number of rows: {lengths}")
        array = np.stack([values[field.name] for field in own], axis=-1)
    if one_row and spec.is_batched:
        array = array[np.newaxis]
    if not fits(array.shape, spec.shape) and fits((*array.shape, 1), spec.shape):
        array = array[..., np.newaxis]
    while array.ndim < len(spec.shape) and not spec.is_batched and spec.shape[0] == 1:
        array = array[np.newaxis]
    spec.check(array)
    return array


def _value(field: InputField, value: object) -> Array:
    if isinstance(value, np.ndarray | np.generic):
        array = cast(field, np.asarray(value))
        _check_meaning(field, array)
    else:
        flat, shape = _flatten(field, value)
        array = _elements(field, flat, shape)
    rank = len(field.shape)
    if array.ndim == rank + 2 and array.shape[-1] == 1 and rank == 0:
        array = array[..., 0]  # a column written as [[1], [2]]
    # A model that is not batched may be sent its leading dimensions of 1, or not.
    if array.ndim not in (rank, rank + 1) and field.tensor.is_batched:
        raise _wrong_shape(field, array.shape)
    if rank and not fits(array.shape[array.ndim - rank :], field.shape):
        bare = rank > 0 and not field.tensor.is_batched
        if not (bare and fits((1, *array.shape), field.shape)):
            raise _wrong_shape(field, array.shape)
    return array


def _flatten(field: InputField, value: object) -> tuple[list[object], tuple[int, ...]]:
    """The elements in row order and the shape of nested lists; ragged ones are refused."""
    shape: list[int] = []
    level: list[object] = [value]
    while level and isinstance(level[0], list | tuple):
        size = len(level[0])
        following: list[object] = []
        for item in level:
            if not isinstance(item, list | tuple) or len(item) != size:
                raise _ragged(field, size, item, len(shape))
            following += item
        shape.append(size)
        level = following
        if len(shape) > 32:
            raise InvalidInput(f"'{field.name}' is nested more than 32 deep", tensor=field.name)
    for item in level:
        if isinstance(item, list | tuple):
            raise InvalidInput(
                f"'{field.name}' is ragged: a list stands where others have a single value",
                tensor=field.name,
            )
    return level, tuple(shape)


def _ragged(field: InputField, size: int, item: object, depth: int) -> InvalidInput:
    got = f"one of {len(item)}" if isinstance(item, list | tuple) else _kind(item)
    return InvalidInput(
        f"'{field.name}' is ragged: at depth {depth + 1} a list of {size} stands beside {got}",
        tensor=field.name,
    )


def _elements(field: InputField, flat: Sequence[object], shape: tuple[int, ...]) -> Array:
    dtype = field.dtype
    if dtype is DType.BYTES:
        array = bytes_tensor([_text(field, v) for v in flat], shape)
    else:
        array = np.array([_number(field, v) for v in flat], dtype=dtype.numpy).reshape(shape)
    _check_meaning(field, array)
    return array


def _text(field: InputField, value: object) -> bytes:
    if value is None and field.meaning.nullable:
        return b""
    if not isinstance(value, str):
        raise _wrong_type(field, _kind(value))
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"'{field.name}' holds half of a surrogate pair") from error


def _number(field: InputField, value: object) -> float | int | bool:
    dtype = field.dtype
    if dtype is DType.BOOL:
        if isinstance(value, bool):
            return value
        raise _wrong_type(field, _kind(value))
    if value is None and field.meaning.nullable and dtype.is_float:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(field, _kind(value))
    if isinstance(value, float) and not dtype.is_float:
        raise _wrong_type(field, f"the number {value}")
    bounds = dtype.bounds
    if bounds and not (bounds[0] <= value <= bounds[1]) and not math.isnan(value):
        raise InvalidInput(
            f"'{field.name}' takes {dtype.value}, and {_short(value)} does not fit into it",
            tensor=field.name,
        )
    try:
        return float(value) if dtype.is_float else value
    except OverflowError as error:
        raise InvalidInput(
            f"'{field.name}' takes {dtype.value}, and {_short(value)} does not fit into it",
            tensor=field.name,
        ) from error


def _check_meaning(field: InputField, array: Array) -> None:
    meaning = field.meaning
    if meaning.minimum is not None or meaning.maximum is not None:
        _check_range(field, array, meaning)
    if meaning.choices:
        allowed = {_encoded(choice) for choice in meaning.choices}
        for value in array.flat:
            plain = _plain(value)
            missing = plain == b"" or (isinstance(plain, float) and math.isnan(plain))
            if plain not in allowed and not (missing and meaning.nullable):
                shown = ", ".join(repr(choice) for choice in meaning.choices[:10])
                got = plain.decode(errors="replace") if isinstance(plain, bytes) else plain
                raise InvalidInput(
                    f"'{field.name}' is one of {shown}, and {got!r} came",
                    tensor=field.name,
                    expected=list(meaning.choices),
                    got=got,
                )


def _check_range(field: InputField, array: Array, meaning: Field) -> None:
    low = -math.inf if meaning.minimum is None else meaning.minimum
    high = math.inf if meaning.maximum is None else meaning.maximum
    outside = (array < low) | (array > high)  # type: ignore[operator]  # numbers, by the toml's check
    if outside.any():
        unit = f" {meaning.unit}" if meaning.unit else ""
        got = _plain(array[outside].flat[0])
        raise InvalidInput(
            f"'{field.name}' lies between {low:g} and {high:g}{unit}, and {got} came",
            tensor=field.name,
            expected=[meaning.minimum, meaning.maximum],
            got=got,
        )


def _texts(field: InputField, array: Array) -> Array:
    values = [v if isinstance(v, bytes) else _text(field, _plain(v)) for v in array.flat]
    return bytes_tensor(values, array.shape)


def _encoded(choice: object) -> object:
    return choice.encode() if isinstance(choice, str) else choice


def _plain(value: object) -> object:
    """A Python value in place of a numpy scalar; missing values of DataFrames become None."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    return value


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


def _wrong_shape(field: InputField, shape: tuple[int, ...]) -> InvalidInput:
    row = show_shape(field.shape) if field.shape else "a single value"
    many: Shape = (None, *field.shape)
    rows = f", or many rows as {show_shape(many)}" if field.tensor.is_batched else ""
    return InvalidInput(
        f"'{field.name}' takes one row as {row}{rows}, and {show_shape(shape)} came",
        tensor=field.name,
        expected=[-1 if size is None else size for size in field.shape],
        got=list(shape),
    )


def _kind(value: object) -> str:
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


def _short(value: float) -> str:
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a number of {math.floor(math.log10(abs(value))) + 1} digits"
    return str(value)


def _names(view: PlainView) -> str:
    names = [f"'{field.name}'" for field in view.fields[:8]]
    more = len(view.fields) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
