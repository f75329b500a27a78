"""Check rows: inputs on which a converted model must answer like the original.

They are made from what the estimator itself knows: its categories, the centres and spreads of
its columns, and the thresholds of its trees, at which and next to which the two could differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.predictor import (  # type: ignore[import-untyped]
    TreePredictor,
)
from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]
from sklearn.tree._tree import Tree  # type: ignore[import-untyped]

from modelport.core.tensors import Array
from modelport.runtimes._check_rows import PATHS, Numbers, Splits, batch_of, descend, few, spread
from modelport.runtimes._plan import Plan
from modelport.runtimes.sklearn.checks import parts
from modelport.runtimes.sklearn.native import final
from modelport.runtimes.sklearn.view import leaves

__all__ = ["check_rows"]

_LEARNED = (
    *("mean_", "center_", "data_min_", "data_max_", "means_", "location_", "statistics_"),
    *("quantiles_", "theta_", "centroids_", "cluster_centers_", "support_vectors_", "_fit_X"),
    "X_train_",
)
"""Attributes whose last axis goes along the columns, with values that were seen in training."""


def check_rows(estimator: Any, plan: Plan, *, positive: bool = False) -> dict[str, Array]:
    """A batch of several hundred rows that fits the plan; always the same for one estimator.

    `positive` is for estimators that take only numbers above zero.
    """
    rng = np.random.default_rng(0)
    numbers = _numbers(estimator, plan, rng)
    if positive:
        numbers = np.abs(numbers) + 1e-3
    return batch_of(plan, numbers, rng)


def _numbers(estimator: Any, plan: Plan, rng: np.random.Generator) -> Numbers:
    known = _known(estimator, plan)
    rows = [spread(known[at], rng) for at in range(len(plan.columns))]
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
    return [few(found[column.index]) for column in plan.columns]


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
    start = rng.choice(drawn.ravel(), (PATHS, width))
    everything = list(parts(estimator))
    for part in everything:
        kept = getattr(part, "_fit_X", getattr(part, "cluster_centers_", None))
        if isinstance(kept, np.ndarray) and kept.ndim == 2 and kept.shape[1] == width:
            yield rng.permutation(kept.astype(np.float64))[:PATHS]
    splits = [found for part in everything if (found := _splits(part)) is not None]
    if splits and all(each.width <= width for each in splits):
        for row in start:
            yield descend(splits[int(rng.integers(len(splits)))], row, rng)[None, :]


def _splits(part: object) -> Splits | None:
    if isinstance(part, Tree):
        # These compare numbers of single precision with thresholds of double precision.
        above = np.nextafter(part.threshold.astype(np.float32), np.float32(np.inf))
        return Splits(part.children_left, part.children_right, part.feature, part.threshold, above)
    if not isinstance(part, TreePredictor) or part.nodes["is_categorical"].any():
        return None
    table, leaf = part.nodes, part.nodes["is_leaf"] != 0
    left, right = (np.where(leaf, -1, table[side].astype(np.int64)) for side in ("left", "right"))
    threshold = table["num_threshold"]
    return Splits(left, right, table["feature_idx"], threshold, np.nextafter(threshold, np.inf))
