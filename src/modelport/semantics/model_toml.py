"""`model.toml`: what the owner of a model says of it, where the file does not or says it wrong."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import Field, InputMeaning, OutputMeaning, Semantics
from modelport.core.signature import Shape, Signature, TensorSpec, sizes
from modelport.core.tensors import DType
from modelport.kit.words import nearest

__all__ = [
    "Example",
    "InputTable",
    "ModelToml",
    "OutputTable",
    "declared_inputs",
    "merge",
    "read_model_toml",
    "write_model_toml",
]


class InputTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[inputs.NAME]`, where NAME is a tensor or a named column."""

    dtype: DType | None = None
    """The element type; only for formats whose file does not say it, such as Python."""
    shape: tuple[int, ...] | None = None
    """The shape, -1 for a free dimension; only for such formats."""
    columns: tuple[str, ...] = ()
    """Names along the tensor's last axis."""
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str | int | float | bool, ...] = ()
    nullable: bool | None = None
    description: str | None = None


class OutputTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[outputs.NAME]`, where NAME is a tensor."""

    kind: str | None = None
    classes: tuple[str | int | float | bool, ...] = ()
    unit: str | None = None
    description: str | None = None


class Example(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[[examples]]`: a request in plain JSON."""

    input: Any


class ModelToml(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The whole file."""

    title: str | None = None
    description: str | None = None
    attribute: str | None = None
    """The class or function of a program that is served; no consent to run it."""
    inputs: dict[str, InputTable] = {}
    outputs: dict[str, OutputTable] = {}
    examples: tuple[Example, ...] = ()


_KINDS = ("value", "label", "probabilities", "logits", "hidden")


def read_model_toml(path: Path) -> ModelToml:
    """Parse a `model.toml`; an absent file says nothing.

    Raises:
        ConfigError: not TOML, an unknown key (names the nearest right one), a wrong type.
    """
    if not path.is_file():
        return ModelToml()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}") from error
    _check_keys(path.name, raw)
    try:
        return msgspec.convert(raw, ModelToml)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path.name}: {error}") from error


def declared_inputs(toml: ModelToml) -> dict[str, TensorSpec]:
    """The inputs whose type and shape the owner declares."""
    return {
        name: TensorSpec(name, table.dtype or DType.FP64, _shape(table.shape))
        for name, table in toml.inputs.items()
        if table.dtype is not None or table.shape is not None
    }


def merge(said: Semantics, toml: ModelToml, signature: Signature) -> Semantics:
    """What the file says, with what the owner says in its place.

    Raises:
        ConfigError: a table names no input, column or output of the model (names the nearest).
    """
    inputs = {spec.name: said.inputs.get(spec.name, InputMeaning()) for spec in signature.inputs}
    for name in inputs:
        table = toml.inputs.get(name)
        if table is not None:
            _check_declared(name, table, signature.input(name))
            inputs[name] = _input(inputs[name], table)
    places = _places(inputs)
    for key, table in toml.inputs.items():
        if key in inputs:
            continue
        if key not in places:
            raise _unknown("inputs", key, [*inputs, *places])
        if table.columns or table.dtype or table.shape is not None:
            raise _wrong(f"inputs.{key}", "a column has no columns, dtype or shape of its own")
        meaning = inputs[places[key]]
        field = _field(meaning.column_fields.get(key, meaning.field), table)
        fields = {**meaning.column_fields, key: field}
        inputs[places[key]] = msgspec.structs.replace(meaning, column_fields=fields)
    for name, meaning in inputs.items():
        _check_input(name, meaning, signature.input(name))
    return Semantics(
        title=toml.title or said.title,
        description=toml.description or said.description,
        inputs=inputs,
        outputs=_outputs(said, toml, signature),
        examples=tuple(example.input for example in toml.examples) or said.examples,
    )


