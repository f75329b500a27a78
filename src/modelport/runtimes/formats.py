"""Which formats there are, told without importing any library: how to know them, and their safety.

A format is data. What reads it, its `base.Runtime`, is named and imported when a model is loaded.
Other packages add formats in the entry point group `modelport.formats`, one object `Format` each.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from modelport.kit import plugins
from modelport.runtimes._onnx_external import external_locations

__all__ = [
    "CATBOOST",
    "GROUP",
    "JAX",
    "KERAS",
    "LIGHTGBM",
    "LITERT",
    "MLFLOW",
    "ONNX",
    "OPENVINO",
    "PICKLE",
    "PIPELINE",
    "PYTHON",
    "SAVED_MODEL",
    "SENTENCE_TRANSFORMERS",
    "SKOPS",
    "TORCHSCRIPT",
    "TORCH_EXPORT",
    "TRANSFORMERS",
    "XGBOOST",
    "Format",
    "Grade",
    "Safety",
    "format_of",
    "is_model",
    "known_formats",
]

_log = logging.getLogger(__name__)

GROUP = "modelport.formats"
_HEAD_BYTES = 65536
_NET = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*<net[\s>]", re.DOTALL)

Safety: TypeAlias = Literal["yes", "no", "by its content"]
Grade: TypeAlias = Literal["bronze", "silver", "gold"]
"""Bronze: loads, has tests and documentation. Silver: its errors are clear and its limits known.
Gold: measured, and compared with its own library by real clients."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way in which models are stored."""

    name: str
    """As people call it."""
    runtime: str
    """`module:attribute` of the `base.Runtime` that reads it."""
    grade: Grade
    safe: bool
    """Whether loading it runs no code of the file; else its digest has to be trusted."""
    why: str
    """Why it is safe; or why not, and the safe way: a clause that can follow a colon."""
    by_content: bool = False
    """Whether one of a safe format may hold code after all, which its runtime finds before it loads
    it: then its digest has to be trusted."""
    endings: tuple[str, ...] = ()
    """Of its files, without the dot, in lower case."""
    marker: str | None = None
    """The file whose presence makes a folder one model of this format."""
    recognise: Callable[[Path], bool] = lambda path: True
    """Whether a file of such an ending, or a folder with the marker, is really of this format;
    for endings that other files have too. Reads little, and raises nothing."""
    companions: Callable[[Path], Iterable[str]] = lambda path: ()
    """Further files that a file is nothing without, by their paths below its folder."""
    libraries: tuple[str, ...] = ()
    """The modules that its runtime imports, besides those of the core."""
    package: str = "modelport"
    extra: str | None = None
    """What of the package brings the libraries: `pip install 'package[extra]'`."""

    @property
    def is_installed(self) -> bool:
        """Whether its libraries are there; none of them is imported."""
        return all(importlib.util.find_spec(name) is not None for name in self.libraries)

    @property
    def safety(self) -> Safety:
        """Whether loading one is safe, in the words of the table of formats."""
        if not self.safe:
            return "no"
        return "by its content" if self.by_content else "yes"

    @property
    def install(self) -> str:
        """The command that brings its libraries."""
        extra = f"[{self.extra}]" if self.extra else ""
        return f"pip install '{self.package}{extra}'"

    @property
    def shown(self) -> str:
        """How it is told from others: `.onnx`, or `MLmodel/` for a folder with that file."""
        parts = [f".{ending}" for ending in self.endings]
        return ", ".join([*parts, *([f"{self.marker}/"] if self.marker else [])])


@functools.cache
def known_formats() -> tuple[Format, ...]:
    """Every format of the installed packages, by name.

    One of another package that cannot be imported is logged and left out: it must not keep the
    others from being served.
    """
    found = []
    for name, entry in plugins.entry_points(GROUP).items():
        try:
            loaded = entry.load()
            if not isinstance(loaded, Format):
                raise TypeError("it is not a modelport.runtimes.formats.Format")
        except Exception as error:
            _log.warning("the format '%s' is left out: %s: %s", name, type(error).__name__, error)
        else:
            found.append(loaded)
    return tuple(sorted(found, key=lambda known: known.name.lower()))


