"""`model.toml`: what the owner of a model says of it, where the file does not or says it wrong."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import Field, InputMeaning, OutputMeaning, Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType

__all__ = ["ModelToml", "declared_inputs", "merge", "read_model_toml", "write_model_toml"]


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
            inputs[name] = _input(inputs[name], table)
    places = {column: name for name, meaning in inputs.items() for column in meaning.columns}
    for key, table in toml.inputs.items():
        if key in inputs:
            continue
        if key not in places:
            raise _unknown("inputs", key, [*inputs, *places])
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
    for spec in signature.inputs:
        meaning = semantics.inputs.get(spec.name, InputMeaning())
        lines += ["", f"[inputs.{_key(spec.name)}]  # {_show(spec)}"]
        lines += [_line("columns", list(meaning.columns) or None, ["first", "second"])]
        lines += _field_lines(meaning.field)
        for name in meaning.columns:
            lines += ["", f"[inputs.{_key(name)}]  # a column of '{spec.name}'"]
            lines += _field_lines(meaning.column_fields.get(name, Field()))
    for spec in signature.outputs:
        out = semantics.outputs.get(spec.name, OutputMeaning())
        lines += ["", f"[outputs.{_key(spec.name)}]  # {_show(spec)}"]
        lines += [f'kind = "{out.kind}"  # one of: {", ".join(_KINDS)}']
        lines += [_line("classes", list(out.classes) or None, ["no", "yes"])]
        lines += [_line("unit", out.unit, "EUR")]
    lines += ["", "# A request that works when sent; shown in the documentation, used to warm up."]
    lines += ["# [[examples]]", "# input = { NAME = VALUE }"]
    return "\n".join(lines) + "\n"


def _check_keys(file: str, raw: Mapping[str, Any]) -> None:
    _known(file, raw, ModelToml.__struct_fields__)
    for group, table in (("inputs", InputTable), ("outputs", OutputTable)):
        tables = raw.get(group, {})
        for name, value in tables.items() if isinstance(tables, dict) else ():
            if isinstance(value, dict):
                _known(f"{file}, [{group}.{name}]", value, table.__struct_fields__)
    for name, value in raw.get("outputs", {}).items() if isinstance(raw.get("outputs"), dict) else ():
        kind = value.get("kind", "value") if isinstance(value, dict) else "value"
        if kind not in _KINDS:
            raise ConfigError(
                f"{file}, [outputs.{name}]: kind is one of {', '.join(_KINDS)}, and {kind!r} came"
            )


def _known(where: str, table: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in table:
        if key not in keys:
            raise ConfigError(f"{where}: there is no key '{key}'{_nearest(key, keys)}")


def _unknown(group: str, key: str, names: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"model.toml, [{group}.{key}]: the model has no such name{_nearest(key, names)}"
    )


def _nearest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.4)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"


def _shape(sizes: tuple[int, ...] | None) -> tuple[int | None, ...]:
    return (None,) if sizes is None else tuple(None if size < 0 else size for size in sizes)


def _input(said: InputMeaning, table: InputTable) -> InputMeaning:
    return InputMeaning(
        columns=table.columns or said.columns,
        field=_field(said.field, table),
        column_fields=said.column_fields,
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
    last = spec.shape[-1] if spec.shape else 1
    if meaning.columns and last not in (None, len(meaning.columns)):
        raise ConfigError(
            f"model.toml, [inputs.{name}]: {len(meaning.columns)} columns are named, and the last"
            f" axis of the tensor has {last}"
        )
    for key, field in ((name, meaning.field), *meaning.column_fields.items()):
        low, high = field.minimum, field.maximum
        if (low is not None or high is not None) and spec.dtype in (DType.BYTES, DType.BOOL):
            raise ConfigError(f"model.toml, [inputs.{key}]: {spec.dtype.value} has no range")
        if low is not None and high is not None and low > high:
            raise ConfigError(f"model.toml, [inputs.{key}]: minimum is above maximum")


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
        meaning = outputs[spec.name]
        if meaning.kind in ("probabilities", "logits"):
            _check_scores(spec, meaning)
    return outputs


def _check_scores(spec: TensorSpec, meaning: OutputMeaning) -> None:
    last = spec.shape[-1] if spec.shape else None
    if not meaning.classes:
        raise ConfigError(f"model.toml, [outputs.{spec.name}]: {meaning.kind} need 'classes'")
    if last not in (None, len(meaning.classes)):
        raise ConfigError(
            f"model.toml, [outputs.{spec.name}]: {len(meaning.classes)} classes are named, and the"
            f" last axis of the tensor has {last}"
        )


def _show(spec: TensorSpec) -> str:
    sizes = ", ".join("-1" if size is None else str(size) for size in spec.shape)
    return f"{spec.dtype.value} [{sizes}]"


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
    # A JSON scalar or list of scalars is TOML too, but for DEL, which TOML wants escaped.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _toml(name)
