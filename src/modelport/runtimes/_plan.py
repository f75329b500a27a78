"""What callers of a table model give and get, as plain data that a cache can keep.

Runtimes that convert to ONNX, and run the library itself where that differs, describe theirs so.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from modelport.core.semantics import Field, InputMeaning, OutputMeaning, Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, DType, bytes_tensor

__all__ = ["Choice", "Column", "Output", "Plan", "example", "semantics", "signature"]

Choice: TypeAlias = str | int | float | bool

_SHOWN = 10
"""How many known categories a description lists."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of the estimator."""

    name: str
    index: int
    """Its place among all features that the estimator was fitted on."""
    text: bool = False
    choices: tuple[Choice, ...] = ()
    """The fitted categories."""
    open: bool = True
    """Whether the estimator takes values beside `choices`."""
    missing: Literal["nan", "none"] | None = None
    """What stands for a missing value; None: the estimator takes no missing values.

    An empty text is a missing value where the estimator takes one, unless the empty text is
    itself one of `choices`; numbers are missing as NaN.
    """

    @property
    def dtype(self) -> DType:
        """The element type of the column as its own tensor."""
        return DType.BYTES if self.text else DType.FP64

    @property
    def empty_is_missing(self) -> bool:
        """Whether an empty text stands for a missing value."""
        return self.text and self.missing is not None and "" not in self.choices

    def field(self) -> Field:
        """What a person needs to know of it.

        Categories are a list of allowed values only where the estimator refuses all others; a
        list that is no limit would make the server refuse what the model accepts, and so it goes
        into the description.
        """
        known = ", ".join(str(choice) for choice in self.choices[:_SHOWN])
        rest = len(self.choices) - _SHOWN
        more = f" and {rest} more" if rest > 0 else ""
        told = bool(self.choices) and self.open
        return Field(
            choices=() if self.open else self.choices,
            nullable=self.missing is not None,
            description=f"Known values: {known}{more}; others count as unknown." if told else None,
        )


class Output(msgspec.Struct, frozen=True):
    """One answer of the estimator."""

    spec: TensorSpec
    meaning: OutputMeaning = OutputMeaning()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The estimator as its callers see it, whatever runs it."""

    layout: Literal["matrix", "columns", "text"]
    """`matrix`: one input `X` of rows; `columns`: one input for each column; `text`: one input
    `text`, a text for each row."""
    columns: tuple[Column, ...]
    """Those that the estimator uses; for `text`, the one."""
    width: int
    """How many features the estimator was fitted on."""
    named: bool
    """Whether the file says the names of the columns."""
    frame: bool
    """Whether the estimator must be given a DataFrame, because it addresses columns by name."""
    outputs: tuple[Output, ...] = ()


def signature(plan: Plan) -> Signature:
    """The tensors of a plan."""
    return Signature(_inputs(plan), tuple(output.spec for output in plan.outputs))


def semantics(plan: Plan) -> Semantics:
    """The meaning of a plan's tensors."""
    return Semantics(inputs=_meanings(plan), outputs={o.spec.name: o.meaning for o in plan.outputs})


def _inputs(plan: Plan) -> tuple[TensorSpec, ...]:
    if plan.layout == "columns":
        return tuple(TensorSpec(column.name, column.dtype, (None, 1)) for column in plan.columns)
    if plan.layout == "text":
        return (TensorSpec("text", DType.BYTES, (None,)),)
    return (TensorSpec("X", plan.columns[0].dtype, (None, len(plan.columns))),)


def _meanings(plan: Plan) -> dict[str, InputMeaning]:
    if plan.layout == "columns":
        return {column.name: InputMeaning(field=column.field()) for column in plan.columns}
    if plan.layout == "text":
        return {"text": InputMeaning()}
    fields = {column.name: column.field() for column in plan.columns}
    alike = len({msgspec.json.encode(field) for field in fields.values()}) == 1
    shared = next(iter(fields.values())) if alike else Field()
    return {
        "X": InputMeaning(
            columns=tuple(fields) if plan.named else (),
            field=shared,
            column_fields={} if alike or not plan.named else fields,
        )
    }


def example(plan: Plan, count: int, missing: Collection[int] = ()) -> dict[str, Array]:
    """A batch of `count` equal rows that fits the plan; the columns at `missing` are missing."""
    values = [_example(column, at in missing) for at, column in enumerate(plan.columns)]
    if plan.layout == "text":
        return {"text": bytes_tensor([b"text"] * count, (count,))}
    tensors = [_filled(value, (count, 1)) for value in values]
    if plan.layout == "columns":
        return {c.name: tensor for c, tensor in zip(plan.columns, tensors, strict=True)}
    return {"X": np.hstack(tensors)}


def _example(column: Column, missing: bool) -> bytes | float:
    if column.text:
        return b"" if missing else str(column.choices[0] if column.choices else "text").encode()
    if missing:
        return math.nan
    return float(column.choices[0]) if column.choices else 1.0


def _filled(value: bytes | float, shape: tuple[int, int]) -> Array:
    if isinstance(value, bytes):
        return bytes_tensor([value] * shape[0], shape)
    return np.full(shape, value, dtype=np.float64)
