"""What the runtimes of boosted trees share: their plans, their graphs, and running them natively.

An answer is a number for each row, or a label with probabilities where the objective says that
the model tells classes apart. Missing values are NaN, and are always accepted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from modelport.core.errors import CorruptModel, InvalidInput
from modelport.core.semantics import OutputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, Batch, DType, decode_text
from modelport.runtimes import _conversion
from modelport.runtimes._check_rows import Splits, tree_rows
from modelport.runtimes._conversion import Attempt, Conversion, Opened, native
from modelport.runtimes._converted import Graph, check_choices
from modelport.runtimes._plan import Choice, Column, Output, Plan
from modelport.runtimes._trees import Link, Numbers, Tree
from modelport.runtimes.base import Description

__all__ = [
    "OPSETS",
    "Boosting",
    "class_outputs",
    "codes",
    "graph_of",
    "linear_graph",
    "opened",
    "plan_of",
    "value_output",
]

OPSETS = {"": 18, "ai.onnx.ml": 3}
_MOST_COLUMNS = 1_000_000
_Answer: TypeAlias = Callable[[Batch], Array]


@dataclass(frozen=True, kw_only=True)
class Boosting:
    """A sum of trees that numbers alone decide, as ONNX can say it."""

    trees: Sequence[Tree]
    start: Numbers
    """What is added to the sum, by target."""
    link: Link
    single: bool
    """Whether the library rounds its rows to single precision."""
    single_sums: bool = False
    """Whether it adds its trees in single precision, too."""
    below: bool = False
    """Whether a row goes left below a threshold, and not at it."""

    def splits(self) -> list[Splits]:
        """Its trees, for check rows at their thresholds and beside them."""
        return [self._split(tree) for tree in self.trees]

    def _split(self, tree: Tree) -> Splits:
        threshold = tree.threshold.astype(np.float32 if self.single else np.float64)
        up, down = (np.nextafter(threshold, threshold.dtype.type(end)) for end in (np.inf, -np.inf))
        at, above = (down, threshold) if self.below else (threshold, up)
        return Splits(tree.left, tree.right, tree.feature, at, above)


def plan_of(columns: Sequence[Column], outputs: Sequence[Output], *, named: bool) -> Plan:
    """The plan of a model: one matrix, or an input for each column where some hold texts.

    Raises:
        CorruptModel: the model has no columns, too many, or two of one name.
    """
    if not 1 <= len(columns) <= _MOST_COLUMNS:
        raise CorruptModel(f"the file says that the model takes {len(columns)} columns")
    if len({column.name for column in columns}) != len(columns):
        raise CorruptModel("the file gives two columns the same name")
    return Plan(
        layout="columns" if any(column.text for column in columns) else "matrix",
        columns=tuple(columns),
        width=len(columns),
        named=named,
        frame=False,
        outputs=tuple(outputs),
    )


def value_output(dtype: DType, targets: int) -> tuple[Output, ...]:
    """A number for each row, or several."""
    shape = (None,) if targets == 1 else (None, targets)
    return (Output(TensorSpec("prediction", dtype, shape)),)


def class_outputs(dtype: DType, classes: Sequence[Choice]) -> tuple[Output, ...]:
    """A label for each row, and the probability of each class."""
    kinds = {str: DType.BYTES, float: DType.FP64}
    label = TensorSpec("label", kinds.get(type(classes[0]), DType.INT64), (None,))
    probabilities = TensorSpec("probabilities", dtype, (None, len(classes)))
    return (
        Output(label, OutputMeaning(kind="label", classes=tuple(classes))),
        Output(probabilities, OutputMeaning(kind="probabilities", classes=tuple(classes))),
    )


def codes(plan: Plan, batch: Batch) -> Array:
    """The rows as numbers; a category is its place among the column's choices, or NaN."""
    if plan.layout == "columns":
        return np.column_stack([_coded(c, batch[c.name].ravel()) for c in plan.columns])
    coded = [at for at, column in enumerate(plan.columns) if column.choices]
    if not coded:
        return batch["X"]
    matrix = batch["X"].copy()
    for at in coded:
        matrix[:, at] = _coded(plan.columns[at], matrix[:, at])
    return matrix


