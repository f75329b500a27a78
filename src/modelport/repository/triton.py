"""`config.pbtxt`: what a repository made for Triton says of a model, as far as it applies here.

Applied are the tensors' types, shapes and labels, the rows of a batch, the version policy, the
file's name, and which backend, and so which file, is meant. The rest is how Triton runs a model; it
is named and ignored.

Source: https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType
from modelport.kit.textproto import Message, Word, parse

__all__ = [
    "CONFIG",
    "TritonConfig",
    "config_of",
    "files_meant",
    "not_applied",
    "read_config",
    "read_labels",
]

_T = TypeVar("_T")

CONFIG = "config.pbtxt"
_TF_SERVING = "models.config"
"""Where TensorFlow Serving is told its models; beside them by custom."""
_MAX_BYTES = 1024 * 1024
_TYPES = {f"TYPE_{t.value}": t for t in DType if t is not DType.BYTES} | {
    "TYPE_STRING": DType.BYTES
}
_APPLIED = ("name", "platform", "backend", "max_batch_size", "input", "output")
_CHOICE = ("default_model_filename", "version_policy", "ensemble_scheduling")
_TENSOR = ("name", "data_type", "dims", "label_filename")
_FOLDER = "/"
"""In place of an ending: a folder that is one model."""
_BACKENDS: dict[str, tuple[str, ...]] = {
    "onnxruntime": (".onnx",),
    "onnxruntime_onnx": (".onnx",),
    "pytorch": (".pt", ".pth", ".pt2"),
    "pytorch_libtorch": (".pt", ".pth", ".pt2"),
    "tensorflow": (_FOLDER,),
    "tensorflow_savedmodel": (_FOLDER,),
    "openvino": (".xml", ".onnx", ".tflite", _FOLDER),
    "fil": (".json", ".ubj", ".txt"),
}
"""The endings of the files that a backend or platform of Triton's runs, which are run here too."""
_INSTEAD = {
    "tensorrt": "serve the ONNX file that the TensorRT engine was built from",
    "tensorflow_graphdef": "save the graph as a SavedModel",
    "ensemble": "write its steps in a pipeline.toml",
    "python": "write what model.py does as a function or class with type hints, and take"
    " config.pbtxt away",
    "dali": "prepare the inputs in a function of a pipeline.toml, or in the model's own graph",
}


class TritonConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a `config.pbtxt` says."""

    backend: str = ""
    """The backend, or else the platform, or `ensemble`."""
    file: str = ""
    """The name of the model's file in a version's folder; empty where it is not said."""
    newest: int | None = None
    """How many of the newest versions are served; None: all."""
    versions: tuple[str, ...] | None = None
    """Which versions are served; None: all."""
    max_batch_size: int | None = None
    """Most rows of a batch; 0: no requests share one; None where it is not said."""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    labels: dict[str, str] = {}
    """By output: the file with the names of its classes, below the model's folder."""
    predicts_class: bool = False
    """What FIL's outputs are: the class,"""
    predicts_probabilities: bool = False
    """or the probabilities."""
    warnings: tuple[str, ...] = ()
    """What is not applied, and what looks wrong; one sentence each."""

    @property
    def problem(self) -> str | None:
        """Why nothing of this backend can be run here, and what would be right."""
        name = self.backend.split("_plan")[0]
        if not name or name in _BACKENDS:
            return None
        runs = ", ".join(backend for backend in _BACKENDS if "_" not in backend)
        instead = _INSTEAD.get(name, f"models of {runs} are")
        return f"{CONFIG} says {self.backend!r}, which is not run here: {instead}"

    def served(self, versions: Iterable[str]) -> list[str]:
        """Those of the versions that are served, and those that should be and are not there."""
        numbers = sorted((v for v in versions if v.isdecimal()), key=int)
        if self.versions is not None:
            return list(self.versions)
        return numbers if self.newest is None else numbers[-self.newest :]


def config_of(folder: Path) -> TritonConfig | None:
    """The configuration in a model's folder; None where there is none.

    Raises:
        ConfigError: as `read_config`.
    """
    return read_config(folder / CONFIG) if (folder / CONFIG).is_file() else None


