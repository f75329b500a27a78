"""Running scikit-learn itself: from a batch to the estimator's rows, and back to tensors."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import (  # type: ignore[import-untyped]
    ExtraTreesClassifier,
    RandomForestClassifier,
)
from sklearn.exceptions import NotFittedError  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]
from sklearn.tree import (  # type: ignore[import-untyped]
    DecisionTreeClassifier,
    ExtraTreeClassifier,
)
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from modelport.core.errors import InvalidInput
from modelport.core.tensors import Array, Batch, DType, bytes_tensor, decode_text
from modelport.runtimes._conversion import first_line
from modelport.runtimes._plan import Column, Output, Plan
from modelport.runtimes.base import Description
from modelport.runtimes.sklearn.checks import parts

__all__ = ["NativeModel", "answers", "cast", "final", "rows_of", "settle"]

_ARGMAX = (
    DecisionTreeClassifier,
    ExtraTreeClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
)
"""Classifiers whose own `predict` is the largest of `predict_proba`."""


class NativeModel:
    """An estimator that answers by itself."""

    def __init__(self, estimator: Any, plan: Plan, description: Description, threads: int) -> None:
        self._estimator = estimator
        self._plan = plan
        self._threads = threads
        # Finding the thread pools of a process takes milliseconds, so it is done once.
        self._pools = ThreadpoolController()
        self.description = description

    def predict(self, batch: Batch) -> Batch:
        """Ask the estimator."""
        with self._pools.limit(limits=self._threads), _caller_is_told():
            return answers(self._estimator, self._plan, rows_of(self._plan, batch))

    def close(self) -> None:
        """Forget the estimator."""
        del self._estimator


class _Quiet:
    """No warnings while any thread is inside: the filters are the whole process's.

    They would be about values that the caller gave, such as an overflow: the answer tells them.
    With `catch_warnings` for each thread, the last to leave could restore another's filters.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._outer = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._outer = warnings.catch_warnings()
                self._outer.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._outer.__exit__(None, None, None)


_quiet = _Quiet()


@contextlib.contextmanager
def _caller_is_told() -> Iterator[None]:
    try:
        with _quiet:
            yield
    except NotFittedError:
        raise  # a ValueError too, but not about the caller's values
    except ValueError as error:
        raise InvalidInput(f"the model does not take these values: {first_line(error)}") from error


def settle(estimator: Any, *, keep_names: bool) -> None:
    """Prepare a loaded estimator, in place, for answering small requests.

    Parallel jobs are switched off: a pool for each request costs more than it saves, and their
    number comes from the file. Without the names of its columns an estimator takes plain arrays
    silently; that saves making a DataFrame for each request.
    """
    for part in parts(estimator):
        held = getattr(part, "__dict__", {})
        if "n_jobs" in held:
            held["n_jobs"] = None
        if not keep_names:
            held.pop("feature_names_in_", None)


def rows_of(plan: Plan, batch: Batch) -> Any:
    """What the estimator takes, for inputs that fit the plan's signature."""
    if plan.layout == "text":
        return decode_text("text", batch["text"]).tolist()
    if plan.layout == "columns":
        return _joined(plan, [_column(column, batch[column.name]) for column in plan.columns])
    matrix = batch["X"]
    if plan.columns[0].text:
        values = [_column(column, matrix[:, at]) for at, column in enumerate(plan.columns)]
        return _joined(plan, values)
    if plan.frame:
        return pd.DataFrame(matrix, columns=[column.name for column in plan.columns])
    return matrix


def _column(column: Column, tensor: Array) -> Any:
    if not column.text:
        return tensor.ravel()
    values = decode_text(column.name, tensor).ravel()
    if column.empty_is_missing:
        missing: Any = np.nan if column.missing == "nan" else None
        values[values == ""] = missing
    return values


def _joined(plan: Plan, values: list[Any]) -> Any:
    if plan.frame:
        named = zip(plan.columns, values, strict=True)
        return pd.DataFrame({c.name: pd.Series(v, dtype=v.dtype) for c, v in named})
    table = np.full((len(values[0]), plan.width), 0, dtype=np.object_)
    for column, each in zip(plan.columns, values, strict=True):
        table[:, column.index] = each
    return table


def final(estimator: Any) -> Any:
    """The last step of a pipeline, or the estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def answers(estimator: Any, plan: Plan, rows: Any) -> dict[str, Array]:
    """The outputs of a plan for rows that the estimator takes."""
    names = [output.spec.name for output in plan.outputs]
    if names == ["output"]:
        return {"output": cast(plan.outputs[0], estimator.transform(rows))}
    if len(names) == 1:
        return {names[0]: cast(plan.outputs[0], estimator.predict(rows))}
    probabilities = estimator.predict_proba(rows)
    if isinstance(final(estimator), _ARGMAX):
        labels = estimator.classes_.take(np.argmax(probabilities, axis=1))
    else:
        labels = estimator.predict(rows)
    values = zip(plan.outputs, (labels, probabilities), strict=True)
    return {output.spec.name: cast(output, value) for output, value in values}


def cast(output: Output, value: Any) -> Array:
    """An estimator's answer in the published type and shape."""
    array = np.asarray(value.toarray() if hasattr(value, "toarray") else value)
    if array.ndim > len(output.spec.shape):
        array = array.reshape(len(array))
    if output.spec.dtype is DType.BYTES:
        return bytes_tensor((str(each).encode() for each in array.flat), array.shape)
    return array.astype(output.spec.dtype.numpy, copy=False)
