"""Answers as a person reads them: a prediction, class names with probabilities."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import orjson

from modelport.core.tensors import Array, Batch
from modelport.semantics.fields import OutputField, PlainView

__all__ = ["Answer", "answer_json", "plain_answer", "predictions"]

Answer: TypeAlias = dict[str, Any]
"""What a plain answer holds: numpy arrays and scalars, Python values, lists and dicts of them."""

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_NUMPY_KEYS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def plain_answer(view: PlainView) -> Callable[[Batch, bool], Answer]:
    """From output tensors, and whether the request was a single row, to the answer."""
    if view.scores is None and len(view.outputs) == 1:
        only = view.outputs[0]
        name = only.name
        drop = len(only.tensor.shape) > 1 and only.tensor.shape[-1] == 1
        first = only.tensor.is_batched
        if only.tensor.dtype.numpy != np.object_ and first and drop:
            # The hot case: one number for each row.
            def one_number(outputs: Batch, single: bool) -> Answer:
                tensor = outputs[name]
                if single and tensor.size == 1:
                    return {"prediction": tensor.reshape(-1)[0]}
                return {"prediction": _value(only, tensor, single)}

            return one_number
        return lambda outputs, single: {"prediction": _value(only, outputs[name], single)}
    return lambda outputs, single: _named(view, outputs, single)


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
    return outputs[view.outputs[0].name]


def _named(view: PlainView, outputs: Batch, single: bool) -> Answer:
    answer: Answer = {}
    if view.scores is not None:
        answer["prediction"] = _first(_labels(view, outputs), single)
        answer["probabilities"] = _first(_probabilities(view.scores, outputs), single)
    for output in view.outputs:
        if output is not view.scores and output is not view.label:
            answer[output.name] = _value(output, outputs[output.name], single)
    return answer


def _labels(view: PlainView, outputs: Batch) -> list[Any]:
    assert view.scores is not None
    classes = view.scores.meaning.classes
    if view.label is None:
        best = np.argmax(outputs[view.scores.name].reshape(-1, len(classes)), axis=-1)
        return [classes[at] for at in best.tolist()]
    values = _readable(outputs[view.label.name].reshape(-1))
    names = view.label.meaning.classes
    if names and outputs[view.label.name].dtype != np.object_ and isinstance(names[0], str):
        return [names[at] for at in values]
    return list(values)


def _probabilities(scores: OutputField, outputs: Batch) -> list[dict[Any, Any]]:
    classes = scores.meaning.classes
    keys = [name if isinstance(name, str) else str(name) for name in classes]
    rows = outputs[scores.name].reshape(-1, len(classes))
    if scores.meaning.kind == "logits":
        raised = np.exp(rows - rows.max(axis=-1, keepdims=True))  # type: ignore[operator]  # floats
        rows = raised / raised.sum(axis=-1, keepdims=True)
    if rows.dtype == np.float64:
        return [dict(zip(keys, row, strict=True)) for row in rows.tolist()]
    return [dict(zip(keys, row, strict=True)) for row in rows]  # float32 scalars print short


def _value(output: OutputField, tensor: Array, single: bool) -> Any:
    if output.meaning.kind == "label" and output.meaning.classes and tensor.dtype != np.object_:
        names = output.meaning.classes
        if isinstance(names[0], str):
            return _first([names[at] for at in tensor.reshape(-1).tolist()], single)
    if tensor.ndim > 1 and tensor.shape[-1] == 1:
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
    if tensor.ndim == 0:
        return tensor[()]
    return np.ascontiguousarray(tensor)


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
    return value.tolist() if isinstance(value, np.ndarray) else value
