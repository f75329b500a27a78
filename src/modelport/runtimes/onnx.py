"""ONNX files, run by ONNX Runtime. Grade: silver.

An ONNX file is data: a graph of standard operators. Operators of custom libraries are not loaded,
and external data must be plain files in the model's own folder.
"""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from modelport.core.errors import CorruptModel, InvalidInput, UnsupportedModel
from modelport.core.semantics import InputMeaning, OutputMeaning, Semantics
from modelport.core.signature import Shape, Signature, TensorSpec
from modelport.core.tensors import Array, Batch, DType, bytes_tensor, decode_text
from modelport.runtimes.base import Description, LoadOptions, Runtime

__all__ = ["RUNTIME", "OnnxModel", "open_session"]

_log = logging.getLogger(__name__)

_DTYPES = {
    "tensor(bool)": DType.BOOL,
    "tensor(uint8)": DType.UINT8,
    "tensor(uint16)": DType.UINT16,
    "tensor(uint32)": DType.UINT32,
    "tensor(uint64)": DType.UINT64,
    "tensor(int8)": DType.INT8,
    "tensor(int16)": DType.INT16,
    "tensor(int32)": DType.INT32,
    "tensor(int64)": DType.INT64,
    "tensor(float16)": DType.FP16,
    "tensor(float)": DType.FP32,
    "tensor(double)": DType.FP64,
    "tensor(string)": DType.BYTES,
}
_MAPS = {"seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))"}
"""What a classifier's ZipMap operator gives: for each row a map from class to probability."""
_LABELS = {"label", "output_label", "class_label"}


def open_session(model: Path | bytes, threads: int) -> ort.InferenceSession:
    """An ONNX Runtime session on `threads` CPU threads that sleeps when it has nothing to do."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = str(model) if isinstance(model, Path) else model
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class OnnxModel:
    """A session with its signature; text goes in and comes out as UTF-8."""

    def __init__(self, session: ort.InferenceSession, folder: Path | None = None) -> None:
        self._session = session
        self._outputs = [node.name for node in session.get_outputs()]
        self._texts = tuple(n.name for n in session.get_inputs() if n.type == "tensor(string)")
        self._classes = _zipped_classes(session)
        # Outputs that are not numbers need a second look after each run.
        self._plain = not self._classes and all(
            node.type in _DTYPES and node.type != "tensor(string)"
            for node in session.get_outputs()
        )
        self.description = _describe(session, self._classes)

    def predict(self, batch: Batch) -> Batch:
        """Run the graph."""
        feed = dict(batch)
        for name in self._texts:
            feed[name] = decode_text(name, feed[name])
        try:
            values = self._session.run(self._outputs, feed)
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise InvalidInput(f"the model does not take this input: {_reason(error)}") from error
        outputs = dict(zip(self._outputs, values, strict=True))
        return outputs if self._plain else self._tidy(outputs)

    def close(self) -> None:
        """Give the session's memory back."""
        del self._session

    def _tidy(self, outputs: dict[str, Array]) -> Batch:
        for name, value in outputs.items():
            if name in self._classes:
                outputs[name] = _unzip(value, self._classes[name])
            elif value.dtype.kind in "OSU":
                outputs[name] = bytes_tensor((str(v).encode() for v in value.flat), value.shape)
        return outputs


def _load(path: Path, options: LoadOptions) -> OnnxModel:
    try:
        session = open_session(path, options.threads)
    except Exception as error:
        raise CorruptModel(f"'{path.name}' is not a usable ONNX file: {_reason(error)}") from error
    return OnnxModel(session, path.parent)


RUNTIME = Runtime(name="ONNX", load=_load)


