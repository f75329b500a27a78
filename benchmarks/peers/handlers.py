"""What every peer does with a request: the same ONNX Runtime session behind each front."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
import orjson
from numpy.typing import NDArray

from benchmarks.forms import INPUTS, OUTPUTS

__all__ = [
    "Arrays",
    "Form",
    "Handler",
    "form_of",
    "from_environment",
    "open_session",
    "run",
    "run_together",
]

Arrays = list[NDArray[Any]]
"""The tensors of a request or an answer in the order of `forms`, each with its rows in front."""
Handler = Callable[[bytes], bytes]

_DTYPES = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64}
_NUMPY = orjson.OPT_SERIALIZE_NUMPY


@dataclass(frozen=True)
class Form:
    """How a workload's requests and answers are written."""

    workload: str
    decode: Callable[[bytes], Arrays]
    encode: Callable[[Arrays], bytes]
    media_type: str = "application/json"
    heavy: bool = False
    """Whether one inference takes milliseconds."""

    @property
    def inputs(self) -> list[str]:
        """The names of the model's inputs."""
        return [tensor.name for tensor in INPUTS[self.workload]]

    @property
    def outputs(self) -> list[str]:
        """The names of the model's outputs."""
        return [tensor.name for tensor in OUTPUTS[self.workload]]


def from_environment() -> tuple[Form, Handler]:
    """The form of the workload in `BENCH_WORKLOAD`, and a handler of single requests."""
    form = form_of(os.environ["BENCH_WORKLOAD"])
    session = open_session(os.environ["BENCH_MODEL"])
    return form, lambda body: form.encode(run(session, form, form.decode(body)))


def form_of(workload: str) -> Form:
    """The form of one of the workloads."""
    return _FORMS[workload]


def open_session(path: str, threads: int = 1) -> ort.InferenceSession:
    """A session whose threads sleep when they have nothing to do: one process a core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session: ort.InferenceSession, form: Form, arrays: Arrays) -> Arrays:
    """One inference on however many rows."""
    outputs: Arrays = session.run(form.outputs, dict(zip(form.inputs, arrays, strict=True)))
    return outputs


def run_together(
    session: ort.InferenceSession, form: Form, requests: Sequence[Arrays]
) -> list[Arrays]:
    """One inference on the requests of a batch, each of one row; their answers in order."""
    if len(requests) == 1:
        return [run(session, form, requests[0])]
    joined = [np.concatenate(parts) for parts in zip(*requests, strict=True)]
    outputs = run(session, form, joined)
    return [[output[i : i + 1] for output in outputs] for i in range(len(requests))]


def _decode_json(workload: str) -> Callable[[bytes], Arrays]:
    fields = [(tensor.name, _DTYPES[tensor.datatype]) for tensor in INPUTS[workload]]

    def decode(body: bytes) -> Arrays:
        content = orjson.loads(body)
        return [np.array([content[name]], dtype) for name, dtype in fields]

    return decode


def _decode_image(body: bytes) -> Arrays:
    return [np.frombuffer(body, np.float32).reshape(1, 3, 224, 224)]


def _encode_linear(outputs: Arrays) -> bytes:
    return orjson.dumps({"prediction": outputs[0].item()})


def _encode_tabular(outputs: Arrays) -> bytes:
    label, probabilities = outputs
    zero, one = probabilities[0].tolist()
    return orjson.dumps({"prediction": label.item(), "probabilities": {"0": zero, "1": one}})


def _encode_image(outputs: Arrays) -> bytes:
    return outputs[0].tobytes()


def _encode_embedding(outputs: Arrays) -> bytes:
    return orjson.dumps({"prediction": outputs[0][0]}, option=_NUMPY)


_FORMS = {
    form.workload: form
    for form in (
        Form("linear", _decode_json("linear"), _encode_linear),
        Form("tabular", _decode_json("tabular"), _encode_tabular),
        Form("image", _decode_image, _encode_image, "application/octet-stream", heavy=True),
        Form("transformer", _decode_json("transformer"), _encode_embedding, heavy=True),
    )
}
