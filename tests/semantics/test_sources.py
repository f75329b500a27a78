"""What is prepared, and when: sources beside tensors, ranges, names, cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ConfigError, DeadlineExceeded, InvalidInput
from modelport.core.semantics import (
    Category,
    Field,
    Image,
    InputMeaning,
    Number,
    OutputMeaning,
    Semantics,
)
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType, bytes_tensor
from modelport.semantics.fields import PlainView, plain_view
from modelport.semantics.plain import read
from modelport.semantics.preparation import Preparer
from modelport.semantics.ranges import limits
from modelport.semantics.sources import preparations

F32 = DType.FP32
TABLE = TensorSpec("x", F32, (None, 3))
SIGNATURE = Signature((TABLE,), (TensorSpec("y", F32, (None,)),))
COLUMNS = InputMeaning(
    columns=("area", "old", "city"), column_fields={"area": Field(minimum=10, nullable=False)}
)
CITY = Category(choices=("Oslo", "Rome"), nullable=True)


def model(signature: Signature = SIGNATURE, **meaning: Any) -> tuple[PlainView, Preparer]:
    semantics = Semantics(**{"inputs": {"x": COLUMNS}, "sources": {"city": CITY}} | meaning)
    parts = preparations(signature, semantics, Path())
    view = plain_view(signature, semantics, [field for part in parts for field in part.fields])
    return view, Preparer(parts, signature)


def test_a_column_beside_a_source_keeps_its_range_in_every_form() -> None:
    view, prepare = model()
    with pytest.raises(InvalidInput, match="'area' is at least 10"):
        read(view, {"area": 1, "old": 2, "city": "Oslo"})
    with pytest.raises(InvalidInput, match="'area' is at least 10"):
        read(view, {"x": [1, 2, 0]})
    check = limits(view)
    assert check is not None
    with pytest.raises(InvalidInput, match="'area' is at least 10"):
        check({"x": np.array([[1, 2, 0]], np.float32)})
    with pytest.raises(InvalidInput, match="'area' is at least 10"):
        prepare(
            {
                "area": np.array([1], np.float32),
                "old": np.array([2], np.float32),
                "city": bytes_tensor([b"Oslo"], (1,)),
            }
        )
    assert read(view, {"x": [20, 2, 7]}).inputs["x"].tolist() == [[20, 2, 7]]  # a raw code


def test_what_is_told_of_columns_says_which_are_given_as_they_are() -> None:
    view, _ = model()
    assert {n: f.kind for n, f in view.sources.items()} == {
        "area": "column",
        "old": "column",
        "city": "category",
    }


@pytest.mark.parametrize(
    ("value", "made"),
    [(None, [[np.nan]]), ([None, "Oslo"], [[np.nan], [0]]), (["Rome", None], [[1], [np.nan]])],
)
def test_a_missing_category_may_have_the_name_of_its_tensor(value: Any, made: Any) -> None:
    signature = Signature((TensorSpec("city", F32, (None, 1)),), ())
    view, prepare = model(signature, inputs={})
    request = read(view, {"city": value})
    np.testing.assert_array_equal(prepare(request.inputs).inputs["city"], made)


def test_many_elements_are_not_prepared_on_the_event_loop() -> None:
    view, prepare = model(Signature((TensorSpec("city", F32, (None, 1)),), ()), inputs={})
    assert view.sources
    assert prepare.is_short({"city": bytes_tensor([b"Oslo"] * 1000, (1000,))})
    assert not prepare.is_short({"city": bytes_tensor([b""] * 5000, (5000,))})


def test_a_deadline_that_passed_ends_it() -> None:
    pytest.importorskip("PIL")
    signature = Signature((TensorSpec("x", F32, (None, 3, 4, 4)),), ())
    _, prepare = model(signature, inputs={}, sources={"photo": Image(tensor="x")})
    with pytest.raises(DeadlineExceeded):
        prepare({"photo": bytes_tensor([b""], (1,))}, deadline=0.0)


PICTURES = Signature(
    (TensorSpec("a", F32, (None, 3, 4, 4)), TensorSpec("b", F32, (None, 3, 4, 4)), TABLE),
    (TensorSpec("m", F32, (None, 4, 4)),),
)
TWO = {"one": Image(tensor="a"), "two": Image(tensor="b")}


@pytest.mark.parametrize(
    ("meaning", "said"),
    [
        (
            {"sources": TWO, "outputs": {"m": OutputMeaning(kind="mask", classes=("u", "v"))}},
            "say picture = the one whose pixels it is in: one, two",
        ),
        (
            {"sources": TWO, "outputs": {"m": OutputMeaning(kind="mask", picture="three")}},
            "picture is a source of pictures, not 'three'; there are: one, two",
        ),
        ({"sources": {"area": Image(tensor="a")}}, "a column of another input has this name"),
        ({"sources": {"b": Image(tensor="a")}}, "the model has another input of this name"),
        ({"sources": {"one": Image(tensor="a"), "a": Image()}}, "'a' is filled by 'one' too"),
        ({"sources": {"one": Image(tensor="z")}}, "the model has no input 'z'"),
        ({"sources": {"town": Number(std=2)}}, "no input has a column 'town'"),
        (
            {"sources": {"area": Category(choices=("u", "v"), columns=("old", "city"))}},
            "a column that it does not fill has this name, too",
        ),
    ],
)
def test_sources_that_do_not_go_together_are_refused(meaning: dict[str, Any], said: str) -> None:
    pytest.importorskip("PIL")
    with pytest.raises(ConfigError, match=said):
        model(PICTURES, **meaning)