def format_of(path: Path) -> Format | None:
    """The format of a file or folder, or None."""
    if path.is_dir():
        likely = (f for f in known_formats() if f.marker and (path / f.marker).is_file())
    else:
        ending = path.suffix.lower().lstrip(".")
        likely = (f for f in known_formats() if ending in f.endings)
    return next((known for known in likely if known.recognise(path)), None)


def is_model(path: Path) -> bool:
    """Whether a file or folder is of a known format."""
    return format_of(path) is not None


def _begins(path: Path) -> bytes:
    """The first bytes of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _is_xgboost(path: Path) -> bool:
    beginning = _begins(path)
    return path.suffix.lower() == ".ubj" or (
        beginning.lstrip().startswith(b"{") and b'"learner"' in beginning
    )


def _is_lightgbm(path: Path) -> bool:
    return _begins(path).split(b"\n", 1)[0].rstrip() == b"tree"


CATBOOST = Format(
    name="CatBoost",
    runtime="modelport.runtimes.catboost:RUNTIME",
    endings=("cbm",),
    grade="silver",
    safe=True,
    why="trees, tables and settings; nothing in it is run",
    libraries=("catboost", "onnx"),
    extra="catboost",
)
LIGHTGBM = Format(
    name="LightGBM",
    runtime="modelport.runtimes.lightgbm:RUNTIME",
    endings=("txt",),
    grade="silver",
    safe=True,
    why="trees as text, checked before LightGBM reads them",
    recognise=_is_lightgbm,
    libraries=("lightgbm", "onnx"),
    extra="lightgbm",
)


def _weights_of(path: Path) -> list[str]:
    weights = path.with_suffix(".bin")
    return [weights.name] if weights.exists() else []


def _is_openvino(path: Path) -> bool:
    """Whether the root element of an XML file is `net`, as far as its first bytes tell."""
    return _NET.match(_begins(path)) is not None


ONNX = Format(
    name="ONNX",
    runtime="modelport.runtimes.onnx:RUNTIME",
    endings=("onnx",),
    grade="silver",
    safe=True,
    why="a graph of standard operators; external data must lie in the model's own folder",
    companions=external_locations,
)
PYTHON = Format(
    name="Python",
    runtime="modelport.runtimes.python:RUNTIME",
    endings=("py",),
    grade="silver",
    safe=False,
    why="it is a program, which runs when it is loaded. Name it as FILE.py:NAME; or, in a folder"
    " of models, say 'attribute = \"NAME\"' in its model.toml",
)
SKOPS = Format(
    name="skops",
    runtime="modelport.runtimes.sklearn:RUNTIME",
    endings=("skops",),
    grade="silver",
    safe=True,
    by_content=True,
    why="only types on a reviewed list are built; one with others has to be trusted",
    libraries=("sklearn", "skops", "skl2onnx"),
    extra="sklearn",
)
PICKLE = Format(
    name="pickle",
    runtime="modelport.runtimes.sklearn:RUNTIME",
    endings=("joblib", "pickle", "pkl"),
    grade="silver",
    safe=False,
    why="a pickle runs code when it is loaded. Save it in a format that does not, with"
    " skops.io.dump(model, 'model.skops')",
    libraries=("sklearn", "skops", "skl2onnx"),
    extra="sklearn",
)
XGBOOST = Format(
    name="XGBoost",
    runtime="modelport.runtimes.xgboost:RUNTIME",
    endings=("json", "ubj"),
    grade="silver",
    safe=True,
    why="trees as JSON, text or binary, checked before XGBoost reads them",
    recognise=_is_xgboost,
    libraries=("xgboost", "onnx"),
    extra="xgboost",
)
TORCHSCRIPT = Format(
    name="TorchScript",
    runtime="modelport.runtimes.torch.script:RUNTIME",
    endings=("pt", "pth"),
    grade="silver",
    safe=False,
    why="a TorchScript program can read and write files when it runs, and its loader is not made"
    " for files of strangers. Save it in a format that cannot, such as ONNX",
    libraries=("torch",),
    extra="torch",
)
TORCH_EXPORT = Format(
    name="torch.export",
    runtime="modelport.runtimes.torch.exported:RUNTIME",
    endings=("pt2",),
    grade="silver",
    safe=False,
    why="the loader of torch.export falls back to pickle, which runs code. Save it in a format that"
    " does not, such as ONNX",
    libraries=("torch",),
    extra="torch",
)


def _is_transformers(folder: Path) -> bool:
    """Whether `config.json` is of a transformers model that is not part of a larger one."""
    if (folder / "modules.json").exists():
        return False
    start = _begins(folder / "config.json")
    return b'"architectures"' in start or b'"model_type"' in start


TRANSFORMERS = Format(
    name="transformers",
    runtime="modelport.runtimes.transformers.runtime:RUNTIME",
    marker="config.json",
    recognise=_is_transformers,
    grade="silver",
    safe=True,
    why="weights from safetensors only, architectures from a reviewed list, no code of the folder's"
    " own, nothing fetched",
    libraries=("torch", "transformers"),
    extra="transformers",
)
SENTENCE_TRANSFORMERS = Format(
    name="sentence-transformers",
    runtime="modelport.runtimes.transformers.sentence:RUNTIME",
    marker="modules.json",
    grade="silver",
    safe=True,
    why="weights from safetensors only, modules and architectures from reviewed lists, no code of"
    " the folder's own, nothing fetched",
    libraries=("torch", "transformers"),
    extra="sentence-transformers",
)
SAVED_MODEL = Format(
    name="SavedModel",
    runtime="modelport.runtimes.tensorflow:RUNTIME",
    marker="saved_model.pb",
    grade="silver",
    safe=True,
    by_content=True,
    why="a graph of operations on a list of pure ones; one with others has to be trusted",
    libraries=("tensorflow",),
    extra="tensorflow",
)
KERAS = Format(
    name="Keras",
    runtime="modelport.runtimes.keras:RUNTIME",
    endings=("keras",),
    grade="silver",
    safe=True,
    by_content=True,
    why="layers of Keras itself, in safe mode; one with Lambda or own layers has to be trusted",
    libraries=("tensorflow", "keras"),
    extra="keras",
)
LITERT = Format(
    name="LiteRT",
    runtime="modelport.runtimes.litert:RUNTIME",
    endings=("tflite",),
    grade="silver",
    safe=True,
    why="a graph of built-in operations; custom ones are refused",
    libraries=("ai_edge_litert",),
    extra="litert",
)
OPENVINO = Format(
    name="OpenVINO",
    runtime="modelport.runtimes.openvino:RUNTIME",
    endings=("xml",),
    grade="silver",
    safe=True,
    why="a graph of standard operations, with its weights in the .bin file beside it; extensions"
    " are not loaded",
    recognise=_is_openvino,
    companions=_weights_of,
    libraries=("openvino",),
    extra="openvino",
)
MLFLOW = Format(
    name="MLflow",
    runtime="modelport.runtimes.mlflow:RUNTIME",
    marker="MLmodel",
    grade="silver",
    safe=True,
    by_content=True,
    why="what it names is loaded as its own format, and refused where that one would be",
    libraries=("yaml",),
    extra="mlflow",
)
JAX = Format(
    name="JAX",
    runtime="modelport.runtimes.jax:RUNTIME",
    endings=("jaxexport",),
    grade="silver",
    safe=True,
    why="a StableHLO program, which only computes; calls of native code that are not on a list"
    " are refused",
    libraries=("jax",),
    extra="jax",
)
PIPELINE = Format(
    name="pipeline",
    runtime="modelport.engine.pipeline:RUNTIME",
    marker="pipeline.toml",
    grade="silver",
    safe=True,
    by_content=True,
    why="it connects what lies in its folder; each step is loaded as its own format, and refused"
    " where that one would be",
)
