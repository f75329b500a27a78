"""Token classification: spans of text, put together from the labels of tokens.

As transformers' pipeline does with `aggregation_strategy="simple"`: a token's label is the most
probable one, tokens side by side with one label are a span unless a label begins with `B-`, a
span's score is the mean of its tokens', and `O` is no entity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from modelport.core.tensors import Array

__all__ = ["Entity", "entities"]

_OUTSIDE = "O"


class Entity(msgspec.Struct, frozen=True):
    """A span of a text."""

    entity: str
    start: int
    """The first character."""
    end: int
    """The character after the last."""
    score: float
    text: str


@dataclass
class _Span:
    entity: str
    start: int
    end: int
    scores: list[float] = field(default_factory=list)


def entities(
    text: str, scores: Array, offsets: Array, special: Array, labels: Sequence[str]
) -> list[Entity]:
    """The entities of one text, from the probabilities `[tokens, labels]` of its tokens."""
    spans: list[_Span] = []
    own = np.flatnonzero(np.logical_not(special))
    for row, (start, end) in zip(scores[own], offsets[own].tolist(), strict=True):
        best = int(row.argmax())
        begins, name = _tag(labels[best])
        if begins or not spans or spans[-1].entity != name:
            spans.append(_Span(name, start, end))
        spans[-1].end = end
        spans[-1].scores.append(float(row[best]))
    return [
        Entity(s.entity, s.start, s.end, float(np.mean(s.scores)), text[s.start : s.end])
        for s in spans
        if s.entity != _OUTSIDE
    ]


def _tag(label: str) -> tuple[bool, str]:
    """Whether a label begins a span, and the entity's name."""
    begins = label.startswith("B-")
    return begins, label[2:] if begins or label.startswith("I-") else label
