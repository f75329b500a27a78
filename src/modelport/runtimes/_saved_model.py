"""What a SavedModel can do when it is loaded and run, told from its file without TensorFlow.

TensorFlow says of its models that they are programs
(https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md). Here every operation of the
graph and of all its functions has to be on a list of pure ones. Operations that read and write
checkpoints may stand where TensorFlow 2 keeps its saver, which loading does not run: in the main
graph, and in functions whose names stand nowhere but there.

What is found is more than what TensorFlow would see, never less: where a field may stand once and
stands twice, both count.

Source: tensorflow/core/protobuf/{saved_model,meta_graph}.proto and tensorflow/core/framework/
{graph,function,node_def,attr_value,op_def}.proto for the numbers of the fields.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from modelport.runtimes._protobuf import fields, mapped
from modelport.runtimes._tensorflow_ops import PURE, SAVER

__all__ = ["impure_operations"]

_Data: TypeAlias = mmap.mmap | bytes
_Span: TypeAlias = tuple[int, int]
_META_GRAPH, _GRAPH, _OBJECTS = 2, 2, 7  # of SavedModel, of MetaGraphDef (twice)
_NODE, _LIBRARY, _FUNCTION = 1, 2, 1  # of GraphDef (twice), of FunctionDefLibrary
_SIGNATURE, _BODY, _NAME, _OP = 1, 3, 1, 2  # of FunctionDef (twice), of OpDef, of NodeDef


def impure_operations(path: Path) -> list[str]:
    """The operations of a `saved_model.pb` that are not known to be pure, by name.

    Raises:
        ValueError: the file is damaged, or no SavedModel.
    """
    with mapped(path) as data:
        graphs = list(_at(data, (0, len(data)), _META_GRAPH))
        if not graphs:
            raise ValueError("it holds no graph")
        return sorted(_impure(data, graphs))


def _impure(data: _Data, meta_graphs: list[_Span]) -> set[str]:
    functions = [s for m in meta_graphs for s in _at(data, m, _GRAPH, _LIBRARY, _FUNCTION)]
    nodes = [span for meta in meta_graphs for span in _at(data, meta, _GRAPH, _NODE)]
    objects = [list(_at(data, meta, _OBJECTS)) for meta in meta_graphs]
    # TensorFlow takes anything but one graph with objects for a model of version 1, whose main
    # graph it runs.
    is_second = len(meta_graphs) == 1 and bool(objects[0])
    found = _texts(data, nodes, _OP) - (SAVER if is_second else set())
    for function in functions:
        operations = _texts(data, [function], _BODY, _OP)
        others = [*objects[0], *(each for each in functions if each != function)]
        if is_second and operations & SAVER and not _is_named(data, function, others):
            operations -= SAVER
        found |= operations
    return found - PURE


def _is_named(data: _Data, function: _Span, others: list[_Span]) -> bool:
    """Whether the name of a function stands anywhere in other spans, in whatever field."""
    names = [
        name.encode(errors="surrogateescape")
        for name in _texts(data, [function], _SIGNATURE, _NAME)
    ]
    return any(data.find(name, *span) >= 0 for name in names for span in others)


def _texts(data: _Data, spans: list[_Span], *numbers: int) -> set[str]:
    found = (at for span in spans for at in _at(data, span, *numbers))
    return {bytes(data[start:stop]).decode(errors="surrogateescape") for start, stop in found}


def _at(data: _Data, span: _Span, *numbers: int) -> Iterator[_Span]:
    """The spans of the fields that a path of field numbers leads to."""
    if not numbers:
        yield span
        return
    for number, start, stop in fields(data, *span):
        if number == numbers[0]:
            yield from _at(data, (start, stop), *numbers[1:])
