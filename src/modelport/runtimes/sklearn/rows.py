"""Check rows: inputs on which a converted model must answer like the original.

They are made from what the estimator itself knows: its categories, the centres and spreads of
its columns, and the thresholds of its trees, at which and next to which the two could differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble._hist_gradient_boosting.predictor import (  # type: ignore[import-untyped]
    TreePredictor,
)
from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]
from sklearn.tree._tree import Tree  # type: ignore[import-untyped]

from modelport.core.tensors import Array, bytes_tensor
from modelport.runtimes._plan import Column, Plan
from modelport.runtimes.sklearn.checks import parts
from modelport.runtimes.sklearn.native import final
from modelport.runtimes.sklearn.view import leaves

__all__ = ["check_rows"]

Numbers = npt.NDArray[np.float64]

_ROWS = 448
"""Rows drawn at random."""
_PATHS = 256
"""Rows along the thresholds of trees, and rows that the estimator keeps, at most of each."""
_KNOWN = 200
"""How many known values of a column are kept."""
_LEARNED = (
    *("mean_", "center_", "data_min_", "data_max_", "means_", "location_", "statistics_"),
    *("quantiles_", "theta_", "centroids_", "cluster_centers_", "support_vectors_", "_fit_X"),
    "X_train_",
)
"""Attributes whose last axis goes along the columns, with values that were seen in training."""
_WORDS = ("good", "bad", "one two", "naïve café", "A longer text, with a number 42.", "")


def check_rows(estimator: Any, plan: Plan, *, positive: bool = False) -> dict[str, Array]:
    """A batch of several hundred rows that fits the plan; always the same for one estimator.

    `positive` is for estimators that take only numbers above zero.
    """
    rng = np.random.default_rng(0)
    numbers = _numbers(estimator, plan, rng)
    if positive:
        numbers = np.abs(numbers) + 1e-3
    columns = [_values(c, numbers[:, at], rng) for at, c in enumerate(plan.columns)]
    if plan.layout == "text":
        return {"text": columns[0].ravel()}
    if plan.layout == "columns":
        return {c.name: values for c, values in zip(plan.columns, columns, strict=True)}
    return {"X": np.ascontiguousarray(np.hstack(columns))}


def _values(column: Column, numbers: Numbers, rng: np.random.Generator) -> Array:
    count = len(numbers)
    if column.text:
        return bytes_tensor((word.encode() for word in _texts(column, count, rng)), (count, 1))
    if column.choices:
        known = np.array(column.choices, dtype=np.float64)
        numbers = known[rng.integers(0, len(known), count)]
        if column.open:
            numbers = np.where(rng.random(count) < 0.1, known.max() + 1, numbers)
    if column.missing is not None:
        numbers = np.where(rng.random(count) < 0.1, np.nan, numbers)
    return numbers.reshape(count, 1)


def _texts(column: Column, count: int, rng: np.random.Generator) -> list[str]:
    words = [str(choice) for choice in column.choices] or list(_WORDS)
    if column.open and column.choices:
        words += ["an unknown value", words[0].upper() + " "]
    if column.empty_is_missing:
        words.append("")
    # Each of the words at least once, as far as there are rows.
    order = np.concatenate([np.arange(len(words)), rng.integers(0, len(words), count)])
    return [words[at] for at in rng.permutation(order[:count])]


def _numbers(estimator: Any, plan: Plan, rng: np.random.Generator) -> Numbers:
    known = _known(estimator, plan)
    rows = [_spread(known[at], rng) for at in range(len(plan.columns))]
    drawn = np.stack(rows, axis=1)
    if plan.layout != "matrix":
        return drawn
    return np.vstack([drawn, *_brought_back(estimator, list(_paths(estimator, drawn, rng)), drawn)])


def _known(estimator: Any, plan: Plan) -> list[Numbers]:
    """For each column the values that the estimator has seen, as far as it kept any."""
    found: dict[int, list[Numbers]] = {column.index: [] for column in plan.columns}
    for step, columns in leaves(estimator, range(plan.width)):
        for name in _LEARNED:
            learned = getattr(step, name, None)
            if not isinstance(learned, np.ndarray) or learned.dtype.kind not in "if":
                continue
            if learned.ndim in (1, 2) and learned.shape[-1] == len(columns):
                table = np.atleast_2d(learned).astype(np.float64)
                for at, column in enumerate(columns):
                    found.setdefault(column, []).append(table[:, at])
    return [_few(found[column.index]) for column in plan.columns]


def _few(values: list[Numbers]) -> Numbers:
    every = np.unique(np.concatenate(values)) if values else np.empty(0)
    every = every[np.isfinite(every)]
    return every[:: max(1, len(every) // _KNOWN)]


def _spread(known: Numbers, rng: np.random.Generator) -> Numbers:
    """Values near and far: most in the usual range, some of any magnitude."""
    middle = float(np.median(known)) if len(known) else 0.0
    width = (float(np.std(known)) if len(known) else 0.0) or max(abs(middle), 1.0)
    count = _ROWS // 4
    near = middle + width * rng.normal(size=2 * count)
    drawn = rng.choice(known, count) if len(known) else rng.integers(-5, 6, count).astype(float)
    far = rng.normal(size=_ROWS - 3 * count) * 10.0 ** rng.integers(-3, 6, _ROWS - 3 * count)
    return np.asarray(rng.permutation(np.concatenate([near, drawn, middle + width * far])))


def _brought_back(estimator: Any, rows: list[Numbers], drawn: Numbers) -> list[Numbers]:
    """Rows that the last step would see, as they are before the steps in front of it."""
    before = estimator[:-1] if isinstance(estimator, Pipeline) and len(estimator) > 1 else None
    if before is None or not rows:
        return rows
    if not hasattr(before, "inverse_transform"):
        return []
    back = np.asarray(before.inverse_transform(np.vstack(rows)))
    return [back] if back.shape[1] == drawn.shape[1] else []


def _paths(estimator: Any, drawn: Numbers, rng: np.random.Generator) -> Iterator[Numbers]:
    """Rows at the thresholds of trees, and whole rows that the estimator keeps.

    The latter are where neighbours and clusters have ties, if any.
    """
    last: Any = final(estimator)
    width: int = last.n_features_in_ if hasattr(last, "n_features_in_") else drawn.shape[1]
    start = rng.choice(drawn.ravel(), (_PATHS, width))
    everything = list(parts(estimator))
    for part in everything:
        kept = getattr(part, "_fit_X", getattr(part, "cluster_centers_", None))
        if isinstance(kept, np.ndarray) and kept.ndim == 2 and kept.shape[1] == width:
            yield rng.permutation(kept.astype(np.float64))[:_PATHS]
    splits = [found for part in everything if (found := _splits(part)) is not None]
    if splits and all(each.width <= width for each in splits):
        for row in start:
            yield _descend(splits[int(rng.integers(len(splits)))], row, rng)[None, :]


class _Splits(NamedTuple):
    """A tree: of each node its children (-1 at a leaf), its feature and its threshold."""

    left: Any
    right: Any
    feature: Any
    threshold: Any
    above: Any
    """The next number above each threshold, in the precision that the tree compares in."""

    @property
    def width(self) -> int:
        return int(self.feature.max()) + 1


def _splits(part: object) -> _Splits | None:
    if isinstance(part, Tree):
        # These compare numbers of single precision with thresholds of double precision.
        above = np.nextafter(part.threshold.astype(np.float32), np.float32(np.inf))
        return _Splits(part.children_left, part.children_right, part.feature, part.threshold, above)
    if not isinstance(part, TreePredictor) or part.nodes["is_categorical"].any():
        return None
    table, leaf = part.nodes, part.nodes["is_leaf"] != 0
    left, right = (np.where(leaf, -1, table[side].astype(np.int64)) for side in ("left", "right"))
    threshold = table["num_threshold"]
    return _Splits(left, right, table["feature_idx"], threshold, np.nextafter(threshold, np.inf))


def _descend(tree: _Splits, row: Numbers, rng: np.random.Generator) -> Numbers:
    """A row that goes a random way through a tree, each value at or just above a threshold."""
    node = 0
    low, high = np.full(len(row), -np.inf), np.full(len(row), np.inf)
    while tree.left[node] != -1:
        feature, threshold = tree.feature[node], float(tree.threshold[node])
        if not np.isfinite(tree.above[node]):  # it only parts what is missing from what is not
            node = tree.left[node]
            continue
        free = low[feature] <= threshold < high[feature]
        if bool(rng.integers(2)) if free else threshold >= high[feature]:
            high[feature] = row[feature] = min(high[feature], threshold)
            node = tree.left[node]
        else:
            low[feature] = row[feature] = max(low[feature], float(tree.above[node]))
            node = tree.right[node]
    return row
