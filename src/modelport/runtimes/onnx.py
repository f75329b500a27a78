"""ONNX files, run by ONNX Runtime. Grade: silver.

An ONNX file is data: a graph of standard operators. Operators of custom libraries are not loaded,
and external data must be plain files in the model's own folder.
"""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]  # it has no types

from modelport.core.errors import CorruptModel, InvalidInput, UnsupportedModel
from modelport.core.semantics import InputMeaning, OutputMeaning, Semantics
from modelport.core.signature import Shape, Signature, TensorSpec
from modelport.core.tensors import Array, Batch, DType, bytes_tensor, decode_text
from modelport.runtimes._onnx_external import check_external_data
from modelport.runtimes._onnx_packed import is_small, packed
from modelport.runtimes.base import Description, LoadOptions, Runtime

__all__ = ["RUNTIME", "OnnxModel", "bare", "open_session"]

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
_LONGEST = 1_000_000
"""Characters of metadata that are read."""
_LABELS = {"label", "output_label", "class_label"}
_SPIN_US = "30"
"""Longer than between most nodes, where to sleep and to be woken takes a run longer, and more CPU
time. Where other programs want the cores, to stay awake for longer (200 µs) is worse than sleep."""
_SMALLEST = (
    b'\x08\x08:3\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\r\n\x01x\x12\x08\n\x06\x08\x01\x12\x02\n\x00'
    b"b\r\n\x01y\x12\x08\n\x06\x08\x01\x12\x02\n\x00B\x04\n\x00\x10\x0f"
)
"""A model of one `Identity`: `x` FP32 [?] → `y`, opset 15."""


def open_session(
    model: Path | bytes,
    threads: int,
    *,
    spins: bool = False,
    is_optimised: bool = False,
    keep: Mapping[str, str] | None = None,
    keep_as: Path | None = None,
) -> ort.InferenceSession:
    """An ONNX Runtime session on `threads` CPU threads that sleep when it has nothing to do.

    Args:
        model: the file, or its content.
        threads: for one run.
        spins: whether its threads stay awake between the nodes of a run, for which no other may
            want their cores.
        is_optimised: whether the file holds what an earlier session has optimised.
        keep: settings for keeping what is made of the model.
        keep_as: where it is kept.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spins)))
    if spins:
        options.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_US)
        options.add_session_config_entry("session.force_spinning_stop", "1")
    if is_optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    for name, value in (keep or {}).items():
        options.add_session_config_entry(name, value)
    if keep_as is not None:
        options.optimized_model_filepath = str(keep_as)
    source = str(model) if isinstance(model, Path) else model
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class _Beside:
    """Sessions on one thread, each for one run at a time; as many as ever ran at once.

    Runs of several sizes at once in one session scatter the memory of what is between its nodes,
    so that each takes about a sixth longer from then on (`benchmarks/sessions.py`).
    """

    def __init__(self, open_another: Callable[[], ort.InferenceSession]) -> None:
        self._open_another: Callable[[], ort.InferenceSession] | None = open_another
        self._first = bare(open_another())
        self._idle = [self._first]

    def take(self) -> Any:
        """A session for a run; called in any thread."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._another()

    def _another(self) -> Any:
        if self._open_another is None:
            return self._first
        try:
            return bare(self._open_another())
        except Exception as error:  # the file may have gone since
            self._open_another = None
            _log.warning(
                "runs at once share a session from now on, and are slower: %s", _reason(error)
            )
            return self._first

    def give(self, session: Any) -> None:
        """That run has ended."""
        if session not in self._idle:
            self._idle.append(session)


