"""What several folders of tests build: ONNX files, and views of models that need no file."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from modelport.core.semantics import Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.semantics.fields import PlainView, plain_view
from tests.postgres import PostgresServer, missing, postgres_server

# A busy machine makes an example slow, not wrong; each test has pytest's own timeout.
settings.register_profile("modelport", deadline=None)
settings.load_profile("modelport")

DATA = Path(__file__).parent / "data"

NEEDS = {
    "runtimes/test_catboost.py": "catboost",
    "runtimes/test_jax.py": "jax",
    "runtimes/test_keras.py": "keras",
    "runtimes/test_lightgbm.py": "lightgbm",
    "runtimes/test_litert.py": "ai_edge_litert",
    "runtimes/test_mlflow.py": "yaml",
    "runtimes/test_openvino.py": "openvino",
    "runtimes/test_sklearn.py": "skops",
    "runtimes/test_tensorflow.py": "tensorflow",
    "runtimes/test_torch.py": "torch",
    "runtimes/test_transformers.py": "transformers",
    "runtimes/test_xgboost.py": "xgboost",
    "app/test_caching.py": "redis",
    "chaos/test_cache.py": "redis",
    "engine/cache/test_far.py": "redis",
    "engine/cache/test_redis_link.py": "redis",
    "repository/test_remote_stores.py": "s3fs",
    "semantics/test_audio.py": "scipy",
    "semantics/test_image.py": "PIL",
    "semantics/test_masks.py": "PIL",
    "semantics/test_text.py": "tokenizers",
    "app/test_local_sources.py": "tokenizers",
    "http/test_sources.py": "tokenizers",
    "conformance/test_triton_client.py": "tritonclient",
    "conformance/test_triton_repository.py": "tritonclient",
    "examples/test_views.py": "django",
    "e2e": "playwright",
}
"""Modules of tests that are about a library, which the core does without."""

MISSING = {
    module: library
    for module, library in NEEDS.items()
    if importlib.util.find_spec(library) is None
}
collect_ignore = list(MISSING)


def pytest_report_header() -> list[str]:
    """Say which tests are left out, and why."""
    return [f"left out: {module} needs {library}" for module, library in MISSING.items()]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL; each test takes a database of its own."""
    pytest.importorskip("pg8000", reason="the extra 'postgresql' is not installed")
    if (why := missing()) is not None:
        pytest.skip(why)
    with postgres_server() as server:
        yield server


@pytest.fixture
def linear_onnx(tmp_path: Path) -> Path:
    """A copy of `linear.onnx`, which needs no library but ONNX Runtime; alone in its folder."""
    folder = tmp_path / "linear"
    folder.mkdir()
    return Path(shutil.copy(DATA / "linear.onnx", folder))


@pytest.fixture
def fails_onnx(tmp_path: Path) -> Path:
    """A copy of `fails.onnx`, whose every run fails."""
    folder = tmp_path / "fails"
    folder.mkdir()
    return Path(shutil.copy(DATA / "fails.onnx", folder))


@pytest.fixture
def onnx_model(tmp_path: Path) -> Callable[..., Path]:
    """Write an ONNX file from nodes, `name: (type, shape)` and constants; needs `onnx`."""
    onnx = pytest.importorskip("onnx")

    def values(described: Mapping[str, tuple[int, Sequence[Any] | None]]) -> list[Any]:
        return [
            onnx.helper.make_tensor_value_info(name, kind, shape)
            for name, (kind, shape) in described.items()
        ]

    def make(
        nodes: Sequence[Any],
        inputs: Mapping[str, tuple[int, Sequence[Any] | None]],
        outputs: Mapping[str, tuple[int, Sequence[Any] | None]],
        constants: Mapping[str, Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        name: str = "model.onnx",
        domains: Mapping[str, int] | None = None,
        description: str = "",
    ) -> Path:
        tensors = [onnx.numpy_helper.from_array(v, n) for n, v in (constants or {}).items()]
        graph = onnx.helper.make_graph(nodes, "graph", values(inputs), values(outputs), tensors)
        opsets = {"": 15, **(domains or {})}
        model = onnx.helper.make_model(
            graph,
            ir_version=8,
            opset_imports=[onnx.helper.make_opsetid(d, v) for d, v in opsets.items()],
            doc_string=description,
        )
        onnx.helper.set_model_props(model, dict(metadata or {}))
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return make


@pytest.fixture(scope="session")
def view_of() -> Callable[..., PlainView]:
    """A view from tensor specs and what they mean."""

    def make(
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec] = (),
        /,
        lockstep: bool = True,
        **meaning: Any,
    ) -> PlainView:
        signature = Signature(tuple(inputs), tuple(outputs), lockstep=lockstep)
        return plain_view(signature, Semantics(**meaning))

    return make