def _describe(
    session: ort.InferenceSession, zipped: Mapping[str, Sequence[str | int]]
) -> Description:
    inputs = tuple(_spec(node.name, node.type, node.shape) for node in session.get_inputs())
    outputs = tuple(
        TensorSpec(node.name, DType.FP32, (None, len(zipped[node.name])))
        if node.name in zipped
        else _spec(node.name, node.type, node.shape)
        for node in session.get_outputs()
    )
    leading = {node.shape[0] for node in session.get_inputs() if node.shape}
    symbols = {size for size in leading if isinstance(size, str)}
    meta = session.get_modelmeta()
    return Description(
        runtime=f"ONNX Runtime {ort.__version__}",
        signature=Signature(inputs, outputs, lockstep=len(symbols) <= 1),
        semantics=_semantics(meta, inputs, outputs, zipped),
    )


def _spec(name: str, type_name: str, shape: Sequence[int | str | None]) -> TensorSpec:
    dtype = _DTYPES.get(type_name)
    if dtype is None:
        raise UnsupportedModel(
            f"tensor '{name}' is of type {type_name}, which no protocol of this server can carry;"
            f" it can carry {', '.join(_DTYPES)}"
        )
    free: Shape = tuple(size if isinstance(size, int) and size >= 0 else None for size in shape)
    return TensorSpec(name, dtype, free)


def _semantics(
    meta: ort.ModelMetadata,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    zipped: Mapping[str, Sequence[str | int]],
) -> Semantics:
    """What the metadata says: `columns` or `feature_names`, and `classes`, `names` or `labels`.

    Exporters write a JSON list, a JSON object or a Python literal of `{index: name}`.
    """
    custom = meta.custom_metadata_map
    columns = _listed(custom, "columns", "feature_names")
    classes = _listed(custom, "classes", "names", "labels")
    input_meanings = {
        spec.name: InputMeaning(columns=tuple(str(name) for name in columns))
        for spec in inputs
        if columns and spec.shape and spec.shape[-1] in (len(columns), None)
    }
    output_meanings: dict[str, OutputMeaning] = {}
    for spec in outputs:
        names = tuple(zipped.get(spec.name, ())) or classes
        if spec.name in zipped or (names and spec.shape and spec.shape[-1] == len(names)):
            kind = "logits" if "logit" in spec.name.lower() else "probabilities"
            output_meanings[spec.name] = OutputMeaning(kind=kind, classes=names)
        elif spec.name in _LABELS and len(outputs) > 1:
            output_meanings[spec.name] = OutputMeaning(kind="label", classes=names)
    return Semantics(
        description=meta.description or None,
        inputs=input_meanings,
        outputs=output_meanings,
    )


def _listed(custom: Mapping[str, str], *keys: str) -> tuple[str | int, ...]:
    for key in keys:
        if key in custom:
            value = _literal(custom[key])
            if isinstance(value, dict):
                value = [value[index] for index in sorted(value, key=int)]
            if isinstance(value, list) and all(isinstance(v, str | int) for v in value):
                return tuple(value)
            _log.warning("the ONNX metadata '%s' is not a list of names and was not used", key)
    return ()


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _zipped_classes(session: ort.InferenceSession) -> dict[str, tuple[str | int, ...]]:
    """The classes of each ZipMap output; only an inference tells them, so one is made."""
    zipped = [node.name for node in session.get_outputs() if node.type in _MAPS]
    if not zipped:
        return {}
    feed = {node.name: _one_row(node.type, node.shape) for node in session.get_inputs()}
    found = session.run(zipped, feed)
    return {name: tuple(rows[0]) for name, rows in zip(zipped, found, strict=True)}


def _one_row(type_name: str, shape: Sequence[int | str | None]) -> Array:
    sizes = tuple(size if isinstance(size, int) else 1 for size in shape)
    dtype = _DTYPES[type_name]
    if dtype is DType.BYTES:
        return np.full(sizes, "", dtype=np.object_)
    return np.zeros(sizes, dtype=dtype.numpy)


def _unzip(rows: object, classes: Sequence[str | int]) -> Array:
    assert isinstance(rows, list)
    return np.array([[row[name] for name in classes] for row in rows], dtype=np.float32)


def _reason(error: Exception) -> str:
    """The library's message without its status prefix and source locations."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.rpartition(" : ")[2].strip()[:300]
