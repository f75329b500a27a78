"""The parts that JSON Schemas (2020-12) of requests and answers are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from modelport.core.semantics import Field, OutputMeaning
from modelport.core.signature import Shape
from modelport.core.tensors import DType

__all__ = [
    "Choice",
    "Schema",
    "any_of",
    "list_of",
    "nested",
    "object_of",
    "one_of",
    "told",
    "typed",
]

Schema: TypeAlias = dict[str, object]
Choice: TypeAlias = str | int | float | bool

_FORMATS = {DType.FP32: "float", DType.FP64: "double"}


def typed(dtype: DType) -> Schema:
    """The type of one element."""
    if dtype is DType.BYTES:
        return {"type": "string"}
    if dtype is DType.BOOL:
        return {"type": "boolean"}
    if dtype.is_integer:
        return {"type": "integer", "format": dtype.value.lower()}
    number: Schema = {"type": "number"}
    return number | ({"format": _FORMATS[dtype]} if dtype in _FORMATS else {})


def nested(element: Schema, shape: Shape, least: int) -> Schema:
    """Lists in lists as the shape has them; a free dimension has `least` elements or more."""
    for size in reversed(shape):
        element = list_of(element, size, least)
    return element


def list_of(items: Schema, size: int | None, least: int = 0) -> Schema:
    """A list of `size` elements; None is any number, `least` or more."""
    schema: Schema = {"type": "array", "items": items}
    if size is not None:
        return schema | {"minItems": size, "maxItems": size}
    return schema | ({"minItems": least} if least else {})


def object_of(title: str, properties: Mapping[str, Schema]) -> Schema:
    """An object with exactly these properties."""
    return {
        "title": title,
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def one_of(values: Sequence[Choice]) -> Schema:
    """One of some values, with their type where they have one in common."""
    kinds: list[tuple[type, str]] = [
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
    ]
    known = [name for kind, name in kinds if all(type(value) is kind for value in values)]
    return ({"type": known[0]} if known else {}) | {"enum": list(values)}


def any_of(forms: list[Schema]) -> Schema:
    """What fits at least one form."""
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def told(meaning: Field | OutputMeaning, dtype: DType) -> Schema:
    """What is said of a field in words; the unit also by itself, for programs."""
    sentences = [meaning.description, f"Unit: {meaning.unit}" if meaning.unit else None]
    known: Schema = {"x-datatype": dtype.value}
    if any(sentences):
        known["description"] = " ".join(f"{said.rstrip('.')}." for said in sentences if said)
    if meaning.unit:
        known["x-unit"] = meaning.unit
    return known
