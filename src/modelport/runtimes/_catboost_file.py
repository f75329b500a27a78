"""The check of a `.cbm` file before CatBoost reads it.

CatBoost verifies the layout of the file, and then follows its indexes unchecked: those of the
trees, of the features that they name, and of the tables of category statistics behind them. They
are checked here; what CatBoost keeps of texts is not.

Source: catboost/libs/model/flatbuffers (https://github.com/catboost/catboost), and FlatBuffers'
binary format (https://flatbuffers.dev/internals).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["check_file"]

_TREES = 1
"""The field of the root that holds the trees."""
_DIMENSION, _SPLITS, _SIZES, _STARTS, _CATEGORIES, _FLOATS, _ONE_HOT, _CTRS = range(8)
_LEAVES, _WEIGHTS, _STEPS, _LEAF_IDS, _TEXTS, _ESTIMATED = range(8, 14)
_BIASES, _BINS, _EMBEDDINGS = 16, 17, 18
"""Fields of the trees."""
_INDEX, _FLAT_INDEX, _BORDERS = 1, 2, 3
"""Fields of a feature of numbers; in the other kinds, the first two are one lower."""
_MOST_SPLITS = 16
"""Of a symmetric tree, as in CatBoost."""
_MEANS, _COUNTS = (2, 3), (4, 5)
"""Kinds of statistics: pairs of a sum and a count, and counts; others count classes."""
_BUCKET = np.dtype([("hash", "<u8"), ("index", "<u4")])
_EMPTY = 2**64 - 1
"""The hash of a bucket that holds nothing."""
_MOST_FEATURES = 1_000_000
_PER_BIN = 254
"""How many splits of a feature CatBoost keeps in one byte of a row."""


def check_file(data: bytes) -> None:
    """Refuse a file whose trees CatBoost would follow out of bounds.

    Raises:
        ValueError: says what is wrong.
    """
    _require(data[:4] == b"CBM1" and len(data) >= 12, "it does not begin as CatBoost's files do")
    (size,) = struct.unpack_from("<I", data, 4)
    _require(8 <= size <= len(data) - 8, "it was cut short")
    try:
        root = _root(data[8 : 8 + size])
        trees = root.needed(_TREES)
        _check_trees(trees, _check_features(trees))
        _check_statistics(trees, data[8 + size :])
    except (struct.error, IndexError) as error:
        raise ValueError("it is damaged") from error


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


class _Table:
    """A table of a FlatBuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - _number("<i", data, at)

    def _place(self, field: int) -> int | None:
        slot = 4 + 2 * field
        if slot + 2 > _number("<H", self._data, self._fields):
            return None
        offset = _number("<H", self._data, self._fields + slot)
        return self._at + offset if offset else None

    def number(self, field: int, default: int, kind: str = "<i") -> int:
        """A field of 32 bits, or of another kind."""
        place = self._place(field)
        return default if place is None else _number(kind, self._data, place)

    def needed(self, field: int) -> _Table:
        """A field that is a table."""
        place = self._place(field)
        if place is None:
            raise ValueError("it lacks a part")
        return self._followed(place)

    def tables(self, field: int) -> list[_Table]:
        """A field that is a list of tables."""
        start, count = self._list(field, 4)
        return [self._followed(start + 4 * at) for at in range(count)]

    def array(self, field: int, dtype: str) -> Any:
        """A field that is a list of numbers."""
        kind = np.dtype(dtype)
        start, count = self._list(field, kind.itemsize)
        return np.frombuffer(self._data, kind, count, start) if count else np.empty(0, kind)

    def _followed(self, place: int) -> _Table:
        return _Table(self._data, place + _number("<I", self._data, place))

    def _list(self, field: int, itemsize: int) -> tuple[int, int]:
        place = self._place(field)
        if place is None:
            return 0, 0
        start = place + _number("<I", self._data, place)
        count = _number("<I", self._data, start)
        _require(count * itemsize <= len(self._data) - start - 4, "a list is longer than the file")
        return start + 4, count


def _number(kind: str, data: bytes, at: int) -> int:
    if at < 0:  # which would count from the end
        raise IndexError("a place before the file")
    number: int = struct.unpack_from(kind, data, at)[0]
    return number


def _root(data: bytes) -> _Table:
    return _Table(data, _number("<I", data, 0))


def _check_features(trees: _Table) -> list[int]:
    """How many splits each feature offers, once their places are checked."""
    numbers, categories, texts = (trees.tables(f) for f in (_FLOATS, _CATEGORIES, _TEXTS))
    embeddings = trees.tables(_EMBEDDINGS)
    flat = [each.number(_FLAT_INDEX, -1) for each in numbers]
    for kind in (categories, texts, embeddings):
        _check_places([each.number(0, -1) for each in kind])
        flat += [each.number(1, -1) for each in kind]
    _check_places([each.number(_INDEX, -1) for each in numbers])
    known = len(set(flat)) == len(flat) and all(0 <= at < _MOST_FEATURES for at in flat)
    _require(known, "two features stand in the same place")
    one_hot = trees.tables(_ONE_HOT)
    named = all(0 <= each.number(0, -1) < len(categories) for each in one_hot)
    _require(named, "a category is of a feature that does not exist")
    counts = [len(each.array(_BORDERS, "<f4")) for each in numbers]
    counts += [len(each.array(1, "<i4")) for each in one_hot]
    counts += [len(each.array(1, "<f4")) for each in trees.tables(_CTRS)]
    counts += [len(each.array(3, "<f4")) for each in trees.tables(_ESTIMATED)]
    return counts


