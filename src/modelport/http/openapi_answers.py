"""JSON Schemas of a model's plain answers; they follow `semantics.labels`."""

from __future__ import annotations

from collections.abc import Sequence

from modelport.core.semantics import OutputMeaning
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
        only = view.outputs[0]
        if only.meaning.kind == "multilabel":
            labels = list_of(one_of([str(name) for name in only.meaning.classes]), None)
            values = {"prediction": labels, "scores": _probabilities(only.meaning)}
            return {k: v if single else list_of(v, None) for k, v in values.items()}
        return {"prediction": _output(only, single)}
    properties: dict[str, Schema] = {}
    if view.scores is not None:
        values = {
            "prediction": _predicted(view.label, view.scores),
            "probabilities": _probabilities(view.scores.meaning),
        }
        properties |= {k: v if single else list_of(v, None) for k, v in values.items()}
    for output in view.outputs:
        if output is not view.scores and output is not view.label:
            properties[output.name] = _output(output, single)
    return properties


def _output(output: OutputField, single: bool) -> Schema:
    words = told(output.meaning, output.tensor.dtype)
    special = _special(output)
    if special is not None:
        return (special if single else list_of(special, None)) | words
    if output.meaning.kind == "label" and output.meaning.classes:
        element = _known_labels(output, output.meaning.classes)
        if _is_named(output):
            return (element if single else list_of(element, None)) | words
    else:
        element = _result(output.tensor.dtype)
    return nested(element, _shape(output, single), least=0) | words


def _special(output: OutputField) -> Schema | None:
    """What one row of an output is, where its kind is not shown as its tensor."""
    meaning = output.meaning
    match meaning.kind:
        case "boxes":
            numbered: Schema = {"type": "integer"}
            label = one_of(meaning.classes) if meaning.classes else numbered
            sides = ("left", "top", "right", "bottom")
            number: Schema = {"type": "number"}
            box = object_of("pixels", dict.fromkeys(sides, number))
            thing: dict[str, Schema] = {"label": label, "score": number, "box": box}
            return list_of(object_of("what was found", thing), None)
        case "mask":
            png: Schema = {
                "type": "string",
                "contentEncoding": "base64",
                "contentMediaType": "image/png",
            }
            whole: Schema = {"type": "integer"}
            parts: dict[str, Schema] = {str(name): {"type": "number"} for name in meaning.classes}
            values: dict[str, Schema] = {"png": png, "width": whole, "height": whole}
            return object_of("a mask", values | {"parts": object_of("parts", parts)})
        case "multilabel":
            return _probabilities(meaning)
        case "json":
            return {}
        case _:
            return None


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


def _probabilities(meaning: OutputMeaning) -> Schema:
    number = {"type": ["number", "null"]}
    schema = object_of("probabilities", {str(name): dict(number) for name in meaning.classes})
    del schema["title"]
    if meaning.top_k is not None:  # the largest only
        schema["required"] = []
        schema["maxProperties"] = meaning.top_k
    return schema


def _result(dtype: DType) -> Schema:
    if dtype is DType.BYTES:
        return {"$ref": f"#/components/schemas/{TEXT}"}
    schema = typed(dtype)
    if dtype.is_float:
        schema["type"] = ["number", "null"]  # NaN and infinity
    return schema
