"""Categories and scaled numbers as the columns that a model was trained on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.semantics import Category, InputMeaning, Number
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.semantics.columns import columns_preparation
from modelport.semantics.preparation import Preparation

NOBODY = lambda: None  # noqa: E731


NAMES = ("age", "red", "blue", "size")
X = TensorSpec("x", DType.FP32, (None, 4))
COLOUR = Category(choices=("red", "blue"), columns=("red", "blue"))
SIZE = Category(choices=("S", "M", "L"))


def part(
    spec: TensorSpec = X, columns: tuple[str, ...] = NAMES, **sources: Category | Number
) -> Preparation:
    return columns_preparation(spec, InputMeaning(columns=columns), sources)


def texts(*values: str) -> Array:
    return bytes_tensor([value.encode() for value in values], (len(values),))


def test_every_column_has_its_place_whatever_fills_it() -> None:
    made = part(colour=COLOUR, size=SIZE, age=Number(mean=40, std=10))
    assert [field.name for field in made.fields] == ["age", "colour", "size"]
    assert [field.dtype for field in made.fields] == [DType.FP64, DType.BYTES, DType.BYTES]
    tensors = made.run(
        {"age": np.array([50.0, 35.0]), "colour": texts("blue", "red"), "size": texts("L", "S")},
        NOBODY,
    )
    x = tensors.inputs["x"]
    assert x.dtype == np.float32
    assert x.tolist() == [[1, 0, 1, 2], [-0.5, 1, 0, 0]]


def test_columns_that_no_source_fills_are_given_as_they_are() -> None:
    made = part(colour=COLOUR)
    assert [field.name for field in made.fields] == ["age", "colour", "size"]
    x = made.run(
        {
            "age": np.array([7], np.float32),
            "colour": texts("red"),
            "size": np.array([9], np.float32),
        },
        NOBODY,
    ).inputs["x"]
    assert x.tolist() == [[7, 1, 0, 9]]


def test_codes_stand_for_names() -> None:
    size = Category(choices=("S", "L"), codes=(36, 42.5))
    made = part(TensorSpec("x", DType.FP64, (None, 1)), ("size",), size=size)
    assert made.run({"size": texts("L", "S")}, NOBODY).inputs["x"].tolist() == [[42.5], [36]]


def test_a_tensor_of_one_nameless_column_is_a_category_itself() -> None:
    for shape in ((None,), (None, 1), (None, 1, 1)):
        spec = TensorSpec("size", DType.INT64, shape)
        made = columns_preparation(spec, InputMeaning(), {"size": SIZE})
        tensor = made.run({"size": texts("M", "L")}, NOBODY).inputs["size"]
        assert tensor.shape == (2, *(1 for _ in shape[1:]))
        assert tensor.ravel().tolist() == [1, 2]


def test_a_missing_category_is_nan_or_no_column_at_all() -> None:
    colour = Category(choices=COLOUR.choices, columns=COLOUR.columns, nullable=True)
    size = Category(choices=SIZE.choices, nullable=True)
    x = part(colour=colour, size=size).run(
        {"age": np.array([1], np.float32), "colour": texts(""), "size": texts("")},
        NOBODY,
    )
    row = x.inputs["x"][0].tolist()
    assert row[:3] == [1, 0, 0]
    assert math.isnan(row[3])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": texts("XL")}, "'size' is one of 'S', 'M', 'L', and 'XL' came"),
        ({"size": texts("")}, "'size' is one of"),
        ({"age": np.array([math.nan])}, "'age' holds NaN"),
        ({"age": np.array([200.0])}, "'age' lies between 0 and 120 a, and 200.0 came"),
    ],
)
def test_a_value_that_is_not_allowed_is_told(given: dict[str, Array], said: str) -> None:
    made = part(size=SIZE, age=Number(minimum=0, maximum=120, unit="a"))
    good = {
        "age": np.array([30.0]),
        "red": np.array([0], np.float32),
        "blue": np.array([0], np.float32),
        "size": texts("S"),
    }
    assert made.run(good, NOBODY).inputs["x"].shape == (1, 4)
    with pytest.raises(InvalidInput, match=said):
        made.run(good | given, NOBODY)


@pytest.mark.parametrize(
    ("spec", "sources", "said"),
    [
        (X, {"colour": Category(choices=("a",), columns=("green",))}, "no column 'green' in 'x'"),
        (X, {"size": Category(choices=("a", "a"))}, "each another one"),
        (X, {"size": Category(choices=())}, "each another one"),
        (
            X,
            {"colour": Category(choices=("a",), columns=("red", "blue"))},
            "1 choices need as many",
        ),
        (X, {"size": Category(choices=("a", "b"), codes=(1,))}, "one number for each choice"),
        (X, {"age": Number(std=0)}, "std is not 0"),
        (X, {"colour": COLOUR, "red": SIZE}, "the column 'red' is filled by 'colour' too"),
        (TensorSpec("x", DType.BYTES, (None, 4)), {"size": SIZE}, "'x' is BYTES"),
        (TensorSpec("x", DType.FP32, (2, 4)), {"size": SIZE}, "does not have rows of columns"),
        (TensorSpec("x", DType.INT64, (None, 4)), {"age": Number()}, "'x' has none"),
        (
            TensorSpec("x", DType.INT64, (None, 4)),
            {"size": Category(choices=("a",), codes=(0.5,))},
            "whole numbers",
        ),
        (
            TensorSpec("x", DType.INT64, (None, 4)),
            {"size": Category(choices=("a",), nullable=True)},
            "NaN, which INT64 has not",
        ),
        (X, {"size": Category(choices=("a",), codes=(float("inf"),))}, "codes are finite numbers"),
        (X, {"size": Category(choices=("a",), codes=(float("nan"),))}, "codes are finite numbers"),
        (
            X,
            {"size": Category(choices=("a",), codes=(1e300,))},
            r"code 1e\+300 has no room in FP32",
        ),
        (
            TensorSpec("x", DType.UINT8, (None, 4)),
            {"size": Category(choices=tuple(map(str, range(257))))},
            "code 256 has no room in UINT8",
        ),
        (X, {"age": Number(minimum=2, maximum=1)}, "minimum is above maximum"),
        (X, {"age": Number(minimum=float("nan"))}, "minimum and maximum are finite numbers"),
    ],
)
def test_a_source_that_does_not_go_with_the_tensor_is_refused(
    spec: TensorSpec, sources: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        part(spec, **sources)


def test_a_scaled_number_has_a_name_of_its_own() -> None:
    spec = TensorSpec("age", DType.FP32, (None, 1))
    with pytest.raises(ConfigError, match="has a name of its own"):
        columns_preparation(spec, InputMeaning(), {"age": Number(mean=1)})
