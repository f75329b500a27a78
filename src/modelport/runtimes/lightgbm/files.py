"""LightGBM's model files, read and checked without LightGBM.

LightGBM follows the indexes of a file without bounds checks. A file is read here, whatever in it
LightGBM would follow is checked, and LightGBM is given what was checked, written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelport.core.errors import UnsupportedModel
from modelport.runtimes._plan import Choice
from modelport.runtimes._trees import Tree, check_shape

__all__ = ["Forest", "read"]

_MOST_GROUPS = 100_000
_ZERO = float(np.float32(1e-35))
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_ZERO, _MISSING_NAN = 1, 2
"""In the second and third bit of a node's `decision_type`: what counts as missing."""


@dataclass(frozen=True, kw_only=True)
class Forest:
    """A checked model."""

    text: str
    """The model, written anew for LightGBM."""
    objective: tuple[str, ...]
    """Its name, and its settings as `key:value`."""
    names: tuple[str, ...]
    groups: int
    """How many numbers an answer has."""
    averaged: bool
    """Whether the trees' answers are averaged, as those of a random forest are."""
    categories: Mapping[int, tuple[Choice, ...]]
    """Of columns whose categories the file names."""
    trees: tuple[Tree, ...]
    why_native: str
    """Why ONNX cannot say what its trees do; empty if it can."""


def read(data: bytes) -> Forest:
    """The model in a file.

    Raises:
        ValueError: it is damaged; says what does not fit.
        KeyError: it lacks what every model has.
        UnsupportedModel: it has trees of a kind that is not checked.
    """
    text = data.decode()
    head, *blocks = text.split("\nTree=")
    _require(bool(blocks) and "\nend of trees" in blocks[-1], "it has no trees, or was cut short")
    blocks[-1], _, rest = blocks[-1].partition("\nend of trees")
    whole = "\nparameters:" not in rest or "\nend of parameters" in rest
    _require(whole, "it was cut short")
    header = _pairs(head)
    names = tuple(header["feature_names"].split())
    infos = header["feature_infos"].split()
    width, groups = int(header["max_feature_idx"]) + 1, int(header["num_tree_per_iteration"])
    _require(len(names) == len(infos) == width >= 1, "its columns do not fit their count")
    _require(1 <= groups <= _MOST_GROUPS, "its trees belong to no target")
    _require(int(header["num_class"]) in (1, groups), "its classes do not fit its trees")
    _require(len(blocks) % groups == 0, "trees are missing")
    parsed = [_block(block, width) for block in blocks]
    trees = tuple(_tree(each, at % groups, groups, width) for at, each in enumerate(parsed))
    return Forest(
        text=_rewritten(header, parsed),
        objective=tuple(header.get("objective", "").split()),
        names=names,
        groups=groups,
        averaged="average_output" in header,
        categories=_categories(infos, rest),
        trees=trees,
        why_native=_why_native(parsed),
    )


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _pairs(text: str) -> dict[str, str]:
    """Lines `key=value`; a line without a value is a key that is set."""
    return {key: value for key, _, value in (line.partition("=") for line in text.splitlines())}


def _numbers(text: str, kind: Callable[[str], Any]) -> Any:
    return np.array([kind(each) for each in text.split()], dtype=np.int64 if kind is int else float)


_LISTS: dict[str, Callable[[str], Any]] = {
    "split_feature": int,
    "threshold": float,
    "decision_type": int,
    "left_child": int,
    "right_child": int,
    "leaf_value": float,
    "cat_boundaries": int,
    "cat_threshold": int,
}


def _block(text: str, width: int) -> dict[str, Any]:
    """One tree's checked lists."""
    pairs = _pairs(text)
    if int(pairs.get("is_linear", "0")):
        raise UnsupportedModel("its leaves hold linear models; train it with linear_tree=False")
    leaves, sets = int(pairs["num_leaves"]), int(pairs["num_cat"])
    tree = {key: _numbers(pairs.get(key, ""), kind) for key, kind in _LISTS.items()}
    _require(leaves >= 1 and len(tree["leaf_value"]) == leaves, "its leaves do not fit their count")
    per_node = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
    sizes = {len(tree[key]) for key in per_node}
    _require(sizes == {leaves - 1}, "a tree's nodes do not fit their count")
    _check_categories(tree, sets)
    return {**tree, "num_leaves": leaves, "num_cat": sets}


