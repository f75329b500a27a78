"""Detectors' outputs as a list of things: label, score and place in the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelport.core.errors import ModelFailed
from modelport.core.messages import Frame
from modelport.core.semantics import Boxes
from modelport.core.tensors import Array, Batch, widened
from modelport.semantics.fields import OutputField
from modelport.semantics.outputs import class_axis, numbers_ahead

__all__ = ["detections"]

_THRESHOLD = 0.25
_YOLO_OVERLAP = 0.45
_MOST_COMPARED = 1000
"""Of so many boxes each is compared with each, which takes some milliseconds."""
_MOST_APART = 300
"""How many are shown of those."""
_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


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
    places, scores, labels = _parts(output, boxes, outputs)
    found = []
    # What is not finite stays so, and is null in JSON.
    with np.errstate(invalid="ignore", over="ignore"):
        for at in range(len(places)):
            frame = frames[at] if at < len(frames) else None
            found.append(_row(output, boxes, places[at], scores[at], labels[at], frame))
    return found


def _parts(output: OutputField, boxes: Boxes, outputs: Batch) -> tuple[Any, Any, Any]:
    """The four numbers, the score and the label's index of every box: `[rows, boxes, …]`."""
    tensor: Any = _rows(outputs[output.name], 3)
    if boxes.layout in ("yolo", "yolo5"):
        return _yolo(output, boxes, tensor)
    if boxes.layout == "rows":
        return tensor[..., :4], tensor[..., 4], tensor[..., 5]
    assert boxes.scores is not None  # by `check_output`
    has_classes = outputs[boxes.scores].ndim == outputs[output.name].ndim
    scores: Any = _rows(outputs[boxes.scores], 3 if has_classes else 2)
    labels: Any = scores.argmax(-1) if has_classes else np.zeros(scores.shape, np.int64)
    best = scores.max(-1) if has_classes else scores
    if boxes.labels is not None:
        labels = _rows(outputs[boxes.labels], 2)
    if not tensor.shape[:2] == best.shape == labels.shape:
        raise ModelFailed(
            f"the model's outputs do not fit together: '{output.name}' has"
            f" {list(tensor.shape[:2])} boxes, and there are {list(best.shape)} scores and"
            f" {list(labels.shape)} labels"
        )
    return tensor, best, labels


def _yolo(output: OutputField, boxes: Boxes, tensor: Any) -> tuple[Any, Any, Any]:
    """The same, where the scores of the classes follow the four numbers."""
    start = numbers_ahead(boxes)
    count = start + len(output.meaning.classes)
    if class_axis(output.tensor, boxes, count, tensor.shape) == -2:
        tensor = tensor.transpose(0, 2, 1)
    if tensor.shape[-1] != count:
        raise ModelFailed(
            f"the model's output '{output.name}' has {tensor.shape[-1]} numbers for each of"
            f" {tensor.shape[-2]} boxes, and {count} are {start} and one for each class"
        )
    each = tensor[..., start:]
    if boxes.layout == "yolo5":
        each = each * tensor[..., 4:5]
    return tensor[..., :4], each.max(-1), each.argmax(-1)


def _rows(tensor: Array, axes: int) -> Array:
    """As floats, with an axis of rows where a model has none."""
    wide = widened(tensor)
    return wide if wide.ndim == axes else wide[np.newaxis]


def _row(
    output: OutputField, boxes: Boxes, four: Any, scores: Any, labels: Any, frame: Frame | None
) -> list[dict[str, Any]]:
    least = _THRESHOLD if output.meaning.threshold is None else output.meaning.threshold
    sure = np.flatnonzero(scores >= least)
    order = sure[np.argsort(-scores[sure], kind="stable")]
    overlap = boxes.overlap or (None if boxes.layout in ("separate", "rows") else _YOLO_OVERLAP)
    if overlap is not None:
        order = order[:_MOST_COMPARED]
    places = _corners(boxes, four[order].astype(np.float64))
    if overlap is not None:
        kept = _apart(places, labels[order], overlap)
        order, places = order[kept], places[kept]
    # In the tensor's own precision, whose numbers are the shortest in JSON.
    shown = _in_picture(boxes, places, frame).astype(four.dtype)
    sides = ("left", "top", "right", "bottom")
    return [
        {
            "label": _name(output, label),
            "score": score,
            "box": dict(zip(sides, place, strict=True)),
        }
        for label, score, place in zip(labels[order].tolist(), scores[order], shown, strict=True)
    ]


def _corners(boxes: Boxes, four: _Floats) -> _Floats:
    """Left, top, right and bottom, whatever form they came in."""
    form = boxes.form or ("xyxy" if boxes.layout in ("separate", "rows") else "cxcywh")
    if form == "xyxy":
        return four
    if form == "yxyx":
        return four[:, [1, 0, 3, 2]]
    start, size = four[:, :2], four[:, 2:]
    if form == "cxcywh":
        start = start - size / 2
    return np.concatenate([start, start + size], axis=1)


def _apart(places: _Floats, labels: Array, overlap: float) -> list[int]:
    """The boxes without those that lie on a surer one of the same label."""
    covered = _covered(places, labels, overlap)
    left = np.ones(len(places), bool)
    kept: list[int] = []
    for at in range(len(places)):
        if left[at]:
            kept.append(at)
            left &= ~covered[at]
            if len(kept) == _MOST_APART:
                break
    return kept


def _covered(places: _Floats, labels: Array, overlap: float) -> _Flags:
    """For each box which boxes of its label share more than a part of their union with it."""
    areas = np.prod(np.maximum(places[:, 2:] - places[:, :2], 0), axis=1)
    shared = np.ones((len(places), len(places)))
    for low, high in ((0, 2), (1, 3)):
        starts = np.maximum.outer(places[:, low], places[:, low])
        ends = np.minimum.outer(places[:, high], places[:, high])
        shared *= np.maximum(ends - starts, 0)
    whole = np.add.outer(areas, areas) - shared
    covered: _Flags = (shared > overlap * whole) & np.equal.outer(labels, labels)
    return covered


def _in_picture(boxes: Boxes, places: _Floats, frame: Frame | None) -> _Floats:
    if frame is None:
        return places
    if boxes.relative:
        places = places * ([frame.tensor_width, frame.tensor_height] * 2)
    moved = (places - [frame.left, frame.top] * 2) / ([frame.scale_x, frame.scale_y] * 2)
    return np.clip(moved, 0, [frame.width, frame.height] * 2)


def _name(output: OutputField, label: float) -> str | int | float | bool:
    classes = output.meaning.classes
    # Models write indices as floats too, and NaN where they fail.
    at = int(label) if math.isfinite(label) else -1
    if at == label and not classes:
        return at
    if at != label or not 0 <= at < len(classes):
        known = f"none of its {len(classes)} classes" if classes else "no whole number"
        raise ModelFailed(f"the model's label {label:g} of a box is {known}")
    return classes[at]
