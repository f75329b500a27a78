"""Plain requests: what a person would write, as tensors, with errors that teach.

This is the careful way: it takes any JSON value (and numpy arrays), finds out which form it has,
and says what is wrong with it. `fast` reads the common forms without looking at each value.

    {"x": [1, 2, 3]}                       a tensor by name, one row
    {"x": [[1, 2, 3], [4, 5, 6]]}          many rows
    {"age": 39, "city": "Paris"}           named columns, one row
    {"age": [39, 40], "city": [...]}       many rows
    [{"age": 39, "city": "Paris"}, ...]    records
    [1, 2, 3] or [[1, 2, 3], ...]          the only input
    {"photo": "iVBORw0KGgo…"}              a file, as base64
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.semantics import Field
from modelport.core.signature import Shape, TensorSpec, fits, show_shape, sizes
from modelport.core.tensors import Array, Batch, DType, bytes_tensor
from modelport.semantics.fields import InputField, PlainView
from modelport.semantics.files import file_bytes, is_file_value

__all__ = ["PlainRequest", "cast", "check_field", "limits", "names_of", "read"]


_WHOLE = frozenset({int})
_FLOATS = frozenset({float, int})
_KINDS: dict[DType, frozenset[type]] = {
    DType.BYTES: frozenset({str}),
    DType.BOOL: frozenset({bool}),
    **{dtype: _FLOATS for dtype in DType if dtype.is_float},
}
"""The types of Python whose values can be elements of a tensor as they are; else `_WHOLE`."""


class PlainRequest(NamedTuple):
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
    if _is_bare(view, body):
        return _from_only(view, body)
    if isinstance(body, Mapping):
        return _from_names(view, body)
    if isinstance(body, np.ndarray):
        return _from_only(view, body)
    if isinstance(body, Sequence) and not isinstance(body, str | bytes):
        if body and all(isinstance(record, Mapping) for record in body):
            return _from_names(view, _columns(body))
        return _from_only(view, body)
    raise InvalidInput(
        f"a request is a JSON object with {names_of(view)}, and {_kind(body)} came",
        expected=[field.name for field in view.fields],
    )


def _is_bare(view: PlainView, body: object) -> bool:
    """Whether a value alone is that of the only field: a file, or a text."""
    only = view.fields[0]
    if len(view.fields) != 1 or only.shape not in ((), (1,)) or only.dtype is not DType.BYTES:
        return False
    if isinstance(body, Mapping):
        return only.is_file and set(body) == {"b64"} and only.name != "b64"
    return is_file_value(body) and not isinstance(body, list | tuple)


def limits(view: PlainView) -> Callable[[Batch], None] | None:
    """What refuses tensors with values outside their ranges or choices; None if any value goes.

    For tensors that come from elsewhere than `read`, which looks at every value.
    """
    limited = [part for part in _as_given(view) if _is_limited(part.meaning)]

    def check(inputs: Batch) -> None:
        for field in limited:
            array = inputs[field.tensor.name]
            _check_limits(field, array if field.column is None else array[..., field.column])

    return check if limited else None


def _as_given(view: PlainView) -> list[InputField]:
    """The parts of tensors whose values mean the same to people as to the model."""
    kinds = {field.name: field.kind for field in view.sources.values()}
    return [part for part in view.parts if kinds.get(part.name, "column") == "column"]


def check_field(field: InputField, array: Array) -> None:
    """Refuse a value of a field that its meaning does not allow.

    Raises:
        InvalidInput: it is outside its range or choices, or missing where none may be.
    """
    missing = field.meaning.nullable is not True
    if missing and field.dtype.is_float and np.isnan(array).any():
        raise _missing_value(field)
    _check_limits(field, array)


def _is_limited(meaning: Field) -> bool:
    ends = meaning.minimum, meaning.maximum
    return bool(meaning.choices) or any(end is not None for end in ends)


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
        return _elements(field, array.ravel().tolist(), array.shape)
    numbers = (want.is_float or want.is_integer) and have is not DType.BOOL
    if not numbers or (want.is_integer and have.is_float):
        raise _wrong_type(field, f"{have.value} values")
    with np.errstate(over="ignore"):  # the next line looks
        out = array.astype(want.numpy)
    lost = np.isinf(out) & np.isfinite(array) if want.is_float else out != array
    if lost.any():
        raise _no_room(field, array[lost].flat[0])
    return out


def _from_only(view: PlainView, body: object) -> PlainRequest:
    if len(view.owners) != 1 and len(view.tensors) != 1:
        raise InvalidInput(
            f"the model has {len(view.owners)} inputs, so a request names them:"
            f" an object with {names_of(view)}, or a list of such objects",
            expected=[field.name for field in view.fields],
        )
    only = _only(view, body)
    return _assembled(view, [only], {only.name: _value(view, only, body)})


def _only(view: PlainView, body: object) -> InputField:
    """What a value without a name is: the source, or the tensor that the model has alone."""
    if len(view.tensors) != 1:
        return view.owners[0]
    if len(view.owners) == 1 and view.owners[0].source_of and _is_for(view.owners[0], body):
        return view.owners[0]
    return view.tensors[0]


def _is_for(source: InputField, value: object) -> bool:
    """Whether a value is one of the source, and not of the tensor that it fills."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "OSTU"
    return is_file_value(value) or (bool(source.meaning.nullable) and _is_nothing(value))