def write_model_toml(signature: Signature, semantics: Semantics) -> str:
    """A commented starting point for a `model.toml`, with what is known filled in."""
    lines = [
        "# What this model means to the people who use it. Every key is optional.",
        _line("title", semantics.title, "A short name"),
        _line("description", semantics.description, "What it predicts, from what, and for whom"),
    ]
    names = {spec.name for spec in signature.inputs}
    for spec in signature.inputs:
        meaning = semantics.inputs.get(spec.name, InputMeaning())
        lines += ["", f"[inputs.{_key(spec.name)}]  # {_show(spec)}"]
        lines += [_line("columns", list(meaning.columns) or None, ["first", "second"])]
        lines += _field_lines(meaning.field)
        for name in meaning.columns:
            if name not in names:  # a table of that name means the tensor
                lines += ["", f"[inputs.{_key(name)}]  # a column of {_toml(spec.name)}"]
                lines += _field_lines(meaning.column_fields.get(name, Field()))
    for spec in signature.outputs:
        out = semantics.outputs.get(spec.name, OutputMeaning())
        lines += ["", f"[outputs.{_key(spec.name)}]  # {_show(spec)}"]
        lines += [f'kind = "{out.kind}"  # one of: {", ".join(_KINDS)}']
        lines += [_line("classes", list(out.classes) or None, ["no", "yes"])]
        lines += [_line("unit", out.unit, "EUR")]
        lines += [_line("description", out.description, "Shown to people")]
    lines += ["", "# A request that works when sent; shown in the documentation, used to warm up."]
    examples = [example for example in semantics.examples if not _has_null(example)]
    for example in examples:
        lines += ["[[examples]]", f"input = {_toml(example)}"]
    if not examples:
        lines += ["# [[examples]]", "# input = { NAME = VALUE }"]
    return "\n".join(lines) + "\n"


def _check_keys(file: str, raw: Mapping[str, Any]) -> None:
    _known(file, raw, ModelToml.__struct_fields__)
    for group, kind in (("inputs", InputTable), ("outputs", OutputTable)):
        for name, table in _tables(raw.get(group)):
            _known(f"{file}, [{group}.{name}]", table, kind.__struct_fields__)
    for name, table in _tables(raw.get("outputs")):
        if table.get("kind", "value") not in _KINDS:
            raise ConfigError(
                f"{file}, [outputs.{name}]: kind is one of {', '.join(_KINDS)},"
                f" and {table['kind']!r} came"
            )


def _tables(group: object) -> list[tuple[str, Mapping[str, Any]]]:
    """What has the form of a table; msgspec has the words for what has not."""
    found = group.items() if isinstance(group, dict) else ()
    return [(name, table) for name, table in found if isinstance(table, dict)]


