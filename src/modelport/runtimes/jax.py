"""Artefacts of `jax.export`, kept as `.jaxexport`. Grade: silver.

A file is a FlatBuffer around a StableHLO program: data that is parsed, with nothing that is
unpickled or imported. A program only computes, but for its custom calls, which run native code by
name; one of them calls Python through an address. Those that jax itself exports for the CPU are
allowed, all others refused. Artefacts for other platforms than the CPU, for several devices or
with effects are not served.

An artefact has no names. Inputs are named by `model.toml`, in its order, else by the keys where
they are in dictionaries, else `input_0`, `input_1`, ...; outputs likewise, with `output_0`. A
symbolic dimension is a free one. A batch of a new size is compiled when it first comes. XLA has
one number of threads for the process, which the first model sets.
"""

from __future__ import annotations

import os
import re
import struct
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import jax
import jax.export
import numpy as np

from modelport.core.errors import CorruptModel, ModelportError, UnsupportedModel
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.runtimes.base import Description, LoadOptions, Runtime

__all__ = ["RUNTIME", "JaxModel"]

_ALLOWED = re.compile(
    r"custom_call @(ApproxTopK|Eigh|LuDecomposition|ProductOfElementaryHouseholderReflectors|Qr"
    r"|SPMDFullToShardShape|SPMDShardToFullShape|Sharding|annotate_device_placement"
    r"|lapack_[cdsz][a-z0-9]{2,8}_ffi|shape_assertion"
    r"|stablehlo\.dynamic_(approx_top_k|reduce_window|rng_bit_generator|top_k))\("
)
"""As `jax.export` says which calls it keeps stable, without those for other processors."""
_CALL = re.compile(r'custom_call(?:"|\s+)@?"?([^\s"(]*)')
_MOST_SHAPES = 64
"""Sizes of batches whose programs are kept."""
_starting = threading.Lock()


class _Shaped(Protocol):
    """The shape and type of an argument; a symbolic size is no `int`."""

    shape: Sequence[object]
    dtype: np.dtype[np.generic]


class JaxModel:
    """An exported function, compiled for each shape."""

    def __init__(self, exported: jax.export.Exported, declared: Mapping[str, TensorSpec]) -> None:
        self._call = jax.jit(exported.call)
        self._tree = exported.in_tree
        self._shapes: set[tuple[tuple[int, ...], ...]] = set()
        inputs = _specs(exported.in_tree, exported.in_avals, "input", tuple(declared))
        outputs = _specs(exported.out_tree, exported.out_avals, "output")
        self._names = [spec.name for spec in inputs]
        self._outputs = [spec.name for spec in outputs]
        self.description = Description(
            runtime=f"JAX {jax.__version__}", signature=Signature(inputs, outputs)
        )

    def predict(self, batch: Batch) -> Batch:
        """Call the function."""
        self._note(tuple(batch[name].shape for name in self._names))
        leaves = [batch[name] for name in self._names]
        args, kwargs = jax.tree_util.tree_unflatten(self._tree, leaves)
        values = jax.tree_util.tree_leaves(self._call(*args, **kwargs))
        return {name: np.asarray(v) for name, v in zip(self._outputs, values, strict=True)}

    def close(self) -> None:
        """Let go of the programs, once the last run in the air has ended."""
        call = vars(self).pop("_call", None)
        if call is not None:
            call.clear_cache()

    def _note(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        """Let go of all programs when callers made too many of them."""
        if shapes not in self._shapes and len(self._shapes) >= _MOST_SHAPES:
            self._shapes = set()
            self._call.clear_cache()
        self._shapes.add(shapes)


def _load(path: Path, options: LoadOptions) -> JaxModel:
    _start(options.threads)
    try:
        exported = jax.export.deserialize(bytearray(path.read_bytes()))
        program = exported.mlir_module()
    except (struct.error, ValueError, TypeError, LookupError, AttributeError) as error:
        raise CorruptModel(f"'{path.name}' is not a usable artefact of jax.export") from error
    _check(path, exported, program)
    return JaxModel(exported, options.declared_inputs)


RUNTIME = Runtime(name="JAX", load=_load)


def _start(threads: int) -> None:
    """Start XLA on the CPU alone: looking for other devices would ask the network for them."""
    with _starting:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)  # else 64-bit inputs are cut to 32 bits
        before = os.environ.get("NPROC")
        os.environ["NPROC"] = str(threads)  # what XLA takes for the number of CPUs
        try:
            jax.devices("cpu")
        finally:
            os.environ.pop("NPROC")
            if before is not None:
                os.environ["NPROC"] = before


def _check(path: Path, exported: jax.export.Exported, program: str) -> None:
    calls = program.count("custom_call")
    if calls != len(_ALLOWED.findall(program)):
        others = {
            found[1] for found in _CALL.finditer(program) if not _ALLOWED.match(found[0] + "(")
        }
        raise UnsupportedModel(
            f"'{path.name}' calls native code that is not known to be safe:"
            f" {', '.join(sorted(others))[:200]}; export it without callbacks and own kernels"
        )
    if "cpu" not in exported.platforms or exported.nr_devices != 1:
        raise UnsupportedModel(
            f"'{path.name}' was exported for {exported.nr_devices} devices of"
            f" {', '.join(exported.platforms)}; export it with platforms=['cpu']"
        )
    if exported.ordered_effects or exported.unordered_effects:
        raise UnsupportedModel(f"'{path.name}' has effects besides its outputs")


def _specs(
    tree: jax.tree_util.PyTreeDef,
    shapes: Sequence[_Shaped],
    prefix: str,
    declared: tuple[str, ...] = (),
) -> tuple[TensorSpec, ...]:
    names = declared or _names(tree, prefix)
    if len(names) != len(shapes):
        raise UnsupportedModel(
            f"model.toml declares {len(names)} inputs, and the function takes {len(shapes)}"
        )
    return tuple(_spec(name, shape) for name, shape in zip(names, shapes, strict=True))


def _names(tree: jax.tree_util.PyTreeDef, prefix: str) -> tuple[str, ...]:
    """The keys of dictionaries, where all are different; else numbers."""
    leaves = jax.tree_util.tree_unflatten(tree, range(tree.num_leaves))
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(leaves)[0]]
    numbered = [f"{prefix}_{at}" for at in range(len(paths))]
    names = [_key(path) or name for path, name in zip(paths, numbered, strict=True)]
    return tuple(names if len(set(names)) == len(names) else numbered)


def _key(path: Sequence[object]) -> str | None:
    last = path[-1] if path else None
    return str(last.key) if isinstance(last, jax.tree_util.DictKey) else None


def _spec(name: str, shape: _Shaped) -> TensorSpec:
    try:
        dtype = DType.of(np.dtype(shape.dtype))
    except ModelportError as error:
        raise UnsupportedModel(f"tensor '{name}': {error.message}") from error
    return TensorSpec(name, dtype, tuple(n if isinstance(n, int) else None for n in shape.shape))
