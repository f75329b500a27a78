"""Stored outputs: what comes back is what was put in, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelport.core.tensors import Batch, DType, bytes_tensor
from modelport.engine.cache.entry import pack, seal, size_of, unpack, unseal

KEY = b"k" * 16
DTYPES = [dtype.numpy for dtype in DType if dtype is not DType.BYTES]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
NUMBERS = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
BYTES = st.lists(st.binary(max_size=9), max_size=5).map(lambda v: bytes_tensor(v, (len(v),)))
BATCHES = st.dictionaries(st.text(max_size=5), NUMBERS | BYTES, max_size=3)


def same(one: Batch | None, other: Batch) -> bool:
    return (
        one is not None
        and list(one) == list(other)
        and all(map(_same, one.values(), other.values()))
    )


def _same(one: Any, other: Any) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return (
        one.tolist() == other.tolist()
        if other.dtype == object
        else one.tobytes() == other.tobytes()
    )


@given(BATCHES)
def test_what_is_unpacked_is_what_was_packed(batch: Batch) -> None:
    assert same(unpack(pack(batch)), batch)


def test_tensors_are_aligned_read_only_and_share_the_memory_of_the_payload() -> None:
    found = unpack(pack({"a": np.arange(3, dtype=np.int8), "b": np.arange(5.0)}))
    assert found is not None
    assert all(tensor.ctypes.data % 16 == 0 for tensor in found.values())
    assert not any(tensor.flags.writeable for tensor in found.values())


@pytest.mark.parametrize(
    "tensor",
    [
        np.array(["text"], dtype=object),
        np.array(["text"]),
        np.array([None], dtype=object),
        np.arange(3, dtype=">i4"),
    ],
)
def test_what_the_protocol_has_no_bytes_for_is_not_stored(tensor: Any) -> None:
    with pytest.raises(ValueError, match="not stored"):
        pack({"y": tensor})


def test_the_size_is_about_that_of_the_payload() -> None:
    batch = {"a": np.zeros((100, 10), np.float32), "b": bytes_tensor([b"x" * 500, b""], (2,))}
    assert abs(size_of(batch) - len(pack(batch))) < 100


@given(BATCHES, st.data())
def test_no_part_of_a_payload_is_taken_for_the_whole(batch: Batch, data: st.DataObject) -> None:
    payload = pack(batch)
    end = data.draw(st.integers(0, len(payload) - 1))
    assert unpack(payload[:end]) is None
    assert unpack(payload + b"\0") is None


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_tensors_or_none(raw: bytes) -> None:
    found = unpack(raw)
    assert found is None or isinstance(found, dict)


@given(st.binary(max_size=100), st.data())
def test_an_entry_that_was_cut_changed_or_moved_is_none(
    payload: bytes, data: st.DataObject
) -> None:
    entry = seal(KEY, payload)
    found = unseal(KEY, entry)
    assert found is not None
    assert bytes(found) == payload
    assert unseal(b"other key, foreign", entry) is None
    assert unseal(KEY, entry + b"\0") is None
    end = data.draw(st.integers(0, len(entry) - 1))
    assert unseal(KEY, entry[:end]) is None
    at = data.draw(st.integers(0, len(entry) - 1))
    changed = bytearray(entry)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert unseal(KEY, bytes(changed)) is None


def test_a_header_that_claims_more_than_there_is_is_none() -> None:
    import msgspec

    for spec in (("y", "FP32", (10**12,), 4), ("y", "FP32", (-1,), 4), ("y", "FP32", (1,), -4)):
        head = msgspec.msgpack.encode([spec])
        assert unpack(len(head).to_bytes(4, "little") + head + bytes(64)) is None
