"""The example inputs that `torch.jit.trace` keeps in its archives: their types and shapes.

They are a pickle. What reads it here knows tensors only, and builds none of them.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch

from modelport.core.tensors import DType

__all__ = ["traced_inputs"]

_STORAGES = {
    "BoolStorage": DType.BOOL,
    "ByteStorage": DType.UINT8,
    "CharStorage": DType.INT8,
    "ShortStorage": DType.INT16,
    "IntStorage": DType.INT32,
    "LongStorage": DType.INT64,
    "HalfStorage": DType.FP16,
    "FloatStorage": DType.FP32,
    "DoubleStorage": DType.FP64,
}


def traced_inputs(path: Path) -> list[tuple[DType, tuple[int, ...]]]:
    """The type and shape of each example input, in order; empty where the archive has none."""
    reader = torch._C.PyTorchFileReader(str(path))
    if not reader.has_record("traced_inputs.pkl"):
        return []
    try:
        found = _Shapes(io.BytesIO(reader.get_record("traced_inputs.pkl"))).load()
        examples = found["forward"]
    except (pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError):
        return []  # as without them: model.toml has to say it
    is_known = isinstance(examples, list | tuple) and all(
        isinstance(example, tuple) and isinstance(example[0], DType) for example in examples
    )
    return list(examples) if is_known else []


class _Shapes(pickle.Unpickler):
    """Reads tensors as their type and shape."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _shape_of
        if module == "torch.jit._pickle" and name == "restore_type_tag":
            return lambda value, tag: value
        if module == "torch" and name in _STORAGES:
            return lambda: _STORAGES[name]
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise pickle.UnpicklingError(f"{module}.{name} is no tensor")

    def persistent_load(self, pid: tuple[object, ...]) -> object:
        storage = pid[1]
        return storage() if callable(storage) else None


def _shape_of(
    dtype: object, offset: object, size: tuple[int, ...], *others: object
) -> tuple[object, tuple[int, ...]]:
    return dtype, tuple(size)
