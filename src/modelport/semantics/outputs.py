"""Whether what is said of an output goes with its tensor."""

from __future__ import annotations

from typing import Literal

from modelport.core.errors import ConfigError
from modelport.core.semantics import Boxes, OutputMeaning
from modelport.core.signature import Shape, Signature, TensorSpec, sizes
from modelport.core.tensors import DType
from modelport.semantics.toml_tables import wrong

__all__ = ["check_output", "class_axis", "numbers_ahead"]


def check_output(spec: TensorSpec, meaning: OutputMeaning, signature: Signature) -> None:
    """Refuse a meaning that the tensor cannot have.

    Raises:
        ConfigError: says what is wrong, with the table of `model.toml`.
    """
    if len({str(name) for name in meaning.classes}) != len(meaning.classes):
        raise _wrong(spec, "two classes have the same name")
    if meaning.top_k is not None and meaning.top_k < 1:
        raise _wrong(spec, f"top_k is at least 1, and {meaning.top_k} came")
    if meaning.threshold is not None and not 0 <= meaning.threshold <= 1:
        raise _wrong(spec, f"threshold is from 0 to 1, and {meaning.threshold} came")
    if meaning.kind in ("probabilities", "logits", "multilabel"):
        _check_classes(spec, meaning)
    elif meaning.kind == "label":
        _check_label(spec)
    elif meaning.kind == "boxes":
        _check_boxes(spec, meaning.boxes or Boxes(), meaning, signature)
    elif meaning.kind == "mask":
        _check_mask(spec, meaning, signature)
    elif meaning.kind == "json" and spec.dtype is not DType.BYTES:
        raise _wrong(spec, f"json is text (BYTES), and the tensor is {spec.dtype.value}")


def numbers_ahead(boxes: Boxes) -> int:
    """How many numbers of a box come before the scores of the classes."""
    return 5 if boxes.layout == "yolo5" else 4


def class_axis(spec: TensorSpec, boxes: Boxes, count: int, shape: Shape) -> Literal[-1, -2]:
    """The axis along which yolo boxes have their `count` numbers; the other one counts boxes.

    Args:
        spec: the output's; what its shape says comes first.
        boxes: says which order is the usual one, where the shapes do not tell.
        count: the numbers of a box.
        shape: that of the tensor that came.
    """
    for known in (spec.shape, shape):
        if (known[-1] == count) != (known[-2] == count):
            return -1 if known[-1] == count else -2
    return _usual_axis(boxes)


def _usual_axis(boxes: Boxes) -> Literal[-1, -2]:
    return -1 if boxes.layout == "yolo5" else -2


def _check_classes(spec: TensorSpec, meaning: OutputMeaning) -> None:
    if not meaning.classes:
        raise _wrong(spec, f"{meaning.kind} need 'classes'")
    last = spec.row_shape[-1] if spec.row_shape else 1
    if last not in (None, len(meaning.classes)):
        raise _wrong(
            spec,
            f"{len(meaning.classes)} classes are named, and the last axis of the tensor has {last}",
        )
    if spec.dtype is DType.BYTES:
        raise _wrong(spec, f"{meaning.kind} are numbers, and the tensor is BYTES")
    if spec.dtype is DType.BOOL and (meaning.kind == "logits" or meaning.sigmoid):
        raise _wrong(spec, "logits are numbers of any size, and the tensor is BOOL")


def _check_label(spec: TensorSpec) -> None:
    if any(size not in (None, 1) for size in spec.shape[1:]):
        raise _wrong(
            spec, f"a label is one value in each row, and the tensor is {sizes(spec.shape)}"
        )


def _check_boxes(
    spec: TensorSpec, boxes: Boxes, meaning: OutputMeaning, signature: Signature
) -> None:
    if spec.dtype in (DType.BYTES, DType.BOOL) or len(spec.shape) not in (2, 3):
        raise _wrong(spec, "boxes are numbers with 2 axes for a picture, or with rows before them")
    if boxes.overlap is not None and not 0 < boxes.overlap <= 1:
        raise _wrong(spec, f"overlap is a part above 0, up to 1, and {boxes.overlap} came")
    if boxes.layout == "separate":
        _check_separate(spec, boxes, meaning, signature)
        return
    if boxes.scores or boxes.labels:
        raise _wrong(spec, f"with layout = '{boxes.layout}' the scores are in the same tensor")
    if not spec.dtype.is_float:
        raise _wrong(spec, f"scores are parts of 1, and the tensor is {spec.dtype.value}")
    if boxes.layout == "rows":
        if spec.shape[-1] not in (None, 6):
            raise _wrong(spec, f"a row of boxes has 6 numbers, and the last axis {spec.shape[-1]}")
    else:
        _check_yolo(spec, boxes, meaning)


