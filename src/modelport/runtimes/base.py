"""What a runtime is, and the one way to open a model's file."""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from modelport.core.errors import (
    CorruptModel,
    LoadError,
    MissingLibrary,
    ModelportError,
    UnsupportedModel,
    UntrustedModel,
)
from modelport.core.messages import Parameter
from modelport.core.semantics import Semantics
from modelport.core.signature import Signature, TensorSpec, position
from modelport.core.tensors import Batch
from modelport.runtimes.formats import Format, format_of, known_formats

__all__ = [
    "Controllable",
    "Description",
    "LoadOptions",
    "Model",
    "Parametric",
    "Runtime",
    "given",
    "load",
    "prepare",
    "require_trust",
    "run_alone",
    "without_paths",
]

_ADDRESS = r"\b(?!file:)[a-z][a-z0-9+.-]*://\S+"  # stays, but for what gives access
_CREDENTIALS = re.compile(r"(?<=://)\S*@|\?\S*")  # a user with a password; a signature
_PATHS = (
    r"(?<=')~?/[^'\n]*(?=')",  # quoted, so that it may hold spaces
    r'(?<=")~?/[^"\n]*(?=")',
    r"(?<=\()~?/[^()\n]*(?=\))",
    r"(?<![\w.~/])~?/[^\s'\"`()<>,;:]*",
)
_PATH = re.compile(f"(?P<address>{_ADDRESS})|{'|'.join(_PATHS)}")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of a loaded model besides its answers."""

    runtime: str
    """What runs it, as people read it: `ONNX Runtime 1.20`."""
    signature: Signature
    semantics: Semantics = field(default_factory=Semantics)
    """What the file itself says; `model.toml` is not read here."""
    notes: tuple[str, ...] = ()
    """Why it runs the way it does, and what to know about it; one sentence each."""
    warnings: tuple[str, ...] = ()
    """What its owner should look at; one sentence each."""
    execution: Literal["compute", "blocking", "async", "remote"] = "compute"
    """`compute` only calculates, so that a short run may stay on the event loop; `blocking` may
    wait for anything and always has a thread; `async` returns an awaitable, and so does `remote`,
    which no runtime says: the model runs in another process."""
    takes_parameters: bool = False
    """Whether the model is `Parametric`, and some of it looks at what a request adds."""


class Model(Protocol):
    """A loaded version."""

    @property
    def description(self) -> Description:
        """Signature, meaning and notes; constant."""

    def predict(self, batch: Batch) -> Batch | Awaitable[Batch]:
        """The outputs for inputs that fit the signature.

        A `compute` model may be called by several threads at once, any other by one at a time.
        Arrays of the answer are the caller's: they stay as they are when `predict` is called
        again.

        Raises:
            InvalidInput: the model does not take these values.
            Exception: anything else is the model's own failure.
        """

    def close(self) -> None:
        """Give memory and handles back; the model is not used afterwards."""


@runtime_checkable
class Controllable(Protocol):
    """A model whose runs can be stopped, and may leave the other cores to runs beside them."""

    def controlled(
        self, batch: Batch, *, alone: bool
    ) -> tuple[Callable[[], Batch], Callable[[], None]]:
        """The run of `predict`, and what stops it, or keeps it from starting; it raises then.

        Args:
            batch: the inputs.
            alone: whether nothing else of the model runs or waits, so that all cores are free.
        """


def run_alone(model: Model, batch: Batch) -> Batch | Awaitable[Batch]:
    """As `predict`, on all threads: for callers who know that nothing else of the model runs."""
    if isinstance(model, Controllable):
        return model.controlled(batch, alone=True)[0]()
    return model.predict(batch)


@runtime_checkable
class Parametric(Protocol):
    """A model that takes what a request says besides its tensors."""

    def given(self, parameters: Mapping[str, Parameter]) -> Model:
        """The same loaded model, whose `predict` takes these into account; it is not closed.

        Args:
            parameters: of all the requests whose rows it will see.
        """


def given(model: Model, parameters: Mapping[str, Parameter]) -> Model:
    """The model as it runs with a request's parameters: itself where it takes none."""
    return model.given(parameters) if parameters and isinstance(model, Parametric) else model


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What a runtime may need besides the file."""

    threads: int = 1
    """How many CPU threads one inference may use."""
    digest: str
    """The file's SHA-256, in hexadecimal."""
    trusted: frozenset[str] = frozenset()
    """Digests that the operator allows to run code."""
    cache_dir: Path | None = None
    """Where a conversion may be kept, by digest; private to this user. None: nowhere."""
    attribute: str | None = None
    """The class or function inside a `.py` file."""
    declared_inputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    """What `model.toml` or `config.pbtxt` says of inputs that the file leaves open."""
    ordered_inputs: tuple[TensorSpec, ...] = ()
    """All inputs in their order, where something beside the file says their types and shapes, and
    not their names; what is declared comes first."""

    def declared_for(self, names: Sequence[str]) -> dict[str, TensorSpec]:
        """What is declared of the inputs of these names.

        Where none of them is named, names such as `INPUT__0` tell the place: the first.
        """
        declared = self.declared_inputs
        found = {name: declared[name] for name in names if name in declared}
        if not found:
            for spec in declared.values():
                at = position(spec.name)
                if at is not None and at < len(names):
                    found[names[at]] = TensorSpec(names[at], spec.dtype, spec.shape)
        return found


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The adapter for one library."""

    name: str
    load: Callable[[Path, LoadOptions], Model]
    """Read a file, or a folder where that is one model; raises `LoadError`, and anything that the
    library raises on damaged files."""
    examine: Callable[[Path], None] = lambda path: None
    """Refuse, before the operator is asked to trust it, what trust would not help; runs nothing of
    the file. Raises `LoadError`."""
    prepare: Callable[[], None] = lambda: None
    """Bring in what the library keeps for itself once it was used, so that what a model takes in
    memory can be told from that."""


def load(path: Path, options: LoadOptions) -> Model:
    """Open a model's file or folder with the runtime of its format.

    Raises:
        UnsupportedModel: it is of no known format.
        UntrustedModel: loading could run code, and the digest is not trusted.
        MissingLibrary: the runtime's library is not installed; names the extra.
        CorruptModel: the file is empty, damaged, or not what its name says.
        LoadError: anything else. No `message` shows a path or what a program says, as callers may
            read it; `str(error)` is the whole reason.
    """
    try:
        return _load(path, options)
    except ModelportError as error:
        # The operator, who reads `str(error)`, needs the paths.
        error.message = without_paths(error.message.replace(str(path), path.name))
        raise


def without_paths(text: str) -> str:
    """The text with the last name in place of each absolute path, and no password in a URL."""
    return _PATH.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    path = found[0]
    if found["address"]:
        return _CREDENTIALS.sub("", path)
    return path.rstrip("/").rpartition("/")[2] or path


def require_trust(path: Path, why: str, options: LoadOptions) -> None:
    """Refuse a file or folder that could run code, unless the operator allowed its digest.

    Args:
        path: what would be loaded.
        why: why loading it can run code, and the safe way: a clause that can follow a colon.
        options: the digest, and those that are trusted.

    Raises:
        UntrustedModel: says why, and how to allow it.
    """
    if options.digest not in options.trusted:
        raise UntrustedModel(
            f"'{path.name}' was not loaded: {why}."
            f" If you made it yourself, allow it by its digest: --trust sha256:{options.digest}",
            digest=options.digest,
        )


def prepare(path: Path) -> None:
    """Bring in the library of a file's format; nothing of the file is read.

    Raises:
        UnsupportedModel: it is of no known format.
        MissingLibrary: the runtime's library is not installed; names the extra.
        LoadError: the library cannot be imported.
    """
    _runtime(_format(path)).prepare()


def _load(path: Path, options: LoadOptions) -> Model:
    known = _format(path)
    if path.is_file() and path.stat().st_size == 0:
        raise CorruptModel(f"'{path.name}' is empty")
    runtime = _runtime(known)
    runtime.examine(path)
    if not known.safe:
        require_trust(path, known.why, options)
    try:
        return runtime.load(path, options)
    except ModelportError:
        raise
    except ModuleNotFoundError as error:
        raise _missing(known, error) from error
    except Exception as error:
        failed = f"'{path.name}' could not be read as {known.name}: "
        # Of a file of data the library says what is wrong with it; a program may say anything.
        shown = _first_line(error) if known.safe else type(error).__name__
        raise CorruptModel(failed + shown, failed + _first_line(error)) from error


def _format(path: Path) -> Format:
    known = format_of(path)
    if known is None:
        formats = ", ".join(known.shown for known in known_formats())
        raise UnsupportedModel(f"'{path.name}' is of no known format; known are {formats}")
    return known


def _runtime(known: Format) -> Runtime:
    module, _, attribute = known.runtime.partition(":")
    try:
        runtime = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise _missing(known, error) from error
    except Exception as error:
        failed = f"the runtime of {known.name} could not be imported: "
        raise LoadError(failed + type(error).__name__, failed + _first_line(error)) from error
    if not isinstance(runtime, Runtime):
        raise LoadError(f"the runtime of {known.name} is not a modelport.runtimes.base.Runtime")
    return runtime


def _missing(known: Format, error: ModuleNotFoundError) -> MissingLibrary:
    library = (error.name or "").partition(".")[0]
    return MissingLibrary(
        f"reading {known.name} ({known.shown}) needs the library '{library}': {known.install}"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
