"""XGBoost's model files, read and checked without XGBoost.

XGBoost follows the indexes of a file without bounds checks. A file is read here, whatever in it
XGBoost would follow is checked, and XGBoost is given what was checked, written anew.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelport.core.errors import UnsupportedModel
from modelport.runtimes._plan import Choice
from modelport.runtimes._trees import Tree, check_shape
from modelport.runtimes.xgboost.ubjson import decode

__all__ = ["Learner", "read"]

_MOST_CATEGORIES = 1_000_000
_MOST_GROUPS = 100_000


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A checked model."""

    document: Mapping[str, Any]
    booster: str
    """`gbtree`, `dart` or `gblinear`."""
    objective: str
    width: int
    groups: int
    """How many numbers an answer has."""
    base_score: tuple[float, ...]
    names: tuple[str, ...]
    categories: Mapping[int, tuple[Choice, ...]]
    """Of columns whose categories the file names."""
    trees: tuple[Tree, ...]
    """Those that answer: up to the best round, if scikit-learn's interface stopped early."""
    targets: tuple[int, ...]
    """Which number of an answer each tree adds to."""
    rounds: int
    """How many rounds answer; 0: all."""
    splits_on_categories: bool
    weights: tuple[float, ...] = ()
    """Of `gblinear`: by column and group, the bias last."""

    def rewritten(self) -> bytes:
        """The model as JSON, for XGBoost."""
        return json.dumps(self.document).encode()


def read(data: bytes, *, binary: bool) -> Learner:
    """The model in a file.

    Raises:
        ValueError: it is damaged; says what does not fit.
        KeyError: it lacks what every model has.
        UnsupportedModel: it has trees of a kind that is not checked.
    """
    document: Any = decode(data) if binary else json.loads(data)
    _require(isinstance(document, dict), "it holds no model")
    learner, parameters = document["learner"], document["learner"]["learner_model_param"]
    width = int(parameters["num_feature"])
    groups = max(int(parameters["num_class"]), 1) * max(int(parameters.get("num_target", 1)), 1)
    _require(width >= 1 and 1 <= groups <= _MOST_GROUPS, "its sizes are out of range")
    base = _floats(parameters["base_score"])
    _require(len(base) in (1, groups), "its base score does not fit its targets")
    names = tuple(learner.get("feature_names", ()))
    types = tuple(learner.get("feature_types", ()))
    _require(len(names) in (0, width) and len(types) in (0, width), "its columns do not fit")
    booster = learner["gradient_booster"]["name"]
    categories = _take_categories(learner, width)
    common: dict[str, Any] = {
        "document": document,
        "booster": booster,
        "objective": learner["objective"]["name"],
        "width": width,
        "groups": groups,
        "base_score": base,
        "names": names,
        "categories": categories,
    }
    if booster == "gblinear":
        return _linear(learner, common)
    return _of_trees(learner, common)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _floats(text: object) -> tuple[float, ...]:
    """A number, or a list of them, as a text: `5E-1`, `[5E-1]`."""
    values = tuple(float(each) for each in str(text).strip("[]").split(","))
    _require(bool(np.isfinite(values).all()), "its base score is not finite")
    return values


def _linear(learner: Any, common: dict[str, Any]) -> Learner:
    weights = tuple(float(w) for w in learner["gradient_booster"]["model"]["weights"])
    expected = (common["width"] + 1) * common["groups"]
    _require(len(weights) == expected, "its weights do not fit its columns")
    return Learner(
        **common, trees=(), targets=(), rounds=0, splits_on_categories=False, weights=weights
    )


def _of_trees(learner: Any, common: dict[str, Any]) -> Learner:
    booster = learner["gradient_booster"]
    drops: list[float] | None = None
    if common["booster"] == "dart":
        drops, booster = booster["weight_drop"], booster["gbtree"]
    else:
        _require(common["booster"] == "gbtree", f"no booster is called {common['booster']!r:.40}")
    model = booster["model"]
    listed, groups = model["trees"], model["tree_info"]
    for numbers in (groups, *([] if drops is None else [drops])):
        _require(len(numbers) == len(listed), "its trees do not fit their count")
    _require(int(model["gbtree_model_param"]["num_trees"]) == len(listed), "trees are missing")
    _require(bool(listed), "it has no trees")
    found = [
        _tree(tree, int(group), common, 1.0 if drops is None else float(drops[at]))
        for at, (tree, group) in enumerate(zip(listed, groups, strict=True))
    ]
    rounds, last = _rounds(learner, model, common["groups"])
    split = any(np.any(_ints(tree.get("split_type", ()))) for tree in listed)
    return Learner(
        **common,
        trees=tuple(found[:last]),
        targets=tuple(int(group) for group in groups[:last]),
        rounds=rounds,
        splits_on_categories=bool(split),
    )