def _check_separate(
    spec: TensorSpec, boxes: Boxes, meaning: OutputMeaning, signature: Signature
) -> None:
    if spec.shape[-1] not in (None, 4):
        raise _wrong(spec, f"separate boxes have 4 numbers, and the last axis {spec.shape[-1]}")
    if boxes.scores is None:
        raise _wrong(spec, "say scores = the output with the boxes' scores")
    if boxes.scores == boxes.labels:
        raise _wrong(spec, f"scores and labels are two outputs, and both are '{boxes.scores}'")
    scores = _part(spec, "scores", boxes.scores, signature)
    if not scores.dtype.is_float:
        raise _wrong(spec, f"scores are parts of 1, and '{scores.name}' is {scores.dtype.value}")
    by_class = len(scores.shape) == len(spec.shape)
    if not by_class and len(scores.shape) != len(spec.shape) - 1:
        raise _wrong(
            spec,
            f"scores are [boxes] or [boxes, classes], and '{scores.name}' is {sizes(scores.shape)}",
        )
    count = len(meaning.classes)
    if by_class and not boxes.labels and count and scores.shape[-1] not in (None, count):
        raise _wrong(
            spec, f"{count} classes are named, and '{scores.name}' is {sizes(scores.shape)}"
        )
    if boxes.labels is not None:
        labels = _part(spec, "labels", boxes.labels, signature)
        if labels.dtype in (DType.BYTES, DType.BOOL) or len(labels.shape) != len(spec.shape) - 1:
            raise _wrong(
                spec,
                f"labels are the numbers of classes, [boxes], and '{labels.name}' is"
                f" {labels.dtype.value} {sizes(labels.shape)}",
            )


def _part(spec: TensorSpec, key: str, name: str, signature: Signature) -> TensorSpec:
    """The other output that has the scores or the labels of boxes."""
    others = {output.name: output for output in signature.outputs if output.name != spec.name}
    if name == spec.name:
        raise _wrong(spec, f"{key} names the boxes themselves; the others are {', '.join(others)}")
    if name not in others:
        known = ", ".join(others)
        raise _wrong(spec, f"{key} names no output: it is '{name}', and the others are {known}")
    return others[name]


def _check_yolo(spec: TensorSpec, boxes: Boxes, meaning: OutputMeaning) -> None:
    if not meaning.classes:
        raise _wrong(
            spec, f"{boxes.layout} boxes need 'classes', whose scores follow the numbers of a box"
        )
    ahead, named = numbers_ahead(boxes), len(meaning.classes)
    count = ahead + named
    if count in spec.shape[-2:] or spec.shape[_usual_axis(boxes)] is None:
        return
    problem = (
        f"{named} classes make {count} numbers for a box, so that the tensor is"
        f" [{count}, boxes] or [boxes, {count}] in each row, and it is {sizes(spec.shape)}"
    )
    if boxes.layout == "yolo" and 5 + named in spec.shape[-2:]:
        problem += "; with a number for any thing at all before the classes it is layout = 'yolo5'"
    raise _wrong(spec, problem)


def _check_mask(spec: TensorSpec, meaning: OutputMeaning, signature: Signature) -> None:
    if spec.dtype is DType.BYTES or len(spec.shape) not in (2, 3, 4):
        raise _wrong(spec, "a mask is numbers: [rows, height, width], with classes before or after")
    count = len(meaning.classes)
    if not 2 <= count <= 255:
        raise _wrong(spec, "a mask needs 'classes', from 2 to 255")
    if len(spec.shape) == 2 and spec.is_batched and signature.is_batched:
        raise _wrong(
            spec, f"a mask is [rows, height, width], and the tensor is {sizes(spec.shape)}"
        )
    with_scores = spec.shape[1:] if len(spec.shape) == 4 else spec.row_shape
    fits = [with_scores[axis] in (None, 1, count) for axis in (0, -1)]
    if len(with_scores) == 3 and not any(fits):
        raise _wrong(
            spec,
            f"a mask has a number for each pixel or one for each of {count} classes, and the"
            f" tensor is {sizes(spec.shape)}",
        )


def _wrong(spec: TensorSpec, problem: str) -> ConfigError:
    return wrong(f"outputs.{spec.name}", problem)
