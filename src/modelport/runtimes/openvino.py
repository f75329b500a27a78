"""OpenVINO IR: a `.xml` file with its weights in the `.bin` file of the same name beside it.
Grade: silver.

The IR is data: a graph of standard operations. Extensions are never loaded, so that a graph with
operations of their own is refused. Numbers are float32 where the file says so, on every CPU.
State that a graph keeps from one run to the next is reset before each run. OpenVINO's telemetry
is off.

A digest is of the `.xml` file, as it is for every model that is a file.
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.signature import Shape, Signature, TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.runtimes.base import Description, LoadOptions, Runtime

# Importing OpenVINO sends an event to Google Analytics, unless the package that does is not there.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

__all__ = ["RUNTIME", "OpenVINOModel"]


class OpenVINOModel:
    """A compiled model; each run has a request of its own, which is kept for later ones."""

    def __init__(self, compiled: ov.CompiledModel, inputs: Signature) -> None:
        self._compiled = compiled
        self._free: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        self._outputs = [spec.name for spec in inputs.outputs]
        self._names = [spec.name for spec in inputs.inputs]
        self.description = Description(
            runtime=f"OpenVINO {ov.__version__.split('-')[0]}", signature=inputs
        )

    def predict(self, batch: Batch) -> Batch:
        """Run the graph."""
        with self._request() as request:
            request.reset_state()
            results = request.infer(
                {at: batch[name] for at, name in enumerate(self._names)}, share_outputs=False
            )
            return {name: results[at] for at, name in enumerate(self._outputs)}

    def close(self) -> None:
        """Give the memory back, once the last run in the air has ended."""
        for name in ("_compiled", "_free"):
            vars(self).pop(name, None)

    @contextmanager
    def _request(self) -> Iterator[ov.InferRequest]:
        free, compiled = self._free, self._compiled
        try:
            request = free.get_nowait()
        except queue.Empty:
            request = compiled.create_infer_request()
        yield request
        free.put(request)  # one that failed is not used again


def _load(path: Path, options: LoadOptions) -> OpenVINOModel:
    weights = path.with_suffix(".bin")
    if weights.is_symlink():
        raise UnsupportedModel(f"the weights '{weights.name}' are a link, not a plain file")
    core = ov.Core()
    try:
        model = core.read_model(str(path), str(weights) if weights.is_file() else "")
        signature = _signature(model)
        compiled = core.compile_model(model, "CPU", _settings(options.threads))
    except RuntimeError as error:
        raise CorruptModel(
            f"'{path.name}' is not a usable OpenVINO IR: {_reason(error)}"
        ) from error
    return OpenVINOModel(compiled, signature)


RUNTIME = Runtime(name="OpenVINO", load=_load)


def _settings(threads: int) -> dict[str, str | int]:
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the CPU has it
        "ENABLE_CPU_PINNING": "NO",  # workers would all pin themselves to the first cores
    }


def _signature(model: ov.Model) -> Signature:
    inputs, outputs = _specs(model.inputs), _specs(model.outputs)
    return Signature(inputs, outputs)


def _specs(ports: list[ov.Output]) -> tuple[TensorSpec, ...]:
    specs = tuple(_spec(port) for port in ports)
    if len({spec.name for spec in specs}) != len(specs):
        raise UnsupportedModel("two inputs, or two outputs, of the model have the same name")
    return specs


def _spec(port: ov.Output) -> TensorSpec:
    names = sorted(port.get_names())
    name = names[0] if names else port.get_node().get_friendly_name()
    kind, shape = port.get_element_type(), port.get_partial_shape()
    if kind.get_type_name() not in _DTYPES:
        raise UnsupportedModel(
            f"tensor '{name}' is of type {kind.get_type_name()}, which is not supported"
        )
    if shape.rank.is_dynamic:
        raise UnsupportedModel(f"tensor '{name}' has an open number of dimensions")
    free: Shape = tuple(size.get_length() if size.is_static else None for size in shape)
    return TensorSpec(name, DType.of(np.dtype(_DTYPES[kind.get_type_name()])), free)


_DTYPES = {
    "boolean": "bool",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}


def _reason(error: Exception) -> str:
    """The last line of OpenVINO's message: the lines before it say where in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
