"""What a SavedModel can do when it is loaded and run, told from its file without TensorFlow.

TensorFlow says of its models that they are programs
(https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md). Here every operation of the
graph and of all its functions has to be on a list of pure ones. Operations that read and write
checkpoints may stand where TensorFlow 2 keeps its saver, which loading does not run: in the main
graph, and in functions that only the main graph calls.

What is found is more than what TensorFlow would see, never less: where a field may stand once and
stands twice, both count.

Source: tensorflow/core/protobuf/{saved_model,meta_graph}.proto and tensorflow/core/framework/
{graph,function,node_def,attr_value,op_def}.proto for the numbers of the fields.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
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
_CALLED = ((5, 2, 10, 1), (5, 2, 1, 9, 1))
"""Where a node names functions: attr.value.func.name, and attr.value.list.func.name."""


@dataclass(frozen=True)
class _Function:
    names: frozenset[str]
    operations: frozenset[str]
    calls: frozenset[str]


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
    nodes = _nodes(data, [n for meta in meta_graphs for n in _at(data, meta, _GRAPH, _NODE)])
    functions = [
        _function(data, span)
        for meta in meta_graphs
        for span in _at(data, meta, _GRAPH, _LIBRARY, _FUNCTION)
    ]
    own = {name for function in functions for name in function.names}
    saver = _savers(data, meta_graphs, functions)
    found = nodes.operations - (SAVER if saver is not None else set())
    for function in functions:
        of_saver = saver is not None and function.names <= saver
        found |= function.operations - (SAVER if of_saver else set())
    return set(found - PURE - own)


def _savers(
    data: _Data, meta_graphs: list[_Span], functions: list[_Function]
) -> frozenset[str] | None:
    """The functions that only the main graph names; None for the format of TensorFlow 1.

    TensorFlow takes anything but one graph with objects for that, and then runs the main graph.
    """
    objects = [list(_at(data, meta, _OBJECTS)) for meta in meta_graphs]
    if len(meta_graphs) != 1 or not objects[0]:
        return None
    called = {name for function in functions for name in function.calls | function.operations}
    names = {name for function in functions for name in function.names}
    kept = [data[start:stop] for start, stop in objects[0]]
    unnamed = (n for n in names - called if not any(n.encode() in objects for objects in kept))
    return frozenset(unnamed)


def _function(data: _Data, span: _Span) -> _Function:
    names = frozenset(_text(data, at) for at in _at(data, span, _SIGNATURE, _NAME))
    body = _nodes(data, _at(data, span, _BODY))
    return _Function(names, body.operations, body.calls)


def _nodes(data: _Data, spans: Iterator[_Span] | list[_Span]) -> _Function:
    operations, calls = set(), set()
    for span in spans:
        operations |= {_text(data, at) for at in _at(data, span, _OP)}
        for way in _CALLED:
            calls |= {_text(data, at) for at in _at(data, span, *way)}
    return _Function(frozenset(), frozenset(operations), frozenset(calls))


def _at(data: _Data, span: _Span, *numbers: int) -> Iterator[_Span]:
    """The spans of the fields that a path of field numbers leads to."""
    if not numbers:
        yield span
        return
    for number, start, stop in fields(data, *span):
        if number == numbers[0]:
            yield from _at(data, (start, stop), *numbers[1:])


def _text(data: _Data, span: _Span) -> str:
    return bytes(data[span[0] : span[1]]).decode(errors="replace")
