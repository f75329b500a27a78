"""A class or function in a `.py` file, with type hints. Grade: silver.

    def price(area: float, city: str) -> float: ...           one row at a time, named fields

    class Scorer:                                             loaded once, called many times
        def __init__(self) -> None: ...
        def predict(self, x: Annotated[NDArray[np.float32], (None, 3)]) -> NDArray[np.float32]: ...

Arguments are all scalars (`float`, `int`, `bool`, `str`: the function is called for each row) or
all arrays (called once with the whole batch; `None` in the shape is a free dimension, the first
one counts rows). The answer is a scalar or an array, or a dict, TypedDict or dataclass of those.
`async def` works for both. A program is code: it runs only when the user named it, or its digest
is trusted.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelport.core.errors import CorruptModel, LoadError, ModelFailed, UnsupportedModel
from modelport.core.semantics import Field, InputMeaning, Semantics
from modelport.core.signature import Shape, Signature, TensorSpec
from modelport.core.tensors import Array, Batch, DType, bytes_tensor, decode_text
from modelport.runtimes.base import Description, LoadOptions, Runtime

__all__ = ["RUNTIME"]

_SCALARS = {float: DType.FP64, int: DType.INT64, bool: DType.BOOL, str: DType.BYTES}
_OUTPUT = "output"


class _PythonModel:
    """A callable with a signature; `close` is the object's own, if it has one."""

    def __init__(self, function: Callable[..., Any], owner: object, signature: Signature,
                 semantics: Semantics, by_row: bool) -> None:
        self._function = function
        self._owner = owner
        self._by_row = by_row
        self._texts = {s.name for s in signature.inputs if s.dtype is DType.BYTES}
        self._outputs = signature.outputs
        is_async = inspect.iscoroutinefunction(function)
        self.description = Description(
            runtime=f"Python {sys.version_info.major}.{sys.version_info.minor}",
            signature=signature,
            semantics=semantics,
            execution="async" if is_async else "blocking",
        )
        self.predict: Callable[[Batch], Batch | Awaitable[Batch]] = (
            self._predict_async if is_async else self._predict
        )

    def close(self) -> None:
        """Let the object close what it opened."""
        close = getattr(self._owner, "close", None)
        if callable(close):
            close()

    def _predict(self, batch: Batch) -> Batch:
        if not self._by_row:
            return self._tensors([self._function(**self._arrays(batch))], rows=None)
        rows = self._rows(batch)
        return self._tensors([self._function(**row) for row in rows], rows=len(rows))

    async def _predict_async(self, batch: Batch) -> Batch:
        if not self._by_row:
            return self._tensors([await self._function(**self._arrays(batch))], rows=None)
        rows = self._rows(batch)
        answers = await asyncio.gather(*(self._function(**row) for row in rows))
        return self._tensors(answers, rows=len(rows))

    def _arrays(self, batch: Batch) -> dict[str, Array]:
        return {
            name: decode_text(name, tensor) if name in self._texts else tensor
            for name, tensor in batch.items()
        }

    def _rows(self, batch: Batch) -> list[dict[str, Any]]:
        columns = {name: tensor.reshape(-1).tolist() for name, tensor in self._arrays(batch).items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _tensors(self, answers: Sequence[Any], rows: int | None) -> Batch:
        named = [_named(answer) for answer in answers]
        outputs: dict[str, Array] = {}
        for spec in self._outputs:
            try:
                values = [answer[spec.name] for answer in named]
            except KeyError as error:
                raise ModelFailed(f"the model's answer has no '{spec.name}'") from error
            outputs[spec.name] = _tensor(spec, values if rows is not None else values[0])
        return outputs


def _load(path: Path, options: LoadOptions) -> _PythonModel:
    if not options.attribute:
        raise UnsupportedModel(
            f"'{path.name}' is a program: say which class or function to serve, {path.name}:NAME"
        )
    target = _attribute(path, options.attribute)
    owner = _instance(target, options.attribute) if inspect.isclass(target) else target
    function = getattr(owner, "predict", None) if inspect.isclass(target) else target
    if not callable(function):
        raise UnsupportedModel(f"'{options.attribute}' has no method 'predict'")
    hints = typing.get_type_hints(function, include_extras=True)
    inputs, by_row = _inputs(function, hints, options.declared_inputs)
    signature = Signature(inputs, _outputs(hints.get("return"), by_row))
    return _PythonModel(function, owner, signature, _semantics(inputs, hints), by_row)


RUNTIME = Runtime(
    name="Python",
    load=_load,
    unsafe={"py": "it is a program, which runs when it is loaded (name it as FILE.py:NAME)"},
)


def _attribute(path: Path, name: str) -> Any:
    module_name = f"modelport_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # where type hints and dataclasses are looked up
    sys.path.insert(0, str(path.parent))  # so that it imports its neighbours, as a script does
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise LoadError(
            f"'{path.name}' raised {type(error).__name__} while it was imported: {error}"
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    found = getattr(module, name, None)
    if not callable(found):
        raise CorruptModel(f"'{path.name}' has no class or function '{name}'")
    return found


def _instance(target: type, name: str) -> object:
    try:
        return target()
    except Exception as error:
        raise LoadError(f"{name}() raised {type(error).__name__}: {error}") from error


# -- from type hints to a signature


def _inputs(
    function: Callable[..., Any], hints: Mapping[str, Any], declared: Mapping[str, TensorSpec]
) -> tuple[tuple[TensorSpec, ...], bool]:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise UnsupportedModel("the function needs named arguments with type hints")
    specs: list[TensorSpec] = []
    scalars = 0
    for parameter in parameters:
        if parameter.name in declared:
            specs.append(declared[parameter.name])
            continue
        if parameter.name not in hints:
            raise UnsupportedModel(f"the argument '{parameter.name}' has no type hint")
        hint = _without_none(hints[parameter.name])
        scalar = _SCALARS.get(hint)
        scalars += scalar is not None
        specs.append(
            TensorSpec(parameter.name, scalar, (None, 1))
            if scalar is not None
            else _array_spec(parameter.name, hint)
        )
    if scalars not in (0, len(specs)):
        raise UnsupportedModel("the arguments are all scalars (one row a call) or all arrays")
    return tuple(specs), scalars > 0


def _array_spec(name: str, hint: Any) -> TensorSpec:
    shape: Shape | None = None
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extra = typing.get_args(hint)
        shape = next((item for item in extra if isinstance(item, tuple)), None)
    dtype = _array_dtype(hint)
    if dtype is None:
        raise UnsupportedModel(
            f"the argument '{name}' has the hint {hint}; use float, int, bool, str, or"
            " Annotated[NDArray[np.float32], (None, 3)]"
        )
    if shape is None:
        raise UnsupportedModel(
            f"the shape of '{name}' is not known: write Annotated[{_show(hint)}, (None, 3)], with"
            f" None for rows, or declare it in model.toml: [inputs.{name}] dtype and shape"
        )
    return TensorSpec(name, dtype, shape)


def _array_dtype(hint: Any) -> DType | None:
    """The element type of `NDArray[np.float32]`, which is `ndarray[shape, dtype[float32]]`."""
    if typing.get_origin(hint) is not np.ndarray:
        return None
    kind = typing.get_args(typing.get_args(hint)[1])
    if not kind or not isinstance(kind[0], type):
        return None
    return DType.of(np.dtype(kind[0]))


def _outputs(hint: Any, by_row: bool) -> tuple[TensorSpec, ...]:
    if hint is None:
        raise UnsupportedModel("the function has no return type hint")
    if is_dataclass(hint) or typing.is_typeddict(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        names = [f.name for f in fields(hint)] if is_dataclass(hint) else list(hints)
        return tuple(_output(name, hints[name], by_row) for name in names)
    return (_output(_OUTPUT, hint, by_row),)


def _output(name: str, hint: Any, by_row: bool) -> TensorSpec:
    scalar = _SCALARS.get(hint)
    if scalar is not None:
        return TensorSpec(name, scalar, (None,))
    if typing.get_origin(hint) is typing.Annotated:
        return _array_spec(name, hint)
    if typing.get_origin(hint) is list:
        item = _SCALARS.get(typing.get_args(hint)[0])
        if item is not None:
            return TensorSpec(name, item, (None, None) if by_row else (None,))
    dtype = _array_dtype(hint)
    if dtype is None:
        raise UnsupportedModel(
            f"the answer '{name}' has the hint {hint}; use float, int, bool, str, list of those,"
            " NDArray[...], or a dict class of them"
        )
    return TensorSpec(name, dtype, (None, None) if by_row else (None,))


def _semantics(inputs: Sequence[TensorSpec], hints: Mapping[str, Any]) -> Semantics:
    choices = {name: typing.get_args(hint) for name, hint in hints.items()
               if typing.get_origin(hint) is typing.Literal}
    return Semantics(
        inputs={
            spec.name: InputMeaning(field=Field(choices=choices[spec.name]))
            for spec in inputs
            if spec.name in choices
        }
    )


def _without_none(hint: Any) -> Any:
    """The type that a literal's values have, or that an optional type has."""
    if typing.get_origin(hint) is typing.Literal:
        return type(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else hint
    return hint


def _show(hint: Any) -> str:
    dtype = _array_dtype(hint)
    return f"NDArray[np.{dtype.numpy.name}]" if dtype is not None else str(hint)


# -- from answers to tensors


def _named(answer: Any) -> Mapping[str, Any]:
    if is_dataclass(answer) and not isinstance(answer, type):
        return asdict(answer)
    return answer if isinstance(answer, Mapping) else {_OUTPUT: answer}


def _tensor(spec: TensorSpec, value: Any) -> Array:
    if spec.dtype is DType.BYTES:
        array = np.asarray(value, dtype=np.object_)
        return bytes_tensor(
            (v if isinstance(v, bytes) else str(v).encode() for v in array.flat), array.shape
        )
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or not np.can_cast(array.dtype, spec.dtype.numpy, "same_kind"):
        raise ModelFailed(
            f"the model's answer '{spec.name}' is {array.dtype}, and {spec.dtype.value} was promised"
        )
    return array.astype(spec.dtype.numpy, copy=False)
