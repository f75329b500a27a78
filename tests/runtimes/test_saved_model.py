"""What a SavedModel could do, told without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.runtimes._saved_model import impure_operations

Found: TypeAlias = Callable[[bytes], list[str]]


def field(number: int, content: bytes | str) -> bytes:
    """A field with a length, in Protocol Buffers' wire format."""
    raw = content.encode() if isinstance(content, str) else content
    size, length = len(raw), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + raw


def node(operation: str, *calls: str) -> bytes:
    """A node that calls functions, each in an attribute of its own."""
    attributes = [field(5, field(1, "f") + field(2, field(10, field(1, name)))) for name in calls]
    return field(1, "name") + field(2, operation) + b"".join(attributes)


def branches(operation: str, *calls: str) -> bytes:
    """A node that calls functions from a list in one attribute."""
    functions = b"".join(field(9, field(1, name)) for name in calls)
    return field(2, operation) + field(5, field(1, "branches") + field(2, field(1, functions)))


def function(name: str, *nodes: bytes) -> bytes:
    return field(1, field(1, name)) + b"".join(field(3, each) for each in nodes)


def meta_graph(
    *nodes: bytes, functions: tuple[bytes, ...] = (), objects: bytes | None = b""
) -> bytes:
    library = field(2, b"".join(field(1, each) for each in functions))
    graph = field(2, b"".join(field(1, each) for each in nodes) + library)
    return field(2, graph + (b"" if objects is None else field(7, objects)))


@pytest.fixture
def found(tmp_path: Path) -> Found:
    def read(content: bytes) -> list[str]:
        path = tmp_path / "saved_model.pb"
        path.write_bytes(content)
        return impure_operations(path)

    return read


SAVER = (node("Placeholder"), node("StatefulPartitionedCall", "save"))
SAVE = function("save", node("SaveV2"), node("MergeV2Checkpoints"))


def test_pure_operations_need_no_trust(found: Found) -> None:
    assert found(meta_graph(node("MatMul"), functions=(function("f", node("Relu")),))) == []


def test_operations_are_found_wherever_they_are(found: Found) -> None:
    inner = function("f", node("PyFunc"))
    assert found(meta_graph(node("ReadFile"), functions=(inner,))) == ["PyFunc", "ReadFile"]
    assert found(meta_graph() + meta_graph(node("WriteFile"))) == ["WriteFile"]
    twice = field(2, "MatMul") + field(2, "WriteFile")
    assert found(meta_graph(twice)) == ["WriteFile"]


def test_a_function_with_an_operations_name_hides_nothing(found: Found) -> None:
    same = function("WriteFile", node("Relu"))
    assert found(meta_graph(node("WriteFile"), functions=(same,))) == ["WriteFile"]


def test_the_saver_may_save(found: Found) -> None:
    assert found(meta_graph(*SAVER, functions=(SAVE,))) == []
    assert found(meta_graph(node("RestoreV2"))) == []


@pytest.mark.parametrize(
    "serve",
    [
        function("serve", node("PartitionedCall", "save")),
        function("serve", branches("Case", "other", "save")),
        function("serve", field(5, field(2, field(10, field(2, field(1, "save")))))),
    ],
)
def test_what_a_model_can_call_may_not_save(found: Found, serve: bytes) -> None:
    graph = meta_graph(*SAVER, functions=(SAVE, serve), objects=field(2, field(1, "serve")))
    assert found(graph) == ["MergeV2Checkpoints", "SaveV2"]


def test_what_the_objects_name_may_not_save(found: Found) -> None:
    graph = meta_graph(*SAVER, functions=(SAVE,), objects=field(2, field(1, "save")))
    assert found(graph) == ["MergeV2Checkpoints", "SaveV2"]


def test_tensorflow_1_may_not_restore(found: Found) -> None:
    assert found(meta_graph(node("RestoreV2"), objects=None)) == ["RestoreV2"]
    assert found(meta_graph(node("RestoreV2")) + meta_graph()) == ["RestoreV2"]


@pytest.mark.parametrize("content", [b"", bytes(64), b"\x12\x7f", b"text"])
def test_what_is_no_saved_model_is_refused(found: Found, content: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        found(content)


@settings(max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 255))
def test_any_bytes_end_in_names_or_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int, byte: int
) -> None:
    whole = bytearray(meta_graph(*SAVER, functions=(SAVE,)) + content)
    whole[at % len(whole)] = byte
    path = tmp_path_factory.getbasetemp() / "saved_model.pb"
    path.write_bytes(bytes(whole))
    try:
        assert all(isinstance(name, str) for name in impure_operations(path))
    except ValueError as error:
        assert str(error)  # noqa: PT017
