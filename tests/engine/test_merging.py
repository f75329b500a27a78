"""Several requests in one batch: which fit together, joined, padded, and parted again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.core.errors import ModelFailed
from modelport.core.messages import InferRequest
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Batch, DType, bytes_tensor
from modelport.engine.merging import Padding, join, kind_of, part

F32, BYTES = DType.FP32, DType.BYTES
SIGNATURE = Signature(
    (TensorSpec("x", F32, (None, None)), TensorSpec("k", F32, (None, 2))),
    (TensorSpec("y", F32, (None, None)), TensorSpec("total", F32, (None, None))),
)
PADDING = Padding({"x": 7.0}, {"y": "x"})


def request(length: int, rows: int = 1, **said: Any) -> InferRequest:
    start = 100.0 * length
    x = np.arange(start, start + rows * length, dtype=np.float32).reshape(rows, length)
    return InferRequest(inputs={"x": x, "k": np.ones((rows, 2), np.float32)}, parameters=said)


def answered(batch: Batch) -> Batch:
    """`y` is twice `x`; `total` has one number for each row."""
    return {"y": batch["x"] * 2, "total": batch["x"].sum(axis=1, keepdims=True)}


def test_without_padding_only_rows_of_one_shape_share_a_batch() -> None:
    assert kind_of(request(3)) == kind_of(request(3, rows=5))
    assert kind_of(request(3)) != kind_of(request(4))


def test_with_padding_lengths_of_one_class_share_a_batch() -> None:
    assert kind_of(request(2), PADDING) != kind_of(request(3), PADDING)
    assert kind_of(request(33), PADDING) == kind_of(request(39), PADDING)
    assert kind_of(request(33), PADDING) != kind_of(request(65), PADDING)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_less_than_a_fifth_of_what_shares_a_batch_is_padding(one: int, other: int) -> None:
    short, long = sorted((one, other))
    if PADDING.length_class(one) == PADDING.length_class(other):
        assert long - short < long / 5
    else:
        assert PADDING.length_class(short) < PADDING.length_class(long)


def test_requests_share_a_batch_only_where_they_say_the_same() -> None:
    assert kind_of(request(3, top=1)) == kind_of(request(3, top=1))
    assert kind_of(request(3, a=1, b="x")) == kind_of(request(3, b="x", a=1))
    for other in (request(3), request(3, top=2), request(3, top=True), request(3, top=1.0)):
        assert kind_of(request(3, top=1)) != kind_of(other)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=6))
def test_what_is_joined_and_parted_is_what_each_would_have_alone(
    sizes: list[tuple[int, int]],
) -> None:
    requests = [request(length, rows).inputs for length, rows in sizes]
    joined = join(SIGNATURE, requests, PADDING)
    longest = max(length for length, _ in sizes)
    rows = [rows for _, rows in sizes]
    assert joined.batch["x"].shape == (sum(rows), longest)
    assert joined.elements == sum(rows) * (longest + 2)
    assert joined.padding == sum(rows * (longest - length) for length, rows in sizes)
    parts = part(SIGNATURE, answered(joined.batch), requests, rows, PADDING)
    for own, (length, count), made in zip(requests, sizes, parts, strict=True):
        assert made["y"].tolist() == answered(own)["y"].tolist()
        assert made["y"].shape == (count, length)
        assert made["total"].tolist() == (answered(own)["total"] + 7 * (longest - length)).tolist()


def test_texts_are_padded_with_a_text() -> None:
    signature = Signature((TensorSpec("s", BYTES, (None, None)),), ())
    rows = [{"s": bytes_tensor([b"a"], (1, 1))}, {"s": bytes_tensor([b"b", b"c"], (1, 2))}]
    joined = join(signature, rows, Padding({"s": b"-"}))
    assert joined.batch["s"].tolist() == [[b"a", b"-"], [b"b", b"c"]]


def test_outputs_of_another_number_of_rows_are_the_models_fault() -> None:
    requests = [request(2).inputs, request(2).inputs]
    for wrong in (np.ones((3, 2)), np.ones(())):
        with pytest.raises(ModelFailed, match="rows of 'y' for the 2 that it was given"):
            part(SIGNATURE, {"y": wrong}, requests, [1, 1])