def _known(where: str, table: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in table:
        if key not in keys:
            raise ConfigError(f"{where}: there is no key '{key}'{nearest(key, keys)}")


def _unknown(group: str, key: str, names: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"model.toml, [{group}.{key}]: the model has no such name{nearest(key, names)}"
    )


def _wrong(table: str, problem: str) -> ConfigError:
    return ConfigError(f"model.toml, [{table}]: {problem}")


def _shape(sizes: tuple[int, ...] | None) -> Shape:
    return (None,) if sizes is None else tuple(None if size < 0 else size for size in sizes)


def _check_declared(name: str, table: InputTable, spec: TensorSpec) -> None:
    if table.dtype is not None and table.dtype is not spec.dtype:
        raise _wrong(f"inputs.{name}", f"the model's own type is {spec.dtype.value}")
    if table.shape is not None and _shape(table.shape) != spec.shape:
        raise _wrong(f"inputs.{name}", f"the model's own shape is {sizes(spec.shape)}")


def _places(inputs: Mapping[str, InputMeaning]) -> dict[str, str]:
    """The tensor of each column; a name stands for one thing only."""
    places: dict[str, str] = {}
    for name, meaning in inputs.items():
        for column in meaning.columns:
            if column in places or (column in inputs and column != name):
                raise _wrong(f"inputs.{name}", f"the name '{column}' is given to two inputs")
            places[column] = name
    return places


def _input(said: InputMeaning, table: InputTable) -> InputMeaning:
    fields = said.column_fields
    if len(table.columns) == len(said.columns):  # other names for the same columns
        renamed = zip(said.columns, table.columns, strict=True)
        fields = {new: fields[old] for old, new in renamed if old in fields}
    return InputMeaning(
        columns=table.columns or said.columns,
        field=_field(said.field, table),
        column_fields=fields if len(table.columns) in (0, len(said.columns)) else {},
    )


def _field(said: Field, table: InputTable) -> Field:
    return Field(
        unit=said.unit if table.unit is None else table.unit,
        minimum=said.minimum if table.minimum is None else table.minimum,
        maximum=said.maximum if table.maximum is None else table.maximum,
        choices=table.choices or said.choices,
        nullable=said.nullable if table.nullable is None else table.nullable,
        description=said.description if table.description is None else table.description,
    )


def _check_input(name: str, meaning: InputMeaning, spec: TensorSpec) -> None:
    row = spec.row_shape
    if meaning.columns and not row:
        raise _wrong(f"inputs.{name}", "columns are named, and the tensor has no axis for them")
    if meaning.columns and row[-1] not in (None, len(meaning.columns)):
        raise _wrong(
            f"inputs.{name}",
            f"{len(meaning.columns)} columns are named, and the last axis of the tensor has"
            f" {row[-1]}",
        )
    for key, field in ((name, meaning.field), *meaning.column_fields.items()):
        _check_field(f"inputs.{key}", field, spec.dtype)


def _check_field(table: str, field: Field, dtype: DType) -> None:
    ends = [end for end in (field.minimum, field.maximum) if end is not None]
    if ends and dtype.bounds is None:
        raise _wrong(table, f"{dtype.value} has no range")
    if not all(math.isfinite(end) for end in ends):
        raise _wrong(table, "minimum and maximum are finite numbers")
    if len(ends) == 2 and ends[0] > ends[1]:
        raise _wrong(table, "minimum is above maximum")
    for choice in field.choices:
        if not _is_of(dtype, choice):
            raise _wrong(table, f"the choice {choice!r} is no value of {dtype.value}")
    if field.choices and not any(_is_within(field, choice) for choice in field.choices):
        raise _wrong(table, "no choice is between minimum and maximum")


def _is_within(field: Field, choice: object) -> bool:
    if not isinstance(choice, int | float):
        return True
    return (field.minimum is None or choice >= field.minimum) and (
        field.maximum is None or choice <= field.maximum
    )


def _is_of(dtype: DType, choice: object) -> bool:
    if dtype is DType.BYTES or dtype is DType.BOOL:
        return isinstance(choice, str if dtype is DType.BYTES else bool)
    if isinstance(choice, bool) or not isinstance(choice, int | float):
        return False
    assert dtype.bounds is not None  # of every number
    whole = dtype.is_float or isinstance(choice, int)
    return whole and dtype.bounds[0] <= choice <= dtype.bounds[1]


def _outputs(said: Semantics, toml: ModelToml, signature: Signature) -> dict[str, OutputMeaning]:
    outputs = {s.name: said.outputs.get(s.name, OutputMeaning()) for s in signature.outputs}
    for name, table in toml.outputs.items():
        if name not in outputs:
            raise _unknown("outputs", name, outputs)
        old = outputs[name]
        default = "probabilities" if table.classes and old.kind == "value" else old.kind
        outputs[name] = OutputMeaning(
            kind=table.kind or default,  # type: ignore[arg-type]  # checked by `_check_keys`
            classes=table.classes or old.classes,
            unit=table.unit or old.unit,
            description=table.description or old.description,
        )
    for spec in signature.outputs:
        _check_output(spec, outputs[spec.name])
    if outputs and all(meaning.kind == "hidden" for meaning in outputs.values()):
        raise ConfigError("model.toml: every output is hidden, so that answers would be empty")
    return outputs


def _check_output(spec: TensorSpec, meaning: OutputMeaning) -> None:
    table = f"outputs.{spec.name}"
    if len({str(name) for name in meaning.classes}) != len(meaning.classes):
        raise _wrong(table, "two classes have the same name")
    if meaning.kind not in ("probabilities", "logits"):
        return
    if not meaning.classes:
        raise _wrong(table, f"{meaning.kind} need 'classes'")
    last = spec.row_shape[-1] if spec.row_shape else 1
    if last not in (None, len(meaning.classes)):
        raise _wrong(
            table,
            f"{len(meaning.classes)} classes are named, and the last axis of the tensor has {last}",
        )


def _show(spec: TensorSpec) -> str:
    return f"{spec.dtype.value} {sizes(spec.shape)}"


def _field_lines(field: Field) -> list[str]:
    return [
        _line("unit", field.unit, "mm"),
        _line("minimum", field.minimum, 0),
        _line("maximum", field.maximum, 100),
        _line("choices", list(field.choices) or None, ["a", "b"]),
        _line("nullable", field.nullable, True),
        _line("description", field.description, "Shown to people"),
    ]


def _line(key: str, known: object, suggestion: object) -> str:
    return f"{key} = {_toml(known)}" if known is not None else f"# {key} = {_toml(suggestion)}"


def _toml(value: object) -> str:
    """A value as TOML."""
    match value:
        case dict():
            return (
                "{ " + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + " }"
            )
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case float():
            return repr(value)  # with nan and inf, as TOML writes them
    # Another JSON scalar is TOML too, but for DEL, which TOML wants escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _has_null(value: object) -> bool:
    """Whether TOML has no words for a value."""
    if isinstance(value, dict | list | tuple):
        return any(map(_has_null, value.values() if isinstance(value, dict) else value))
    return value is None


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _toml(name)
