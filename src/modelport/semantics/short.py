"""Requests and answers in a line, for lists of models: what a person would say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import orjson

from modelport.semantics.fields import PlainView
from modelport.semantics.labels import Answer, answer_json

__all__ = ["short_answer", "short_request"]

_LONGEST = 90
"""Characters of a line."""
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
    """Its beginning, if it is more than a line: a picture of numbers is not written to its end."""
    parts: list[str] = []
    length = 0
    for part in _parts(value):
        parts.append(part)
        length += len(part) + 2
        if length > _LONGEST + 2:
            break
    return ", ".join(parts)


def _parts(value: object) -> Iterator[str]:
    """What stands between the commas; each is made when it is asked for."""
    match value:
        case None:
            yield "–"
        case bool():
            yield str(value).lower()
        case float():
            yield f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"
        case Mapping() if "label" in value:  # of a box, or of a part of a text
            yield _squeezed(str(value["label"]))
        case Mapping():
            for name, part in value.items():
                parts = _parts(part)
                yield _squeezed(f"{name} {next(parts, '')}")
                yield from parts
        case list() | tuple():
            for part in value:
                yield from _parts(part)
        case _:
            yield _squeezed(str(value))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _line(text: str) -> str:
    words = _squeezed(text)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1].rstrip(', ')}…"
