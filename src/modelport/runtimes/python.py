"""A class or function in a `.py` file, with type hints. Grade: silver.

    def price(area: float, city: str) -> float: ...           one row at a time, named fields

    class Scorer:                                             loaded once, called many times
        def __init__(self) -> None: ...
        def predict(self, x: Annotated[NDArray[np.float32], (None, 3)]) -> NDArray[np.float32]: ...

Arguments are all scalars (`float`, `int`, `bool`, `str`, a `Literal` of one of them: the function
is called for each row) or all arrays (called once with the whole batch; `None` in the shape is a
free dimension, the first one counts rows). `float | None` and `str | None` may be missing; a text
in `Annotated` describes the argument. Every argument is required, whether it has a default or not.
An argument `parameters` whose hint is a mapping, or that has none, is no input: it gets what the
request says besides its tensors, as a dict. The answer is a scalar, a list or an array, or a
TypedDict or dataclass of those; `async def` works too. A program is code: it runs only when the
user named it, or its digest is trusted.
"""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelport.core.errors import CorruptModel, LoadError, ModelFailed, UnsupportedModel
from modelport.core.messages import Parameter
from modelport.core.semantics import Field, InputMeaning, Semantics
from modelport.core.signature import Shape, Signature, TensorSpec, fits, show_shape
from modelport.core.tensors import Array, Batch, DType, bytes_tensor, decode_text
from modelport.runtimes.base import Description, LoadOptions, Runtime

__all__ = ["RUNTIME"]

_SCALARS = {float: DType.FP64, int: DType.INT64, bool: DType.BOOL, str: DType.BYTES}
_ELEMENTS = {dtype.numpy.type: dtype for dtype in DType} | dict.fromkeys(
    (np.str_, np.bytes_), DType.BYTES
)
_OUTPUT = "output"
_PARAMETERS = "parameters"
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping, Any)
_NONE = type(None)
_ANY = Field()
_PREFIX = "modelport_model_"
_neighbours: dict[str, Path] = {}
"""Of the modules that programs imported from their own folders: that folder."""


@dataclass(frozen=True)
class _Argument:
    """An input as the function takes it."""

    spec: TensorSpec
    field: Field = _ANY
    is_scalar: bool = False


@dataclass(frozen=True)
class _Result:
    """An output as the function gives it."""

    spec: TensorSpec
    shape: Shape | None
    """The shape that was promised; None where the hint says none."""