def _check_places(listed: Sequence[int]) -> None:
    """Refuse features that are not numbered one by one."""
    _require(list(listed) == list(range(len(listed))), "its features are not in order")


def _check_trees(trees: _Table, offered: Sequence[int]) -> None:
    splits, sizes, starts = (trees.array(f, "<i4") for f in (_SPLITS, _SIZES, _STARTS))
    dimension, values = trees.number(_DIMENSION, 0), len(trees.array(_LEAVES, "<f8"))
    _require(1 <= dimension <= _MOST_FEATURES, "its answers have no dimensions")
    _require(bool(((splits >= 0) & (splits < sum(offered))).all()), "a split that does not exist")
    bins, biases = trees.array(_BINS, "<u4"), len(trees.array(_BIASES, "<f8"))
    _require(biases in (0, dimension), "its biases do not fit its answers")
    _require(len(bins) in (0, len(splits)), "its bins do not fit its splits")
    places = sum(-(-count // _PER_BIN) for count in offered)
    _require(bool(((bins & 0xFFFF) < places).all()), "a bin of a feature that does not exist")
    _require(bool((sizes >= 0).all()) and sizes.sum() == len(splits), "its splits do not fit")
    ends = np.cumsum(sizes.astype(np.int64))
    _require(not len(starts) or np.array_equal(starts, ends - sizes), "its trees do not fit")
    if len(trees.array(_LEAF_IDS, "<u4")):
        _check_steps(trees, sizes, ends, values, dimension)
        return
    _require(bool((sizes <= _MOST_SPLITS).all()), f"a tree has more than {_MOST_SPLITS} levels")
    leaves = int((1 << sizes.astype(np.int64)).sum())
    _require(leaves * dimension == values, "its leaves do not fit its trees")


def _check_steps(trees: _Table, sizes: Any, ends: Any, values: int, dimension: int) -> None:
    """Trees that are not symmetric: each node says how far ahead its children are."""
    pairs = trees.array(_STEPS, "<u4")
    steps = np.stack([pairs & 0xFFFF, pairs >> 16], axis=1).astype(np.int64)
    ids = trees.array(_LEAF_IDS, "<u4").astype(np.int64)
    _require(len(steps) == len(ids) == sizes.sum(), "its nodes do not fit its trees")
    last = np.repeat(ends, sizes)
    within = np.arange(len(steps))[:, None] + steps < last[:, None]
    _require(bool(within.all()), "a node leads out of its tree")
    reached = (steps == 0).any(axis=1)
    _require(bool((ids[reached] + dimension <= values).all()), "a leaf that does not exist")


def _check_statistics(trees: _Table, data: bytes) -> None:
    """Refuse tables of category statistics that lead out of themselves, or are missing."""
    features = [each.needed(0) for each in trees.tables(_CTRS)]
    if not features:
        return
    tables, at = {}, 4
    for _ in range(_number("<I", data, 0)):
        size = _number("<I", data, at)
        table = _root(data[at + 4 : at + 4 + size])
        tables[_identity(table.needed(0))] = _classes_of(table)
        at += 4 + size
    sizes = {kind: len(trees.tables(kind)) for kind in (_CATEGORIES, _FLOATS)}
    for each in features:
        base = each.needed(0)
        _check_combination(base.needed(0), sizes)
        classes = tables.get(_identity(base), 0)
        _require(0 <= each.number(1, 0) < classes, "a statistic of categories is missing")


def _identity(base: _Table) -> tuple[object, ...]:
    """What tells one table of statistics from others."""
    parts = base.needed(0)
    lists = (parts.array(0, "<u4"), parts.array(1, "<u8"), parts.array(2, "<u8"))
    return (base.number(1, 0, "<b"), base.number(2, 0), *(each.tobytes() for each in lists))


def _classes_of(table: _Table) -> int:
    """How many numbers a table has for each category; all of its buckets are within it."""
    kind, classes = table.needed(0).number(1, 0, "<b"), table.number(4, 0)
    single = kind in _COUNTS or kind in _MEANS
    _require(single or 1 <= classes <= _MOST_FEATURES, "its statistics have no classes")
    raw, size = table.array(1, "u1"), len(table.array(2, "u1"))
    _require(len(raw) % _BUCKET.itemsize == 0, "its statistics have no buckets")
    buckets = np.frombuffer(raw.tobytes(), _BUCKET)
    count, empty = len(buckets), buckets["hash"] == _EMPTY
    # CatBoost looks on from bucket to bucket until it finds an empty one.
    _require(count & (count - 1) == 0 and bool(empty.any()), "its buckets are full")
    stride = 8 if kind in _MEANS else 4 if kind in _COUNTS else 4 * classes
    last = (buckets["index"][~empty].astype(np.int64) + 1) * stride
    _require(bool((last <= size).all()), "a category without statistics")
    return 1 if single else classes


def _check_combination(parts: _Table, sizes: dict[int, int]) -> None:
    named = [parts.array(0, "<i4").astype(np.int64)]
    named.append((parts.array(2, "<u8") & 0xFFFFFFFF).astype(np.int64))
    listed = np.concatenate(named)
    numbers = (parts.array(1, "<u8") & 0xFFFFFFFF).astype(np.int64)
    known = bool(((listed >= 0) & (listed < sizes[_CATEGORIES])).all())
    known = known and bool((numbers < sizes[_FLOATS]).all())
    _require(known, "a statistic is of a feature that does not exist")