def _is_nothing(value: object) -> bool:
    """Whether it is `null`, or a list of nothing else."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_nothing, value))
    return _is_missing(value)


def _from_names(view: PlainView, body: Mapping[object, object]) -> PlainRequest:
    given = {key if isinstance(key, str) else str(key): value for key, value in body.items()}
    fields = _chosen(view, given)
    for field in fields:
        if field.name not in given:
            raise InvalidInput(
                f"'{field.name}' is missing; the model takes {names_of(view)}", tensor=field.name
            )
    values = {field.name: _value(view, field, given[field.name]) for field in fields}
    return _assembled(view, fields, values)


def _chosen(view: PlainView, given: Mapping[str, object]) -> list[InputField]:
    """The fields that the request's names stand for: sources, columns, or whole tensors."""
    parts = {field.name: field for field in view.fields}
    wholes = {f.name for f in view.tensors if f.name in given and _is_whole(parts, f, given)}
    for name in given:
        if name not in parts and name not in wholes:
            raise InvalidInput(
                f"the model has no field '{name}'; it takes {names_of(view)}",
                tensor=name,
                expected=[field.name for field in view.fields],
            )
    chosen = [field for field in view.tensors if field.name in wholes]
    for field in view.fields:
        covering = [name for name in field.fills if name in wholes]
        if not covering:
            chosen.append(field)
        elif field.name in given and field.name not in wholes:
            raise InvalidInput(
                f"'{field.name}' is given twice: alone, and in its tensor '{covering[0]}'",
                tensor=field.name,
            )
        else:
            rest = [f for f in view.tensors if f.name in field.fills and f not in chosen]
            chosen += rest  # which the caller misses by their names
    return chosen


def _is_whole(
    parts: Mapping[str, InputField], tensor: InputField, given: Mapping[str, object]
) -> bool:
    """Whether a tensor's name means the tensor, and not a field of the same name."""
    part = parts.get(tensor.name)
    if part is None:
        return True
    return bool(part.source_of) and not _is_for(part, given[tensor.name])


def _columns(records: Sequence[Mapping[object, object]]) -> dict[object, list[object]]:
    names = records[0].keys()
    for at, record in enumerate(records):
        if record.keys() != names:
            raise _uneven(records, at)
    return {name: [record[name] for record in records] for name in names}


def _uneven(records: Sequence[Mapping[object, object]], at: int) -> InvalidInput:
    """The words for a record whose names are not those of the first one."""
    first, this = records[0], records[at]
    absent = next((name for name in first if name not in this), None)
    if absent is None:
        at, absent = 0, next(name for name in this if name not in first)
    return InvalidInput(f"record {at} has no '{absent}', which others have", row=at)


