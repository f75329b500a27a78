"""What detectors found, in the pixels of the picture that was sent."""

from __future__ import annotations

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
        ((None, 4), Boxes(scores="score"), CLASSES, "it is 'score', and they are boxes, scores"),
        ((None, 5), Boxes(layout="rows"), CLASSES, "a row of boxes has 6 numbers"),
        ((None, 6), Boxes(layout="rows", scores="scores"), CLASSES, "in the same tensor"),
        ((None, 84, None), Boxes(layout="yolo"), CLASSES, "make 6 numbers, and .* has 84"),
        ((None, 84, None), Boxes(layout="yolo"), (), "yolo boxes need 'classes'"),
        ((None, 4), Boxes(scores="scores", overlap=0.0), CLASSES, "overlap is a part above 0"),
        ((4,), SEPARATE, CLASSES, "2 axes for a picture"),
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