class _PythonModel:
    """A callable with a signature; `close` is the object's own, if it has one."""

    def __init__(
        self,
        function: Callable[..., Any],
        owner: object,
        arguments: Sequence[_Argument],
        results: Sequence[_Result],
        takes_parameters: bool,
    ) -> None:
        self._function = function
        self._owner = owner
        self._arguments = arguments
        self._results = results
        self._by_row = arguments[0].is_scalar
        self._parameters: Mapping[str, Parameter] | None = {} if takes_parameters else None
        """Of the requests that are asked; None where the function takes none."""
        is_async = inspect.iscoroutinefunction(function)
        self.description = Description(
            runtime=f"Python {sys.version_info.major}.{sys.version_info.minor}",
            signature=Signature(
                tuple(argument.spec for argument in arguments),
                tuple(result.spec for result in results),
            ),
            semantics=Semantics(
                inputs={a.spec.name: InputMeaning(field=a.field) for a in arguments}
            ),
            execution="async" if is_async else "blocking",
            takes_parameters=takes_parameters,
        )

    def predict(self, batch: Batch) -> Batch | Awaitable[Batch]:
        """The function's answer; its rows together, or one after the other."""
        if self.description.execution == "async":
            return self._predict_async(batch)
        return self._predict(batch)

    def given(self, parameters: Mapping[str, Parameter]) -> _PythonModel:
        """The same function, called with these parameters, where it takes any."""
        if self._parameters is None:
            return self
        other = copy.copy(self)
        other._parameters = parameters
        return other

    def close(self) -> None:
        """Let the object close what it opened."""
        close = getattr(self._owner, "close", None)
        if callable(close):
            close()

    def _predict(self, batch: Batch) -> Batch:
        try:
            answers = [self._function(**call, **self._said()) for call in self._calls(batch)]
        except SystemExit as error:
            raise _exited(error) from error
        return self._tensors(answers, self._rows(batch))

    async def _predict_async(self, batch: Batch) -> Batch:
        async def answered(call: dict[str, Any]) -> Any:
            try:
                return await self._function(**call, **self._said())
            except (SystemExit, KeyboardInterrupt) as error:  # would end the event loop
                raise _exited(error) from error

        calls = [answered(call) for call in self._calls(batch)]
        # None is left running when another fails.
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return self._tensors(answers, self._rows(batch))

    def _said(self) -> dict[str, Any]:
        # The function may write to what it is given.
        return {} if self._parameters is None else {_PARAMETERS: dict(self._parameters)}

    def _rows(self, batch: Batch) -> int | None:
        """How many rows an answer has; None where the inputs do not say it."""
        signature = self.description.signature
        return batch[signature.inputs[0].name].shape[0] if signature.is_batched else None

    def _calls(self, batch: Batch) -> list[dict[str, Any]]:
        """The arguments of each call: one for each row, or one with the whole batch."""
        if self._by_row:
            columns = {a.spec.name: _column(a, batch[a.spec.name]) for a in self._arguments}
            rows = zip(*columns.values(), strict=True)
            return [dict(zip(columns, row, strict=True)) for row in rows]
        return [{a.spec.name: _array(a.spec, batch[a.spec.name]) for a in self._arguments}]

    def _tensors(self, answers: Sequence[Any], rows: int | None) -> Batch:
        named = [_named(answer) for answer in answers]
        outputs: dict[str, Array] = {}
        for result in self._results:
            name = result.spec.name
            try:
                values = [answer[name] for answer in named]
            except KeyError as error:
                raise ModelFailed(f"the model's answer has no '{name}'") from error
            tensor = _tensor(result, values if self._by_row else values[0])
            if rows is not None and result.spec.is_batched and tensor.shape[:1] != (rows,):
                raise ModelFailed(
                    f"the model's answer '{name}' has the shape {show_shape(tensor.shape)}, and"
                    f" {rows} rows were asked for"
                )
            outputs[name] = tensor
        return outputs


def _load(path: Path, options: LoadOptions) -> _PythonModel:
    if not options.attribute:
        raise UnsupportedModel(
            f"'{path.name}' is a program: say which class or function to serve, as"
            f" {path.name}:NAME or, in a folder of models, with 'attribute = \"NAME\"' in its"
            " model.toml"
        )
    with _importable(path.parent):
        target = _attribute(path, options.attribute)
        owner = _instance(target, options.attribute) if inspect.isclass(target) else target
    function = getattr(owner, "predict", None) if inspect.isclass(target) else target
    if not inspect.isroutine(function):
        problem = "has no method 'predict'" if owner is not target else "is no class or function"
        raise UnsupportedModel(f"'{options.attribute}' {problem}")
    hints = _hints(function)
    arguments = _inputs(function, hints, options.declared_inputs)
    results = _outputs(hints.get("return"), arguments[0].is_scalar)
    takes_parameters = _takes_parameters(function, hints, options.declared_inputs)
    return _PythonModel(function, owner, arguments, results, takes_parameters)