def _assembled(
    view: PlainView, fields: Sequence[InputField], values: Mapping[str, Array]
) -> PlainRequest:
    one = [f.name for f in fields if f.tensor.is_batched and values[f.name].ndim == len(f.shape)]
    many = [f.name for f in fields if f.tensor.is_batched and f.name not in set(one)]
    if one and many and view.signature.lockstep:
        raise InvalidInput(
            f"'{one[0]}' has the value of one row and '{many[0]}' those of many: give both as lists"
        )
    inputs: dict[str, Array] = {}
    for spec in {id(field.tensor): field.tensor for field in fields}.values():
        own = [field for field in fields if field.tensor is spec]
        inputs[spec.name] = _tensor(spec, own, values)
    return PlainRequest(inputs, not many)


def _tensor(spec: TensorSpec, own: Sequence[InputField], values: Mapping[str, Array]) -> Array:
    """The whole tensor from its own value, or from those of its columns."""
    array = values[own[0].name]
    is_row = array.ndim == len(own[0].shape)
    row = array.shape if is_row else array.shape[1:]
    if own[0].column is not None:
        _check_same_rows(own, values)
        array = np.stack([values[field.name] for field in own], axis=-1)
        row = (*(1 for _ in spec.row_shape[:-1]), len(own))
    elif len(row) < len(spec.row_shape):
        row = (1,)  # a single value, where the model has an axis of 1
    if spec.is_batched:
        row = (1 if is_row else len(array), *row)
    array = array.reshape(row)
    spec.check(array)
    return array


def _check_same_rows(own: Sequence[InputField], values: Mapping[str, Array]) -> None:
    shapes = {field.name: values[field.name].shape for field in own}
    if len(set(shapes.values())) > 1:
        counts = [f"'{n}' has {s[0] if s else 'one'}" for n, s in list(shapes.items())[:5]]
        raise InvalidInput(f"all columns need the same number of rows: {', '.join(counts)}")


def _value(view: PlainView, field: InputField, value: object) -> Array:
    """A field's value with the dimensions of one row, or with one more for many."""
    if isinstance(value, np.ndarray | np.generic):
        array = cast(field, np.asarray(value))
    else:
        array = _elements(field, *_flatten(field, value))
    array = _fitted(field, array)
    _check_meaning(field, array)
    for part in _as_given(view):
        if field.column is None and part.column is not None and part.tensor is field.tensor:
            _check_meaning(part, array[..., part.column])
    return array


def _fitted(field: InputField, array: Array) -> Array:
    rank = len(field.shape)
    if field.tensor.is_batched:
        if rank == 0 and array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]  # a column written as [[1], [2]]
        inner = array.shape[max(array.ndim - rank, 0) :]
        fine = array.ndim - rank in (0, 1) and fits(inner, field.shape)
    else:
        # A model that is not batched may be sent its leading dimensions of 1, or not.
        left_out = field.shape[: max(rank - array.ndim, 0)]
        if all(size == 1 for size in left_out):
            array = array.reshape((1,) * len(left_out) + array.shape)
        if field.column is not None and array.shape == (1,):
            array = array.reshape(())
        fine = fits(array.shape, field.shape)
    if not fine:
        raise _wrong_shape(field, array.shape)
    return array


def _flatten(field: InputField, value: object) -> tuple[list[Any], tuple[int, ...]]:
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
    got = f"one of {len(item)}" if isinstance(item, list | tuple) else _kind(item)
    return InvalidInput(
        f"'{field.name}' is ragged: at depth {depth + 1} a list of {size} stands beside {got}",
        tensor=field.name,
    )


