"""What the tensors of a model mean to a person, as plain data.

A runtime fills these from what the model's file says, `model.toml` overrides them, and everything
that faces people (plain JSON, OpenAPI, forms) is derived from the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = ["Field", "InputMeaning", "OutputMeaning", "Semantics"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one value that a person gives: a column, or each element of a tensor."""

    unit: str | None = None
    """Such as `mm` or `EUR`; shown, never converted."""
    minimum: float | None = None
    """The smallest value allowed, itself included."""
    maximum: float | None = None
    """The largest value allowed, itself included."""
    choices: tuple[str | int | float | bool, ...] = ()
    """The values allowed; empty means any."""
    nullable: bool | None = None
    """Whether `null` is a missing value (NaN, or the empty text); None means not known: no."""
    description: str | None = None
    """For people."""


class InputMeaning(msgspec.Struct, frozen=True, kw_only=True):
    """What an input tensor holds."""

    columns: tuple[str, ...] = ()
    """The names along its last axis, where each has a meaning of its own."""
    field: Field = Field()
    """What holds for every element."""
    column_fields: Mapping[str, Field] = {}
    """What holds for a named column."""


class OutputMeaning(msgspec.Struct, frozen=True, kw_only=True):
    """What an output tensor holds."""

    kind: Literal["value", "label", "probabilities", "logits", "hidden"] = "value"
    """`label` is the predicted class, as its name or its index in `classes`; `probabilities` and
    `logits` have one element for each of `classes` along the last axis; `hidden` is left out of
    plain answers."""
    classes: tuple[str | int | float | bool, ...] = ()
    """The names of the classes, in the model's order."""
    unit: str | None = None
    """Such as `EUR`; shown, never converted."""
    description: str | None = None
    """For people."""


class Semantics(msgspec.Struct, frozen=True, kw_only=True):
    """What the tensors of one version mean."""

    title: str | None = None
    description: str | None = None
    inputs: Mapping[str, InputMeaning] = {}
    """By the name of the tensor; one that is absent has no meaning beyond its type."""
    outputs: Mapping[str, OutputMeaning] = {}
    """By the name of the tensor; one that is absent is a plain value."""
    examples: tuple[object, ...] = ()
    """Requests in plain JSON that a caller can send as they are."""
