"""Artefacts of JAX, as this process runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType
from modelport.runtimes import jax as runtime
from modelport.runtimes.base import LoadOptions, Model, load


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Path]:
    def make(function: Callable[..., Any], *shapes: Any, **options: Any) -> Path:
        path = tmp_path / "m.jaxexport"
        path.write_bytes(export.export(jax.jit(function), **options)(*shapes).serialize())
        return path

    return make


def rows(*sizes: int | str, dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(export.symbolic_shape(", ".join(map(str, sizes))), dtype)


def opened(path: Path, **declared: TensorSpec) -> Model:
    return load(path, LoadOptions(digest="0", threads=1, declared_inputs=declared))


def test_arguments_are_numbered_and_outputs_have_their_keys(exported: Callable[..., Path]) -> None:
    path = exported(lambda x, y: {"sum": x + y, "rest": (x, y)}, rows(2, 3), rows(2, 3))
    signature = opened(path).description.signature
    assert [spec.name for spec in signature.inputs] == ["input_0", "input_1"]
    assert [spec.name for spec in signature.outputs] == ["output_0", "output_1", "sum"]
    assert signature.inputs[0].shape == (2, 3)


def test_model_toml_names_the_inputs(exported: Callable[..., Path]) -> None:
    path = exported(lambda x: x * 2, rows("b", 3))
    model = opened(path, height=TensorSpec("height", DType.FP32, (None, 3)))
    assert [spec.name for spec in model.description.signature.inputs] == ["height"]
    answer = model.predict({"height": np.ones((2, 3), np.float32)})
    assert isinstance(answer, dict)
    assert np.array_equal(answer["output_0"], np.full((2, 3), 2))
    more = {name: TensorSpec(name, DType.FP32, (None, 3)) for name in "ab"}
    with pytest.raises(UnsupportedModel, match="declares 2 inputs, and the function takes 1"):
        opened(path, **more)


def test_keys_that_are_the_same_are_no_names(exported: Callable[..., Path]) -> None:
    path = exported(lambda x, y: x["a"] + y["a"], {"a": rows(2)}, {"a": rows(2)})
    signature = opened(path).description.signature
    assert [spec.name for spec in signature.inputs] == ["input_0", "input_1"]


def test_64_bits_stay_64_bits(exported: Callable[..., Path]) -> None:
    runtime._start(1)
    value = np.array([2**53 + 1], np.int64)
    model = opened(exported(lambda x: x + 1, rows("b", dtype=np.int64)))
    answer = model.predict({"input_0": value})
    assert isinstance(answer, dict)
    assert answer["output_0"].tolist() == [2**53 + 2]


def test_programs_of_many_sizes_are_let_go(exported: Callable[..., Path]) -> None:
    model = opened(exported(lambda x: x + 1, rows("b")))
    for size in range(1, runtime._MOST_SHAPES + 3):
        answer = model.predict({"input_0": np.zeros(size, np.float32)})
        assert isinstance(answer, dict)
        assert answer["output_0"].shape == (size,)
    assert isinstance(model, runtime.JaxModel)
    assert len(model._shapes) == 2
    model.close()


def test_calls_of_unknown_native_code_are_refused(exported: Callable[..., Path]) -> None:
    call = jax.ffi.ffi_call("xla_ffi_python_cpu_callback", jax.ShapeDtypeStruct((2,), np.float32))
    check = export.DisabledSafetyCheck.custom_call("xla_ffi_python_cpu_callback")
    path = exported(call, rows(2), disabled_checks=[check])
    with pytest.raises(UnsupportedModel, match="xla_ffi_python_cpu_callback; export it without"):
        opened(path)


def test_linear_algebra_may_call_lapack(exported: Callable[..., Path]) -> None:
    opened(exported(jnp.linalg.eigvalsh, rows(3, 3))).close()


def test_other_platforms_are_refused(exported: Callable[..., Path]) -> None:
    path = exported(lambda x: x, rows(2), platforms=["cuda"])
    with pytest.raises(UnsupportedModel, match="export it with platforms="):
        opened(path)


def test_types_that_no_protocol_carries_are_refused(exported: Callable[..., Path]) -> None:
    with pytest.raises(UnsupportedModel, match="'input_0'"):
        opened(exported(lambda x: x, rows(2, dtype=jnp.bfloat16)))


@pytest.mark.parametrize("content", [b"text", bytes(64), b"\x80\x04" + bytes(60)])
def test_what_is_no_artefact_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.jaxexport"
    path.write_bytes(content)
    with pytest.raises(CorruptModel, match="is not a usable artefact"):
        opened(path)
