"""Plain requests: what a person would write, and the words when it does not fit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import InvalidInput
from modelport.core.semantics import Field, InputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType, bytes_tensor, to_raw
from modelport.semantics.fields import PlainView
from modelport.semantics.plain import read
from modelport.semantics.ranges import limits
from tests.semantics.calls import python_calls

Views = Callable[..., PlainView]
F32, F64, I64, U8 = DType.FP32, DType.FP64, DType.INT64, DType.UINT8
BOOL, BYTES = DType.BOOL, DType.BYTES


def x(dtype: DType = F64, *shape: int | None, name: str = "x") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def tensor(view: PlainView, body: object) -> np.ndarray:
    """The only tensor that a body means."""
    (made,) = read(view, body).inputs.values()
    return made


def refused(view: PlainView, body: object) -> str:
    """The words for a body that does not fit; its facts can be sent as JSON."""
    with pytest.raises(InvalidInput) as caught:
        read(view, body)
    json.dumps(caught.value.detail)
    return caught.value.message


# -- forms


@pytest.mark.parametrize(
    ("body", "single"),
    [
        ({"x": [1, 2, 3]}, True),
        ({"x": [[1, 2, 3]]}, False),
        ([1, 2, 3], True),
        ([[1, 2, 3]], False),
        ([{"x": [1, 2, 3]}], False),
        ({"x": (1, 2, 3)}, True),
        ({"x": np.array([1, 2, 3])}, True),
        (np.array([[1, 2, 3]], np.float32), False),
        ([np.array([1, 2, 3])], False),
        ({"x": [np.float32(1), np.int8(2), 3]}, True),
    ],
)
def test_one_row_of_a_tensor_may_be_written_in_many_ways(
    view_of: Views, body: object, single: bool
) -> None:
    request = read(view_of([x(F64, None, 3)]), body)
    assert request.inputs["x"].tolist() == [[1.0, 2.0, 3.0]]
    assert request.inputs["x"].dtype == np.float64
    assert request.single is single


def test_many_rows_stay_in_their_order(view_of: Views) -> None:
    request = read(view_of([x(F64, None, 2)]), {"x": [[1, 2], [3, 4], [5, 6]]})
    assert request.inputs["x"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert not request.single


@pytest.mark.parametrize("shape", [(None,), (None, 1)])
@pytest.mark.parametrize(
    ("value", "rows"), [(5, [5]), ([5], [5]), ([5, 6], [5, 6]), ([[5], [6]], [5, 6])]
)
def test_a_single_value_a_row_needs_no_brackets(
    view_of: Views, shape: tuple[int | None, ...], value: object, rows: list[int]
) -> None:
    request = read(view_of([x(I64, *shape)]), {"x": value})
    assert request.inputs["x"].reshape(-1).tolist() == rows
    assert request.inputs["x"].ndim == len(shape)
    assert request.single is (value == 5)


def columns(view_of: Views, *shape: int | None, dtype: DType = F64, **fields: Field) -> PlainView:
    meaning = InputMeaning(columns=("a", "b"), column_fields=fields)
    return view_of([x(dtype, *shape)], inputs={"x": meaning})


@pytest.mark.parametrize("shape", [(None, 2), (None, 1, 2), (None, None), (None, 1, None)])
@pytest.mark.parametrize(
    ("body", "rows", "single"),
    [
        ({"a": 1, "b": 2}, [[1, 2]], True),
        ({"b": 2, "a": 1}, [[1, 2]], True),
        ({"a": [1], "b": [2]}, [[1, 2]], False),
        ({"a": [1, 3], "b": [2, 4]}, [[1, 2], [3, 4]], False),
        ([{"a": 1, "b": 2}, {"b": 4, "a": 3}], [[1, 2], [3, 4]], False),
        ({"a": np.array([1, 3]), "b": [2, 4]}, [[1, 2], [3, 4]], False),
        ({"a": [[1], [3]], "b": [2, 4]}, [[1, 2], [3, 4]], False),
    ],
)
def test_named_columns_are_put_side_by_side(
    view_of: Views, shape: tuple[int | None, ...], body: object, rows: object, single: bool
) -> None:
    request = read(columns(view_of, *shape), body)
    assert request.inputs["x"].reshape(-1, 2).tolist() == rows
    assert request.inputs["x"].ndim == len(shape)
    assert request.single is single


@pytest.mark.parametrize("body", [{"x": [1, 2]}, [1, 2], np.array([1, 2])])
def test_a_tensor_with_named_columns_may_be_given_whole(view_of: Views, body: object) -> None:
    request = read(columns(view_of, None, 2), body)
    assert request.inputs["x"].tolist() == [[1, 2]]
    assert request.single


def test_a_column_with_the_name_of_its_tensor_is_the_column(view_of: Views) -> None:
    view = view_of([x(F64, None, 2)], inputs={"x": InputMeaning(columns=("x", "y"))})
    assert tensor(view, {"x": 1, "y": 2}).tolist() == [[1, 2]]
    assert tensor(view, [1, 2]).tolist() == [[1, 2]]
    assert "'y' is missing" in refused(view, {"x": [1, 2]})


@pytest.mark.parametrize(
    ("shape", "bodies", "value"),
    [
        ((), [5, 5.0, np.float64(5)], 5),
        ((3,), [[1, 2, 3], np.array([1, 2, 3])], [1, 2, 3]),
        ((1, 3), [[1, 2, 3], [[1, 2, 3]]], [[1, 2, 3]]),
        ((1, 1, 2), [[1, 2], [[1, 2]], [[[1, 2]]]], [[[1, 2]]]),
        ((2, 2), [[[1, 2], [3, 4]]], [[1, 2], [3, 4]]),
        ((1, None), [[1, 2, 3], [[1, 2, 3]]], [[1, 2, 3]]),
        ((1,), [5, [5]], [5]),
    ],
)
def test_a_model_that_is_not_batched_may_be_sent_its_leading_ones_or_not(
    view_of: Views, shape: tuple[int | None, ...], bodies: list[object], value: object
) -> None:
    view = view_of([x(F64, *shape)])
    for body in bodies:
        request = read(view, {"x": body})
        assert request.inputs["x"].tolist() == value
        assert request.single


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ((3,), [[1, 2, 3]]),
        ((3,), [1, 2]),
        ((3,), 1),
        ((1, 3), [[1, 2, 3], [4, 5, 6]]),
        ((2, 2), [1, 2]),
        ((2, None), [1, 2]),
        ((), [5]),
    ],
)
def test_another_shape_is_refused_where_rows_cannot_be_stacked(
    view_of: Views, shape: tuple[int | None, ...], body: object
) -> None:
    words = refused(view_of([x(F64, *shape)]), {"x": body})
    assert words.startswith("'x' takes ")
    assert words.endswith(f"and {list(np.shape(body))} came".replace(",)", "]"))  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(2,), (1, 2)])
@pytest.mark.parametrize("body", [{"a": 1, "b": 2}, {"a": [1], "b": [2]}, [{"a": 1, "b": 2}]])
def test_columns_of_a_model_that_is_not_batched_make_its_one_row(
    view_of: Views, shape: tuple[int, ...], body: object
) -> None:
    made = tensor(columns(view_of, *shape), body)
    assert made.shape == shape
    assert made.ravel().tolist() == [1, 2]


def test_columns_of_a_model_that_is_not_batched_have_one_value_each(view_of: Views) -> None:
    assert "'a' takes a single value" in refused(columns(view_of, 1, 2), {"a": [1, 2], "b": [3, 4]})


def test_batched_and_unbatched_inputs_stand_beside_each_other(view_of: Views) -> None:
    view = view_of([x(F64, None, 2), x(F64, name="scale")])
    one = read(view, {"x": [1, 2], "scale": 3})
    many = read(view, {"x": [[1, 2], [3, 4]], "scale": 3})
    assert (one.single, many.single) == (True, False)
    assert one.inputs["scale"].shape == many.inputs["scale"].shape == ()
    assert many.inputs["x"].shape == (2, 2)


def test_inputs_out_of_lockstep_may_have_different_rows(view_of: Views) -> None:
    view = view_of([x(F64, None), x(F64, None, name="y")], lockstep=False)
    request = read(view, {"x": [1, 2], "y": 3})
    assert (request.inputs["x"].shape, request.inputs["y"].shape) == ((2,), (1,))
    assert not request.single


def test_keys_that_are_no_texts_are_taken_as_texts(view_of: Views) -> None:
    assert tensor(view_of([x(F64, None, name="0")]), {0: 5}).tolist() == [5]


# -- names


def test_a_missing_field_is_named(view_of: Views) -> None:
    view = columns(view_of, None, 2)
    assert refused(view, {"a": 1}) == "'b' is missing; the model takes 'a', 'b'"
    assert refused(view, {}) == "'a' is missing; the model takes 'a', 'b'"
    assert refused(view, [{"a": 1}]) == "'b' is missing; the model takes 'a', 'b'"


def test_an_unknown_field_is_named(view_of: Views) -> None:
    view = columns(view_of, None, 2)
    words = "the model has no field 'c'; it takes 'a', 'b'"
    assert refused(view, {"a": 1, "b": 2, "c": 3}) == words
    assert refused(view, [{"a": 1, "b": 2, "c": 3}]) == words


def test_a_record_that_lacks_what_others_have_is_numbered(view_of: Views) -> None:
    body = [{"a": 1, "b": 2}, {"a": 1}]
    nullable = columns(view_of, None, 2, b=Field(nullable=True))
    for view in (columns(view_of, None, 2), nullable):
        assert refused(view, body) == "record 1 has no 'b', which others have"


def test_a_value_given_twice_is_refused(view_of: Views) -> None:
    words = refused(columns(view_of, None, 2), {"x": [1, 2], "a": 1})
    assert words == "'a' is given twice: alone, and in its tensor 'x'"


@pytest.mark.parametrize(
    ("body", "came"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (3.5, "the number 3.5"),
        ("1,2,3", "the text '1,2,3'"),
        (b"x", "a bytes"),
        (10**30, "the number a number of 31 digits"),
    ],
)
def test_a_body_of_another_kind_is_refused(view_of: Views, body: object, came: str) -> None:
    words = refused(view_of([x(F64, None, 3)]), body)
    assert words == f"a request is a JSON object with 'x', and {came} came"


def test_a_list_needs_a_model_with_one_input(view_of: Views) -> None:
    view = view_of([x(F64, None), x(F64, None, name="y")])
    for body in ([1, 2], [], np.ones(2)):
        assert "the model has 2 inputs, so a request names them" in refused(view, body)


def test_many_fields_are_named_in_part(view_of: Views) -> None:
    names = tuple(f"c{at}" for at in range(12))
    view = view_of([x(F64, None, 12)], inputs={"x": InputMeaning(columns=names)})
    assert refused(view, {}).endswith("'c7' and 4 more")


# -- rows


def test_one_row_and_many_are_not_mixed(view_of: Views) -> None:
    words = "has the value of one row and 'b' those of many: give both as lists"
    assert words in refused(columns(view_of, None, 2), {"a": 1, "b": [2, 3]})
    view = view_of([x(F64, None, name="a"), x(F64, None, 2, name="b")])
    assert words in refused(view, {"a": 1, "b": [[1, 2]]})


def test_columns_with_different_numbers_of_rows_are_refused(view_of: Views) -> None:
    words = refused(columns(view_of, None, 2), {"a": [1, 2], "b": [1, 2, 3]})
    assert words == "all columns need the same number of rows: 'a' has 2, 'b' has 3"


def test_mixed_columns_are_refused_out_of_lockstep_too(view_of: Views) -> None:
    view = view_of(
        [x(F64, None, 2), x(F64, None, name="y")],
        lockstep=False,
        inputs={"x": InputMeaning(columns=("a", "b"))},
    )
    words = refused(view, {"a": 1, "b": [1, 2], "y": 1})
    assert words == "all columns need the same number of rows: 'a' has one, 'b' has 2"


@pytest.mark.parametrize("body", [{"x": []}, [], {"x": [[]]}, {"x": np.ones((0, 3))}])
def test_no_rows_are_refused(view_of: Views, body: object) -> None:
    assert refused(view_of([x(F64, None, 3)]), body)


@pytest.mark.parametrize("shape", [(None,), (None, None), (None, 1)])
def test_an_empty_list_is_told_to_be_empty(view_of: Views, shape: tuple[int | None, ...]) -> None:
    assert "input 'x' is empty" in refused(view_of([x(F64, *shape)]), {"x": []})


def test_empty_columns_are_refused(view_of: Views) -> None:
    assert "is empty" in refused(columns(view_of, None, 2), {"a": [], "b": []})


# -- shapes


@pytest.mark.parametrize(
    ("value", "came"),
    [([1, 2], "[2]"), (1, "[]"), ([[1, 2]], "[1, 2]"), ([[[1, 2, 3]]], "[1, 1, 3]")],
)
def test_another_shape_is_told_with_what_one_and_many_rows_look_like(
    view_of: Views, value: object, came: str
) -> None:
    words = refused(view_of([x(F64, None, 3)]), {"x": value})
    assert words == f"'x' takes one row as [3], or many rows as [?, 3], and {came} came"


def test_a_deep_value_for_a_single_one_is_refused(view_of: Views) -> None:
    words = refused(view_of([x(F64, None)]), {"x": [[1, 2]]})
    assert words == "'x' takes one row as a single value, or many rows as [?], and [1, 2] came"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[1, 2], [3]], "at depth 2 a list of 2 stands beside one of 1"),
        ([[1, 2], 3], "at depth 2 a list of 2 stands beside the number 3"),
        ([1, [2]], "a list stands where others have a single value"),
        ([[1], [[2]]], "a list stands where others have a single value"),
        ([[1, 2], None], "stands beside null"),
        ([[1, 2], {"a": 1}], "stands beside an object"),
        ([[1, 2], "ab"], "stands beside the text 'ab'"),
    ],
)
def test_ragged_lists_are_refused(view_of: Views, value: object, words: str) -> None:
    message = refused(view_of([x(F64, None, 2)]), {"x": value})
    assert message.startswith("'x' is ragged: ")
    assert words in message


def test_deep_nesting_is_refused_and_does_not_recurse(view_of: Views) -> None:
    value: object = 1
    for _ in range(10_000):
        value = [value]
    assert refused(view_of([x(F64, None)]), {"x": value}) == "'x' is nested more than 32 deep"


# -- types


@pytest.mark.parametrize("dtype", [F32, F64, I64, U8])
@pytest.mark.parametrize(
    ("value", "came"),
    [
        (True, "true"),
        ("1", "the text '1'"),
        (None, "null"),
        ({}, "an object"),
        (b"1", "a bytes"),
    ],
)
def test_only_numbers_are_numbers(view_of: Views, dtype: DType, value: object, came: str) -> None:
    words = refused(view_of([x(dtype, None)]), {"x": [1, value]})
    kind = "numbers" if dtype.is_float else "whole numbers"
    assert words == f"'x' takes {kind} ({dtype.value}), and {came} came"


@pytest.mark.parametrize("value", [1.5, 1.0, math.nan])
def test_a_fraction_is_no_whole_number(view_of: Views, value: float) -> None:
    assert f"and the number {value} came" in refused(view_of([x(I64, None)]), {"x": value})


@pytest.mark.parametrize("value", [1, 0, "true", None, 1.0])
def test_only_true_and_false_are_bools(view_of: Views, value: object) -> None:
    view = view_of([x(BOOL, None)])
    assert tensor(view, {"x": [True, False]}).tolist() == [True, False]
    assert "'x' takes true or false (BOOL), and " in refused(view, {"x": value})


@pytest.mark.parametrize("value", [1, True, None, ["a", 1]])
def test_only_texts_are_texts(view_of: Views, value: object) -> None:
    view = view_of([x(BYTES, None)])
    assert tensor(view, {"x": "é"}).tolist() == ["é".encode()]
    assert tensor(view, {"x": ["a", b"\xff"]}).tolist() == [b"a", b"\xff"]
    assert "'x' takes text (BYTES), and " in refused(view, {"x": value})


def test_half_of_a_surrogate_pair_is_no_text(view_of: Views) -> None:
    words = refused(view_of([x(BYTES, None)]), {"x": "\ud800"})
    assert words == "'x' holds half of a surrogate pair, which is no text"


@pytest.mark.parametrize("dtype", [d for d in DType if d.is_integer])
def test_a_whole_number_fits_up_to_its_types_bounds(view_of: Views, dtype: DType) -> None:
    view = view_of([x(dtype, None)])
    assert dtype.bounds is not None
    low, high = map(int, dtype.bounds)
    assert tensor(view, {"x": [low, high]}).tolist() == [low, high]
    for value in (low - 1, high + 1):
        assert f"'x' takes {dtype.value}, and " in refused(view, {"x": value})


@pytest.mark.parametrize("dtype", [DType.FP16, F32])
def test_a_float_fits_as_long_as_it_does_not_become_infinite(view_of: Views, dtype: DType) -> None:
    view = view_of([x(dtype, None)])
    assert dtype.bounds is not None
    high = dtype.bounds[1]
    assert np.isfinite(tensor(view, {"x": [high, -high]})).all()
    for value in (math.nextafter(high, math.inf), -1e300, 10**400):
        assert "does not fit into it" in refused(view, {"x": value})


def test_a_huge_whole_number_is_told_by_its_digits(view_of: Views) -> None:
    words = refused(view_of([x(F64, None)]), {"x": 10**4999})
    assert words == "'x' takes FP64, and a number of 5000 digits does not fit into it"


def test_a_whole_number_becomes_the_nearest_float(view_of: Views) -> None:
    assert tensor(view_of([x(F64, None)]), {"x": 2**53 + 1}).tolist() == [2.0**53]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_python_may_pass_what_json_cannot_write(view_of: Views, value: float) -> None:
    for given in (value, np.float64(value), np.array([value], np.float32)):
        made = tensor(view_of([x(F32, None)]), {"x": given})
        assert np.array_equal(made, np.array([value], np.float32), equal_nan=True)


@pytest.mark.parametrize(
    ("dtype", "array"),
    [
        (F32, np.array([1.5], np.float64)),
        (F64, np.array([1.5], ">f4")),
        (F32, np.array([1], np.int64)),
        (I64, np.array([1], np.uint8)),
        (U8, np.array([255], np.int64)),
        (BYTES, np.array(["é"])),
        (BYTES, np.array([b"x"])),
        (BYTES, np.array(["é"], np.dtypes.StringDType())),
        (F64, np.array([1, 2.5, np.float32(0.5)], dtype=object)),
        (BYTES, np.array(["a", b"b"], dtype=object)),
    ],
)
def test_arrays_of_other_types_are_taken_without_loss(
    view_of: Views, dtype: DType, array: Any
) -> None:
    made = tensor(view_of([x(dtype, None)]), {"x": array})
    assert made.dtype == dtype.numpy
    texts = [v.encode() if isinstance(v, str) else v for v in array.tolist()]
    assert made.tolist() == texts


@pytest.mark.parametrize(
    ("dtype", "array", "words"),
    [
        (U8, np.array([1, 256]), "256 does not fit"),
        (U8, np.array([-1]), "-1 does not fit"),
        (I64, np.array([2**63], np.uint64), "does not fit"),
        (DType.UINT64, np.array([-1]), "-1 does not fit"),
        (F32, np.array([1e39]), "1e+39 does not fit"),
        (DType.FP16, np.array([70000], np.int32), "70000 does not fit"),
        (I64, np.array([1.0]), "FP64 values came"),
        (F64, np.array([True]), "BOOL values came"),
        (BOOL, np.array([1]), "INT64 values came"),
        (BYTES, np.array([1]), "INT64 values came"),
        (F64, np.array(["1"]), "the text '1' came"),
        (F64, np.array([[1, 2], [3]], dtype=object), "a list came"),
        (F64, np.array([1j]), "have no tensor type"),
    ],
)
def test_arrays_that_would_lose_something_are_refused(
    view_of: Views, dtype: DType, array: Any, words: str
) -> None:
    assert words in refused(view_of([x(dtype, None)]), {"x": array})


def test_an_array_of_the_right_type_is_not_copied(view_of: Views) -> None:
    given = np.ones((2, 3))
    assert np.shares_memory(tensor(view_of([x(F64, None, 3)]), {"x": given}), given)


# -- meaning


def with_field(view_of: Views, dtype: DType, **known: Any) -> PlainView:
    return view_of([x(dtype, None)], inputs={"x": InputMeaning(field=Field(**known))})


@pytest.mark.parametrize("missing", [None, np.float64("nan")])
def test_null_is_a_missing_number_where_the_model_takes_one(
    view_of: Views, missing: object
) -> None:
    made = tensor(with_field(view_of, F32, nullable=True), {"x": [1.5, missing]})
    assert made[0] == 1.5
    assert np.isnan(made[1])


def test_null_is_the_empty_text_where_the_model_takes_one(view_of: Views) -> None:
    made = tensor(with_field(view_of, BYTES, nullable=True), {"x": ["a", None]})
    assert made.tolist() == [b"a", b""]


def test_null_is_never_a_whole_number(view_of: Views) -> None:
    assert "null came" in refused(with_field(view_of, I64, nullable=True), {"x": None})


@pytest.mark.parametrize(
    ("known", "value", "words"),
    [
        ({"minimum": 0, "maximum": 5}, 6, "'x' lies between 0 and 5, and 6.0 came"),
        ({"minimum": 0, "unit": "mm"}, -1, "'x' is at least 0 mm, and -1.0 came"),
        ({"maximum": 5}, [1, 7], "'x' is at most 5, and 7.0 came"),
        ({"maximum": 5}, np.array([1.0, 7.0]), "'x' is at most 5, and 7.0 came"),
    ],
)
def test_a_value_outside_its_range_is_refused(
    view_of: Views, known: dict[str, Any], value: object, words: str
) -> None:
    assert refused(with_field(view_of, F32, **known), {"x": value}) == words


def test_the_ends_of_a_range_and_missing_values_are_inside_it(view_of: Views) -> None:
    view = with_field(view_of, F32, minimum=0.1, maximum=0.3, nullable=True)
    assert np.isnan(tensor(view, {"x": [0.1, 0.3, None]})[2])


def test_a_range_beyond_the_type_refuses_nothing_that_fits(view_of: Views) -> None:
    view = with_field(view_of, F32, maximum=1e300)
    assert tensor(view, {"x": 3e38}).tolist() == [np.float32(3e38)]


def test_a_range_of_fractions_holds_for_whole_numbers(view_of: Views) -> None:
    view = with_field(view_of, I64, minimum=0.5, maximum=2.5)
    assert tensor(view, {"x": [1, 2]}).tolist() == [1, 2]
    assert "and 0 came" in refused(view, {"x": 0})
    assert "and 3 came" in refused(view, {"x": 3})


@pytest.mark.parametrize(
    ("dtype", "choices", "good", "bad", "words"),
    [
        (BYTES, ("a", "b"), "b", "c", "'x' is one of 'a', 'b', and 'c' came"),
        (I64, (1, 2), 2, 3, "'x' is one of 1, 2, and 3 came"),
        (F32, (0.1, 0.2), 0.1, 0.3, "'x' is one of 0.1, 0.2, and "),
        (F64, (1, 2), 2.0, 1.5, "'x' is one of 1, 2, and 1.5 came"),
        (BOOL, (True,), True, False, "'x' is one of True, and False came"),
        (BYTES, ("a",), b"a", b"\xff", "and '\ufffd' came"),
    ],
)
def test_a_value_that_is_no_choice_is_refused(
    view_of: Views, dtype: DType, choices: Any, good: object, bad: object, words: str
) -> None:
    view = with_field(view_of, dtype, choices=choices)
    assert to_raw(tensor(view, {"x": good}))
    assert words in refused(view, {"x": bad})


@pytest.mark.parametrize(("dtype", "choices"), [(F64, (1.0, 2.0)), (BYTES, ("a",))])
def test_a_missing_value_is_no_choice_unless_the_field_may_be_missing(
    view_of: Views, dtype: DType, choices: Any
) -> None:
    assert read(with_field(view_of, dtype, choices=choices, nullable=True), {"x": None})
    empty = "" if dtype is BYTES else np.array([math.nan])
    assert "is one of" in refused(with_field(view_of, dtype, choices=choices), {"x": empty})


@pytest.mark.parametrize("body", [{"a": 1, "b": 9}, {"x": [1, 9]}, [1, 9], np.array([[1.0, 9.0]])])
def test_a_columns_range_holds_in_every_form(view_of: Views, body: object) -> None:
    view = columns(view_of, None, 2, b=Field(maximum=5))
    assert refused(view, body) == "'b' is at most 5, and 9.0 came"
    assert tensor(view, [9, 1]).tolist() == [[9, 1]]


def test_missing_values_of_pandas_are_null(view_of: Views) -> None:
    pandas = pytest.importorskip("pandas")
    view = with_field(view_of, F64, nullable=True)
    assert np.isnan(tensor(view, {"x": [1.0, pandas.NA, pandas.NaT]})[1:]).all()
    assert "a NAType came" in refused(with_field(view_of, F64), {"x": [pandas.NA]})


@pytest.mark.parametrize("values", [math.nan, [1.0, math.nan], np.array([1.0, math.nan])])
def test_nan_is_refused_where_the_model_takes_no_missing_value(
    view_of: Views, values: object
) -> None:
    view = view_of([x(F32, None)], inputs={"x": InputMeaning(field=Field(nullable=False))})
    with pytest.raises(InvalidInput, match="'x' holds NaN, and the model does not accept"):
        read(view, {"x": values})


# -- tensors from elsewhere


def test_tensors_from_elsewhere_are_held_to_their_ranges_and_choices(view_of: Views) -> None:
    view = view_of(
        [x(F32, None, 2), x(BYTES, None, 1, name="kind"), x(F64, None, name="free")],
        inputs={
            "x": InputMeaning(columns=("a", "b"), column_fields={"b": Field(maximum=5)}),
            "kind": InputMeaning(field=Field(choices=("s", "m"))),
        },
    )
    check = limits(view)
    assert check is not None

    def batch(b: float, kind: bytes) -> dict[str, np.ndarray]:
        rows = np.array([[9, 1], [9, b]], np.float32)
        return {"x": rows, "kind": bytes_tensor([b"s", kind], (2, 1)), "free": np.ones(2)}

    check(batch(5, b"m"))
    check(batch(math.nan, b"m"))  # for the model to judge: the range says nothing of it
    with pytest.raises(InvalidInput, match=r"'b' is at most 5, and 5\.5 came"):
        check(batch(5.5, b"m"))
    with pytest.raises(InvalidInput, match="'kind' is one of 's', 'm', and 'xl' came"):
        check(batch(5, b"xl"))


def test_where_any_value_goes_there_is_nothing_to_check(view_of: Views) -> None:
    nullable = {"x": InputMeaning(field=Field(nullable=False, unit="mm"))}
    assert limits(view_of([x(F32, None)], inputs=nullable)) is None


# -- large bodies


@pytest.mark.parametrize("shape", [(None, 4), (None,)])
@pytest.mark.parametrize("dtype", [F32, F64, I64, DType.BOOL, BYTES])
def test_elements_cost_no_call_in_python(
    view_of: Views, dtype: DType, shape: tuple[int | None, ...]
) -> None:
    view = view_of([TensorSpec("x", dtype, shape)])
    element = {DType.BOOL: True, BYTES: "a"}.get(dtype, 1)
    body = [[element] * 4] * 1000 if len(shape) == 2 else [element] * 4000
    assert python_calls(lambda: read(view, body)) < 200


def test_missing_values_among_many_are_read_together(view_of: Views) -> None:
    nullable = {"x": InputMeaning(field=Field(nullable=True))}
    view = view_of([TensorSpec("x", F32, (None,))], inputs=nullable)
    body = [1.5, None, 2] * 1000
    assert python_calls(lambda: read(view, body)) < 200
    assert np.isnan(read(view, body).inputs["x"]).sum() == 1000


def test_null_is_never_false(view_of: Views) -> None:
    nullable = {"x": InputMeaning(field=Field(nullable=True))}
    view = view_of([TensorSpec("x", DType.BOOL, (None,))], inputs=nullable)
    assert "null came" in refused(view, [True, None])


def test_choices_are_compared_once_for_each_value(view_of: Views) -> None:
    chosen = {"x": InputMeaning(field=Field(choices=("a", "b")))}
    view = view_of([TensorSpec("x", BYTES, (None,))], inputs=chosen)
    assert python_calls(lambda: read(view, ["a", "b"] * 2000)) < 200


def test_records_cost_no_call_for_each_value(view_of: Views) -> None:
    view = view_of([TensorSpec(name, F64, (None,)) for name in "abcd"])
    records = [dict.fromkeys("abcd", 1.0)] * 1000
    assert python_calls(lambda: read(view, records)) < 2500  # two for each record
