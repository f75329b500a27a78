"""Trees as arrays, whichever library grew them, and the check that they can be followed."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Link", "Numbers", "Tree", "check_shape"]

Numbers = npt.NDArray[np.generic]
Link: TypeAlias = Literal[
    "identity", "exp", "log1p_exp", "signed_square", "sigmoid", "binary", "softmax"
]
"""From the sum of a boosting to its answer; `binary` gives the probabilities of two classes."""

_DEEPEST = 2000
"""Levels of a tree: libraries walk them by recursion, and would run out of stack."""


class Tree(NamedTuple):
    """One tree: of each node its children (-1 at a leaf), its split, and what a leaf adds."""

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: Numbers
    threshold: Numbers
    missing_left: Numbers
    values: Numbers
    """By node and target."""


def check_shape(tree: Tree, width: int) -> None:
    """Refuse a tree that cannot be followed from its root, or splits on no feature.

    Raises:
        ValueError: says what is wrong.
    """
    inner = np.flatnonzero(tree.left != -1)
    children = np.concatenate([tree.left[inner], tree.right[inner]])
    if not ((children > 0) & (children < len(tree.left))).all():
        raise ValueError("a tree has a node whose child is out of range")
    if len(np.unique(children)) != len(children):
        raise ValueError("a tree has a node with two parents")
    if not np.array_equal(tree.left == -1, tree.right == -1):
        raise ValueError("a tree has a node with one child")
    feature = tree.feature[inner].astype(np.int64)
    if not ((feature >= 0) & (feature < width)).all():
        raise ValueError("a tree splits on a feature that does not exist")
    if _depth(tree) > _DEEPEST:
        raise ValueError(f"a tree has more than {_DEEPEST} levels")


def _depth(tree: Tree) -> int:
    """The number of levels; every node has one parent, so that this ends."""
    level, depth = np.zeros(1, dtype=np.int64), 0
    while len(level) and depth <= _DEEPEST:
        inner = level[tree.left[level] != -1]
        level = np.concatenate([tree.left[inner], tree.right[inner]])
        depth += 1
    return depth
