"""Examples work when they are sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.core.semantics import Field, InputMeaning
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.semantics.example import example_request, generated_row
from modelport.semantics.fast import json_decoder
from modelport.semantics.fields import PlainView

Views = Callable[..., PlainView]
SHAPES: Any = [(None,), (None, 3), (None, None), (None, 2, 2), (), (3,), (1, 3), (None, 1)]


@pytest.mark.parametrize("dtype", DType)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_generated_example_works_when_sent(view_of: Views, dtype: DType, shape: Any) -> None:
    view = view_of([TensorSpec("x", dtype, shape)])
    body = msgspec.json.encode(example_request(view))
    request = json_decoder(view)(body)
    assert view.signature.check(request.inputs) == 1
    assert request.single


@given(
    st.sampled_from([d for d in DType if d.bounds is not None]),
    st.none() | st.floats(-100, 100),
    st.none() | st.floats(0, 100),
)
def test_an_example_lies_in_its_range(
    view_of: Views, dtype: DType, low: float | None, width: float | None
) -> None:
    high = None if width is None else (low or 0.0) + max(width, 1.0)
    if dtype.value.startswith("UINT"):
        low = None if low is None else abs(low)
        high = None if high is None else abs(high) + 100
    field = Field(minimum=low, maximum=high)
    view = view_of([TensorSpec("x", dtype, (None,))], inputs={"x": InputMeaning(field=field)})
    json_decoder(view)(msgspec.json.encode(example_request(view)))


def test_an_example_is_a_choice(view_of: Views) -> None:
    field = Field(choices=("red", "blue"))
    view = view_of([TensorSpec("x", DType.BYTES, (None,))], inputs={"x": InputMeaning(field=field)})
    assert example_request(view) == {"x": "red"}


def test_columns_are_named_in_an_example(view_of: Views) -> None:
    meaning = InputMeaning(columns=("a", "b"))
    view = view_of([TensorSpec("x", DType.FP32, (None, 2))], inputs={"x": meaning})
    assert example_request(view) == {"a": 1, "b": 1}


def test_the_owners_example_comes_first(view_of: Views) -> None:
    view = view_of([TensorSpec("x", DType.FP32, (None,))], examples=({"x": 7}, {"x": 8}))
    assert example_request(view) == {"x": 7}


def test_a_large_input_has_no_example(view_of: Views) -> None:
    assert example_request(view_of([TensorSpec("x", DType.FP32, (None, 3, 224, 224))])) is None
    assert example_request(view_of([TensorSpec("x", DType.FP32, (None, 256))])) is not None


@pytest.mark.parametrize("dtype", DType)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_generated_row_fits_its_signature(dtype: DType, shape: Any) -> None:
    signature = Signature((TensorSpec("x", dtype, shape),), ())
    assert signature.check(generated_row(signature)) == 1
