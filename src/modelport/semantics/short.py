"""Requests and answers in a line, for lists of models: what a person would say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from modelport.semantics.fields import PlainView
from modelport.semantics.labels import Answer, answer_json

__all__ = ["short_answer", "short_request"]

_LONGEST = 90
"""Characters of a line."""
_MOST = 48
"""Values of a list that are written at all; more would not fit into a line."""
_LARGEST = 4096
"""Values of an answer that is told at all: all of it becomes JSON first."""
_FILES = ("image", "audio")


def short_request(view: PlainView, examples: Sequence[object]) -> str | None:
    """The first example; None where there is none, or where it is no text.

    A single field goes without its name.
    """
    if not examples:
        return None
    example = examples[0]
    if not isinstance(example, Mapping):
        return _line(_text(example))
    fields = {field.name: field for field in view.fields}
    parts = []
    for name, value in example.items():
        field = fields.get(name)
        if field is not None and field.kind in _FILES:
            continue
        unit = field.meaning.unit if field is not None else None
        text = _text(value) + (f" {unit}" if unit else "")
        parts.append(text if len(example) == 1 else f"{name} {text}")
    return _line(", ".join(parts)) or None


def short_answer(view: PlainView, answer: Answer) -> str | None:
    """An answer: the prediction, and none of the probabilities.

    None where it is no text, or has too many values for anybody to read.
    """
    told = {"prediction": answer["prediction"]} if "prediction" in answer else answer
    if _size(told) > _LARGEST:
        return None
    plain = orjson.loads(answer_json(told))
    shown = {"": plain["prediction"]} if "prediction" in plain else plain
    units = {output.name: output.meaning.unit for output in view.outputs}
    only = view.outputs[0].meaning.unit if len(view.outputs) == 1 else None
    parts = []
    for name, value in shown.items():
        if _is_picture(value):
            continue
        unit = units.get(name, only)
        parts.append(f"{name} {_text(value)}".strip() + (f" {unit}" if unit else ""))
    return _line(", ".join(parts)) or None


def _size(value: object) -> int:
    """How many values there are."""
    match value:
        case np.ndarray():
            return value.size
        case Mapping():
            return sum(map(_size, value.values()))
        case list():
            return sum(map(_size, value))
        case _:
            return 1


def _is_picture(value: object) -> bool:
    return isinstance(value, Mapping) and "png" in value


def _text(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"
        case Mapping() if "label" in value:  # of a box, or of a part of a text
            return str(value["label"])
        case Mapping():
            return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
        case list() | tuple():
            return ", ".join(_text(part) for part in value[:_MOST])
        case _:
            return str(value)


def _line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1].rstrip(', ')}…"
