"""What check rows are made of: values of columns, near and far, and ways through trees.

Check rows are inputs on which a converted model must answer like the original.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelport.core.tensors import Array, bytes_tensor
from modelport.runtimes._plan import Column, Plan

__all__ = ["PATHS", "Numbers", "Splits", "batch_of", "descend", "few", "spread", "tree_rows"]

Numbers = npt.NDArray[np.float64]

_ROWS = 448
"""Rows drawn at random."""
PATHS = 256
"""Rows along the thresholds of trees, and rows that a model keeps, at most of each."""
_KNOWN = 200
"""How many known values of a column are kept."""
_LARGEST = 1e38
"""What every model of single precision still takes."""
_WORDS = ("good", "bad", "one two", "naïve café", "A longer text, with a number 42.", "")


def batch_of(plan: Plan, numbers: Numbers, rng: np.random.Generator) -> dict[str, Array]:
    """A batch that fits the plan, with these numbers by row and column."""
    columns = [_values(c, numbers[:, at], rng) for at, c in enumerate(plan.columns)]
    if plan.layout == "text":
        return {"text": columns[0].ravel()}
    if plan.layout == "columns":
        return {c.name: values for c, values in zip(plan.columns, columns, strict=True)}
    return {"X": np.ascontiguousarray(np.hstack(columns))}


def tree_rows(plan: Plan, trees: Sequence[Splits]) -> dict[str, Array]:
    """A batch of several hundred rows for a model of trees; always the same for one model."""
    rng = np.random.default_rng(0)
    known: dict[int, list[Numbers]] = {column.index: [] for column in plan.columns}
    for tree in trees:
        inner = np.flatnonzero(tree.left != -1)
        for feature in np.unique(tree.feature[inner]):
            at = inner[tree.feature[inner] == feature]
            known[int(feature)] += [tree.threshold[at], tree.above[at]]
    drawn = np.stack([spread(few(known[c.index]), rng) for c in plan.columns], axis=1)
    start = rng.choice(drawn.ravel(), (PATHS if trees else 0, plan.width))
    ways = [descend(trees[int(rng.integers(len(trees)))], row, rng)[None, :] for row in start]
    return batch_of(plan, np.clip(np.vstack([drawn, *ways]), -_LARGEST, _LARGEST), rng)


def few(values: Sequence[Numbers]) -> Numbers:
    """The different finite values; of very many, some."""
    every = np.unique(np.concatenate(values)) if len(values) else np.empty(0)
    every = every[np.isfinite(every)].astype(np.float64)
    return every[:: max(1, len(every) // _KNOWN)]


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


def spread(known: Numbers, rng: np.random.Generator) -> Numbers:
    """Values near and far: most in the usual range, some of any magnitude."""
    middle = float(np.median(known)) if len(known) else 0.0
    width = (float(np.std(known)) if len(known) else 0.0) or max(abs(middle), 1.0)
    count = _ROWS // 4
    near = middle + width * rng.normal(size=2 * count)
    drawn = rng.choice(known, count) if len(known) else rng.integers(-5, 6, count).astype(float)
    far = rng.normal(size=_ROWS - 3 * count) * 10.0 ** rng.integers(-3, 6, _ROWS - 3 * count)
    return np.asarray(rng.permutation(np.concatenate([near, drawn, middle + width * far])))


class Splits(NamedTuple):
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


def descend(tree: Splits, row: Numbers, rng: np.random.Generator) -> Numbers:
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
