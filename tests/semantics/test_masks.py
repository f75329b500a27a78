"""Masks: the class of each pixel, in the size of the picture that was sent."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from modelport.core.errors import ConfigError, ModelFailed
from modelport.core.messages import Frame
from modelport.core.semantics import OutputMeaning
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Array, DType
from modelport.semantics.fields import OutputField
from modelport.semantics.masks import UNSEEN, masks
from modelport.semantics.outputs import check_output

CLASSES = ("sky", "sea", "land")
INDICES = np.array([[0, 0, 1], [2, 2, 1]])


def shown(
    tensor: Array,
    *frames: Frame,
    classes: tuple[str, ...] = CLASSES,
    threshold: float | None = None,
) -> list[dict[str, Any]]:
    meaning = OutputMeaning(kind="mask", classes=classes, threshold=threshold)
    spec = TensorSpec("m", DType.of(tensor.dtype), (None, *tensor.shape[1:]))
    return masks(OutputField(spec, meaning), tensor, frames)


def pixels(mask: dict[str, Any]) -> list[list[int]]:
    picture = pillow.open(io.BytesIO(base64.b64decode(mask["png"])))
    assert picture.size == (mask["width"], mask["height"])
    values: list[list[int]] = np.asarray(picture).tolist()
    return values


def test_indices_are_a_picture_with_the_part_of_each_class() -> None:
    (mask,) = shown(INDICES[np.newaxis])
    assert pixels(mask) == INDICES.tolist()
    assert mask["parts"] == {"sky": 2 / 6, "sea": 2 / 6, "land": 2 / 6}


def test_the_largest_score_is_the_class_whichever_axis_they_are_on() -> None:
    scores = np.eye(3, dtype=np.float32)[INDICES]
    first = scores.transpose(2, 0, 1)[np.newaxis]
    assert pixels(shown(first)[0]) == INDICES.tolist()
    assert pixels(shown(scores[np.newaxis])[0]) == INDICES.tolist()


def test_one_score_of_two_classes_is_that_of_the_second() -> None:
    scores = np.array([[[[0.2, 0.5], [0.9, 0.49]]]], np.float32)
    assert pixels(shown(scores, classes=("no", "yes"))[0]) == [[0, 1], [1, 0]]


def test_a_mask_is_as_large_as_the_picture_that_was_stretched_or_padded() -> None:
    stretched = shown(INDICES[np.newaxis], Frame(6, 4, 3, 2, 0.5, 0.5))[0]
    assert pixels(stretched) == np.kron(INDICES, np.ones((2, 2), int)).tolist()
    # A mask of a quarter of the tensor's size; 3 × 1 in the middle of 6 × 6.
    coarse = np.array([[0, 0, 0], [1, 1, 2], [0, 0, 0]])[np.newaxis]
    padded = shown(coarse, Frame(3, 1, 6, 6, 2.0, 2.0, 0, 2))[0]
    assert pixels(padded) == [[1, 1, 2]]


def test_what_was_cut_off_is_unseen_and_counts_for_no_class() -> None:
    mask = shown(INDICES[np.newaxis], Frame(5, 2, 3, 2, 1.0, 1.0, -1, 0))[0]
    assert pixels(mask) == [[UNSEEN, *row, UNSEEN] for row in INDICES.tolist()]
    assert sum(mask["parts"].values()) == pytest.approx(1)


def test_a_value_that_is_no_class_is_the_models_fault() -> None:
    with pytest.raises(ModelFailed, match="none of 3 classes"):
        shown(np.array([[[0, 3]]]))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, 0.5])
def test_a_float_that_is_no_index_is_the_models_fault(value: float) -> None:
    with pytest.raises(ModelFailed, match="none of 3 classes"):
        shown(np.array([[[0, value]]], np.float32))


def test_a_threshold_of_zero_is_one() -> None:
    scores = np.array([[[0.3, -0.1], [0.0, math.nan]]], np.float32)
    assert pixels(shown(scores, classes=("no", "yes"), threshold=0)[0]) == [[1, 0], [1, 0]]
    assert pixels(shown(scores, classes=("no", "yes"))[0]) == [[0, 0], [0, 0]]


def test_a_score_that_is_nan_is_below_the_others() -> None:
    scores = np.array([[[[0.1, math.nan]], [[math.nan, -5]], [[0.2, -6]]]], np.float32)
    assert pixels(shown(scores)[0]) == [[2, 1]]


def test_a_mask_without_rows_whose_sides_are_free_is_one_mask() -> None:
    meaning = OutputMeaning(kind="mask", classes=CLASSES)
    field = OutputField(TensorSpec("m", DType.INT64, (None, None)), meaning)
    assert [pixels(mask) for mask in masks(field, INDICES, ())] == [INDICES.tolist()]


PICTURE = TensorSpec("x", DType.FP32, (3, None, None))
ROWS = TensorSpec("x", DType.FP32, (None, 3, 8, 8))


@pytest.mark.parametrize(
    ("given", "shape", "fits"),
    [
        (PICTURE, (None, None), True),
        (ROWS, (None, None), False),
        (ROWS, (8, 8), True),
        (ROWS, (None, 8, 8), True),
        (ROWS, (None, 3, 8, 8), True),
        (ROWS, (None, 8, 8, 3), True),
        (ROWS, (None, 1, 8, 8), True),
        (ROWS, (None, 4, 8, 8), False),
        (ROWS, (1, 8, 8), True),
        (ROWS, (4, 8, 8), False),
        (ROWS, (None, 1, 3, 8, 8), False),
    ],
)
def test_a_shape_that_is_no_mask_is_refused(
    given: TensorSpec, shape: tuple[int | None, ...], fits: bool
) -> None:
    spec = TensorSpec("m", DType.FP32, shape)
    meaning = OutputMeaning(kind="mask", classes=CLASSES)
    signature = Signature((given,), (spec,))
    if fits:
        check_output(spec, meaning, signature)
    else:
        with pytest.raises(ConfigError, match=r"\[outputs\.m\]: a mask"):
            check_output(spec, meaning, signature)
