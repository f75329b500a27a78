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

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.signature import Shape, TensorSpec, fits, show_shape, sizes
from modelport.core.tensors import Array, DType
from modelport.semantics.elements import cast, elements, flatten, is_missing, kind_of
from modelport.semantics.fields import InputField, PlainView
from modelport.semantics.files import is_file_value
from modelport.semantics.ranges import as_given, check_meaning

__all__ = ["PlainRequest", "check_value", "names_of", "read"]


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
        f"a request is a JSON object with {names_of(view)}, and {kind_of(body)} came",
        expected=[field.name for field in view.fields],
    )


def check_value(view: PlainView, field: InputField, value: object) -> None:
    """Refuse what is no value of a field in a request of one row.

    Raises:
        InvalidInput: as `read`, or it has the values of many rows.
    """
    array = _value(view, field, value)
    if array.ndim != len(field.shape):
        raise InvalidInput(f"'{field.name}' takes the value of one row, and one of many came")


def _is_bare(view: PlainView, body: object) -> bool:
    """Whether a value alone is that of the only field: a file, or a text."""
    only = view.fields[0]
    if len(view.fields) != 1 or only.shape not in ((), (1,)) or only.dtype is not DType.BYTES:
        return False
    if isinstance(body, Mapping):
        return only.is_file and set(body) == {"b64"} and only.name != "b64"
    return is_file_value(body) and not isinstance(body, list | tuple)


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
    return is_missing(value)


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
        array = elements(field, *flatten(field, value))
    array = _fitted(field, array)
    check_meaning(field, array)
    for part in as_given(view):
        if field.column is None and part.column is not None and part.tensor is field.tensor:
            check_meaning(part, array[..., part.column])
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


def names_of(view: PlainView) -> str:
    """The names of the fields as a sentence lists them."""
    names = [f"'{field.name}'" for field in view.fields[:8]]
    more = len(view.fields) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
