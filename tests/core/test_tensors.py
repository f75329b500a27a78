"""Tensors: data types, bounds, and the bytes on the wire."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelport.core.errors import InvalidInput
from modelport.core.tensors import DType, bytes_tensor, decode_text, from_raw, to_raw, widened

NUMBERS = [dtype for dtype in DType if dtype is not DType.BYTES]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@st.composite
def tensors(draw: st.DrawFn) -> tuple[DType, Any]:
    dtype = draw(st.sampled_from(DType))
    shape = draw(SHAPES)
    if dtype is DType.BYTES:
        count = math.prod(shape)
        values = draw(st.lists(st.binary(max_size=9), min_size=count, max_size=count))
        return dtype, bytes_tensor(values, shape)
    return dtype, draw(hnp.arrays(dtype.numpy, shape))


@given(tensors())
def test_a_tensor_comes_back_from_its_raw_bytes_to_the_last_bit(case: tuple[DType, Any]) -> None:
    dtype, tensor = case
    again = from_raw("x", to_raw(tensor), dtype, tensor.shape)
    assert again.shape == tensor.shape
    assert to_raw(again) == to_raw(tensor)
    if dtype is DType.BYTES:
        assert again.tolist() == tensor.tolist()
    else:
        assert again.dtype == dtype.numpy
        np.testing.assert_array_equal(again, tensor)


@given(tensors(), st.binary(min_size=1, max_size=8))
def test_bytes_beyond_a_tensors_shape_are_refused(case: tuple[DType, Any], extra: bytes) -> None:
    dtype, tensor = case
    with pytest.raises(InvalidInput, match="'x'"):
        from_raw("x", to_raw(tensor) + extra, dtype, tensor.shape)


@given(tensors().filter(lambda case: case[1].size > 0), st.data())
def test_bytes_that_end_too_early_are_refused(case: tuple[DType, Any], data: st.DataObject) -> None:
    dtype, tensor = case
    raw = to_raw(tensor)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(InvalidInput, match="'x'"):
        from_raw("x", raw[:cut], dtype, tensor.shape)


@pytest.mark.parametrize("order", ["C", "F"])
def test_raw_bytes_are_little_endian_in_row_order_whatever_the_array_in_memory(order: Any) -> None:
    values = np.array([[1, 2, 3], [4, 5, 6]], dtype=">i4", order=order)
    assert to_raw(values) == struct.pack("<6i", 1, 2, 3, 4, 5, 6)


def test_a_bytes_element_is_its_length_and_its_bytes() -> None:
    assert to_raw(bytes_tensor([b"ab", b""], (2,))) == b"\x02\x00\x00\x00ab\x00\x00\x00\x00"


def test_numbers_share_the_memory_of_the_body_and_cannot_be_written() -> None:
    tensor = from_raw("x", struct.pack("<2d", 1.0, 2.0), DType.FP64, (2,))
    assert not tensor.flags.owndata
    assert not tensor.flags.writeable


def test_a_bool_byte_other_than_0_and_1_is_refused() -> None:
    assert from_raw("x", b"\x00\x01", DType.BOOL, (2,)).tolist() == [False, True]
    with pytest.raises(InvalidInput, match="BOOL holds a byte other than 0 or 1"):
        from_raw("x", b"\x00\x02", DType.BOOL, (2,))


def test_the_wrong_number_of_bytes_is_told_with_what_was_expected() -> None:
    with pytest.raises(InvalidInput, match="takes 8 bytes of binary data, and 7 came") as caught:
        from_raw("x", bytes(7), DType.FP32, (2,))
    assert caught.value.detail == {"tensor": "x", "expected": 8, "got": 7}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\x01\x00", "ends inside an element"),
        (b"\x05\x00\x00\x00ab", "ends inside an element"),
        (b"\xff\xff\xff\xff", "ends inside an element"),
        (b"\x01\x00\x00\x00a", "has a shape of 2 elements, and its binary data holds 1"),
        (b"\x00\x00\x00\x00" * 5, "2 elements, and its binary data holds more than 2"),
    ],
)
def test_bytes_elements_that_do_not_fill_the_shape_are_refused(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        from_raw("x", raw, DType.BYTES, (2,))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=6))
def test_text_comes_back_from_its_utf8(texts: list[str]) -> None:
    tensor = bytes_tensor([text.encode() for text in texts], (len(texts),))
    assert decode_text("x", tensor).tolist() == texts


def test_decoded_text_keeps_the_shape() -> None:
    tensor = bytes_tensor([b"a", b"b", b"c", b"d"], (2, 2))
    assert decode_text("x", tensor).tolist() == [["a", "b"], ["c", "d"]]


def test_bytes_that_are_no_text_are_refused_with_the_tensors_name() -> None:
    with pytest.raises(InvalidInput, match="tensor 'city' holds bytes that are not UTF-8") as error:
        decode_text("city", bytes_tensor([b"\xff"], (1,)))
    assert error.value.detail == {"tensor": "city"}


@pytest.mark.parametrize("dtype", NUMBERS)
def test_the_type_of_an_array_is_found_in_either_byte_order(dtype: DType) -> None:
    assert DType.of(dtype.numpy) is dtype
    assert DType.of(dtype.numpy.newbyteorder(">")) is dtype


@pytest.mark.parametrize("array", [["a"], [b"a"], [None], np.array(["a"], np.dtypes.StringDType())])
def test_texts_and_objects_are_bytes(array: Any) -> None:
    assert DType.of(np.asarray(array).dtype) is DType.BYTES


@pytest.mark.parametrize("array", [np.array([1j]), np.array(["2024-01-01"], "M8[s]")])
def test_arrays_without_a_tensor_type_are_refused(array: Any) -> None:
    with pytest.raises(InvalidInput, match=re.escape(f"arrays of {array.dtype} have no tensor")):
        DType.of(array.dtype)


def test_each_type_is_a_float_an_integer_a_bool_or_bytes() -> None:
    floats = {dtype for dtype in DType if dtype.is_float}
    integers = {dtype for dtype in DType if dtype.is_integer}
    assert floats == {DType.FP16, DType.FP32, DType.FP64}
    assert integers == {dtype for dtype in DType if "INT" in dtype.value}
    assert set(DType) - floats - integers == {DType.BOOL, DType.BYTES}


@pytest.mark.parametrize("dtype", [DType.FP16, DType.FP32])
def test_a_float_bound_is_the_last_double_that_rounds_to_a_finite_value(dtype: DType) -> None:
    assert dtype.bounds is not None
    low, high = dtype.bounds
    assert low == -high
    with np.errstate(over="ignore"):
        assert np.isfinite(np.float64(high).astype(dtype.numpy))
        assert np.isinf(np.float64(math.nextafter(high, math.inf)).astype(dtype.numpy))


@pytest.mark.parametrize("dtype", [dtype for dtype in DType if dtype.is_integer])
def test_an_integer_bound_is_that_of_the_type(dtype: DType) -> None:
    info = np.iinfo(dtype.numpy.name)
    assert dtype.bounds == (info.min, info.max)


def test_doubles_bools_and_bytes_have_no_finite_bounds() -> None:
    assert DType.FP64.bounds == (-math.inf, math.inf)
    assert DType.BOOL.bounds is None
    assert DType.BYTES.bounds is None


@pytest.mark.parametrize(
    ("came", "made"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.uint8, np.float64),
        (np.bool_, np.float64),
    ],
)
def test_numbers_are_widened_where_sums_would_be_cut_off_or_rough(came: type, made: type) -> None:
    wide = widened(np.array([1, 0], came))
    assert (wide.dtype, wide.tolist()) == (made, [1, 0])
