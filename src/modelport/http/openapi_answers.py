"""JSON Schemas of a model's plain answers; they follow `semantics.labels`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelport.core.signature import Shape
from modelport.core.tensors import DType
from modelport.http.openapi_schemas import (
    Choice,
    Schema,
    any_of,
    list_of,
    nested,
    object_of,
    one_of,
    told,
    typed,
)
from modelport.semantics.fields import OutputField, PlainView

__all__ = ["TEXT", "answer_schema"]

TEXT = "Text"
"""The component for an answer's text, which may be bytes that are no text."""


def answer_schema(view: PlainView) -> Schema:
    """What a request of one row gets, and what one of many rows gets."""
    one, many = _answer(view, single=True), _answer(view, single=False)
    if one == many:
        return object_of("answer", one)
    return any_of([object_of("one row", one), object_of("many rows", many)])


def _answer(view: PlainView, *, single: bool) -> dict[str, Schema]:
    if view.scores is None and len(view.outputs) == 1:
        return {"prediction": _output(view.outputs[0], single)}
    properties: dict[str, Schema] = {}
    if view.scores is not None:
        values = {
            "prediction": _predicted(view.label, view.scores),
            "probabilities": _probabilities(view.scores.meaning.classes),
        }
        properties |= {k: v if single else list_of(v, None) for k, v in values.items()}
    for output in view.outputs:
        if output is not view.scores and output is not view.label:
            properties[output.name] = _output(output, single)
    return properties


def _output(output: OutputField, single: bool) -> Schema:
    words = told(output.meaning, output.tensor.dtype)
    if output.meaning.kind == "label" and output.meaning.classes:
        element = _known_labels(output, output.meaning.classes)
        if _is_named(output):
            return (element if single else list_of(element, None)) | words
    else:
        element = _result(output.tensor.dtype)
    return nested(element, _shape(output, single), least=0) | words


def _shape(output: OutputField, single: bool) -> Shape:
    """The shape of a value; a trailing dimension of 1 is dropped."""
    shape = output.tensor.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape[1:] if single and output.tensor.is_batched else shape


def _predicted(label: OutputField | None, scores: OutputField) -> Schema:
    if label is None:  # the class of the largest score, null where one of them is NaN
        schema = one_of(scores.meaning.classes)
        if "type" in schema:
            schema["type"] = [schema["type"], "null"]
        return schema | {"enum": [*scores.meaning.classes, None]}
    return _known_labels(label, label.meaning.classes or scores.meaning.classes)


def _known_labels(label: OutputField, classes: Sequence[Choice]) -> Schema:
    """The values of a label output, listed where the classes are of its type."""
    dtype = label.tensor.dtype
    if label.meaning.classes and _is_named(label):
        return one_of(classes)
    if dtype is DType.BYTES or dtype is DType.BOOL:
        kind = str if dtype is DType.BYTES else bool
        fits = all(isinstance(name, kind) for name in classes)
        return one_of(classes) if fits else _result(dtype)
    numbers = [name + 0 for name in classes if not isinstance(name, str)]  # 1 for True
    return one_of(numbers) if len(numbers) == len(classes) else _result(dtype)


def _is_named(label: OutputField) -> bool:
    """Whether the label's value is a place in a list of names."""
    return label.tensor.dtype is not DType.BYTES and isinstance(label.meaning.classes[0], str)


def _probabilities(classes: Iterable[Choice]) -> Schema:
    number = {"type": ["number", "null"]}
    schema = object_of("probabilities", {str(name): dict(number) for name in classes})
    del schema["title"]
    return schema


def _result(dtype: DType) -> Schema:
    if dtype is DType.BYTES:
        return {"$ref": f"#/components/schemas/{TEXT}"}
    schema = typed(dtype)
    if dtype.is_float:
        schema["type"] = ["number", "null"]  # NaN and infinity
    return schema
