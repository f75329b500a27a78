"""JSON Schemas of a model's plain requests and answers, for the OpenAPI document.

A schema allows no more than `semantics.plain` takes, but for what JSON Schema has no words for:
that all fields have the same number of rows, and that `1.0` is no whole number. It leaves out
what is taken only to be kind, such as a column written as `[[1], [2]]`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from modelport.core.semantics import Field, InputMeaning, OutputMeaning
from modelport.core.signature import Shape
from modelport.core.tensors import DType
from modelport.semantics.fields import InputField, OutputField, PlainView

__all__ = ["TEXT", "Schema", "answer_schema", "request_schema", "row_schema"]

Schema: TypeAlias = dict[str, object]
_Choice: TypeAlias = str | int | float | bool

TEXT = "Text"
"""The component for an answer's text, which may be bytes that are no text."""
_EXACT = 2.0**53


def row_schema(view: PlainView) -> Schema:
    """An object with a value for each field: one row."""
    properties = {f.name: _value(view, f) | _told(f.meaning, f.dtype) for f in view.fields}
    return _object("one row", properties)


def request_schema(view: PlainView, row: Schema) -> Schema:
    """Every form that a request may have; `row` refers to `row_schema`."""
    forms = [row, *_tables(view, row)]
    if not _clashes(view):
        forms += _wholes(view) + _bare(view)
    return _any_of(forms)


def answer_schema(view: PlainView) -> Schema:
    """What a request of one row gets, and what one of many rows gets."""
    one, many = _answer(view, single=True), _answer(view, single=False)
    if one == many:
        return _object("answer", one)
    return _any_of([_object("one row", one), _object("many rows", many)])


# -- requests


def _tables(view: PlainView, row: Schema) -> list[Schema]:
    """Many rows: as lists by name, as records."""
    forms: list[Schema] = []
    if any(field.tensor.is_batched for field in view.fields):
        forms.append(_object("many rows", {f.name: _rows(view, f) for f in view.fields}))
    if all(field.tensor.is_batched for field in view.fields):
        forms.append({"title": "records", "type": "array", "items": row, "minItems": 1})
    return forms


def _wholes(view: PlainView) -> list[Schema]:
    """Tensors by their names, where the fields are their columns."""
    if view.fields == view.tensors:
        return []
    one = {tensor.name: _value(view, tensor) for tensor in view.tensors}
    forms = [_object("one row, whole tensors", one)]
    if any(tensor.tensor.is_batched for tensor in view.tensors):
        many = {tensor.name: _rows(view, tensor) for tensor in view.tensors}
        forms.append(_object("many rows, whole tensors", many))
    return forms


def _bare(view: PlainView) -> list[Schema]:
    """The only tensor without its name."""
    if len(view.tensors) != 1:
        return []
    only = view.tensors[0]
    forms: list[Schema] = []
    if only.shape:
        forms.append(_value(view, only) | {"title": f"one row of '{only.name}', unnamed"})
    if only.tensor.is_batched:
        forms.append(_rows(view, only) | {"title": f"many rows of '{only.name}', unnamed"})
    return forms


def _clashes(view: PlainView) -> bool:
    """Whether a tensor's name is also that of a column, so that it means the column."""
    columns = {field.name for field in view.fields if field.column is not None}
    return any(tensor.name in columns for tensor in view.tensors)


def _rows(view: PlainView, field: InputField) -> Schema:
    value = _value(view, field)
    return _list(value, None, least=1) if field.tensor.is_batched else value


def _value(view: PlainView, field: InputField) -> Schema:
    """What one row holds of a field."""
    if field.column is not None or not field.shape:
        return _element(field.dtype, field.meaning)
    whole = _nested(_last_axis(view, field), field.shape[:-1], least=1)
    if field.tensor.is_batched or field.shape[0] != 1:
        return whole
    # The leading 1 of a model that is not batched may be left out.
    inner = field.shape[1:-1]
    short = _last_axis(view, field) if len(field.shape) > 1 else _element(field.dtype, field.meaning)
    return {"anyOf": [whole, _nested(short, inner, least=1)]}


def _last_axis(view: PlainView, field: InputField) -> Schema:
    meaning = view.semantics.inputs.get(field.name, InputMeaning())
    own = [meaning.column_fields.get(name, field.meaning) for name in meaning.columns]
    element = _element(field.dtype, field.meaning)
    columns = [_element(field.dtype, _narrowed(column, field.meaning)) for column in own]
    if all(column == element for column in columns):
        return _list(element, field.shape[-1], least=1)
    size = len(columns)
    return {
        "type": "array",
        "prefixItems": columns,
        "items": False,
        "minItems": size,
        "maxItems": size,
    }


def _narrowed(column: Field, tensor: Field) -> Field:
    """A column's meaning inside a whole tensor, where `null` needs the tensor's word too."""
    nullable = bool(column.nullable and tensor.nullable)
    return msgspec.structs.replace(column, nullable=nullable)


def _element(dtype: DType, meaning: Field) -> Schema:
    schema = _typed(dtype)
    low, high = dtype.bounds or (-math.inf, math.inf)
    low = max(low, -math.inf if meaning.minimum is None else meaning.minimum)
    high = min(high, math.inf if meaning.maximum is None else meaning.maximum)
    if math.isfinite(low):
        schema["minimum"] = _short(low)
    if math.isfinite(high):
        schema["maximum"] = _short(high)
    choices: list[_Choice | None] = [c for c in meaning.choices if _is_json(c)]
    may_miss = bool(meaning.nullable) and (dtype.is_float or dtype is DType.BYTES)
    if may_miss:
        schema["type"] = [schema["type"], "null"]
    if choices:
        schema["enum"] = [*choices, None] if may_miss else choices
    return schema