def _check_categories(tree: Mapping[str, Any], sets: int) -> None:
    """Refuse sets of categories that are out of the list."""
    ends, listed = tree["cat_boundaries"], tree["cat_threshold"]
    _require(sets >= 0 and len(ends) == (sets + 1 if sets else 0), "its categories")
    if sets:
        rising = ends[0] == 0 and ends[-1] == len(listed) and bool((np.diff(ends) >= 0).all())
        within = bool(((listed >= 0) & (listed < 2**32)).all())
        _require(rising and within, "its sets of categories are out of range")
    split = tree["threshold"][(tree["decision_type"] & _CATEGORICAL) != 0]
    known = (split >= 0) & (split < sets) & (split == np.floor(split))
    _require(bool(known.all()), "a tree splits on categories that do not exist")


def _tree(block: Mapping[str, Any], group: int, groups: int, width: int) -> Tree:
    """LightGBM's nodes, and behind them its leaves; a child below 0 is the leaf `~child`."""
    inner, leaves = block["num_leaves"] - 1, block["num_leaves"]
    left, right = (
        np.concatenate([_children(block[side], inner, leaves), np.full(leaves, -1)])
        for side in ("left_child", "right_child")
    )
    threshold = np.concatenate([_beside_zero(block["threshold"]), np.zeros(leaves)])
    values = np.zeros((inner + leaves, groups))
    values[inner:, group] = block["leaf_value"]
    feature = np.concatenate([block["split_feature"], np.zeros(leaves, np.int64)])
    missing = np.concatenate([_missing_left(block), np.zeros(leaves, bool)])
    found = Tree(left, right, feature, threshold, missing, values)
    check_shape(found, width)
    return found


def _beside_zero(threshold: Any) -> Any:
    """Thresholds that part the numbers as LightGBM does, which takes the smallest ones for 0."""
    below = np.nextafter(-_ZERO, -np.inf)
    return np.where(np.abs(threshold) <= _ZERO, np.where(threshold < 0, below, _ZERO), threshold)


def _children(listed: Any, inner: int, leaves: int) -> Any:
    _require(bool(((listed >= -leaves) & (listed < inner)).all()), "a child is out of range")
    return np.where(listed < 0, inner + ~listed, listed)


def _missing_left(block: Mapping[str, Any]) -> Any:
    """Where NaN goes left; a tree that saw none in training takes it for 0."""
    kind = block["decision_type"]
    seen = (kind >> 2) & 3 == _MISSING_NAN
    return np.where(seen, (kind & _DEFAULT_LEFT) != 0, block["threshold"] >= 0)


def _why_native(blocks: Sequence[Mapping[str, Any]]) -> str:
    kinds = np.concatenate([block["decision_type"] for block in blocks])
    if ((kinds & _CATEGORICAL) != 0).any():
        return "it splits on categories"
    if ((kinds >> 2) & 3 == _MISSING_ZERO).any():
        return "it takes 0 for a missing value"
    return ""


def _categories(infos: Sequence[str], rest: str) -> dict[int, tuple[Choice, ...]]:
    """The categories of a DataFrame that it was trained on, by column.

    The file lists them in the order of the columns, without saying which these are: those whose
    known values are a set, `1:0:2`, and not a range, `[0:2]`.
    """
    _, _, listed = rest.rpartition("\npandas_categorical:")
    found = json.loads(listed.splitlines()[0]) if listed and listed != rest else None
    if not found:
        return {}
    columns = [at for at, info in enumerate(infos) if info[:1] not in ("[", "n")]
    if len(columns) != len(found):
        raise UnsupportedModel(
            "the file does not say to which columns its categories belong; train it on the"
            " categories' codes: frame[column].cat.codes"
        )
    choices = {at: tuple(each) for at, each in zip(columns, found, strict=True)}
    for each in choices.values():
        scalar = all(isinstance(choice, str | int | float) for choice in each)
        _require(scalar and len(set(each)) == len(each), "its categories are no list of names")
    return choices


_KEPT = ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx")


def _rewritten(header: Mapping[str, str], blocks: Sequence[Mapping[str, Any]]) -> str:
    """The model without the places of its trees in the text, which LightGBM would believe."""
    lines = ["tree", *(f"{key}={header[key]}" for key in _KEPT)]
    lines += [f"{key}={header[key]}" for key in ("objective",) if key in header]
    lines += ["average_output"] if "average_output" in header else []
    lines += [f"{key}={header[key]}" for key in ("feature_names", "feature_infos")]
    for at, block in enumerate(blocks):
        lines += ["", f"Tree={at}", *_written(block), "is_linear=0", "shrinkage=1", ""]
    return "\n".join([*lines, "", "end of trees", "", ""])


def _written(block: Mapping[str, Any]) -> list[str]:
    lines = [f"{key}={block[key]}" for key in ("num_leaves", "num_cat")]
    lists = {key: block[key].tolist() for key in _LISTS}
    return lines + [f"{key}={' '.join(map(repr, each))}" for key, each in lists.items() if each]
