"""How each kind of server is asked: from a workload's plain request to the call it understands.

The body of a workload is what Modelport takes: an object of the model's inputs in JSON, or the
bytes of the picture. Each dialect writes the same numbers as the server's documentation does.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.calls import Answer, Call
from benchmarks.errors import WrongAnswer
from benchmarks.forms import INPUTS, OUTPUTS

__all__ = ["DIALECTS", "Dialect"]

Dialect = Callable[[str, bytes], Call]
"""From a workload's name and its plain body to the call."""

_HEADER_LENGTH = "Inference-Header-Content-Length"
_JSON = {"Content-Type": "application/json"}
_BYTES = {"Content-Type": "application/octet-stream"}


def _modelport(workload: str, body: bytes) -> Call:
    """Plain JSON; a picture in the Open Inference Protocol with its binary-tensor extension."""
    if workload == "image":
        return _oip(workload, body)
    return Call(f"/models/{workload}/predict", _JSON, body, _read_prediction)


def _body(workload: str, body: bytes) -> Call:
    """The plain body, and plain bytes of float32 for a picture and its answer."""
    if workload == "image":
        return Call("/predict", _BYTES, body, lambda answer: _floats(answer.body))
    return Call("/predict", _JSON, body, _read_prediction)


def _base64(workload: str, body: bytes) -> Call:
    """As `body`, but for servers that read JSON alone: the picture as a base64 string."""
    if workload == "image":
        content = _dumped({"image": base64.b64encode(body).decode()})
        return Call("/predict", _JSON, content, lambda answer: _floats(answer.body))
    return _body(workload, body)


def _rows(workload: str, body: bytes) -> Call:
    """A list of rows in JSON, answered with a list of rows."""
    if workload == "image":
        row: Any = base64.b64encode(body).decode()
    else:
        values = [json.loads(body)[tensor.name] for tensor in INPUTS[workload]]
        row = values[0] if len(values) == 1 else values
    return Call("/predict", _JSON, _dumped({"rows": [row]}), _read_rows)


def _oip(workload: str, body: bytes) -> Call:
    """The Open Inference Protocol: JSON, with the picture as a binary tensor."""
    if workload != "image":
        return _oip_json(workload, body)
    head = _dumped(
        {
            "inputs": [_input(workload, 0, {"parameters": {"binary_data_size": len(body)}})],
            "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
        }
    )
    headers = _BYTES | {_HEADER_LENGTH: str(len(head))}
    return Call(f"/v2/models/{workload}/infer", headers, head + body, _read_binary_tensor)


def _oip_json(workload: str, body: bytes) -> Call:
    """The Open Inference Protocol in JSON alone: the picture as base64 in a tensor of bytes."""
    if workload == "image":
        parameters = {"content_type": "base64"}
        content = [base64.b64encode(body).decode()]
        tensor = {"name": "x", "datatype": "BYTES", "shape": [1]}
        inputs = [tensor | {"parameters": parameters, "data": content}]
    else:
        values = json.loads(body)
        inputs = [
            _input(workload, index, {"data": values[tensor.name]})
            for index, tensor in enumerate(INPUTS[workload])
        ]
    read = partial(_read_tensors, workload)
    return Call(f"/v2/models/{workload}/infer", _JSON, _dumped({"inputs": inputs}), read)


DIALECTS: dict[str, Dialect] = {
    "modelport": _modelport,
    "body": _body,
    "base64": _base64,
    "rows": _rows,
    "oip": _oip,
    "oip-json": _oip_json,
}


def _input(workload: str, index: int, content: dict[str, Any]) -> dict[str, Any]:
    tensor = INPUTS[workload][index]
    head = {"name": tensor.name, "datatype": tensor.datatype, "shape": [1, *tensor.shape]}
    return head | content


def _dumped(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _read_prediction(answer: Answer) -> list[float]:
    try:
        content = json.loads(answer.body)
        values = [content["prediction"], *content.get("probabilities", {}).values()]
        return list(_numbers(values))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WrongAnswer(f"not a prediction: {answer.body[:200]!r}") from error


def _read_rows(answer: Answer) -> list[float]:
    try:
        return list(_numbers(json.loads(answer.body)))
    except (ValueError, TypeError) as error:
        raise WrongAnswer(f"not rows of numbers: {answer.body[:200]!r}") from error


def _read_tensors(workload: str, answer: Answer) -> list[float]:
    try:
        tensors = {output["name"]: output["data"] for output in json.loads(answer.body)["outputs"]}
        return list(_numbers([tensors[output.name] for output in OUTPUTS[workload]]))
    except (ValueError, TypeError, KeyError) as error:
        raise WrongAnswer(f"not the tensors of {workload}: {answer.body[:200]!r}") from error


def _read_binary_tensor(answer: Answer) -> list[float]:
    length = answer.headers.get(_HEADER_LENGTH.lower(), "")
    if not length.isdecimal():
        raise WrongAnswer(f"no {_HEADER_LENGTH} in the answer: {answer.body[:200]!r}")
    return _floats(answer.body[int(length) :])


def _numbers(content: object) -> Iterator[float]:
    """The numbers of lists within lists, in order."""
    if isinstance(content, list):
        for item in content:
            yield from _numbers(item)
    else:
        yield float(content)  # type: ignore[arg-type]  # what is no number raises


def _floats(content: bytes) -> list[float]:
    if len(content) % 4:
        raise WrongAnswer(f"{len(content)} bytes are not a row of float32")
    return list(struct.unpack(f"<{len(content) // 4}f", content))