def _told(meaning: Field | OutputMeaning, dtype: DType) -> Schema:
    """What is said of a field in words; the unit also by itself, for programs."""
    sentences = [meaning.description, f"Unit: {meaning.unit}." if meaning.unit else None]
    told: Schema = {"x-datatype": dtype.value}
    if any(sentences):
        told["description"] = " ".join(filter(None, sentences))
    if meaning.unit:
        told["x-unit"] = meaning.unit
    return told


# -- answers


def _answer(view: PlainView, *, single: bool) -> dict[str, Schema]:
    if view.scores is None and len(view.outputs) == 1:
        return {"prediction": _output(view.outputs[0], single, alone=True)}
    properties: dict[str, Schema] = {}
    if view.scores is not None:
        values = {
            "prediction": _predicted(view.label, view.scores),
            "probabilities": _probabilities(view.scores.meaning.classes),
        }
        properties |= {k: v if single else _list(v, None) for k, v in values.items()}
    for output in view.outputs:
        if output is not view.scores and output is not view.label:
            properties[output.name] = _output(output, single, alone=False)
    return properties


def _output(output: OutputField, single: bool, alone: bool) -> Schema:
    """One output's value; mirrors `labels`, which drops dimensions by their size at run time."""
    told = _told(output.meaning, output.tensor.dtype)
    if output.meaning.kind == "label" and output.meaning.classes:
        element = _known_labels(output, output.meaning.classes)
        if _is_named(output):
            return (element if single else _list(element, None)) | told
    else:
        element = _result(output.tensor.dtype)
    shapes = dict.fromkeys(_shapes(output, single, alone))
    return _any_of([_nested(element, shape, least=0) for shape in shapes]) | told


def _shapes(output: OutputField, single: bool, alone: bool) -> list[Shape]:
    """Every shape that a value may have."""
    shape = output.tensor.shape
    shapes = [shape]
    if len(shape) > 1 and shape[-1] == 1:
        shapes = [shape[:-1]]
    elif len(shape) > 1 and shape[-1] is None:
        shapes = [shape, shape[:-1]]
    if not (single and output.tensor.is_batched):
        return shapes
    rows = [shape[1:] for shape in shapes]
    if alone and len(shape) > 1 and shape[-1] == 1 and output.tensor.dtype is not DType.BYTES:
        # One number in all is given as a number, however many dimensions of 1 it has.
        if all(size == 1 for size in rows[0]):
            return [()]
        if all(size in (1, None) for size in rows[0]):
            return [(), *rows]
    return rows


def _predicted(label: OutputField | None, scores: OutputField) -> Schema:
    if label is None:
        return _enum(scores.meaning.classes)
    return _known_labels(label, label.meaning.classes or scores.meaning.classes)


def _known_labels(label: OutputField, classes: Sequence[_Choice]) -> Schema:
    """The values of a label output, listed where the classes are of its type."""
    dtype = label.tensor.dtype
    if label.meaning.classes and _is_named(label):
        return _enum(classes)
    if dtype is DType.BYTES or dtype is DType.BOOL:
        kind = str if dtype is DType.BYTES else bool
        fits = all(isinstance(name, kind) for name in classes)
        return _enum(classes) if fits else _result(dtype)
    numbers = [name + 0 for name in classes if not isinstance(name, str)]  # 1 for True
    return _enum(numbers) if len(numbers) == len(classes) else _result(dtype)


def _is_named(label: OutputField) -> bool:
    """Whether the label's value is a place in a list of names."""
    return label.tensor.dtype is not DType.BYTES and isinstance(label.meaning.classes[0], str)


def _probabilities(classes: Iterable[_Choice]) -> Schema:
    number = {"type": ["number", "null"]}
    schema = _object("probabilities", {str(name): dict(number) for name in classes})
    del schema["title"]
    return schema


def _result(dtype: DType) -> Schema:
    if dtype is DType.BYTES:
        return {"$ref": f"#/components/schemas/{TEXT}"}
    schema = _typed(dtype)
    if dtype.is_float:
        schema["type"] = ["number", "null"]  # NaN and infinity
    return schema


# -- parts of schemas

_FORMATS = {DType.FP32: "float", DType.FP64: "double"}


def _typed(dtype: DType) -> Schema:
    if dtype is DType.BYTES:
        return {"type": "string"}
    if dtype is DType.BOOL:
        return {"type": "boolean"}
    if dtype.is_integer:
        return {"type": "integer", "format": dtype.value.lower()}
    return {"type": "number"} | ({"format": _FORMATS[dtype]} if dtype in _FORMATS else {})


def _nested(element: Schema, shape: Shape, least: int) -> Schema:
    for size in reversed(shape):
        element = _list(element, size, least)
    return element


def _list(items: Schema, size: int | None, least: int = 0) -> Schema:
    schema: Schema = {"type": "array", "items": items}
    if size is not None:
        return schema | {"minItems": size, "maxItems": size}
    return schema | ({"minItems": least} if least else {})


def _object(title: str, properties: Mapping[str, Schema]) -> Schema:
    return {
        "title": title,
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _enum(values: Sequence[_Choice]) -> Schema:
    kinds: list[tuple[type, str]] = [
        (bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")
    ]
    known = [name for kind, name in kinds if all(type(value) is kind for value in values)]
    return ({"type": known[0]} if known else {}) | {"enum": list(values)}


def _any_of(forms: list[Schema]) -> Schema:
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _is_json(choice: _Choice) -> bool:
    return not isinstance(choice, float) or math.isfinite(choice)


def _short(bound: float) -> float:
    """A bound without `.0`, where it is a whole number that stays exact."""
    return int(bound) if float(bound).is_integer() and abs(bound) < _EXACT else bound
