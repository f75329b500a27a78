"""Running a model through ONNX where its answers stay the same, and in its own library elsewhere.

What is found out about a file is kept in `LoadOptions.cache_dir`, whether it was converted or not
and why. The libraries take seconds to import, so `Library.open` imports them, not its module: a
file that was converted once is served without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from modelport.core.errors import CorruptModel
from modelport.core.tensors import Array, Batch
from modelport.runtimes._conversion_cache import Entry, Slot, slot_for, version_of
from modelport.runtimes._converted import ConvertedModel, Graph
from modelport.runtimes._plan import Plan, semantics, signature
from modelport.runtimes.base import Description, LoadOptions, Model

__all__ = [
    "Attempt",
    "Conversion",
    "Library",
    "Opened",
    "content",
    "convert",
    "first_line",
    "load",
    "native",
]

Attempt: TypeAlias = Callable[[], tuple[Graph, bytes]]
"""One way to convert a model; it may fail in any way."""

_RELATIVE, _ABSOLUTE = 1e-5, 1e-6


class Conversion(NamedTuple):
    """A graph that was found to be the same, or why there is none."""

    note: str
    model: bytes | None = None
    graph: Graph | None = None


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A model that its own library has read."""

    plan: Callable[[], Plan]
    convert: Callable[[Plan, int], Conversion]
    """Its conversion for a plan, compared on this many CPU threads."""
    native: Callable[[Plan, Description, int], Model]
    """The model run by the library itself, on this many CPU threads."""
    warnings: tuple[str, ...] = ()
    """What its owner should know about the file."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library whose models are converted."""

    name: str
    """As people call it."""
    prefix: str
    """What the names of its kept conversions begin with."""
    packages: tuple[str, ...]
    """Those whose versions a conversion depends on; the first is the library's own."""
    open: Callable[[Path, LoadOptions], Opened]


class _Differs(Exception):
    """The converted model answers otherwise; says where."""


def load(path: Path, options: LoadOptions, library: Library) -> Model:
    """A file's model: its kept conversion, else a new one, else in its own library."""
    slot = slot_for(options, library.prefix, library.packages)
    found = slot.read()
    if found is None:
        with slot.lock():
            # Another process may have converted it while this one waited.
            found = slot.read()
            if found is None:
                return _first_time(path, options, library, slot)
    entry, model = found
    if entry.graph is not None:
        description = _describe(entry, library)
        return ConvertedModel(model, entry.graph, entry.plan, description, options.threads)
    opened = library.open(path, options)
    return opened.native(entry.plan, _describe(entry, library), options.threads)


def _first_time(path: Path, options: LoadOptions, library: Library, slot: Slot) -> Model:
    opened = library.open(path, options)
    plan = opened.plan()
    found = opened.convert(plan, options.threads)
    entry = Entry(plan=plan, note=found.note, warnings=opened.warnings, graph=found.graph)
    slot.write(entry, found.model)
    description = _describe(entry, library)
    if found.model is not None and found.graph is not None:
        return ConvertedModel(found.model, found.graph, plan, description, options.threads)
    return opened.native(plan, description, options.threads)


def _describe(entry: Entry, library: Library) -> Description:
    runtime = f"{library.name} {version_of(library.packages[0])}"
    if entry.graph is not None:
        runtime += f" through ONNX Runtime {version_of('onnxruntime')}"
    return Description(
        runtime=runtime,
        signature=signature(entry.plan),
        semantics=semantics(entry.plan),
        notes=(entry.note,),
        warnings=entry.warnings,
    )


def convert(
    name: str, attempts: Iterable[Attempt], plan: Plan, batch: Batch, expected: Batch, threads: int
) -> Conversion:
    """The first attempt whose graph gives the expected answers, or why the library `name` runs."""
    reasons: list[str] = []
    for attempt in attempts:
        try:
            graph, data = attempt()
            _compare(data, graph, plan, batch, expected, threads)
        except _Differs as error:
            # Said rather than that another way of converting failed.
            reasons.insert(0, f"the converted model does not give the same answers: {error}")
        except Exception as error:  # converters and ONNX Runtime fail in any way
            reasons.append(f"it cannot be converted ({first_line(error.__cause__ or error)})")
        else:
            rows = len(next(iter(batch.values())))
            note = f"Runs through ONNX: the converted model gives the same answers on {rows}"
            precision = "single" if graph.single else "double"
            return Conversion(f"{note} check rows, in {precision} precision.", data, graph)
    return native(name, reasons[0])


def native(name: str, reason: str) -> Conversion:
    """No conversion; the reason is a clause that can follow `because`."""
    return Conversion(f"Runs in {name} itself, because {reason}.")


def _compare(
    data: bytes, graph: Graph, plan: Plan, batch: Batch, expected: Batch, threads: int
) -> None:
    description = Description(runtime="ONNX Runtime", signature=signature(plan))
    model = ConvertedModel(data, graph, plan, description, threads)
    got = model.predict(batch)
    for output in plan.outputs:
        name = output.spec.name
        wrong = _wrong(got[name], expected[name])
        if wrong:
            raise _Differs(f"'{name}' differs on {wrong} of {len(expected[name])} check rows")


def _wrong(got: Array, expected: Array) -> int:
    """On how many rows two answers differ."""
    if got.shape != expected.shape:
        return len(expected)
    if expected.dtype.kind != "f":
        same = got == expected
    else:
        near = np.isclose(got, expected, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
        same = np.asarray(near)
    return int((~same.reshape(len(expected), -1).all(axis=1)).sum())


def content(path: Path, options: LoadOptions) -> bytes:
    """A file's bytes; what is read is what was trusted and what a conversion is kept for.

    Raises:
        CorruptModel: the file was replaced since its digest was taken.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != options.digest:
        raise CorruptModel(f"'{path.name}' was changed while it was being loaded; load it again")
    return data


def first_line(error: BaseException) -> str:
    """What a library's error says, in one line that holds no path of the server."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = (lines[0] if lines else "").split()
    shown = " ".join("…" if word.count("/") > 1 else word for word in words)[:200].rstrip(" .")
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__
