"""Signatures: what a request's tensors must look like, and the words when they do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from modelport.core.errors import InvalidInput
from modelport.core.signature import Signature, TensorSpec, fits, show_shape
from modelport.core.tensors import DType, bytes_tensor


@pytest.fixture
def two_inputs() -> Callable[..., Signature]:
    """Inputs `a` [?, 2] and `b` [?], and output `y` [?]."""

    def make(lockstep: bool = True) -> Signature:
        return Signature(
            (TensorSpec("a", DType.FP32, (None, 2)), TensorSpec("b", DType.INT64, (None,))),
            (TensorSpec("y", DType.FP32, (None,)),),
            lockstep=lockstep,
        )

    return make


def a(rows: int = 1) -> np.ndarray:
    return np.ones((rows, 2), np.float32)


def b(rows: int = 1) -> np.ndarray:
    return np.ones(rows, np.int64)


def test_inputs_that_fit_are_counted_in_rows(two_inputs: Callable[..., Signature]) -> None:
    assert two_inputs().check({"b": b(3), "a": a(3)}) == 3


def test_an_unbatched_model_takes_one_row() -> None:
    signature = Signature((TensorSpec("x", DType.FP64, (3,)),), ())
    assert signature.check({"x": np.ones(3)}) == 1
    assert not signature.is_batched


def test_an_input_without_rows_is_left_out_of_the_count() -> None:
    scale = TensorSpec("scale", DType.FP64, ())
    signature = Signature((scale, TensorSpec("x", DType.FP64, (None,))), ())
    assert signature.check({"scale": np.array(2.0), "x": np.ones(5)}) == 5
    assert not signature.is_batched


def test_a_missing_input_is_named(two_inputs: Callable[..., Signature]) -> None:
    with pytest.raises(InvalidInput, match=r"input 'b' is missing; the model takes 'a', 'b'") as e:
        two_inputs().check({"a": a()})
    assert e.value.detail == {"tensor": "b", "expected": ["a", "b"]}


def test_an_unknown_input_is_named_whether_or_not_another_is_missing(
    two_inputs: Callable[..., Signature],
) -> None:
    for inputs in ({"a": a(), "c": b()}, {"a": a(), "b": b(), "c": b()}):
        with pytest.raises(InvalidInput, match=r"no input 'c'; its inputs are 'a', 'b'"):
            two_inputs().check(inputs)


def test_another_type_is_refused_with_both_types(two_inputs: Callable[..., Signature]) -> None:
    with pytest.raises(InvalidInput, match=r"input 'b' takes INT64, and FP64 came") as caught:
        two_inputs().check({"a": a(), "b": np.ones(1)})
    assert caught.value.detail == {"tensor": "b", "expected": "INT64", "got": "FP64"}
    with pytest.raises(InvalidInput, match="'b' takes INT64, and BYTES came"):
        two_inputs().check({"a": a(), "b": bytes_tensor([b"1"], (1,))})


@pytest.mark.parametrize("shape", [(2,), (1, 3), (1, 2, 1), ()])
def test_another_shape_is_refused_with_both_shapes(
    two_inputs: Callable[..., Signature], shape: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidInput, match=r"input 'a' takes the shape \[\?, 2\]") as caught:
        two_inputs().check({"a": np.ones(shape, np.float32), "b": b()})
    assert caught.value.detail == {"tensor": "a", "expected": [-1, 2], "got": list(shape)}


def test_no_rows_at_all_are_refused(two_inputs: Callable[..., Signature]) -> None:
    with pytest.raises(InvalidInput, match=r"input 'a' is empty: its shape \[0, 2\] has a 0"):
        two_inputs().check({"a": a(0), "b": b(0)})


def test_different_numbers_of_rows_are_refused_with_the_counts(
    two_inputs: Callable[..., Signature],
) -> None:
    with pytest.raises(InvalidInput, match="'a' has 2, 'b' has 3") as caught:
        two_inputs().check({"a": a(2), "b": b(3)})
    assert caught.value.detail == {"got": {"a": 2, "b": 3}}


def test_inputs_out_of_lockstep_may_differ_in_rows(two_inputs: Callable[..., Signature]) -> None:
    signature = two_inputs(lockstep=False)
    assert signature.check({"a": a(2), "b": b(3)}) == 1
    assert not signature.is_batched


def test_outputs_are_checked_by_name(two_inputs: Callable[..., Signature]) -> None:
    two_inputs().check_outputs(["y"])
    with pytest.raises(InvalidInput, match="no output 'z'; its outputs are 'y'") as caught:
        two_inputs().check_outputs(["y", "z"])
    assert caught.value.detail == {"tensor": "z", "expected": ["y"]}


def test_an_input_is_found_by_name(two_inputs: Callable[..., Signature]) -> None:
    assert two_inputs().input("b").dtype is DType.INT64


def test_the_row_of_a_batched_tensor_has_no_leading_dimension() -> None:
    assert TensorSpec("x", DType.FP32, (None, 3, None)).row_shape == (3, None)
    assert TensorSpec("x", DType.FP32, (2, None)).row_shape == (2, None)
    assert TensorSpec("x", DType.FP32, ()).row_shape == ()


def test_a_shape_fits_where_each_fixed_size_is_the_same() -> None:
    assert fits((4, 3), (None, 3))
    assert not fits((4, 2), (None, 3))
    assert not fits((4,), (None, 3))
    assert fits((), ())


def test_a_shape_is_shown_with_question_marks() -> None:
    assert show_shape((None, 3)) == "[?, 3]"
    assert show_shape(()) == "[]"
