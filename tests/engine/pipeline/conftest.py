"""Pipelines that the tests lay into folders: real models, and functions."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.engine.opening import LoadedModel, Settings, open_version
from modelport.repository.integrity import digest
from modelport.repository.layout import find_sources
from modelport.runtimes.formats import is_model

HEAD = """
from __future__ import annotations
from typing import Annotated, TypedDict
import numpy as np
from numpy.typing import NDArray
"""

Pipeline = Callable[..., Path]
Opened = Callable[..., LoadedModel]
Tensor = tuple[Any, Sequence[int | str | None]]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A folder with that `pipeline.toml` and files: text, bytes, or the source of a program."""

    def make(toml: str, files: Mapping[str, str | bytes] | None = None, name: str = "p") -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pipeline.toml").write_text(textwrap.dedent(toml))
        for file, content in (files or {}).items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                head = HEAD if file.endswith(".py") else ""
                path.write_text(head + textwrap.dedent(content))
        return folder

    return make


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Opened:
    """Open a pipeline as a server does, trusting it; closed after the test."""

    def make(folder: Path, trusted: bool = True, **settings: Any) -> LoadedModel:
        (source,) = find_sources(str(folder), is_model)
        allowed = frozenset({digest(folder)} if trusted else ())
        loaded = open_version(source, Settings(trusted=allowed, **settings))
        request.addfinalizer(loaded.model.close)
        return loaded

    return make


def onnx_bytes(
    kind: str,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Tensor],
    constants: Mapping[str, Any] | None = None,
    **metadata: str,
) -> bytes:
    """An ONNX file of one operator, which takes the inputs and then the constants."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    tensors = constants or {}
    node = helper.make_node(kind, [*inputs, *tensors], [*outputs])
    made = helper.make_graph(
        [node],
        "step",
        [helper.make_tensor_value_info(name, *info) for name, info in inputs.items()],
        [helper.make_tensor_value_info(name, *info) for name, info in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    opset = helper.make_opsetid("", 15)
    model = helper.make_model(made, opset_imports=[opset], ir_version=8)
    helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


FLOAT, DOUBLE = 1, 11
"""ONNX's numbers for element types (TensorProto.DataType)."""


def matmul(
    takes: str,
    gives: str,
    weights: Any,
    rows: int | str | None = "rows",
    kind: int = FLOAT,
    **metadata: str,
) -> bytes:
    """`gives` is `takes` times the weights."""
    array = np.asarray(weights, dtype=np.float32 if kind == FLOAT else np.float64)
    return onnx_bytes(
        "MatMul",
        {takes: (kind, [rows, array.shape[0]])},
        {gives: (kind, [rows, array.shape[1]])},
        {"w": array},
        **metadata,
    )
