"""Segmentation: a class for each pixel, as a picture of class numbers and the share of each."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelport.core.errors import ModelFailed
from modelport.core.messages import Frame
from modelport.core.tensors import Array
from modelport.semantics.fields import OutputField

__all__ = ["UNSEEN", "masks"]

UNSEEN = 255
"""The value of a pixel that the model did not see, as its edge of the picture was cut off."""


def masks(output: OutputField, tensor: Array, frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """By row the mask as a PNG in base64, its size, and the part of the pixels of each class.

    A pixel's value is the index of its class. The mask has the size of the picture that was sent,
    without one that of the model's output.

    Raises:
        ModelFailed: a value of the mask is none of the classes.
    """
    numbers = _numbers(output, tensor)
    count = len(output.meaning.classes)
    if not _are_classes(numbers, count):
        raise ModelFailed(f"the mask '{output.name}' has a value that is none of {count} classes")
    rows = [row.astype(np.uint8) for row in numbers]
    return [
        _shown(output, _in_picture(row, frames[at]) if at < len(frames) else row)
        for at, row in enumerate(rows)
    ]


def _numbers(output: OutputField, tensor: Array) -> Array:
    """The index of the class of every pixel: `[rows, height, width]`."""
    count = len(output.meaning.classes)
    is_whole = tensor.ndim == 2 or not (output.tensor.is_batched or tensor.ndim == 4)
    rows: Any = tensor[np.newaxis] if is_whole else tensor
    if rows.ndim == 4:
        axis = 1 if rows.shape[1] in (1, count) else -1
        if rows.shape[axis] == count:
            return _largest(rows, axis)
        if rows.shape[axis] != 1:
            raise ModelFailed(
                f"the mask '{output.name}' has {rows.shape[1]} or {rows.shape[-1]} scores for each"
                f" pixel, and there are {count} classes"
            )
        rows = rows.squeeze(axis)
    if rows.dtype.kind == "f" and count == 2:  # the score of the second class
        least = 0.5 if output.meaning.threshold is None else output.meaning.threshold
        return np.asarray(rows >= least)
    return np.asarray(rows)


def _are_classes(numbers: Any, count: int) -> bool:
    # The least of some numbers with NaN among them is NaN, which is in no range.
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < count):
        return False
    return numbers.dtype.kind != "f" or bool((numbers == np.floor(numbers)).all())


def _largest(scores: Any, axis: int) -> Array:
    """The index of the largest score; NaN is below all."""
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        scores = np.where(np.isnan(scores), -np.inf, scores)
    return np.asarray(scores.argmax(axis=axis))


def _in_picture(mask: Array, frame: Frame) -> Array:
    """The mask as large as the picture: each pixel the value of the one that it became."""
    height, width = mask.shape
    x = (np.arange(frame.width) + 0.5) * frame.scale_x + frame.left
    y = (np.arange(frame.height) + 0.5) * frame.scale_y + frame.top
    columns = np.floor(x * width / frame.tensor_width).astype(np.int64)
    lines = np.floor(y * height / frame.tensor_height).astype(np.int64)
    made: Array = mask[np.clip(lines, 0, height - 1)[:, np.newaxis], np.clip(columns, 0, width - 1)]
    made[(lines < 0) | (lines >= height)] = UNSEEN
    made[:, (columns < 0) | (columns >= width)] = UNSEEN
    return made


def _shown(output: OutputField, mask: Array) -> dict[str, Any]:
    from PIL import Image as pillow

    file = io.BytesIO()
    picture = pillow.fromarray(mask)
    picture.save(file, format="PNG")
    counts = picture.histogram()  # which numpy would count on a copy of eight times the size
    seen = max(1, mask.size - counts[UNSEEN])
    return {
        "png": base64.b64encode(file.getvalue()).decode(),
        "width": mask.shape[1],
        "height": mask.shape[0],
        "parts": {str(name): counts[at] / seen for at, name in enumerate(output.meaning.classes)},
    }
