"""Answers as a person reads them: a prediction, class names with probabilities."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import orjson

from modelport.core.errors import ModelFailed
from modelport.core.messages import Frame
from modelport.core.tensors import Array, Batch, DType, widened
from modelport.semantics.boxes import detections
from modelport.semantics.fields import OutputField, PlainView
from modelport.semantics.masks import masks

__all__ = ["Answer", "AnswerOf", "Frames", "answer_json", "plain_answer", "predictions"]

Answer: TypeAlias = dict[str, Any]
"""What a plain answer holds: numpy arrays and scalars, Python values, lists and dicts of them."""


Frames: TypeAlias = Mapping[str, Sequence[Frame]]
"""By source: where its pictures lay in the tensors that were made of them."""
_NONE: Frames = {}


class AnswerOf(Protocol):
    """From output tensors, whether the request was a single row, and the frames of its pictures
    to the answer."""

    def __call__(self, outputs: Batch, single: bool, frames: Frames = _NONE) -> Answer:
        """The answer."""


_PLAIN = ("value", "label")
_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_NUMPY_KEYS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def plain_answer(view: PlainView) -> AnswerOf:
    """From output tensors to the answer that a person reads."""
    if view.scores is None and len(view.outputs) == 1:
        only = view.outputs[0]
        name = only.name
        is_number = only.tensor.dtype is not DType.BYTES and not _is_named(only)
        if (
            is_number
            and only.meaning.kind in _PLAIN
            and only.tensor.is_batched
            and only.tensor.row_shape in ((), (1,))
        ):
            # The hot case: one number for each row.
            def one_number(outputs: Batch, single: bool, frames: Frames = _NONE) -> Answer:
                tensor = outputs[name]
                if single and tensor.size == 1:
                    return {"prediction": tensor.reshape(-1)[0]}
                return {"prediction": _value(only, tensor, single)}

            return one_number
        if only.meaning.kind == "multilabel":
            return lambda outputs, single, frames=_NONE: _several(only, outputs[name], single)
        return lambda outputs, single, frames=_NONE: {
            "prediction": _shown(only, outputs, single, frames)
        }
    return lambda outputs, single, frames=_NONE: _named(view, outputs, single, frames)


def answer_json(answer: Answer) -> bytes:
    """The answer as JSON: floats in their shortest exact form, NaN and infinity as null."""
    try:
        return orjson.dumps(answer, option=_NUMPY)
    except TypeError:
        return orjson.dumps(_listed(answer), option=_NUMPY_KEYS)


def predictions(view: PlainView, outputs: Batch) -> Array:
    """The main answer for each row as one array: labels for a classifier, else the only output."""
    if view.scores is not None:
        return np.asarray(_labels(view, outputs))
    first = view.outputs[0]
    if _is_named(first):
        return np.asarray(_class_names(first, outputs[first.name]))
    return outputs[first.name]


def _named(view: PlainView, outputs: Batch, single: bool, frames: Frames) -> Answer:
    answer: Answer = {}
    if view.scores is not None:
        answer["prediction"] = _first(_labels(view, outputs), single)
        answer["probabilities"] = _first(_probabilities(view.scores, outputs), single)
    for output in view.outputs:
        if output is not view.scores and output is not view.label:
            answer[output.name] = _shown(output, outputs, single, frames)
    return answer


def _shown(output: OutputField, outputs: Batch, single: bool, frames: Frames) -> Any:
    """One output as its kind is shown."""
    tensor = outputs[output.name]
    match output.meaning.kind:
        case "boxes":
            return _first(detections(output, outputs, _own(output, frames)), single)
        case "mask":
            return _first(masks(output, tensor, _own(output, frames)), single)
        case "json":
            return _first([_parsed(output, text) for text in tensor.ravel().tolist()], single)
        case "multilabel":
            return _first(_scores(output, tensor), single)
        case _:
            return _value(output, tensor, single)


def _own(output: OutputField, frames: Frames) -> Sequence[Frame]:
    """Where the pictures lay that an output is about."""
    if output.meaning.picture is not None:
        return frames.get(output.meaning.picture, ())
    return next(iter(frames.values())) if len(frames) == 1 else ()


def _parsed(output: OutputField, text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ModelFailed(
            f"the model's output '{output.name}' is not the JSON it should be"
        ) from error


def _several(output: OutputField, tensor: Array, single: bool) -> Answer:
    """The labels that hold, and the score of each."""
    scores = _scores(output, tensor)
    least = 0.5 if output.meaning.threshold is None else output.meaning.threshold
    labels = [[name for name, score in row.items() if score >= least] for row in scores]
    return {"prediction": _first(labels, single), "scores": _first(scores, single)}


def _scores(output: OutputField, tensor: Array) -> list[dict[str, Any]]:
    rows: Any = tensor.reshape(-1, len(output.meaning.classes))
    if output.meaning.sigmoid:
        rows = _sigmoid(rows)
    return _by_name(rows, output.meaning.classes)


def _labels(view: PlainView, outputs: Batch) -> list[Any]:
    assert view.scores is not None
    if view.label is None:
        classes = view.scores.meaning.classes
        rows: Any = outputs[view.scores.name].reshape(-1, len(classes))
        # Where a score is NaN nobody knows which is the largest: the label is null then.
        unknown = np.isnan(rows.max(axis=-1)).tolist()
        best = np.argmax(rows, axis=-1).tolist()
        return [None if nan else classes[at] for nan, at in zip(unknown, best, strict=True)]
    tensor = outputs[view.label.name]
    if _is_named(view.label):
        return _class_names(view.label, tensor)
    return [_map(value) for value in tensor.reshape(-1).tolist()]


def _is_named(output: OutputField) -> bool:
    """Whether the values are places in a list of names."""
    kind, classes = output.meaning.kind, output.meaning.classes
    is_place = output.tensor.dtype is not DType.BYTES
    return kind == "label" and is_place and bool(classes) and isinstance(classes[0], str)


def _class_names(output: OutputField, tensor: Array) -> list[Any]:
    names = dict(enumerate(output.meaning.classes))
    try:
        return [names[at] for at in tensor.reshape(-1).tolist()]  # True finds 1, and so does 1.0
    except KeyError as error:
        raise ModelFailed(
            f"the model's label {error} in '{output.name}' is none of its {len(names)} classes"
        ) from error


def _probabilities(scores: OutputField, outputs: Batch) -> list[dict[str, Any]]:
    classes = scores.meaning.classes
    rows: Any = outputs[scores.name].reshape(-1, len(classes))
    if scores.meaning.kind == "logits":
        rows = _softmax(rows)
    most = scores.meaning.top_k
    return _by_name(rows, classes) if most is None else _largest(rows, classes, most)


def _by_name(rows: Any, classes: Sequence[Any]) -> list[dict[str, Any]]:
    keys = [str(name) for name in classes]
    if rows.dtype == np.float64:
        return [dict(zip(keys, row, strict=True)) for row in rows.tolist()]
    return [dict(zip(keys, row, strict=True)) for row in rows]  # float32 scalars print short


def _largest(rows: Any, classes: Sequence[Any], most: int) -> list[dict[str, Any]]:
    """The largest of each row, in falling order: equal ones as the classes come, NaN last."""
    # Whole numbers turned over bit by bit: minus the least of them has no room, and an unsigned
    # type has none for any.
    turned = -rows if rows.dtype.kind == "f" else ~rows
    places = np.argsort(turned, axis=-1, kind="stable")[:, :most]
    return [
        {str(classes[at]): row[at] for at in best.tolist()}
        for row, best in zip(rows, places, strict=True)
    ]


def _sigmoid(rows: Any) -> Any:
    wide: Any = widened(rows)
    with np.errstate(over="ignore"):  # which ends in 0, as it should
        return 1 / (1 + np.exp(-wide))


def _softmax(rows: Any) -> Any:
    """Shifted by the largest, so that nothing overflows."""
    wide: Any = widened(rows)
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, and null in the answer
        raised = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _value(output: OutputField, tensor: Array, single: bool) -> Any:
    if _is_named(output):
        return _first(_class_names(output, tensor), single)
    if tensor.ndim > 1 and output.tensor.shape[-1:] == (1,) and tensor.shape[-1] == 1:
        tensor = tensor[..., 0]
    if single and output.tensor.is_batched and tensor.shape[:1] == (1,):
        tensor = tensor[0]
    return _readable(tensor)


def _first(rows: list[Any], single: bool) -> Any:
    return rows[0] if single and len(rows) == 1 else rows


def _readable(tensor: Any) -> Any:
    """A value that orjson writes: text for BYTES, a scalar for no dimensions."""
    if isinstance(tensor, bytes):
        return _text(tensor)
    if not isinstance(tensor, np.ndarray):
        return tensor
    if tensor.dtype == np.object_:
        return _map(tensor.tolist())
    return np.ascontiguousarray(tensor) if tensor.ndim else tensor[()]


def _map(value: Any) -> Any:
    if isinstance(value, list):
        return [_map(item) for item in value]
    return _text(value) if isinstance(value, bytes) else value


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:  # not text: as TensorFlow Serving writes bytes
        return {"b64": base64.b64encode(value).decode()}


def _listed(value: Any) -> Any:
    """The same with lists in place of arrays whose dtype or layout orjson does not write."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_listed(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