class OnnxModel:
    """A session with its signature; text goes in and comes out as UTF-8."""

    def __init__(
        self,
        session: ort.InferenceSession,
        open_beside: Callable[[], ort.InferenceSession] | None = None,
    ) -> None:
        """
        Args:
            session: runs the graph, with all the threads it is given.
            open_beside: opens the same on one thread, for a run beside others; None: `session`
                does all.
        """
        self._session = bare(session)
        self._beside = None if open_beside is None else _Beside(open_beside)
        self._outputs = [node.name for node in session.get_outputs()]
        self._texts = tuple(n.name for n in session.get_inputs() if n.type == "tensor(string)")
        inputs = tuple(_spec(n.name, n.type, n.shape) for n in session.get_inputs())
        self._classes = _zipped_classes(session, inputs)
        self.description = _describe(session, inputs, self._classes)
        # Outputs that are not numbers need a second look after each run.
        texts = (spec.dtype is DType.BYTES for spec in self.description.signature.outputs)
        self._plain = not self._classes and not any(texts)

    def predict(self, batch: Batch) -> Batch:
        """Run the graph, beside others if there are any."""
        return self._run_beside(batch, None)

    def controlled(
        self, batch: Batch, *, alone: bool
    ) -> tuple[Callable[[], Batch], Callable[[], None]]:
        """The run of the graph, and what stops it between two of its nodes."""
        options = ort.RunOptions()

        def stop() -> None:
            options.terminate = True

        if alone:
            return partial(self._run, self._session, batch, options), stop
        return partial(self._run_beside, batch, options), stop

    def _run_beside(self, batch: Batch, options: ort.RunOptions | None) -> Batch:
        beside = self._beside
        if beside is None:
            return self._run(self._session, batch, options)
        session = beside.take()
        try:
            return self._run(session, batch, options)
        finally:
            beside.give(session)

    def _run(self, session: Any, batch: Batch, options: ort.RunOptions | None) -> Batch:
        feed = dict(batch)
        for name in self._texts:
            feed[name] = decode_text(name, feed[name])
        try:
            values = session.run(self._outputs, feed, options)
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise InvalidInput(f"the model does not take this input: {_reason(error)}") from error
        outputs = dict(zip(self._outputs, values, strict=True))
        return outputs if self._plain else self._tidy(outputs)

    def close(self) -> None:
        """Give the session's memory back, once the last run in the air has ended."""
        for name in ("_session", "_beside"):
            vars(self).pop(name, None)

    def _tidy(self, outputs: dict[str, Array]) -> Batch:
        for name, value in outputs.items():
            if name in self._classes:
                outputs[name] = _unzip(value, self._classes[name])
            elif value.dtype == np.object_:
                outputs[name] = bytes_tensor(
                    (text.encode() for text in value.ravel().tolist()), value.shape
                )
        return outputs


def bare(session: ort.InferenceSession) -> Any:
    """The session without its wrapper, which looks each run's inputs over in Python: a third of
    the time of a small model's run. Its own errors are the same."""
    return getattr(session, "_sess", session)


def _load(path: Path, options: LoadOptions) -> OnnxModel:
    check_external_data(path)
    try:
        sessions = _sessions(path, options)
    except Exception as error:
        reason = _reason(error).replace(str(path), path.name).replace(f"{path.parent}/", "")
        raise CorruptModel(f"'{path.name}' is not a usable ONNX file: {reason}") from error
    return OnnxModel(*sessions)


def _sessions(
    path: Path, options: LoadOptions
) -> tuple[ort.InferenceSession, Callable[[], ort.InferenceSession] | None]:
    """One with all threads; and where all can share the weights, or have copies that take little,
    what opens one for a run beside others."""
    kept = _packed(path, options)
    open_one = partial(open_session, kept or path, is_optimised=kept is not None)
    if options.threads == 1 or (kept is None and not is_small(path)):
        return open_one(options.threads), None
    return open_one(options.threads, spins=True), partial(open_one, 1)


def _packed(path: Path, options: LoadOptions) -> Path | None:
    """The model as it runs here, with its weights laid out, kept for all processes."""

    def keep(model: Path, weights: Path, name: str) -> bool:
        settings = {
            "session.optimized_model_external_initializers_file_name": name,
            "session.optimized_model_external_initializers_min_size_in_bytes": "1024",
            "session.save_external_prepacked_constant_initializers": "1",
        }
        original = open_session(path, 1, keep=settings, keep_as=model)
        return weights.exists() and _is_same(original, open_session(model, 1, is_optimised=True))

    return packed(path, options, ort.__version__, keep)


def _is_same(one: ort.InferenceSession, other: ort.InferenceSession) -> bool:
    """Whether two sessions have the same face, and the same answer to a row of ones."""
    if _face(one) != _face(other):
        return False
    row = {
        node.name: _one_row(_spec(node.name, node.type, node.shape)) for node in one.get_inputs()
    }
    try:
        answers = zip(one.run(None, row), other.run(None, row), strict=True)
        return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in answers)
    except Exception as error:  # not every model takes such a row
        _log.info("a model is not kept as it runs here, as it was not tried: %s", _reason(error))
        return False


def _face(session: ort.InferenceSession) -> object:
    nodes = [(n.name, n.type, n.shape) for n in (*session.get_inputs(), *session.get_outputs())]
    meta = session.get_modelmeta()
    return nodes, meta.custom_metadata_map, meta.description


def _prepare() -> None:
    """Run the smallest model: the tables of operators alone take about 10 MB."""
    open_session(_SMALLEST, 1).run(None, {"x": np.zeros(1, np.float32)})


RUNTIME = Runtime(name="ONNX", load=_load, prepare=_prepare)