RUNTIME = Runtime(name="Python", load=_load)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Have a program import its neighbours, as a script does, and leave its folder as it is.

    Neighbours that a program of another folder imported are forgotten: another version of this one
    has files of the same names. No bytecode is written, as it would change the folder's digest.
    """
    before, writes_nothing = set(sys.modules), sys.dont_write_bytecode
    for name in [name for name, home in _neighbours.items() if home != folder]:
        del _neighbours[name]
        sys.modules.pop(name, None)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()  # files that were written a moment ago
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_nothing
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            is_inside = file is not None and Path(file).is_relative_to(folder)
            if is_inside and not name.startswith(_PREFIX):
                _neighbours[name] = folder


def _attribute(path: Path, name: str) -> Any:
    module_name = _PREFIX + path.stem
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None  # the ending is .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # where type hints and dataclasses are looked up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raised = f"'{path.name}' raised {type(error).__name__} while it was imported"
        raise LoadError(*_told(raised, error)) from error
    found = getattr(module, name, None)
    if found is None:
        raise CorruptModel(f"'{path.name}' has no class or function '{name}'")
    return found


def _instance(target: type, name: str) -> object:
    try:
        return target()
    except (Exception, SystemExit) as error:
        raise LoadError(*_told(f"{name}() raised {type(error).__name__}", error)) from error


def _told(raised: str, error: BaseException) -> tuple[str, str]:
    """What callers are told, and the whole for the operator: a program may say its secrets."""
    return f"{raised}; the server's log has the reason", f"{raised}: {error}"


# -- from type hints to a signature


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # hints are code
        unread = f"the type hints of '{function.__name__}' cannot be read: {type(error).__name__}"
        raise UnsupportedModel(*_told(unread, error)) from error


def _inputs(
    function: Callable[..., Any], hints: Mapping[str, Any], declared: Mapping[str, TensorSpec]
) -> list[_Argument]:
    parameters = list(inspect.signature(function).parameters.values())
    if _takes_parameters(function, hints, declared):
        parameters = [each for each in parameters if each.name != _PARAMETERS]
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if not parameters or any(parameter.kind not in by_name for parameter in parameters):
        raise UnsupportedModel("the function needs named arguments with type hints")
    arguments: list[_Argument] = []
    for name in (parameter.name for parameter in parameters):
        if name in declared:
            arguments.append(_Argument(declared[name]))
        elif name in hints:
            arguments.append(_argument(name, hints[name]))
        else:
            raise UnsupportedModel(f"the argument '{name}' has no type hint")
    if len({argument.is_scalar for argument in arguments}) > 1:
        raise UnsupportedModel("the arguments are all scalars (one row a call) or all arrays")
    return arguments


def _takes_parameters(
    function: Callable[..., Any], hints: Mapping[str, Any], declared: Mapping[str, TensorSpec]
) -> bool:
    """Whether it has an argument for what a request says besides its tensors."""
    found = inspect.signature(function).parameters.get(_PARAMETERS)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if found is None or found.kind not in by_name or _PARAMETERS in declared:
        return False
    hint = hints.get(_PARAMETERS, Any)
    return (typing.get_origin(hint) or hint) in _MAPPINGS


def _argument(name: str, hint: Any) -> _Argument:
    scalar = _scalar(hint)
    if scalar is None:
        return _Argument(_array_spec(f"argument '{name}'", name, hint))
    kind, field = scalar
    dtype = _SCALARS[kind]
    if field.nullable and not (dtype.is_float or dtype is DType.BYTES):
        raise UnsupportedModel(
            f"the argument '{name}' cannot be missing: only float and str have a value for that"
        )
    return _Argument(TensorSpec(name, dtype, (None, 1)), field, is_scalar=True)


def _scalar(hint: Any) -> tuple[type, Field] | None:
    """The type of a scalar and what the hint says of it; None for anything else."""
    origin, items = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        inner = _scalar(items[0])
        words = next((text for text in items[1:] if isinstance(text, str)), None)
        return inner and (inner[0], msgspec.structs.replace(inner[1], description=words))
    if origin in (typing.Union, types.UnionType) and len(items) == 2 and _NONE in items:
        inner = _scalar(items[0] if items[1] is _NONE else items[1])
        return inner and (inner[0], msgspec.structs.replace(inner[1], nullable=True))
    if origin is typing.Literal:
        kinds = {type(item) for item in items}
        kind = kinds.pop()
        return (kind, Field(choices=items)) if not kinds and kind in _SCALARS else None
    return (hint, Field()) if isinstance(hint, type) and hint in _SCALARS else None


def _array_spec(what: str, name: str, hint: Any) -> TensorSpec:
    shape: Shape | None = None
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extra = typing.get_args(hint)
        shape = next((item for item in extra if isinstance(item, tuple)), None)
    dtype = _array_dtype(hint)
    if dtype is None:
        raise UnsupportedModel(
            f"the {what} has the hint {hint}; use float, int, bool, str, or"
            " Annotated[NDArray[np.float32], (None, 3)]"
        )
    if shape is None or not all(size is None or type(size) is int for size in shape):
        raise UnsupportedModel(
            f"the shape of the {what} is not known: write"
            f" Annotated[NDArray[np.{_type_name(dtype)}], (None, 3)], with None for rows, or"
            f" declare it in model.toml: [inputs.{name}] dtype and shape"
        )
    return TensorSpec(name, dtype, shape)


def _array_dtype(hint: Any) -> DType | None:
    """The element type of `NDArray[np.float32]`, which is `ndarray[shape, dtype[float32]]`."""
    if typing.get_origin(hint) is not np.ndarray:
        return None
    kind = typing.get_args(typing.get_args(hint)[1])
    return _ELEMENTS.get(kind[0]) if kind else None


def _type_name(dtype: DType) -> str:
    return "str_" if dtype is DType.BYTES else dtype.numpy.type.__name__


def _outputs(hint: Any, by_row: bool) -> list[_Result]:
    if hint is None:
        raise UnsupportedModel("the function has no return type hint")
    if is_dataclass(hint) or typing.is_typeddict(hint):
        hints = _hints(hint)
        names = [f.name for f in fields(hint)] if is_dataclass(hint) else list(hints)
        return [_output(name, hints[name], by_row) for name in names]
    return [_output(_OUTPUT, hint, by_row)]


def _output(name: str, hint: Any, by_row: bool) -> _Result:
    scalar = _scalar(hint)
    if scalar is not None and not scalar[1].nullable:
        return _promised(TensorSpec(name, _SCALARS[scalar[0]], (None,)))
    if typing.get_origin(hint) is typing.Annotated:
        spec = _array_spec(f"answer '{name}'", name, hint)
        return _promised(
            TensorSpec(name, spec.dtype, (None, *spec.shape) if by_row else spec.shape)
        )
    shape: Shape = (None, None) if by_row else (None,)
    if typing.get_origin(hint) is list:
        item = typing.get_args(hint)[0]
        if item in _SCALARS:
            return _promised(TensorSpec(name, _SCALARS[item], shape))
    dtype = _array_dtype(hint)
    if dtype is None:
        raise UnsupportedModel(
            f"the answer '{name}' has the hint {hint}; use float, int, bool, str, list of those,"
            " NDArray[...], or a TypedDict or dataclass of them"
        )
    return _Result(TensorSpec(name, dtype, shape), None)


def _promised(spec: TensorSpec) -> _Result:
    return _Result(spec, spec.shape)


# -- from tensors to arguments, and from answers to tensors


def _exited(error: BaseException) -> RuntimeError:
    return RuntimeError(f"the model raised {type(error).__name__}")


def _array(spec: TensorSpec, tensor: Array) -> Array:
    if spec.dtype is DType.BYTES:
        return decode_text(spec.name, tensor)
    # The function may write to what it is given; bytes of a request cannot be written to.
    return tensor if tensor.flags.writeable else tensor.copy()


def _column(argument: _Argument, tensor: Array) -> list[Any]:
    values = _array(argument.spec, tensor).reshape(-1).tolist()
    if not argument.field.nullable:
        return values
    return [
        None if value == "" or value != value else value for value in values
    ]  # NaN is not itself


def _named(answer: Any) -> Mapping[str, Any]:
    if is_dataclass(answer):
        return {f.name: getattr(answer, f.name) for f in fields(answer)}
    return answer if isinstance(answer, Mapping) else {_OUTPUT: answer}


def _tensor(result: _Result, value: Any) -> Array:
    spec = result.spec
    try:
        array = _texts(value) if spec.dtype is DType.BYTES else _numbers(value, spec.dtype)
    except ValueError as error:
        raise ModelFailed(
            f"the model's answer '{spec.name}' is {error}, and {spec.dtype.value} was promised"
        ) from error
    if result.shape is not None and not fits(array.shape, result.shape):
        raise ModelFailed(
            f"the model's answer '{spec.name}' has the shape {show_shape(array.shape)}, and"
            f" {show_shape(result.shape)} was promised"
        )
    return array


def _texts(value: Any) -> Array:
    array = np.asarray(value, dtype=np.object_)
    texts: list[Any] = array.ravel().tolist()
    wrong = [type(text).__name__ for text in texts if not isinstance(text, str | bytes)]
    if wrong:
        raise ValueError(f"of {wrong[0]}")
    return bytes_tensor((t.encode() if isinstance(t, str) else t for t in texts), array.shape)


def _numbers(value: Any, dtype: DType) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError("ragged") from error
    castable = np.can_cast(array.dtype, dtype.numpy, "same_kind")
    if array.dtype.kind not in "biuf" or not castable:
        raise ValueError(f"of {array.dtype}")
    with np.errstate(over="ignore"):  # infinity, as in numpy's own arithmetic
        out = array.astype(dtype.numpy, copy=False)
    if dtype.is_integer and (out != array).any():
        raise ValueError("beyond its bounds")
    return out
