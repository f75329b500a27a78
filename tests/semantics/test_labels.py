"""Answers: predictions, class names, and numbers as they are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.core.errors import ModelFailed
from modelport.core.semantics import OutputMeaning, Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType, bytes_tensor
from modelport.semantics.fields import PlainView, plain_view
from modelport.semantics.labels import answer_json, plain_answer, predictions

Views = Callable[..., PlainView]
F32, F64, I64, BYTES = DType.FP32, DType.FP64, DType.INT64, DType.BYTES
CLASSES = ("no", "yes")


def y(dtype: DType = F64, *shape: int | None, name: str = "y") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def meaning(kind: str, classes: Any = ()) -> OutputMeaning:
    return OutputMeaning(kind=kind, classes=classes)  # type: ignore[arg-type]


def answer(view: PlainView, single: bool, **outputs: Any) -> Any:
    """The answer as it stands in JSON."""
    return json.loads(answer_json(plain_answer(view)(outputs, single)))


# -- one output


@pytest.mark.parametrize("shape", [(None,), (None, 1)])
@pytest.mark.parametrize("dtype", [d for d in DType if d is not BYTES])
def test_one_number_a_row_stands_alone_for_one_row_and_in_a_list_for_many(
    view_of: Views, shape: tuple[int | None, ...], dtype: DType
) -> None:
    view = view_of([], [y(dtype, *shape)])
    rows = np.array([1, 0], dtype.numpy).reshape(2, *shape[1:])  # type: ignore[arg-type]
    one, zero = (True, False) if dtype is DType.BOOL else (1, 0)
    assert answer(view, False, y=rows) == {"prediction": [one, zero]}
    assert answer(view, False, y=rows[:1]) == {"prediction": [one]}
    assert answer(view, True, y=rows[:1]) == {"prediction": one}


def test_a_model_that_answers_one_row_with_two_is_shown_both(view_of: Views) -> None:
    view = view_of([], [y(F64, None, 1)])
    assert answer(view, True, y=np.array([[1.0], [2.0]])) == {"prediction": [1, 2]}


@pytest.mark.parametrize(
    ("shape", "value", "single", "shown"),
    [
        ((None, 2), [[1, 2]], True, [1, 2]),
        ((None, 2), [[1, 2]], False, [[1, 2]]),
        ((None, 2, 1), [[[1], [2]]], True, [1, 2]),
        ((None, None), [[1]], True, [1]),
        ((None, None), [[1, 2], [3, 4]], False, [[1, 2], [3, 4]]),
        ((), 5, True, 5),
        ((3,), [1, 2, 3], True, [1, 2, 3]),
        ((1, 3), [[1, 2, 3]], True, [[1, 2, 3]]),
        ((1, 1), [[5]], True, [5]),
    ],
)
def test_a_trailing_dimension_of_1_is_dropped_where_the_signature_has_it(
    view_of: Views, shape: tuple[int | None, ...], value: Any, single: bool, shown: Any
) -> None:
    view = view_of([], [y(F64, *shape)])
    assert answer(view, single, y=np.array(value, float)) == {"prediction": shown}


def test_text_is_text_and_other_bytes_are_base64(view_of: Views) -> None:
    view = view_of([], [y(BYTES, None)])
    texts = bytes_tensor(["é".encode(), b"\xff\x00"], (2,))
    assert answer(view, False, y=texts) == {"prediction": ["é", {"b64": "/wA="}]}
    assert answer(view, True, y=texts[:1]) == {"prediction": "é"}
    nested = view_of([], [y(BYTES, None, 2)])
    assert answer(nested, False, y=texts.reshape(1, 2))["prediction"][0][0] == "é"
    alone = view_of([], [y(BYTES)])
    assert answer(alone, True, y=bytes_tensor([b"a"], ())) == {"prediction": "a"}


@pytest.mark.parametrize("dtype", [DType.FP16, F32, F64])
def test_nan_and_infinity_are_null(view_of: Views, dtype: DType) -> None:
    values = np.array([math.nan, math.inf, -math.inf, 1.5], dtype.numpy)  # type: ignore[arg-type]
    view = view_of([], [y(dtype, None)])
    assert answer(view, False, y=values) == {"prediction": [None, None, None, 1.5]}
    assert answer(view, True, y=values[:1]) == {"prediction": None}


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_is_written_in_its_shortest_exact_form(value: float) -> None:
    number = np.float32(value)
    for written in (
        answer_json({"p": np.array([number])})[6:-2],
        answer_json({"p": number})[5:-1],
    ):
        assert np.float32(float(written)).tobytes() == number.tobytes()
        assert len(written) <= len(repr(float(number)))
        digits = [c for c in written.decode().partition("e")[0] if c.isdigit()]
        assert len("".join(digits).strip("0")) <= 9


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_comes_back_to_the_last_bit(value: float) -> None:
    written = json.loads(answer_json({"p": np.array([value]), "q": np.float64(value)}))
    assert written == {"p": [value], "q": value}


def test_the_three_weight_example_prints_as_people_expect(view_of: Views) -> None:
    double = plain_answer(view_of([], [y(F64, None, 1)]))({"y": np.array([[1.8]])}, True)
    assert answer_json(double) == b'{"prediction":1.8}'
    single = plain_answer(view_of([], [y(F32, None, 1)]))(
        {"y": np.array([[1.8000001]], np.float32)}, True
    )
    assert answer_json(single) == b'{"prediction":1.8000001}'


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(6, dtype=">i8")[::2],
        np.array([[1, 2]], order="F"),
        np.zeros((0, 3)),
        np.array(["a", "é"]),
    ],
)
def test_arrays_of_any_layout_are_written(array: Any) -> None:
    assert json.loads(answer_json({"p": {"q": [array]}})) == {"p": {"q": [array.tolist()]}}


def test_an_array_without_dimensions_is_written_as_its_value() -> None:
    assert answer_json({"p": np.array(2.5)}) == b'{"p":2.5}'


# -- several outputs


def test_several_outputs_are_named(view_of: Views) -> None:
    view = view_of([], [y(F64, None, 1, name="price"), y(I64, None, 2, name="range")])
    outputs = {"price": np.array([[1.5]]), "range": np.array([[1, 2]])}
    assert answer(view, True, **outputs) == {"price": 1.5, "range": [1, 2]}
    assert answer(view, False, **outputs) == {"price": [1.5], "range": [[1, 2]]}


def test_hidden_outputs_are_not_shown(view_of: Views) -> None:
    view = view_of([], [y(), y(F64, None, name="z")], outputs={"y": meaning("hidden")})
    assert answer(view, True, y=np.array(1.0), z=np.array([2.0])) == {"prediction": 2}


# -- classifiers

SCORES = np.array([[0.25, 0.75], [0.5, 0.25]])


@pytest.mark.parametrize("dtype", [F32, F64])
def test_without_a_label_the_highest_score_is_the_prediction(view_of: Views, dtype: DType) -> None:
    view = view_of([], [y(dtype, None, 2)], outputs={"y": meaning("probabilities", CLASSES)})
    scores = SCORES.astype(dtype.numpy)
    assert answer(view, False, y=scores) == {
        "prediction": ["yes", "no"],
        "probabilities": [{"no": 0.25, "yes": 0.75}, {"no": 0.5, "yes": 0.25}],
    }
    assert answer(view, True, y=scores[:1]) == {
        "prediction": "yes",
        "probabilities": {"no": 0.25, "yes": 0.75},
    }


@pytest.mark.parametrize("shape", [(2,), (1, 2)])
def test_a_classifier_that_is_not_batched_answers_one_row(
    view_of: Views, shape: tuple[int, ...]
) -> None:
    view = view_of([], [y(F64, *shape)], outputs={"y": meaning("probabilities", CLASSES)})
    assert answer(view, True, y=SCORES[0].reshape(shape))["prediction"] == "yes"


@pytest.mark.parametrize(
    ("dtype", "label", "classes", "shown"),
    [
        (BYTES, [b"no", b"maybe"], CLASSES, ["no", "maybe"]),
        (BYTES, [b"no", b"yes"], (), ["no", "yes"]),
        (I64, [1, 0], CLASSES, ["yes", "no"]),
        (I64, [[1], [0]], CLASSES, ["yes", "no"]),
        (F32, [1.0, 0.0], CLASSES, ["yes", "no"]),
        (DType.BOOL, [True, False], CLASSES, ["yes", "no"]),
        (I64, [20, 10], (10, 20), [20, 10]),
        (I64, [7, 8], (), [7, 8]),
        (DType.BOOL, [True, False], (False, True), [True, False]),
    ],
)
def test_a_label_is_a_name_or_its_place_and_numbers_are_themselves(
    view_of: Views, dtype: DType, label: Any, classes: Any, shown: Any
) -> None:
    outputs = {"y": meaning("probabilities", CLASSES), "label": meaning("label", classes)}
    view = view_of([], [y(F64, None, 2), y(dtype, None, name="label")], outputs=outputs)
    values = bytes_tensor(label, (2,)) if dtype is BYTES else np.array(label, dtype.numpy)
    made = answer(view, False, y=SCORES, label=values)
    assert made["prediction"] == shown
    assert set(made) == {"prediction", "probabilities"}
    assert predictions(view, {"y": SCORES, "label": values}).tolist() == shown


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_that_is_no_place_in_the_classes_is_the_models_failure(
    view_of: Views, label: int
) -> None:
    view = view_of([], [y(I64, None, 1)], outputs={"y": meaning("label", CLASSES)})
    for single in (True, False):
        with pytest.raises(ModelFailed, match=f"label {label} in 'y' is none of its 2 classes"):
            plain_answer(view)({"y": np.array([[label]])}, single)


def test_a_label_alone_is_shown_by_its_name(view_of: Views) -> None:
    view = view_of([], [y(I64, None, 1)], outputs={"y": meaning("label", CLASSES)})
    outputs = {"y": np.array([[1], [0]])}
    assert answer(view, False, **outputs) == {"prediction": ["yes", "no"]}
    assert answer(view, True, y=outputs["y"][:1]) == {"prediction": "yes"}
    assert predictions(view, outputs).tolist() == ["yes", "no"]


def test_two_lists_of_scores_are_shown_by_name(view_of: Views) -> None:
    kinds = {"a": meaning("probabilities", CLASSES), "b": meaning("label", CLASSES)}
    view = view_of(
        [],
        [y(F64, None, 2, name="a"), y(I64, None, name="b"), y(F64, None, 2, name="c")],
        outputs={**kinds, "c": meaning("probabilities", CLASSES)},
    )
    made = answer(view, True, a=SCORES[:1], b=np.array([1]), c=SCORES[1:])
    assert made == {"a": [0.25, 0.75], "b": "yes", "c": [0.5, 0.25]}


def test_further_outputs_of_a_classifier_are_shown_by_name(view_of: Views) -> None:
    view = view_of(
        [],
        [y(F64, None, 2), y(F64, None, name="extra")],
        outputs={"y": meaning("probabilities", CLASSES)},
    )
    made = answer(view, True, y=SCORES[:1], extra=np.array([9.0]))
    assert made["extra"] == 9
    assert made["prediction"] == "yes"


@pytest.mark.parametrize(
    ("classes", "label", "keys"),
    [
        ((3, 7), 7, ["3", "7"]),
        ((False, True), True, ["False", "True"]),
        ((0.5, 1.5), 1.5, ["0.5", "1.5"]),
    ],
)
def test_classes_that_are_no_texts_keep_their_type_as_the_prediction(
    view_of: Views, classes: Any, label: object, keys: list[str]
) -> None:
    view = view_of([], [y(F64, None, 2)], outputs={"y": meaning("probabilities", classes)})
    made = answer(view, True, y=SCORES[:1])
    assert made["prediction"] is label or made["prediction"] == label
    assert type(made["prediction"]) is type(label)
    assert list(made["probabilities"]) == keys


@pytest.mark.parametrize("dtype", [DType.FP16, F32, F64])
@pytest.mark.parametrize("shift", [0.0, 1000.0, -60000.0])
def test_logits_become_probabilities_however_large(
    view_of: Views, dtype: DType, shift: float
) -> None:
    view = view_of([], [y(dtype, None, 2)], outputs={"y": meaning("logits", CLASSES)})
    logits = np.array([[shift, shift + 32]], dtype.numpy)  # type: ignore[arg-type]
    made = answer(view, True, y=logits)
    assert made["prediction"] == "yes"
    expected = 1 / (1 + math.exp(float(logits[0, 0]) - float(logits[0, 1])))
    assert made["probabilities"]["yes"] == pytest.approx(expected, abs=1e-6)
    assert sum(made["probabilities"].values()) == pytest.approx(1, abs=1e-6)


def test_logits_that_are_not_finite_give_null(view_of: Views) -> None:
    view = view_of([], [y(F32, None, 2)], outputs={"y": meaning("logits", CLASSES)})
    made = answer(view, True, y=np.array([[math.inf, math.inf]], np.float32))
    assert made["probabilities"] == {"no": None, "yes": None}


def test_the_main_answer_without_classes_is_the_first_output(view_of: Views) -> None:
    view = view_of([], [y(F64, None), y(F64, None, name="z")])
    outputs = {"y": np.array([1.0]), "z": np.array([2.0])}
    assert predictions(view, outputs) is outputs["y"]


def test_a_score_that_is_nan_gives_no_label() -> None:
    classes = ("no", "yes")
    view = plain_view(
        Signature((), (TensorSpec("p", DType.FP32, (None, 2)),)),
        Semantics(outputs={"p": OutputMeaning(kind="probabilities", classes=classes)}),
    )
    scores = np.array([[0.25, 0.75], [math.nan, 0.5]], dtype=np.float32)
    answer = json.loads(answer_json(plain_answer(view)({"p": scores}, False)))
    assert answer["prediction"] == ["yes", None]
    assert answer["probabilities"][1] == {"no": None, "yes": 0.5}


THREE = ("a", "b", "c")


def scored(dtype: DType, row: list[Any], **more: Any) -> Any:
    meant = OutputMeaning(**{"kind": "probabilities", "classes": THREE, **more})
    signature = Signature((), (TensorSpec("p", dtype, (None, 3)),))
    view = plain_view(signature, Semantics(outputs={"p": meant}))
    return answer(view, True, p=np.array([row], dtype.numpy))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "row", "first"),
    [
        (DType.UINT8, [0, 10, 200], ["c", "b"]),
        (DType.UINT64, [2**64 - 1, 0, 2**64 - 2], ["a", "c"]),
        (DType.INT8, [-128, 127, 0], ["b", "c"]),
        (I64, [-(2**63), 2**53, 2**53 + 1], ["c", "b"]),
        (DType.BOOL, [False, True, True], ["b", "c"]),
        (F32, [0.5, 0.25, 0.5], ["a", "c"]),
        (F32, [math.nan, 0.25, -math.inf], ["b", "c"]),
    ],
)
def test_the_largest_scores_are_those_of_any_type_equal_ones_in_the_order_of_the_classes(
    dtype: DType, row: list[Any], first: list[str]
) -> None:
    assert list(scored(dtype, row, top_k=2)["probabilities"]) == first


@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8, DType.INT16, DType.UINT64])
def test_logits_that_are_whole_numbers_do_not_overflow(dtype: DType) -> None:
    low = -100 if dtype is DType.INT8 or dtype is DType.INT16 else 0
    made = scored(dtype, [low, 100, 99], kind="logits")
    assert made["prediction"] == "b"
    assert made["probabilities"]["b"] == pytest.approx(1 / (1 + math.exp(-1)))
    assert made["probabilities"]["a"] == pytest.approx(0, abs=1e-6)
    several = scored(dtype, [low, 100, 0], kind="multilabel", sigmoid=True)
    assert several["prediction"][-2:] == ["b", "c"]
    assert several["scores"] == {"a": 0.5 if low == 0 else pytest.approx(0), "b": 1, "c": 0.5}
