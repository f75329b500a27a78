"""LiteRT (TensorFlow Lite) files. Grade: silver.

A `.tflite` file is data: a graph of built-in operations, checked by LiteRT's verifier when it is
read. Custom operations that LiteRT does not bring itself are refused.

Tensors have the names of the file's signature, `serving_default` or the only one, else those of
its tensors. A size that the file fixes stays fixed: convert with a free batch dimension to serve
many rows at once. Quantised tensors are served as the integers that they are. Texts and signatures
of further subgraphs are not supported. An interpreter runs one request at a time.
"""

from __future__ import annotations

import threading
from importlib import metadata
from pathlib import Path
from typing import TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt
from ai_edge_litert import interpreter as litert

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.runtimes._quiet import quiet_banners
from modelport.runtimes.base import Description, LoadOptions, Runtime

__all__ = ["RUNTIME", "LiteRTModel"]


class _Tensor(TypedDict):
    """What LiteRT says of a tensor, as far as it is used here."""

    name: str
    index: int
    dtype: type[np.generic]
    shape: npt.NDArray[np.int32]
    shape_signature: npt.NDArray[np.int32]


_Tensors: TypeAlias = dict[str, _Tensor]
_DEFAULT = "serving_default"


class LiteRTModel:
    """An interpreter behind a lock, which it needs."""

    def __init__(self, interpreter: litert.Interpreter) -> None:
        self._interpreter = interpreter
        self._lock = threading.Lock()
        inputs, outputs = _tensors(interpreter)
        self._inputs = {name: tensor["index"] for name, tensor in inputs.items()}
        self._outputs = {name: tensor["index"] for name, tensor in outputs.items()}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.description = Description(
            runtime=f"LiteRT {metadata.version('ai-edge-litert')}",
            signature=Signature(_specs(inputs), _specs(outputs)),
        )

    def predict(self, batch: Batch) -> Batch:
        """Give the inputs their sizes, run, and copy the outputs."""
        with self._lock:
            self._resize({name: value.shape for name, value in batch.items()})
            # A request must not see what an earlier one left in the graph's variables.
            self._interpreter.reset_all_variables()
            for name, value in batch.items():
                self._interpreter.set_tensor(self._inputs[name], value)
            self._interpreter.invoke()
            return {n: self._interpreter.get_tensor(at) for n, at in self._outputs.items()}

    def close(self) -> None:
        """Give the interpreter's memory back."""
        with self._lock:
            vars(self).pop("_interpreter", None)

    def _resize(self, shapes: dict[str, tuple[int, ...]]) -> None:
        if shapes == self._shapes:
            return
        self._shapes = {}  # if this fails, the next request has to do it again
        for name, shape in shapes.items():
            self._interpreter.resize_tensor_input(self._inputs[name], shape)
        self._interpreter.allocate_tensors()
        self._shapes = shapes


def _load(path: Path, options: LoadOptions) -> LiteRTModel:
    try:
        with quiet_banners():
            interpreter = litert.Interpreter(str(path), num_threads=options.threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise _refusal(path, str(error)) from error
    return LiteRTModel(interpreter)


RUNTIME = Runtime(name="LiteRT", load=_load)


def _refusal(path: Path, said: str) -> CorruptModel | UnsupportedModel:
    reason = (said.strip().splitlines() or ["it was refused"])[0][:300]
    if "custom op" in said or "Flex" in said or "Select TensorFlow op" in said:
        return UnsupportedModel(
            f"'{path.name}' has operations that LiteRT does not bring: {reason}. Convert it with"
            " built-in operations only"
        )
    return CorruptModel(f"'{path.name}' is not a usable LiteRT file: {reason}")


def _tensors(interpreter: litert.Interpreter) -> tuple[_Tensors, _Tensors]:
    """The inputs and outputs of the main graph, by the names of its signature, else their own."""
    inputs = {tensor["name"]: tensor for tensor in interpreter.get_input_details()}
    outputs = {tensor["name"]: tensor for tensor in interpreter.get_output_details()}
    signatures = list(interpreter.get_signature_list())
    key = _DEFAULT if _DEFAULT in signatures or len(signatures) != 1 else signatures[0]
    if key not in signatures:
        return inputs, outputs
    runner = interpreter.get_signature_runner(key)
    named = runner.get_input_details(), runner.get_output_details()
    if _indices(named[0]) == _indices(inputs) and _indices(named[1]) <= _indices(outputs):
        return named
    return inputs, outputs  # the signature is of another graph of the file


def _indices(tensors: _Tensors) -> set[int]:
    return {tensor["index"] for tensor in tensors.values()}


def _specs(tensors: _Tensors) -> tuple[TensorSpec, ...]:
    return tuple(_spec(name, tensor) for name, tensor in tensors.items())


def _spec(name: str, tensor: _Tensor) -> TensorSpec:
    dtype = np.dtype(tensor["dtype"])
    if dtype.kind not in "biuf":
        raise UnsupportedModel(f"tensor '{name}' is of a type that is not supported: {dtype}")
    sizes = tensor["shape_signature"].tolist() or tensor["shape"].tolist()
    return TensorSpec(name, DType.of(dtype), tuple(None if n < 0 else n for n in sizes))
