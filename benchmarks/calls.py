"""One HTTP request as data: sent by ourselves to check an answer, by `wrk` to make load."""

from __future__ import annotations

import http.client
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.errors import WrongAnswer

__all__ = ["Answer", "Call", "ask", "binary_inference", "json_call", "raw_call"]

_HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names are in lower case."""
    body: bytes


@dataclass(frozen=True)
class Call:
    """A POST, and how to read the numbers in its answer."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    read: Callable[[Answer], list[float]]


def json_call(path: str, body: bytes) -> Call:
    """A JSON body that is answered with `prediction` and perhaps `probabilities`."""
    return Call(path, {"Content-Type": "application/json"}, body, _read_json)


def raw_call(path: str, body: bytes) -> Call:
    """A body of float32 that is answered with float32."""
    return Call(path, {"Content-Type": "application/octet-stream"}, body, _read_raw)


def binary_inference(path: str, body: bytes) -> Call:
    """An image in the Open Inference Protocol with its binary-tensor extension."""
    parameters = {"binary_data_size": len(body)}
    shape = [1, 3, 224, 224]
    head = json.dumps(
        {
            "inputs": [{"name": "x", "datatype": "FP32", "shape": shape, "parameters": parameters}],
            "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
        },
        separators=(",", ":"),
    ).encode()
    headers = {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(head))}
    return Call(path, headers, head + body, _read_binary_inference)


def ask(port: int, call: Call, limit_s: float) -> Answer:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit_s)
    try:
        connection.request("POST", call.path, call.body, dict(call.headers))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    finally:
        connection.close()


def _read_json(answer: Answer) -> list[float]:
    try:
        content = json.loads(answer.body)
        return [
            float(content["prediction"]),
            *map(float, content.get("probabilities", {}).values()),
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WrongAnswer(f"not a prediction: {answer.body[:200]!r}") from error


def _read_raw(answer: Answer) -> list[float]:
    return _floats(answer.body)


def _read_binary_inference(answer: Answer) -> list[float]:
    length = answer.headers.get(_HEADER_LENGTH.lower(), "")
    if not length.isdecimal():
        raise WrongAnswer(f"no {_HEADER_LENGTH} in the answer: {answer.body[:200]!r}")
    return _floats(answer.body[int(length) :])


def _floats(content: bytes) -> list[float]:
    if len(content) % 4:
        raise WrongAnswer(f"{len(content)} bytes are not a row of float32")
    return list(struct.unpack(f"<{len(content) // 4}f", content))