def read_config(path: Path) -> TritonConfig:
    """Read a `config.pbtxt`.

    Raises:
        ConfigError: it is no text of protocol buffers (with line and column), or a field that
            applies has a wrong value (names the field).
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{CONFIG} is larger than {_MAX_BYTES} bytes")
        return _config(parse(path.read_text(encoding="utf-8")), path.parent.name)
    except ValueError as error:  # whatever a file holds, it is a problem of its model alone
        raise ConfigError(f"{CONFIG} is not valid: {error}") from error
    except OSError as error:
        raise ConfigError(f"{CONFIG} cannot be read: {error.strerror}") from error


def not_applied(root: Path | None, configs: Iterable[str]) -> list[str]:
    """What files of other servers say that is not applied here, one sentence each.

    Args:
        root: the folder of the models, if there is one.
        configs: where the `config.pbtxt` files are; one that cannot be read says nothing.
    """
    said = []
    if root is not None and (root / _TF_SERVING).is_file():
        said.append(f"{_TF_SERVING} is not read: each folder with versions is a model")
    for config in sorted(set(configs)):
        with contextlib.suppress(ConfigError):
            said += read_config(Path(config)).warnings
    return said


def read_labels(config: Path, file: str) -> tuple[str, ...]:
    """The names of classes in a label file, one a line.

    Args:
        config: the `config.pbtxt` that names it.
        file: its path below the model's folder.

    Raises:
        ConfigError: it is not there, lies elsewhere, or is no text.
    """
    root = config.parent.resolve()
    path = root / file
    if not _lies_in(root, path):
        raise _wrong(f"label_filename {file!r} is no file in the model's folder")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _wrong(f"label_filename {file!r} is larger than {_MAX_BYTES} bytes")
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"label_filename {file!r} cannot be read as UTF-8") from error


def _lies_in(root: Path, path: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root) and path.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, links in a circle, a zero byte
        return False


def files_meant(config: TritonConfig, folder: Path, found: Sequence[Path]) -> list[Path]:
    """Those of the models found in a version's folder that a configuration means.

    Raises:
        ConfigError: there is none, or Modelport cannot run what is meant.
    """
    if folder in found:  # the folder itself is a model: a SavedModel, a pipeline
        return [folder]
    if config.problem is not None:
        raise ConfigError(config.problem)
    if config.file:
        named = [path for path in found if config.file in (path.name, path.parent.name)]
        if not named:
            raise _wrong(
                f"default_model_filename is {config.file!r}, and the folder of version"
                f" {folder.name} holds no model of that name"
            )
        return named
    endings = _BACKENDS.get(config.backend)
    if endings is None:
        return list(found)
    fitting = [path for path in found if (_FOLDER if path.is_dir() else path.suffix) in endings]
    if found and not fitting:
        raise ConfigError(
            f"{CONFIG} says {config.backend!r}, and the folder of version {folder.name} holds"
            f" {', '.join(path.name for path in found)}"
        )
    return fitting


def _config(raw: Message, folder: str) -> TritonConfig:
    backend = _text(raw, "backend") or _text(raw, "platform")
    if "ensemble_scheduling" in raw:
        backend = "ensemble"
    inputs, outputs = _messages(raw, "input"), _messages(raw, "output")
    most = _one(raw, "max_batch_size", int)
    if most is not None and most < 0:
        raise _wrong(f"max_batch_size is 0 or more, not {most}")
    is_batched = bool(most)
    parameters = {
        _text(p, "key"): _text(v, "string_value")
        for p in _messages(raw, "parameters")
        for v in _messages(p, "value")
    }
    newest, versions = _policy(raw)
    return TritonConfig(
        backend=backend,
        file=_file(raw),
        newest=newest,
        versions=versions,
        max_batch_size=most,
        inputs=tuple(_spec("input", message, is_batched) for message in inputs),
        outputs=tuple(_spec("output", message, is_batched) for message in outputs),
        labels={
            _text(message, "name"): _text(message, "label_filename")
            for message in outputs
            if "label_filename" in message
        },
        predicts_class=parameters.get("output_class") == "true",
        predicts_probabilities=parameters.get("predict_proba") == "true",
        warnings=tuple(_warnings(raw, folder)),
    )


def _warnings(raw: Message, folder: str) -> Iterable[str]:
    name = _text(raw, "name")
    if name and name != folder:
        yield f"{CONFIG} names the model {name!r}; it is served as {folder!r}, after its folder"
    ignored = [key for key in raw if key not in _APPLIED + _CHOICE]
    for kind in ("input", "output"):
        keys = (key for message in _messages(raw, kind) for key in message if key not in _TENSOR)
        ignored += dict.fromkeys(f"{kind}.{key}" for key in keys)
    if ignored:
        yield f"{CONFIG} of {folder!r}: not applied here: {', '.join(ignored)}"


def _file(raw: Message) -> str:
    name = _text(raw, "default_model_filename")
    if "/" in name or name.startswith("."):
        raise _wrong(f"default_model_filename {name!r} is no name of a file in a version's folder")
    return name


def _policy(raw: Message) -> tuple[int | None, tuple[str, ...] | None]:
    """How many of the newest versions are served, or which."""
    for policy in _messages(raw, "version_policy"):
        for latest in _messages(policy, "latest"):
            number = _one(latest, "num_versions", int)
            if number is not None and number < 1:
                raise _wrong(f"version_policy: num_versions is 1 or more, not {number}")
            return number or 1, None
        for specific in _messages(policy, "specific"):
            numbers = _all(specific, "versions", int)
            return None, tuple(str(number) for number in sorted(set(numbers)))
    return None, None


def _spec(kind: str, message: Message, is_batched: bool) -> TensorSpec:
    name = _text(message, "name")
    if not name:
        raise _wrong(f"an {kind} has no name")
    where = f"{kind} {name!r}"
    known = _one(message, "data_type", Word)
    if known not in _TYPES:
        raise _wrong(f"{where}: data_type is one of {', '.join(_TYPES)}, not {known or 'absent'}")
    sizes = [None if size < 0 else size for size in _all(message, "dims", int)]
    for reshape in _messages(message, "reshape"):  # what the model itself takes
        sizes = [None if size < 0 else size for size in _all(reshape, "shape", int)]
    return TensorSpec(name, _TYPES[known], (*([None] if is_batched else []), *sizes))


def _all(message: Message, key: str, kind: type[_T]) -> list[_T]:
    found: list[Any] = message.get(key, [])
    for value in found:
        # A word is text of its own kind, and a truth value is a word here.
        if type(value) is not kind:
            words = {int: "a whole number", str: "quoted text", Word: "a name", dict: "{ … }"}
            shown = "{ … }" if isinstance(value, dict) else repr(value)
            raise _wrong(f"{key} is {words[kind]}, not {shown}")
    return found


def _one(message: Message, key: str, kind: type[_T]) -> _T | None:
    """The last value of a field, as protocol buffers have it."""
    found = _all(message, key, kind)
    return found[-1] if found else None


def _text(message: Message, key: str) -> str:
    return _one(message, key, str) or ""


def _messages(message: Message, key: str) -> list[Message]:
    return _all(message, key, dict)


def _wrong(problem: str) -> ConfigError:
    return ConfigError(f"{CONFIG}: {problem}")
