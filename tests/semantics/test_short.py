"""Examples and answers in a line."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelport.core.semantics import Field, InputMeaning, OutputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType
from modelport.semantics.fields import PlainView
from modelport.semantics.short import short_answer, short_request

Views = Callable[..., PlainView]
NUMBERS = TensorSpec("x", DType.FP32, (None, 3))


def test_a_single_field_goes_without_its_name(view_of: Views) -> None:
    assert short_request(view_of([NUMBERS]), [{"x": [1, 2.5, 3]}]) == "1, 2.5, 3"


def test_several_fields_have_their_names_and_units(view_of: Views) -> None:
    meaning = InputMeaning(columns=("area", "rooms"), column_fields={"area": Field(unit="m²")})
    view = view_of([TensorSpec("x", DType.FP32, (None, 2))], inputs={"x": meaning})
    assert short_request(view, [{"area": 120, "rooms": 4}, {}]) == "area 120 m², rooms 4"


def test_what_is_not_given_as_fields_is_told_as_it_is(view_of: Views) -> None:
    view = view_of([NUMBERS])
    assert short_request(view, [[[1, 2, 3], [4, 5, 6]]]) == "1, 2, 3, 4, 5, 6"
    assert short_request(view, ["a\n  text"]) == "a text"
    assert short_request(view, [None]) == "–"


def test_without_an_example_there_is_nothing_to_tell(view_of: Views) -> None:
    assert short_request(view_of([NUMBERS]), []) is None


def test_a_line_has_an_end(view_of: Views) -> None:
    line = short_request(view_of([NUMBERS]), [{"x": list(range(1000))}])
    assert line is not None
    assert len(line) <= 90
    assert line.endswith("…")


def test_of_a_picture_of_numbers_few_are_written(view_of: Views) -> None:
    class Counted(float):
        written = 0

        def __format__(self, how: str) -> str:
            Counted.written += 1
            return super().__format__(how)

    picture = [[[Counted(0.5)] * 224] * 224] * 3
    view = view_of([TensorSpec("x", DType.FP32, (None, 3, 224, 224))])
    for example in ({"x": picture}, [picture], {"x": picture, "other": {"deep": picture}}):
        line = short_request(view, [example])
        assert line is not None
        assert line.endswith("…")
    assert 0 < Counted.written < 100


def test_a_line_that_just_fits_is_whole(view_of: Views) -> None:
    view = view_of([NUMBERS])
    whole = ["1234567"] * 10  # with commas 88 characters
    assert short_request(view, [[*whole]]) == ", ".join(whole)
    assert short_request(view, [[*whole[:-1], "123456789"]]) == ", ".join(
        [*whole[:-1], "123456789"]
    )
    assert short_request(view, [[*whole[:-1], "1234567890"]]) == (
        ", ".join([*whole[:-1], "12345678…"])
    )
    assert short_request(view, [["a  b\n"] * 40]) == ", ".join(["a b"] * 18) + "…"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({"prediction": np.float32(1.8)}, "1.8"),
        ({"prediction": np.float32("nan")}, "–"),
        ({"prediction": True}, "true"),
        ({"prediction": "cat", "probabilities": {"cat": 0.9, "dog": 0.1}}, "cat"),
        ({"prediction": [{"label": "dog", "score": 0.9, "box": {}}] * 2}, "dog, dog"),
        ({"prediction": {"png": "iVBO", "width": 3}}, None),
        ({"prediction": []}, None),
        ({"mean": 2, "spread": [0.5, 1]}, "mean 2, spread 0.5, 1"),
    ],
)
def test_an_answer_is_told_by_what_was_predicted(
    view_of: Views, answer: dict[str, Any], line: str | None
) -> None:
    assert short_answer(view_of([NUMBERS]), answer) == line


def test_a_number_is_told_with_its_unit(view_of: Views) -> None:
    outputs = {"y": OutputMeaning(unit="EUR")}
    view = view_of([NUMBERS], [TensorSpec("y", DType.FP32, (None,))], outputs=outputs)
    assert short_answer(view, {"prediction": np.float32(60_299_000)}) == "60,299,000 EUR"


def test_what_nobody_could_read_is_not_told_and_no_json_is_made_of_it(view_of: Views) -> None:
    view = view_of([NUMBERS])
    large = np.zeros((3, 512, 512), np.float32)
    tracemalloc.start()
    assert short_answer(view, {"prediction": large}) is None
    assert short_answer(view, {"mean": 1, "parts": [{"a": large}]}) is None
    assert short_answer(view, {"prediction": "cat", "probabilities": large}) == "cat"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < large.nbytes / 8
