"""A converted model, run by ONNX Runtime; imports nothing of the library that made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.tensors import Array, Batch, DType, bytes_tensor, decode_text
from modelport.runtimes._plan import Column, Output, Plan
from modelport.runtimes.base import Description
from modelport.runtimes.onnx import bare, open_session

__all__ = ["ConvertedModel", "Graph", "check_choices"]

_Finish: TypeAlias = Callable[[Any], Array]
_HUGE = float(np.finfo(np.float32).max)


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """How to feed a converted model."""

    single: bool
    """Whether it takes numbers in single precision."""
    outputs: tuple[str, ...]
    """Its names for the outputs of the plan, in the plan's order."""
    inputs: tuple[str, ...]
    """Its names for the inputs, in the plan's order."""
    overflow: str | None = None
    """Its count of values that became infinite on their way to trees, which refuse them."""


class ConvertedModel:
    """A graph that gives the estimator's answers."""

    def __init__(
        self, model: Path | bytes, graph: Graph, plan: Plan, description: Description, threads: int
    ) -> None:
        self._run = bare(open_session(model, threads)).run
        overflow = [graph.overflow] if graph.overflow is not None else []
        self._graph_outputs = [*graph.outputs, *overflow]
        self._overflows = bool(overflow)
        self._finish = [(o.spec.name, _finisher(o)) for o in plan.outputs]
        self._dtype = np.dtype(np.float32 if graph.single else np.float64)
        self._single = graph.single
        self._plan = plan
        self._inputs = tuple(zip(plan.columns, graph.inputs, strict=False))
        self._limited = any(not column.open for column in plan.columns)
        self._full = _never_missing(plan)
        self._feed = self._feed_matrix if _is_numeric(plan) else self._feed_any
        self.description = description

    def predict(self, batch: Batch) -> Batch:
        """Run the graph."""
        if self._limited:
            check_choices(self._plan, batch)
        values = self._run(self._graph_outputs, self._feed(batch), None)
        if self._overflows and values.pop():
            raise InvalidInput("a number is too large for the model's trees")
        return {
            name: finish(value) for (name, finish), value in zip(self._finish, values, strict=True)
        }

    def close(self) -> None:
        """Give the session's memory back."""
        del self._run

    def _feed_matrix(self, batch: Batch) -> dict[str, Array]:
        return {"X": self._numbers("X", batch["X"], self._full)}

    def _feed_any(self, batch: Batch) -> dict[str, Array]:
        if self._plan.layout == "matrix":
            return {"X": decode_text("X", batch["X"])}
        return {
            name: decode_text(column.name, batch[column.name])
            if column.text
            else self._numbers(column.name, batch[column.name], column.missing is None)
            for column, name in self._inputs
        }

    def _numbers(self, name: str, tensor: Array, full: bool | Array) -> Array:
        """The numbers in the graph's precision, if the estimator would have taken them.

        `full` says that no value may be missing: in any column, or in those of an array.
        """
        if self._single:
            with np.errstate(over="ignore"):
                tensor = tensor.astype(np.float32)
        if not np.isfinite(tensor).all():
            self._check(name, tensor, full)
        return tensor

    def _check(self, name: str, tensor: Array, full: bool | Array) -> None:
        if np.isinf(tensor).any():
            limit = f"numbers up to {_HUGE:.3g}" if self._single else "finite numbers"
            raise InvalidInput(
                f"input '{name}' takes {limit}, and holds an infinite or larger one", tensor=name
            )
        if full is True or (full is not False and np.isnan(tensor[:, full]).any()):
            raise InvalidInput(
                f"input '{name}' holds a missing value (NaN), which the model does not take there",
                tensor=name,
            )


def check_choices(plan: Plan, batch: Batch) -> None:
    """Refuse categories that a model refuses, where what runs it would answer anything.

    Raises:
        InvalidInput: names the column, the value and the known ones.
    """
    whole = plan.layout == "matrix"
    for at, column in enumerate(plan.columns):
        if column.open:
            continue
        name = "X" if whole else column.name
        tensor = batch["X"][:, at] if whole else batch[column.name]
        unknown = _unknown(name, column, tensor)
        if unknown is not None:
            known = ", ".join(str(choice) for choice in column.choices)
            raise InvalidInput(
                f"column '{column.name}' takes one of {known}, and {unknown!r} came", tensor=name
            )


def _unknown(name: str, column: Column, tensor: Array) -> str | float | None:
    """A value that is none of the column's choices, if any is."""
    if column.text:
        given = {str(value) for value in decode_text(name, tensor).flat}
        allowed = {*column.choices, *([""] if column.empty_is_missing else [])}
        return min(given - allowed, default=None)
    strange = tensor[~np.isin(tensor, np.array(column.choices, dtype=np.float64))]
    if column.missing is not None:
        strange = strange[~np.isnan(strange)]
    return float(strange.flat[0]) if strange.size else None


def _is_numeric(plan: Plan) -> bool:
    return plan.layout == "matrix" and not plan.columns[0].text


def _never_missing(plan: Plan) -> bool | Array:
    """Whether no column of a matrix may be missing, or else which may not."""
    full = np.array([column.missing is None for column in plan.columns])
    if full.all() or not full.any():
        return bool(full.all())
    return np.flatnonzero(full)


def _finisher(output: Output) -> _Finish:
    """What turns the graph's output into the published type and shape."""
    spec = output.spec
    flat = len(spec.shape) == 1
    if spec.dtype is DType.BYTES:
        return _texts
    dtype = spec.dtype.numpy
    if flat:
        return lambda value: value.astype(dtype, copy=False).reshape(-1)
    return lambda value: value.astype(dtype, copy=False)


def _texts(value: Array) -> Array:
    return bytes_tensor((str(each).encode() for each in value.flat), value.shape)
