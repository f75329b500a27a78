"""The files beside an ONNX file that hold its data: which they are, and whether they may be read.

The places are found without the onnx package, by walking the file's fields in Protocol Buffers'
wire format. Payloads are skipped, so that a large model costs no more memory than a small one.

Sources: onnx/onnx.proto for the numbers of the fields; onnx/docs/ExternalData.md.
"""

from __future__ import annotations

import mmap
import stat
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from pathlib import Path, PurePosixPath

from modelport.core.errors import CorruptModel, LoadError
from modelport.runtimes._protobuf import fields, mapped

__all__ = ["check_external_data", "external_locations"]


class _Kind(Enum):
    MODEL = auto()
    GRAPH = auto()
    NODE = auto()
    ATTRIBUTE = auto()
    TENSOR = auto()
    SPARSE = auto()
    FUNCTION = auto()
    TRAINING = auto()
    EXTERNAL = auto()


_FOLLOWED: Mapping[_Kind, Mapping[int, _Kind]] = {
    _Kind.MODEL: {7: _Kind.GRAPH, 20: _Kind.TRAINING, 25: _Kind.FUNCTION},
    _Kind.GRAPH: {1: _Kind.NODE, 5: _Kind.TENSOR, 15: _Kind.SPARSE},
    _Kind.NODE: {5: _Kind.ATTRIBUTE},
    _Kind.ATTRIBUTE: {
        5: _Kind.TENSOR,
        6: _Kind.GRAPH,
        10: _Kind.TENSOR,
        11: _Kind.GRAPH,
        22: _Kind.SPARSE,
        23: _Kind.SPARSE,
    },
    _Kind.TENSOR: {13: _Kind.EXTERNAL},
    _Kind.SPARSE: {1: _Kind.TENSOR, 2: _Kind.TENSOR},
    _Kind.FUNCTION: {7: _Kind.NODE, 11: _Kind.ATTRIBUTE},
    _Kind.TRAINING: {1: _Kind.GRAPH, 2: _Kind.GRAPH},
}
"""By message and number of a field: the message in it, where a tensor may be below."""
_LONGEST = 8192
"""Bytes of a place that are read: twice what Linux takes as a path."""
_MEMORY = "_ORT_MEM_ADDR_"
"""With this in its place, ONNX Runtime takes an offset as an address in memory."""


def check_external_data(model: Path) -> None:
    """Refuse an ONNX file whose data lies anywhere but in plain files in its own folder.

    Raises:
        CorruptModel: the file is not in the wire format.
        LoadError: data lies elsewhere, behind a link, or is not there; names the file.
    """
    try:
        places = external_locations(model)
    except ValueError as error:
        raise CorruptModel(f"'{model.name}' is not a usable ONNX file: {error}") from error
    for place in sorted(places):
        problem = _problem(model.parent, place)
        if problem is not None:
            raise LoadError(
                f"'{model.name}' keeps data in '{_base_name(place)}', which {problem}; external"
                " data must be a plain file inside the model's own folder"
            )


def external_locations(model: Path) -> set[str]:
    """Every place that a tensor of the model names for its data.

    Raises:
        ValueError: the file is not in the wire format.
    """
    with mapped(model) as data:
        return {place for place in _places(data) if place is not None}


def _places(data: mmap.mmap | bytes) -> Iterator[str | None]:
    waiting = [(_Kind.MODEL, 0, len(data))]
    while waiting:  # a stack, not recursion: subgraphs may lie deep in each other
        kind, at, end = waiting.pop()
        if kind is _Kind.EXTERNAL:
            yield _place(data, at, end)
            continue
        followed = _FOLLOWED[kind]
        for number, start, stop in fields(data, at, end):
            inner = followed.get(number)
            if inner is not None:
                waiting.append((inner, start, stop))


def _place(data: mmap.mmap | bytes, at: int, end: int) -> str | None:
    """The value of a key-value pair whose key is `location`."""
    key = value = b""
    for number, start, stop in fields(data, at, end):
        text = data[start : min(stop, start + _LONGEST)]
        if number == 1:
            key = text
        elif number == 2:
            value = text
    return value.decode(errors="replace") if key == b"location" else None


def _problem(folder: Path, place: str) -> str | None:
    """Why data may not lie there, None where it may."""
    parts = PurePosixPath(place).parts
    if not parts or "\0" in place or _MEMORY in place:
        return "is no file's name"
    if place.startswith("/") or ".." in parts or "\\" in place:
        return "lies outside of the model's folder"
    path = folder
    try:
        for part in parts[:-1]:
            path /= part
            if not stat.S_ISDIR(path.lstat().st_mode):
                return "lies behind a link"
        mode = (path / parts[-1]).lstat().st_mode
    except OSError:
        return "is not there"
    if stat.S_ISLNK(mode):
        return "is a link"
    return None if stat.S_ISREG(mode) else "is not a plain file"


def _base_name(place: str) -> str:
    return PurePosixPath(place.replace("\\", "/")).name[:200]
