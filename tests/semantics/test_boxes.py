"""What detectors found, in the pixels of the picture that was sent."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ConfigError, ModelFailed
from modelport.core.messages import Frame
from modelport.core.semantics import Boxes, OutputMeaning
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, DType
from modelport.semantics.boxes import detections
from modelport.semantics.fields import OutputField
from modelport.semantics.labels import answer_json
from modelport.semantics.outputs import check_output

CLASSES = ("cat", "dog")
SEPARATE = Boxes(scores="scores", labels="labels")


def found(
    tensors: dict[str, Array], boxes: Boxes = SEPARATE, *frames: Frame, **meaning: Any
) -> list[list[dict[str, Any]]]:
    meant = OutputMeaning(kind="boxes", boxes=boxes, **{"classes": CLASSES, **meaning})
    shape = (None, *tensors["boxes"].shape[1:])
    field = OutputField(TensorSpec("boxes", DType.FP32, shape), meant)
    return detections(field, tensors, frames)


def separate(*rows: tuple[list[float], float, int]) -> dict[str, Array]:
    return {
        "boxes": np.array([[row[0] for row in rows]], np.float32),
        "scores": np.array([[row[1] for row in rows]], np.float32),
        "labels": np.array([[row[2] for row in rows]], np.int64),
    }


def box(left: float, top: float, right: float, bottom: float) -> dict[str, float]:
    return {"left": left, "top": top, "right": right, "bottom": bottom}


def test_the_surest_come_first_and_the_unsure_are_left_out() -> None:
    tensors = separate(([1, 2, 3, 4], 0.5, 0), ([5, 6, 7, 8], 0.75, 1), ([0, 0, 1, 1], 0.125, 0))
    assert found(tensors) == [
        [
            {"label": "dog", "score": 0.75, "box": box(5, 6, 7, 8)},
            {"label": "cat", "score": 0.5, "box": box(1, 2, 3, 4)},
        ]
    ]
    assert len(found(tensors, threshold=0.1)[0]) == 3
    assert found(tensors, threshold=1.0) == [[]]


@pytest.mark.parametrize(
    ("form", "four"),
    [
        ("xyxy", [2, 3, 6, 9]),
        ("yxyx", [3, 2, 9, 6]),
        ("xywh", [2, 3, 4, 6]),
        ("cxcywh", [4, 6, 4, 6]),
    ],
)
def test_every_form_is_the_same_place(form: Any, four: list[float]) -> None:
    boxes = Boxes(form=form, scores="scores", labels="labels")
    assert found(separate((four, 1.0, 0)), boxes)[0][0]["box"] == box(2, 3, 6, 9)


def test_places_are_those_of_the_picture_that_was_padded() -> None:
    # 200 × 100 became 50 × 25 in the middle of 50 × 50.
    frame = Frame(200, 100, 50, 50, 0.25, 0.25, 0, 12)
    tensors = separate(([10, 17, 20, 22], 1.0, 0), ([-5, 0, 60, 50], 0.9, 1))
    first, second = found(tensors, SEPARATE, frame)[0]
    assert first["box"] == box(40, 20, 80, 40)
    assert second["box"] == box(0, 0, 200, 100)  # cut off at the edges


def test_relative_places_are_parts_of_the_models_picture() -> None:
    frame = Frame(200, 100, 50, 50, 0.25, 0.5)
    boxes = Boxes(relative=True, scores="scores", labels="labels")
    tensors = separate(([0.5, 0.5, 1, 1], 1.0, 0))
    assert found(tensors, boxes, frame)[0][0]["box"] == box(100, 50, 200, 100)
    assert found(tensors, boxes)[0][0]["box"] == box(0.5, 0.5, 1, 1)


def test_scores_by_class_give_the_label() -> None:
    tensors = {
        "boxes": np.array([[[1, 2, 3, 4], [5, 6, 7, 8]]], np.float32),
        "scores": np.array([[[0.1, 0.75], [0.5, 0.2]]], np.float32),
    }
    made = found(tensors, Boxes(scores="scores"))[0]
    assert [(thing["label"], thing["score"]) for thing in made] == [("dog", 0.75), ("cat", 0.5)]


def test_rows_of_six_and_a_model_without_rows() -> None:
    rows = np.array([[1, 2, 3, 4, 0.75, 1]], np.float32)
    meant = OutputMeaning(kind="boxes", boxes=Boxes(layout="rows"), classes=CLASSES)
    field = OutputField(TensorSpec("boxes", DType.FP32, (None, 6)), meant)
    expected = [[{"label": "dog", "score": 0.75, "box": box(1, 2, 3, 4)}]]
    assert detections(field, {"boxes": rows}, ()) == expected
    field = OutputField(TensorSpec("boxes", DType.FP32, (None, None, 6)), meant)
    assert detections(field, {"boxes": rows[np.newaxis]}, ()) == expected


def test_yolo_keeps_the_surest_of_boxes_that_lie_on_each_other() -> None:
    anchors = np.array(
        [
            [10, 10, 4, 4, 0.75, 0.0],
            [10.5, 10, 4, 4, 0.5, 0.0],  # the same cat
            [10, 10, 4, 4, 0.0, 0.625],  # a dog in its place
            [30, 30, 4, 4, 0.375, 0.1],
            [50, 50, 4, 4, 0.1, 0.1],
        ],
        np.float32,
    )
    boxes = Boxes(form="cxcywh", layout="yolo")
    made = found({"boxes": anchors.T[np.newaxis]}, boxes)[0]
    assert [(thing["label"], thing["score"]) for thing in made] == [
        ("cat", 0.75),
        ("dog", 0.625),
        ("cat", 0.375),
    ]
    assert made[0]["box"] == box(8, 8, 12, 12)
    whole = Boxes(form="cxcywh", layout="yolo", overlap=1.0)
    assert len(found({"boxes": anchors.T[np.newaxis]}, whole)[0]) == 4


ANCHORS = np.array(
    [[10, 10, 4, 4, 0.75, 0.0], [30, 30, 4, 4, 0.0, 0.5], [50, 50, 4, 4, 0.1, 0.1]], np.float32
)


def shown_by(spec: TensorSpec, layout: str, tensor: Array, **more: Any) -> list[dict[str, Any]]:
    boxes = Boxes(layout=layout, **more)  # type: ignore[arg-type]  # one of those
    meant = OutputMeaning(kind="boxes", boxes=boxes, classes=CLASSES)
    check_output(spec, meant, Signature((), (spec,)))
    return detections(OutputField(spec, meant), {"boxes": tensor}, ())[0]


@pytest.mark.parametrize("free", [True, False])
def test_yolo_has_its_numbers_along_either_axis_and_the_middle_first(free: bool) -> None:
    across = ANCHORS.T[np.newaxis]
    expected = [
        {"label": "cat", "score": 0.75, "box": box(8, 8, 12, 12)},
        {"label": "dog", "score": 0.5, "box": box(28, 28, 32, 32)},
    ]
    for tensor in (across, ANCHORS[np.newaxis]):
        shape = (None, None, None) if free else (None, *tensor.shape[1:])
        assert shown_by(TensorSpec("boxes", DType.FP32, shape), "yolo", tensor) == expected
    corners = shown_by(TensorSpec("boxes", DType.FP32, (None, 6, 3)), "yolo", across, form="xyxy")
    assert corners[0]["box"] == box(10, 10, 4, 4)


def test_what_the_signature_says_of_the_axes_comes_before_what_came() -> None:
    moved = ANCHORS + np.array([100, 100, 0, 0, 0, 0], np.float32)
    six = np.concatenate([ANCHORS, moved])
    rows = TensorSpec("boxes", DType.FP32, (None, None, 6))
    assert [thing["box"]["left"] for thing in shown_by(rows, "yolo", six[np.newaxis])] == [
        8,
        108,
        28,
        128,
    ]


def test_yolo5_multiplies_the_scores_of_classes_by_that_of_anything() -> None:
    anchors = np.insert(ANCHORS, 4, [0.5, 1.0, 1.0], axis=1)
    for tensor in (anchors[np.newaxis], anchors.T[np.newaxis]):
        spec = TensorSpec("boxes", DType.FP32, (None, *tensor.shape[1:]))
        made = shown_by(spec, "yolo5", tensor)
        assert [(thing["label"], thing["score"]) for thing in made] == [
            ("dog", 0.5),
            ("cat", 0.375),
        ]


def test_yolo_boxes_of_another_number_of_classes_are_the_models_fault() -> None:
    with pytest.raises(ModelFailed, match="has 9 numbers for each of 5 boxes, and 6 are 4 and one"):
        found({"boxes": np.zeros((1, 9, 5), np.float32)}, Boxes(layout="yolo"))


def test_scores_and_places_are_as_short_as_the_tensors_numbers() -> None:
    tensors = separate(([0.1, 0.2, 0.3, 0.4], 0.9, 0))
    assert b'"score":0.9,"box":{"left":0.1,"top":0.2,"right":0.3,"bottom":0.4}' in answer_json(
        {"prediction": found(tensors)}
    )


def test_many_boxes_take_little_time_and_the_surest_are_shown() -> None:
    values = np.random.default_rng(0).random((1, 6, 25_200), dtype=np.float32)
    values[:, :2] *= 640
    values[:, 2:4] *= 5
    start = time.perf_counter()
    made = found({"boxes": values}, Boxes(layout="yolo"))[0]
    assert time.perf_counter() - start < 2  # a tenth of a second on an idle machine
    scores = [thing["score"] for thing in made]
    assert len(made) == 300
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == values[:, 4:].max()


def test_boxes_that_the_model_took_apart_itself_are_all_shown() -> None:
    tensors = separate(*(([at, 0, at + 1, 1], 0.5, 0) for at in range(1200)))
    assert len(found(tensors)[0]) == 1200


@pytest.mark.parametrize("label", [np.nan, np.inf, 0.5])
def test_a_label_that_is_no_index_is_the_models_fault(label: float) -> None:
    tensors = separate(([1, 2, 3, 4], 1.0, 0)) | {"labels": np.array([[label]], np.float32)}
    for classes in (CLASSES, ()):
        with pytest.raises(ModelFailed, match="of a box is no"):
            found(tensors, classes=classes)


def test_what_is_not_finite_is_null_or_left_out() -> None:
    tensors = separate(([np.inf, 2, np.nan, 4], 1.0, 0), ([1, 2, 3, 4], np.nan, 0))
    boxes = Boxes(form="cxcywh", scores="scores", labels="labels", overlap=0.5)
    (thing,) = found(tensors, boxes)[0]
    assert b'"left":null,"top":0.0,"right":null' in answer_json({"p": thing})


def test_labels_without_names_are_numbers_and_wrong_ones_are_the_models_fault() -> None:
    tensors = separate(([1, 2, 3, 4], 1.0, 7))
    assert found(tensors, classes=())[0][0]["label"] == 7
    with pytest.raises(ModelFailed, match="label 7 of a box is none of its 2 classes"):
        found(tensors)


def test_outputs_that_do_not_fit_together_are_the_models_fault() -> None:
    tensors = separate(([1, 2, 3, 4], 1.0, 0)) | {"scores": np.ones((1, 2), np.float32)}
    with pytest.raises(ModelFailed, match="do not fit together"):
        found(tensors)


def test_no_boxes_are_an_empty_list() -> None:
    tensors = {
        "boxes": np.zeros((1, 0, 4), np.float32),
        "scores": np.zeros((1, 0), np.float32),
        "labels": np.zeros((1, 0), np.int64),
    }
    assert found(tensors) == [[]]
    assert found({"boxes": np.zeros((1, 6, 0), np.float32)}, Boxes(layout="yolo")) == [[]]


@pytest.mark.parametrize(
    ("shape", "boxes", "classes", "said"),
    [
        ((None, 4), Boxes(), CLASSES, "say scores ="),
        ((None, 5), SEPARATE, CLASSES, "separate boxes have 4 numbers, and the last axis 5"),
        (
            (None, 4),
            Boxes(scores="score"),
            CLASSES,
            "it is 'score', and the others are scores, labels",
        ),
        ((None, 5), Boxes(layout="rows"), CLASSES, "a row of boxes has 6 numbers"),
        ((None, 6), Boxes(layout="rows", scores="scores"), CLASSES, "in the same tensor"),
        (
            (None, 84, None),
            Boxes(layout="yolo"),
            CLASSES,
            r"make 6 numbers for a box, .* it is \[-1, 84, -1\]",
        ),
        ((None, 84, None), Boxes(layout="yolo"), (), "yolo boxes need 'classes'"),
        ((None, 4), Boxes(scores="scores", overlap=0.0), CLASSES, "overlap is a part above 0"),
        ((4,), SEPARATE, CLASSES, "2 axes for a picture"),
        ((None, 8, 7), Boxes(layout="yolo"), CLASSES, "before the classes it is layout = 'yolo5'"),
        ((None, 8, 6), Boxes(layout="yolo5"), CLASSES, "2 classes make 7 numbers for a box"),
        ((None, 4), Boxes(scores="boxes"), CLASSES, "scores names the boxes themselves"),
        ((None, 4), Boxes(scores="scores", labels="boxes"), CLASSES, "labels names the boxes"),
        ((None, 4), Boxes(scores="scores", labels="scores"), CLASSES, "and both are 'scores'"),
        ((None, 4), Boxes(scores="labels"), CLASSES, "'labels' is INT64"),
        ((None, 9, 4), SEPARATE, CLASSES, r"'scores' is \[-1\]"),
    ],
)
def test_a_layout_that_the_tensor_has_not_is_refused(
    shape: tuple[int | None, ...], boxes: Boxes, classes: tuple[str, ...], said: str
) -> None:
    spec = TensorSpec("boxes", DType.FP32, shape)
    scores = TensorSpec("scores", DType.FP32, (None,))
    labels = TensorSpec("labels", DType.INT64, (None,))
    meaning = OutputMeaning(kind="boxes", boxes=boxes, classes=classes)
    with pytest.raises(ConfigError, match=said):
        check_output(spec, meaning, Signature((), (spec, scores, labels)))


def test_yolo_boxes_of_whole_numbers_are_refused() -> None:
    spec = TensorSpec("boxes", DType.UINT8, (None, 6, 8))
    with pytest.raises(ConfigError, match="scores are parts of 1, and the tensor is UINT8"):
        shown_by(spec, "yolo", np.zeros((1, 6, 8), np.uint8))