def _rounds(learner: Any, model: Any, groups: int) -> tuple[int, int]:
    """How many rounds answer (0: all), and how many trees these are."""
    count = len(model["trees"])
    ends = model.get("iteration_indptr")
    if ends is None:
        step = groups * max(int(model["gbtree_model_param"].get("num_parallel_tree", 1)), 1)
        ends = list(range(0, count + 1, step))
    ends = _ints(ends)
    rising = bool((np.diff(ends) >= 0).all())
    _require(rising and len(ends) > 1 and ends[0] == 0 and ends[-1] == count, "its rounds")
    attributes = learner.get("attributes", {})
    # Only scikit-learn's interface stops at the best round by itself.
    if "scikit_learn" not in attributes or "best_iteration" not in attributes:
        return 0, count
    rounds = int(attributes["best_iteration"]) + 1
    _require(1 <= rounds < len(ends), "its best round does not exist")
    return rounds, int(ends[rounds])


def _tree(tree: Any, group: int, common: Mapping[str, Any], weight: float) -> Tree:
    parameters = tree["tree_param"]
    if int(parameters.get("size_leaf_vector", 1)) > 1:
        raise UnsupportedModel(
            "its trees answer several targets at once; train it with"
            " multi_strategy='one_output_per_tree'"
        )
    count, width = int(parameters["num_nodes"]), common["width"]
    _require(0 <= group < common["groups"], "a tree belongs to no target")
    _require(int(parameters["num_feature"]) <= width, "a tree has more columns than its model")
    left, right, parents = (
        _ints(tree[key]) for key in ("left_children", "right_children", "parents")
    )
    threshold = np.asarray(tree["split_conditions"], dtype=np.float64)
    per_node = ("split_indices", "default_left", "base_weights", "loss_changes", "sum_hessian")
    sizes = {len(left), len(right), len(parents), len(threshold)}
    sizes |= {len(tree[key]) for key in per_node}
    sizes |= {len(tree[key]) for key in ("split_type",) if key in tree}
    _require(sizes == {count} and count > 0, "a tree's nodes do not fit their count")
    values = np.zeros((count, common["groups"]))
    values[:, group] = threshold * weight
    feature, missing = _ints(tree["split_indices"]), _ints(tree["default_left"])
    found = Tree(left, right, feature, threshold, missing, values)
    check_shape(found, width)
    inner = np.flatnonzero(left != -1)
    for children in (left, right):
        _require(bool((parents[children[inner]] == inner).all()), "a node has another parent")
    _check_categories(tree, inner)
    return found


def _check_categories(tree: Any, inner: Any) -> None:
    """Refuse sets of categories that are out of the list, or belong to no node that splits."""
    listed, nodes, starts, sizes = (
        _ints(tree.get(key, ()))
        for key in ("categories", "categories_nodes", "categories_segments", "categories_sizes")
    )
    split = np.flatnonzero(_ints(tree.get("split_type", ())))
    fits = np.array_equal(nodes, split[np.isin(split, inner)]) and len(starts) == len(nodes)
    fits = fits and len(sizes) == len(nodes) and bool(((starts >= 0) & (sizes >= 0)).all())
    fits = fits and bool((starts + sizes <= len(listed)).all())
    fits = fits and bool(((listed >= 0) & (listed < _MOST_CATEGORIES)).all())
    _require(fits, "a tree splits on categories that do not exist")


def _ints(values: Sequence[int]) -> Any:
    found = np.asarray(values)
    _require(found.ndim == 1 and (not found.size or found.dtype.kind in "iub"), "a list of places")
    return found.astype(np.int64)


def _take_categories(learner: Any, width: int) -> dict[int, tuple[Choice, ...]]:
    """The categories that the file names, which are taken out of it: the codes are given."""
    booster = learner["gradient_booster"]
    model = booster.get("gbtree", booster)["model"]
    if not model.get("cats"):
        return {}
    listed = model["cats"]["enc"]
    model["cats"] = {"enc": [], "feature_segments": [], "sorted_idx": []}
    _require(len(listed) in (0, width), "its categories do not fit its columns")
    found = {at: _categories(each) for at, each in enumerate(listed)}
    return {at: choices for at, choices in found.items() if choices}


def _categories(encoded: Any) -> tuple[Choice, ...]:
    values = _ints(encoded["values"]) if "offsets" in encoded else encoded["values"]
    if "offsets" in encoded:
        ends, text = _ints(encoded["offsets"]), (values % 256).astype(np.uint8).tobytes()
        fits = not len(ends) or (ends[0] == 0 and ends[-1] <= len(text))
        _require(fits and bool((np.diff(ends) >= 0).all()), "the names of its categories")
        if not text.isascii():
            # It counts characters where it stores bytes, and so cuts the names off.
            raise UnsupportedModel(
                "XGBoost stores names of categories rightly only if they are ASCII; rename them,"
                " or train it on their codes: frame[column].cat.codes"
            )
        values = [text[a:b].decode() for a, b in itertools.pairwise(ends)]
    _require(len(set(values)) == len(values), "it names two categories alike")
    return tuple(values)