def _elements(field: InputField, flat: Sequence[Any], shape: tuple[int, ...]) -> Array:
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
    if _is_missing(value) and field.meaning.nullable:
        return b""
    if not isinstance(value, str):
        raise _wrong_type(field, _kind(value))
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
    if _is_missing(value) and field.meaning.nullable and dtype.is_float:
        return math.nan
    if dtype is DType.BOOL or isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(field, _kind(value))
    if isinstance(value, float) and not dtype.is_float:
        raise _wrong_type(field, _kind(value))
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


def _is_missing(value: object) -> bool:
    """Whether it is None, or what pandas has in its place."""
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _check_meaning(field: InputField, array: Array) -> None:
    meaning = field.meaning
    if field.dtype.is_float and meaning.nullable is False and np.isnan(array).any():
        raise _missing_value(field)
    _check_limits(field, array)


def _missing_value(field: InputField) -> InvalidInput:
    return InvalidInput(
        f"'{field.name}' holds NaN, and the model does not accept a missing value there",
        tensor=field.name,
    )


def _check_limits(field: InputField, array: Array) -> None:
    meaning = field.meaning
    if meaning.minimum is not None or meaning.maximum is not None:
        _check_range(field, array, meaning.minimum, meaning.maximum)
    if meaning.choices:
        _check_choices(field, array.ravel().tolist())


def _check_range(field: InputField, array: Any, low: float | None, high: float | None) -> None:
    if field.dtype.is_float:  # a bound of 0.1 means the value that 0.1 becomes
        with np.errstate(over="ignore"):
            low = None if low is None else array.dtype.type(low)
            high = None if high is None else array.dtype.type(high)
    outside = np.zeros(array.shape, dtype=bool)
    if low is not None:
        outside |= array < low
    if high is not None:
        outside |= array > high
    if outside.any():
        got = array[outside].flat[0].item()
        raise InvalidInput(
            f"'{field.name}' {_range_words(field.meaning)}, and {got} came",
            tensor=field.name,
            expected=[field.meaning.minimum, field.meaning.maximum],
            got=got,
        )


def _range_words(meaning: Field) -> str:
    unit = f" {meaning.unit}" if meaning.unit else ""
    if meaning.maximum is None:
        return f"is at least {meaning.minimum:g}{unit}"
    if meaning.minimum is None:
        return f"is at most {meaning.maximum:g}{unit}"
    return f"lies between {meaning.minimum:g} and {meaning.maximum:g}{unit}"


def _check_choices(field: InputField, values: Sequence[object]) -> None:
    choices = field.meaning.choices
    with np.errstate(over="ignore"):  # no finite value is such a choice
        allowed = {_as_element(field.dtype, choice) for choice in choices}
    for value in dict.fromkeys(values):
        missing = value == b"" or value != value  # NaN is not itself
        if value not in allowed and not (missing and field.meaning.nullable):
            got = value.decode(errors="replace") if isinstance(value, bytes) else value
            raise InvalidInput(
                f"'{field.name}' is one of {', '.join(map(repr, choices[:10]))}, and {got!r} came",
                tensor=field.name,
                expected=list(choices),
                got=got,
            )


def _as_element(dtype: DType, choice: object) -> object:
    """What a tensor of this type holds for a choice."""
    if isinstance(choice, str):
        return choice.encode()
    return dtype.numpy.type(choice).item() if dtype.is_float else choice


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


def _wrong_shape(field: InputField, shape: tuple[int, ...]) -> InvalidInput:
    row = show_shape(field.shape) if field.shape else "a single value"
    many: Shape = (None, *field.shape)
    takes = f"one row as {row}, or many rows as {show_shape(many)}"
    return InvalidInput(
        f"'{field.name}' takes {takes if field.tensor.is_batched else row},"
        f" and {show_shape(shape)} came",
        tensor=field.name,
        expected=sizes(field.shape),
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


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a number of {math.floor(math.log10(abs(value))) + 1} digits"
    return str(value)


def names_of(view: PlainView) -> str:
    """The names of the fields as a sentence lists them."""
    names = [f"'{field.name}'" for field in view.fields[:8]]
    more = len(view.fields) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
