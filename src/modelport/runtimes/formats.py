"""Which formats there are, told without importing any library: how to know them, and their safety.

A format is data. What reads it, its `base.Runtime`, is named and imported when a model is loaded.
Other packages add formats in the entry point group `modelport.formats`, one object `Format` each.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from modelport.kit import plugins

__all__ = [
    "GROUP",
    "JAX",
    "KERAS",
    "LITERT",
    "MLFLOW",
    "ONNX",
    "OPENVINO",
    "PICKLE",
    "PYTHON",
    "SAVED_MODEL",
    "SKOPS",
    "Format",
    "Grade",
    "format_of",
    "is_model",
    "known_formats",
]

_log = logging.getLogger(__name__)

GROUP = "modelport.formats"
_HEAD_BYTES = 4096
_NET = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*<net[\s>]", re.DOTALL)

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
    endings: tuple[str, ...] = ()
    """Of its files, without the dot, in lower case."""
    marker: str | None = None
    """The file whose presence makes a folder one model of this format."""
    recognise: Callable[[Path], bool] = lambda path: True
    """Whether a file of such an ending, or a folder with the marker, is really of this format;
    for endings that other files have too. Reads little, and raises nothing."""
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


def _is_openvino(path: Path) -> bool:
    """Whether the root element of an XML file is `net`, as far as its first bytes tell."""
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return _NET.match(start) is not None


ONNX = Format(
    name="ONNX",
    runtime="modelport.runtimes.onnx:RUNTIME",
    endings=("onnx",),
    grade="silver",
    safe=True,
    why="a graph of standard operators; external data must lie in the model's own folder",
)
PYTHON = Format(
    name="Python",
    runtime="modelport.runtimes.python:RUNTIME",
    endings=("py",),
    grade="silver",
    safe=False,
    why="it is a program, which runs when it is loaded (name it as FILE.py:NAME)",
)
SKOPS = Format(
    name="skops",
    runtime="modelport.runtimes.sklearn:RUNTIME",
    endings=("skops",),
    grade="silver",
    safe=True,
    why="only types on a reviewed list are built",
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
SAVED_MODEL = Format(
    name="SavedModel",
    runtime="modelport.runtimes.tensorflow:RUNTIME",
    marker="saved_model.pb",
    grade="silver",
    safe=True,
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
    libraries=("openvino",),
    extra="openvino",
)
MLFLOW = Format(
    name="MLflow",
    runtime="modelport.runtimes.mlflow:RUNTIME",
    marker="MLmodel",
    grade="silver",
    safe=True,
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