def _coded(column: Column, values: Array) -> Array:
    if not column.choices:
        return values
    places = {choice: float(at) for at, choice in enumerate(column.choices)}
    given = decode_text(column.name, values) if column.text else values
    return np.array([places.get(value, np.nan) for value in given.tolist()])


class _NativeModel:
    """A model that its own library runs, for one caller at a time."""

    def __init__(
        self, answer: _Answer, single: bool, plan: Plan, description: Description, threads: int
    ) -> None:
        self._answer = answer
        self._plan = plan
        self._largest = float(np.finfo(np.float32 if single else np.float64).max)
        self._lock = threading.Lock()
        self.description = description

    def predict(self, batch: Batch) -> Batch:
        """Ask the library."""
        check_choices(self._plan, batch)
        self._check_finite(batch)
        with self._lock:
            return _outputs(self._plan, self._answer(batch))

    def close(self) -> None:
        """Forget the library's model."""
        del self._answer

    def _check_finite(self, batch: Batch) -> None:
        for name, tensor in batch.items():
            if tensor.dtype != np.object_ and (np.abs(tensor) > self._largest).any():
                raise InvalidInput(
                    f"input '{name}' takes numbers up to {self._largest:.3g}, and holds an"
                    " infinite or larger one",
                    tensor=name,
                )


def _outputs(plan: Plan, value: Array) -> Batch:
    """The outputs of a plan for numbers, or for the probabilities of classes."""
    last = plan.outputs[-1].spec
    if len(plan.outputs) == 1:
        rows = value.reshape(len(value), *last.shape[1:])
        return {last.name: rows.astype(last.dtype.numpy, copy=False)}
    if value.ndim == 1:
        value = np.column_stack([1 - value, value])
    label = plan.outputs[0]
    names = np.array(label.meaning.classes, dtype=label.spec.dtype.numpy)
    if label.spec.dtype is DType.BYTES:
        names[:] = [str(name).encode() for name in label.meaning.classes]
    return {
        label.spec.name: names[np.argmax(value, axis=1)],
        last.name: value.astype(last.dtype.numpy, copy=False),
    }


def opened(
    library: str,
    plan: Plan,
    answer: _Answer,
    *,
    single: bool,
    attempts: Sequence[Attempt] = (),
    splits: Sequence[Splits] = (),
    why_native: str = "",
) -> Opened:
    """A model with the library's answer for a batch: numbers, or probabilities of its classes.

    `single` says that the library rounds its rows to single precision. `attempts` convert the
    model, and are compared at the splits of its trees; `why_native` says why there are none.
    """

    def convert(plan: Plan, threads: int) -> Conversion:
        if why_native:
            return native(library, why_native)
        batch = tree_rows(plan, splits)
        expected = _outputs(plan, answer(batch))
        return _conversion.convert(library, attempts, plan, batch, expected, threads)

    return Opened(
        plan=lambda: plan,
        convert=convert,
        native=partial(_NativeModel, answer, single),
    )


def graph_of(boosting: Boosting, plan: Plan) -> tuple[Graph, bytes]:
    """The graph of a boosting, with the outputs of its plan."""
    from modelport.runtimes import _tree_graph as graphs

    classes = plan.outputs[0].meaning.classes
    data = graphs.boosted(
        boosting.trees,
        boosting.start,
        boosting.link,
        width=plan.width,
        classes=np.array(classes) if classes else None,
        rows=DType.FP32 if boosting.single else DType.FP64,
        sums=DType.FP32 if boosting.single_sums else DType.FP64,
        mode="BRANCH_LT" if boosting.below else "BRANCH_LEQ",
        opsets=OPSETS,
    ).SerializeToString()
    return Graph(single=boosting.single, outputs=_names(plan), inputs=("X",)), data


def linear_graph(weights: Numbers, bias: Numbers, link: Link, plan: Plan) -> tuple[Graph, bytes]:
    """The graph of a linear model of single precision, where a missing value counts as 0."""
    from modelport.runtimes import _tree_graph as graphs

    classes = plan.outputs[0].meaning.classes
    named = np.array(classes) if classes else None
    data = graphs.linear(weights, bias, link, classes=named, opsets=OPSETS).SerializeToString()
    return Graph(single=True, outputs=_names(plan), inputs=("X",)), data


def _names(plan: Plan) -> tuple[str, ...]:
    return ("label", "answer") if len(plan.outputs) > 1 else ("answer",)
