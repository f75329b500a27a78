"""Views: which fields a person fills in, and which outputs a person reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelport.core.semantics import Field, InputMeaning, OutputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType
from modelport.semantics.fields import PlainView

Views = Callable[..., PlainView]


def spec(name: str, *shape: int | None) -> TensorSpec:
    return TensorSpec(name, DType.FP32, shape)


@pytest.mark.parametrize(
    ("shape", "row"),
    [
        ((None, 3), (3,)),
        ((None,), ()),
        ((None, 1), ()),
        ((None, None), (None,)),
        ((None, 1, 8), (1, 8)),
        ((1, 3), (1, 3)),
        ((), ()),
        ((1,), (1,)),
    ],
)
def test_the_field_of_a_tensor_has_the_shape_of_one_row(
    view_of: Views, shape: tuple[int | None, ...], row: tuple[int | None, ...]
) -> None:
    view = view_of([spec("x", *shape)])
    assert [field.shape for field in view.fields] == [row]
    assert view.is_tabular is (row == ())


@pytest.mark.parametrize("shape", [(None, 2), (None, None), (None, 1, 2), (2,), (1, 2)])
def test_named_columns_are_fields_with_the_tensors_meaning_unless_they_have_their_own(
    view_of: Views, shape: tuple[int | None, ...]
) -> None:
    meaning = InputMeaning(
        columns=("a", "b"), field=Field(unit="mm"), column_fields={"b": Field(unit="kg")}
    )
    view = view_of([spec("x", *shape)], inputs={"x": meaning})
    assert [(f.name, f.meaning.unit, f.column) for f in view.fields] == [
        ("a", "mm", 0),
        ("b", "kg", 1),
    ]
    assert [tensor.columns for tensor in view.tensors] == [2]
    assert view.tensors[0].shape[-1] == 2
    assert view.is_tabular


@pytest.mark.parametrize("shape", [(None, 5, 2), (None, None, 2), (3, 2)])
def test_columns_of_more_than_one_line_a_row_are_no_fields(
    view_of: Views, shape: tuple[int | None, ...]
) -> None:
    view = view_of([spec("x", *shape)], inputs={"x": InputMeaning(columns=("a", "b"))})
    assert [field.name for field in view.fields] == ["x"]


@pytest.mark.parametrize(
    ("shape", "row"), [((None,), ()), ((None, 1), ()), ((None, 3), (3,)), ((None, 2, 1), (2,))]
)
def test_an_output_drops_a_trailing_one(
    view_of: Views, shape: tuple[int | None, ...], row: tuple[int | None, ...]
) -> None:
    assert view_of([], [spec("y", *shape)]).outputs[0].shape == row


def outputs(view_of: Views, **kinds: str) -> PlainView:
    meanings = {n: OutputMeaning(kind=k, classes=("a", "b")) for n, k in kinds.items()}  # type: ignore[arg-type]
    return view_of([], [spec(name, None, 2) for name in kinds], outputs=meanings)


def test_hidden_outputs_are_left_out(view_of: Views) -> None:
    view = outputs(view_of, y="value", state="hidden")
    assert [output.name for output in view.outputs] == ["y"]


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_one_list_of_scores_makes_a_classifier(view_of: Views, kind: str) -> None:
    view = outputs(view_of, scores=kind, label="label")
    assert view.is_classifier
    assert view.scores is not None
    assert view.label is not None
    assert (view.scores.name, view.label.name) == ("scores", "label")


def test_several_scores_make_no_classifier(view_of: Views) -> None:
    view = outputs(view_of, one="probabilities", two="logits", label="label")
    assert (view.is_classifier, view.label) == (False, None)


def test_of_several_labels_none_is_the_label(view_of: Views) -> None:
    view = outputs(view_of, scores="probabilities", one="label", two="label")
    assert view.is_classifier
    assert view.label is None


@pytest.mark.parametrize(
    ("shape", "is_classifier"),
    [((None, 2), True), ((1, 2), True), ((2,), True), ((None, 1, 2), True), ((None, 8, 2), False)],
)
def test_a_list_of_scores_for_each_place_is_shown_as_it_is(
    view_of: Views, shape: tuple[int | None, ...], is_classifier: bool
) -> None:
    meaning = OutputMeaning(kind="probabilities", classes=("a", "b"))
    assert view_of([], [spec("y", *shape)], outputs={"y": meaning}).is_classifier is is_classifier
