"""What every peer does with a request's body: the same ONNX Runtime session behind each front."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import orjson

__all__ = ["HEAVY", "MEDIA_TYPES", "Handler", "from_environment", "open_session"]

Handler = Callable[[bytes], bytes]

MEDIA_TYPES = {
    "linear": "application/json",
    "tabular": "application/json",
    "image": "application/octet-stream",
}


HEAVY = frozenset({"image"})
"""Workloads whose one inference takes milliseconds."""


def from_environment() -> tuple[str, Handler, str]:
    """The workload in `BENCH_WORKLOAD`, its handler, and the media type of its answers."""
    workload = os.environ["BENCH_WORKLOAD"]
    session = open_session(os.environ["BENCH_MODEL"])
    return workload, _HANDLERS[workload](session), MEDIA_TYPES[workload]


def open_session(path: str) -> ort.InferenceSession:
    """A session on one thread that sleeps when it has nothing to do: one process a core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _linear(session: ort.InferenceSession) -> Handler:
    def handle(body: bytes) -> bytes:
        row = np.array([orjson.loads(body)["x"]], np.float64)
        [y] = session.run(["y"], {"x": row})
        return orjson.dumps({"prediction": y.item()})

    return handle


def _tabular(session: ort.InferenceSession) -> Handler:
    def handle(body: bytes) -> bytes:
        row = np.array([orjson.loads(body)["X"]], np.float32)
        label, probabilities = session.run(["label", "probabilities"], {"X": row})
        zero, one = probabilities[0].tolist()
        return orjson.dumps({"prediction": label.item(), "probabilities": {"0": zero, "1": one}})

    return handle


def _image(session: ort.InferenceSession) -> Handler:
    def handle(body: bytes) -> bytes:
        image = np.frombuffer(body, np.float32).reshape(1, 3, 224, 224)
        [y] = session.run(["y"], {"x": image})
        content: bytes = y.tobytes()
        return content

    return handle


_HANDLERS: dict[str, Callable[[ort.InferenceSession], Handler]] = {
    "linear": _linear,
    "tabular": _tabular,
    "image": _image,
}
