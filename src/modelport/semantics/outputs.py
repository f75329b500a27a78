"""Whether what is said of an output goes with its tensor."""

from __future__ import annotations

from modelport.core.errors import ConfigError
from modelport.core.semantics import Boxes, OutputMeaning
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType

__all__ = ["check_output"]


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
    elif meaning.kind == "boxes":
        _check_boxes(spec, meaning.boxes or Boxes(), meaning, signature)
    elif meaning.kind == "mask":
        _check_mask(spec, meaning)
    elif meaning.kind == "json" and spec.dtype is not DType.BYTES:
        raise _wrong(spec, f"json is text (BYTES), and the tensor is {spec.dtype.value}")


def _check_classes(spec: TensorSpec, meaning: OutputMeaning) -> None:
    if not meaning.classes:
        raise _wrong(spec, f"{meaning.kind} need 'classes'")
    last = spec.row_shape[-1] if spec.row_shape else 1
    if last not in (None, len(meaning.classes)):
        raise _wrong(
            spec,
            f"{len(meaning.classes)} classes are named, and the last axis of the tensor has {last}",
        )


def _check_boxes(
    spec: TensorSpec, boxes: Boxes, meaning: OutputMeaning, signature: Signature
) -> None:
    if spec.dtype in (DType.BYTES, DType.BOOL) or len(spec.shape) not in (2, 3):
        raise _wrong(spec, "boxes are numbers with 2 axes for a picture, or with rows before them")
    if boxes.overlap is not None and not 0 < boxes.overlap <= 1:
        raise _wrong(spec, f"overlap is a part above 0, up to 1, and {boxes.overlap} came")
    if boxes.layout == "separate":
        if spec.shape[-1] not in (None, 4):
            raise _wrong(spec, f"separate boxes have 4 numbers, and the last axis {spec.shape[-1]}")
        if boxes.scores is None:
            raise _wrong(spec, "say scores = the output with the boxes' scores")
        for key, name in (("scores", boxes.scores), ("labels", boxes.labels)):
            if name is not None and name not in {output.name for output in signature.outputs}:
                known = ", ".join(output.name for output in signature.outputs)
                raise _wrong(spec, f"{key} names no output: it is '{name}', and they are {known}")
    elif boxes.scores or boxes.labels:
        raise _wrong(spec, f"with layout = '{boxes.layout}' the scores are in the same tensor")
    elif boxes.layout == "rows" and spec.shape[-1] not in (None, 6):
        raise _wrong(spec, f"a row of boxes has 6 numbers, and the last axis {spec.shape[-1]}")
    elif boxes.layout == "yolo":
        if not meaning.classes:
            raise _wrong(spec, "yolo boxes need 'classes', whose scores follow the four numbers")
        if spec.shape[-2] not in (None, 4 + len(meaning.classes)):
            raise _wrong(
                spec,
                f"{len(meaning.classes)} classes make {4 + len(meaning.classes)} numbers, and the"
                f" axis before the last has {spec.shape[-2]}",
            )


def _check_mask(spec: TensorSpec, meaning: OutputMeaning) -> None:
    if spec.dtype is DType.BYTES or len(spec.shape) not in (2, 3, 4):
        raise _wrong(spec, "a mask is numbers: [rows, height, width], with classes before or after")
    if not 2 <= len(meaning.classes) <= 255:
        raise _wrong(spec, "a mask needs 'classes', from 2 to 255")


def _wrong(spec: TensorSpec, problem: str) -> ConfigError:
    return ConfigError(f"model.toml, [outputs.{spec.name}]: {problem}")
