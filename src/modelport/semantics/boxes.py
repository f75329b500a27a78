"""Detectors' outputs as a list of things: label, score and place in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelport.core.errors import ModelFailed
from modelport.core.messages import Frame
from modelport.core.semantics import Boxes
from modelport.core.tensors import Array, Batch
from modelport.semantics.fields import OutputField

__all__ = ["detections"]

_THRESHOLD = 0.25
_YOLO_OVERLAP = 0.45
_Floats = npt.NDArray[np.float64]


def detections(
    output: OutputField, outputs: Batch, frames: Sequence[Frame]
) -> list[list[dict[str, Any]]]:
    """By row the things that were found, the surest first.

    Places are in pixels of the picture that was sent, cut off at its edges; without one in those
    of the model's input, or, where the model says parts of its size, in these.

    Raises:
        ModelFailed: the outputs do not fit together, or a label is none of the classes.
    """
    boxes = output.meaning.boxes or Boxes()
    corners, scores, labels = _parts(output, boxes, outputs)
    found = []
    for at in range(len(corners)):
        frame = frames[at] if at < len(frames) else None
        found.append(_row(output, boxes, corners[at], scores[at], labels[at], frame))
    return found


def _parts(
    output: OutputField, boxes: Boxes, outputs: Batch
) -> tuple[_Floats, _Floats, npt.NDArray[np.int64]]:
    """The four numbers, the score and the label's index of every box: `[rows, boxes, …]`."""
    tensor = _rows(outputs[output.name], 3)
    if boxes.layout == "yolo":
        tensor = tensor.transpose(0, 2, 1)
        each = tensor[..., 4:]
        return tensor[..., :4], each.max(-1), each.argmax(-1)
    if boxes.layout == "rows":
        return tensor[..., :4], tensor[..., 4], tensor[..., 5].astype(np.int64)
    assert boxes.scores is not None  # by `check_output`
    has_classes = outputs[boxes.scores].ndim == outputs[output.name].ndim
    scores = _rows(outputs[boxes.scores], 3 if has_classes else 2)
    labels = scores.argmax(-1) if has_classes else np.zeros(scores.shape, np.int64)
    best = scores.max(-1) if has_classes else scores
    if boxes.labels is not None:
        labels = _rows(outputs[boxes.labels], 2).astype(np.int64)
    if not tensor.shape[:2] == best.shape == labels.shape:
        raise ModelFailed(
            f"the model's outputs do not fit together: '{output.name}' has"
            f" {list(tensor.shape[:2])} boxes, and there are {list(best.shape)} scores and"
            f" {list(labels.shape)} labels"
        )
    return tensor, best, labels


def _rows(tensor: Array, axes: int) -> _Floats:
    """In double precision, with an axis of rows where a model has none."""
    wide = tensor.astype(np.float64)
    return wide if wide.ndim == axes else wide[np.newaxis]


def _row(
    output: OutputField,
    boxes: Boxes,
    corners: _Floats,
    scores: _Floats,
    labels: npt.NDArray[np.int64],
    frame: Frame | None,
) -> list[dict[str, Any]]:
    least = _THRESHOLD if output.meaning.threshold is None else output.meaning.threshold
    sure = np.flatnonzero(scores >= least)
    order = sure[np.argsort(-scores[sure], kind="stable")]
    places = _corners(boxes, corners[order])
    overlap = boxes.overlap or (_YOLO_OVERLAP if boxes.layout == "yolo" else None)
    kept = _apart(places, labels[order], overlap)
    shown = _in_picture(boxes, places, frame)
    return [
        {
            "label": _name(output, int(labels[order[at]])),
            "score": float(scores[order[at]]),
            "box": dict(zip(("left", "top", "right", "bottom"), shown[at].tolist(), strict=True)),
        }
        for at in kept
    ]


def _corners(boxes: Boxes, four: _Floats) -> _Floats:
    """Left, top, right and bottom, whatever form they came in."""
    if boxes.form == "xyxy":
        return four
    if boxes.form == "yxyx":
        return four[:, [1, 0, 3, 2]]
    start, size = four[:, :2], four[:, 2:]
    if boxes.form == "cxcywh":
        start = start - size / 2
    return np.concatenate([start, start + size], axis=1)


def _apart(places: _Floats, labels: npt.NDArray[np.int64], overlap: float | None) -> list[int]:
    """The boxes without those that lie on a surer one of the same label."""
    if overlap is None:
        return list(range(len(places)))
    kept: list[int] = []
    left = np.ones(len(places), bool)
    areas = np.prod(np.maximum(places[:, 2:] - places[:, :2], 0), axis=1)
    for at in range(len(places)):
        if not left[at]:
            continue
        kept.append(at)
        low = np.maximum(places[at, :2], places[:, :2])
        high = np.minimum(places[at, 2:], places[:, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        whole = areas[at] + areas - shared
        ratio = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
        left &= ~((ratio > overlap) & (labels == labels[at]))
    return kept


def _in_picture(boxes: Boxes, places: _Floats, frame: Frame | None) -> _Floats:
    if frame is None:
        return places
    if boxes.relative:
        places = places * ([frame.tensor_width, frame.tensor_height] * 2)
    moved = (places - [frame.left, frame.top] * 2) / ([frame.scale_x, frame.scale_y] * 2)
    return np.clip(moved, 0, [frame.width, frame.height] * 2)


def _name(output: OutputField, at: int) -> str | int | float | bool:
    classes = output.meaning.classes
    if not classes:
        return at
    if not 0 <= at < len(classes):
        raise ModelFailed(f"the model's label {at} of a box is none of its {len(classes)} classes")
    return classes[at]