def _describe(
    session: ort.InferenceSession,
    inputs: tuple[TensorSpec, ...],
    zipped: Mapping[str, Sequence[str | int]],
) -> Description:
    outputs = tuple(
        TensorSpec(node.name, DType.FP32, (None, len(zipped[node.name])))
        if node.name in zipped
        else _spec(node.name, node.type, node.shape)
        for node in session.get_outputs()
    )
    leading = {node.shape[0] for node in session.get_inputs() if node.shape}
    symbols = {size for size in leading if isinstance(size, str)}
    semantics, warnings = _semantics(session.get_modelmeta(), inputs, outputs, zipped)
    return Description(
        runtime=f"ONNX Runtime {ort.__version__}",
        signature=Signature(inputs, outputs, lockstep=len(symbols) <= 1),
        semantics=semantics,
        warnings=warnings,
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
) -> tuple[Semantics, tuple[str, ...]]:
    """What the metadata says, and what of it could not be used.

    Read are `columns` or `feature_names`, and `classes`, `names` or `labels`; exporters write a
    JSON list, a JSON object or a Python literal of `{index: name}`.
    """
    warnings: list[str] = []
    custom = meta.custom_metadata_map
    columns = _listed(custom, warnings, "columns", "feature_names")
    classes = _listed(custom, warnings, "classes", "names", "labels")
    semantics = Semantics(
        description=meta.description or None,
        inputs=_columns(columns, inputs, warnings),
        outputs=_outputs(classes, outputs, zipped),
    )
    return semantics, tuple(warnings)


def _columns(
    names: tuple[str | int, ...], inputs: tuple[TensorSpec, ...], warnings: list[str]
) -> dict[str, InputMeaning]:
    columns = tuple(str(name) for name in names)
    exact = [spec for spec in inputs if spec.row_shape[-1:] == (len(columns),)]
    places = exact or [spec for spec in inputs if spec.row_shape[-1:] == (None,)]
    if not columns:
        return {}
    others = {spec.name for spec in inputs if spec not in places}
    if len(places) != 1 or len({*columns, *others}) != len(columns) + len(others):
        warnings.append(
            f"the file names {len(columns)} columns, which do not fit one input of the model"
        )
        return {}
    return {places[0].name: InputMeaning(columns=columns)}


def _outputs(
    classes: tuple[str | int, ...],
    outputs: tuple[TensorSpec, ...],
    zipped: Mapping[str, Sequence[str | int]],
) -> dict[str, OutputMeaning]:
    meanings: dict[str, OutputMeaning] = {}
    for spec in outputs:
        names = tuple(zipped.get(spec.name, classes))
        row = (*(1 for _ in spec.row_shape[:-1]), len(names))
        is_score = names and spec.dtype.is_float and spec.row_shape == row
        if is_score and "logit" in spec.name.lower():
            meanings[spec.name] = OutputMeaning(kind="logits", classes=names)
        elif is_score:
            meanings[spec.name] = OutputMeaning(kind="probabilities", classes=names)
        elif spec.name in _LABELS and len(outputs) > 1 and set(spec.shape[1:]) <= {None, 1}:
            meanings[spec.name] = OutputMeaning(kind="label", classes=names)
    return meanings


def _listed(custom: Mapping[str, str], warnings: list[str], *keys: str) -> tuple[str | int, ...]:
    for key in keys:
        if key in custom:
            names = _names(_literal(custom[key]))
            if names is not None:
                return names
            warnings.append(f"the ONNX metadata '{key}' is not a list of names and was not used")
    return ()


def _names(value: object) -> tuple[str | int, ...] | None:
    """A list's items, or a mapping's by their index, where all of them are different texts."""
    if isinstance(value, dict):
        if not all(str(index).isdecimal() for index in value):
            return None
        value = [value[index] for index in sorted(value, key=int)]
    if not isinstance(value, list | tuple) or not all(isinstance(v, str | int) for v in value):
        return None
    texts = {str(name).encode(errors="replace") for name in value}
    return tuple(value) if len(texts) == len(value) else None


def _literal(text: str) -> object:
    if len(text) > _LONGEST:
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def _zipped_classes(
    session: ort.InferenceSession, inputs: tuple[TensorSpec, ...]
) -> dict[str, tuple[str | int, ...]]:
    """The classes of each ZipMap output; only an inference tells them, so one is made."""
    zipped = [node.name for node in session.get_outputs() if node.type in _MAPS]
    if not zipped:
        return {}
    try:
        found = session.run(zipped, {spec.name: _one_row(spec) for spec in inputs})
    except Exception as error:
        raise UnsupportedModel(
            f"the classes of '{zipped[0]}' are told by an inference only, and one on zeros failed:"
            f" {_reason(error)}; export the model with the option zipmap=False"
        ) from error
    return {name: tuple(rows[0]) for name, rows in zip(zipped, found, strict=True)}


def _one_row(spec: TensorSpec) -> Array:
    sizes = tuple(1 if size is None else size for size in spec.shape)
    return np.full(sizes, "" if spec.dtype is DType.BYTES else 0, dtype=spec.dtype.numpy)


def _unzip(rows: object, classes: Sequence[str | int]) -> Array:
    assert isinstance(rows, list)
    return np.array([[row[name] for name in classes] for row in rows], dtype=np.float32)


def _reason(error: Exception) -> str:
    """The library's message without its status prefix and source locations."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.rpartition(" : ")[2].strip()[:300]
