"""JSON Schemas of a model's plain requests.

They allow no more than `semantics.plain` takes, but for what JSON Schema has no words for: that
all fields have the same number of rows, and that `1.0` is no whole number. They leave out what is
taken only to be kind, such as a column written as `[[1], [2]]`.
"""

from __future__ import annotations

import math

import msgspec

from modelport.core.semantics import Field
from modelport.core.tensors import DType
from modelport.http.openapi_schemas import (
    Choice,
    Schema,
    any_of,
    list_of,
    nested,
    object_of,
    told,
    typed,
)
from modelport.semantics.fields import InputField, PlainView

__all__ = ["form_schema", "request_schema", "row_schema"]

_EXACT = 2.0**53


def row_schema(view: PlainView) -> Schema:
    """An object with a value for each field: one row."""
    properties = {f.name: _value(view, f) | told(f.meaning, f.dtype) for f in view.fields}
    return object_of("one row", properties)


def form_schema(view: PlainView) -> Schema:
    """A form with a part for each field: files as they are, one row."""
    properties = {f.name: _part(view, f) | told(f.meaning, f.dtype) for f in view.fields}
    return object_of("a form", properties)


def _part(view: PlainView, field: InputField) -> Schema:
    return {"contentMediaType": f"{field.kind}/*"} if field.is_file else _value(view, field)


def request_schema(view: PlainView, row: Schema) -> Schema:
    """Every form that a request may have; `row` refers to `row_schema`."""
    return any_of([row, *_tables(view, row), *_wholes(view), *_bare(view)])


def _tables(view: PlainView, row: Schema) -> list[Schema]:
    """Many rows: as lists by name, as records."""
    forms: list[Schema] = []
    if any(field.tensor.is_batched for field in view.fields):
        forms.append(object_of("many rows", {f.name: _rows(view, f) for f in view.fields}))
    if all(field.tensor.is_batched for field in view.fields):
        forms.append({"title": "records", "type": "array", "items": row, "minItems": 1})
    return forms


def _wholes(view: PlainView) -> list[Schema]:
    """Tensors by their names, where the fields are their columns."""
    if view.fields == view.tensors or _clashes(view):
        return []
    one = {tensor.name: _value(view, tensor) for tensor in view.tensors}
    forms = [object_of("one row, whole tensors", one)]
    if any(tensor.tensor.is_batched for tensor in view.tensors):
        many = {tensor.name: _rows(view, tensor) for tensor in view.tensors}
        forms.append(object_of("many rows, whole tensors", many))
    return forms


def _bare(view: PlainView) -> list[Schema]:
    """The only source, and the only tensor, without its name."""
    only = [each[0] for each in (view.owners, view.tensors) if len(each) == 1]
    return [form for field in dict.fromkeys(only) for form in _unnamed(view, field)]


def _unnamed(view: PlainView, only: InputField) -> list[Schema]:
    lists = [form for form in _variants(view, only) if form.get("type") == "array"]
    forms: list[Schema] = []
    if lists:
        forms.append(any_of(lists) | {"title": f"one row of '{only.name}', unnamed"})
    if only.tensor.is_batched:
        forms.append(_rows(view, only) | {"title": f"many rows of '{only.name}', unnamed"})
    return forms


def _clashes(view: PlainView) -> bool:
    """Whether a tensor's name is also that of a column, so that it means the column."""
    columns = {field.name for field in view.fields if field.column is not None}
    return any(tensor.name in columns for tensor in view.tensors)


def _rows(view: PlainView, field: InputField) -> Schema:
    value = _value(view, field)
    return list_of(value, None, least=1) if field.tensor.is_batched else value


def _value(view: PlainView, field: InputField) -> Schema:
    """What one row holds of a field."""
    return any_of(_variants(view, field))


def _variants(view: PlainView, field: InputField) -> list[Schema]:
    """The value as its shape has it; a model that is not batched may go without leading ones."""
    element = _file(field) if field.is_file else _element(field.dtype, field.meaning)
    shapes = [field.shape]
    while not field.tensor.is_batched and shapes[-1] and shapes[-1][0] == 1:
        shapes.append(shapes[-1][1:])
    last = _last_axis(view, field, element) if field.shape else element
    return [nested(last, shape[:-1], least=1) if shape else element for shape in shapes]


def _last_axis(view: PlainView, field: InputField, element: Schema) -> Schema:
    """A list with an element for each column, where the columns differ."""
    own = [part for part in view.fields if part.tensor is field.tensor and part.column is not None]
    columns = [_element(field.dtype, _narrowed(part.meaning, field.meaning)) for part in own]
    if all(column == element for column in columns):
        return list_of(element, field.shape[-1], least=1)
    size = len(columns)
    return {
        "type": "array",
        "prefixItems": columns,
        "items": False,
        "minItems": size,
        "maxItems": size,
    }


def _narrowed(column: Field, tensor: Field) -> Field:
    """A column's meaning inside a whole tensor, whose own meaning holds there too."""
    lows = [low for low in (column.minimum, tensor.minimum) if low is not None]
    highs = [high for high in (column.maximum, tensor.maximum) if high is not None]
    return msgspec.structs.replace(
        column,
        minimum=max(lows, default=None),
        maximum=min(highs, default=None),
        nullable=bool(column.nullable and tensor.nullable),
    )


def _file(field: InputField) -> Schema:
    encoded: Schema = {
        "type": "string",
        "contentEncoding": "base64",
        "contentMediaType": f"{field.kind}/*",
    }
    return any_of([encoded, object_of("base64", {"b64": encoded})])


def _element(dtype: DType, meaning: Field) -> Schema:
    schema = typed(dtype)
    low, high = dtype.bounds or (-math.inf, math.inf)
    low = max(low, -math.inf if meaning.minimum is None else meaning.minimum)
    high = min(high, math.inf if meaning.maximum is None else meaning.maximum)
    if math.isfinite(low):
        schema["minimum"] = _short(low)
    if math.isfinite(high):
        schema["maximum"] = _short(high)
    choices: list[Choice | None] = list(meaning.choices)
    may_miss = bool(meaning.nullable) and (dtype.is_float or dtype is DType.BYTES)
    if may_miss:
        schema["type"] = [schema["type"], "null"]
    if choices:
        schema["enum"] = [*choices, None] if may_miss else choices
    return schema


def _short(bound: float) -> float:
    """A bound without `.0`, where it is a whole number that stays exact."""
    return int(bound) if float(bound).is_integer() and abs(bound) < _EXACT else bound
