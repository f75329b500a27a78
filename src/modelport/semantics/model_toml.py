"""`model.toml`: what the owner of a model says of it, where the file does not or says it wrong."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import (
    Audio,
    Boxes,
    Category,
    Field,
    Image,
    InputMeaning,
    Number,
    OutputKind,
    OutputMeaning,
    Semantics,
    Source,
    Text,
)
from modelport.core.signature import Shape, Signature, TensorSpec, sizes
from modelport.core.tensors import DType
from modelport.kit.words import nearest
from modelport.semantics.outputs import check_output

__all__ = [
    "KINDS",
    "SOURCES",
    "Example",
    "InputTable",
    "ModelToml",
    "OutputTable",
    "declared_inputs",
    "merge",
    "read_model_toml",
]


class InputTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[inputs.NAME]` without a `kind`, where NAME is a tensor or a named column."""

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

    kind: OutputKind | None = None
    classes: tuple[str | int | float | bool, ...] = ()
    top_k: int | None = None
    sigmoid: bool | None = None
    threshold: float | None = None
    form: str | None = None
    relative: bool | None = None
    layout: str | None = None
    scores: str | None = None
    labels: str | None = None
    overlap: float | None = None
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
    sources: dict[str, Source] = {}
    """`[inputs.NAME]` with a `kind`: what a person gives in place of tensors."""
    outputs: dict[str, OutputTable] = {}
    examples: tuple[Example, ...] = ()


KINDS: tuple[OutputKind, ...] = get_args(OutputKind)
SOURCES: dict[str, type[Source]] = {
    "image": Image,
    "text": Text,
    "audio": Audio,
    "category": Category,
    "number": Number,
}
_BOXES = Boxes.__struct_fields__
_ONLY_OF: dict[str, tuple[OutputKind, ...]] = {
    "top_k": ("probabilities", "logits"),
    "sigmoid": ("multilabel",),
    "threshold": ("multilabel", "boxes", "mask"),
}


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
    inputs = raw.get("inputs")
    if isinstance(inputs, dict):
        kinds = {n: t for n, t in inputs.items() if isinstance(t, dict) and "kind" in t}
        raw["sources"] = kinds
        raw["inputs"] = {n: t for n, t in inputs.items() if n not in kinds}
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
        sources=_sources(said, toml),
        outputs=_outputs(said, toml, signature),
        examples=tuple(example.input for example in toml.examples) or said.examples,
    )


def _check_keys(file: str, raw: Mapping[str, Any]) -> None:
    _known(file, raw, [name for name in ModelToml.__struct_fields__ if name != "sources"])
    for name, table in _tables(raw.get("inputs")):
        where = f"{file}, [inputs.{name}]"
        if "kind" not in table:
            _known(where, table, [*InputTable.__struct_fields__, "kind"])
            continue
        _check_kind(where, table["kind"], SOURCES)
        _known(where, table, ["kind", *SOURCES[table["kind"]].__struct_fields__])
    for name, table in _tables(raw.get("outputs")):
        where = f"{file}, [outputs.{name}]"
        _known(where, table, OutputTable.__struct_fields__)
        _check_kind(where, table.get("kind", "value"), KINDS)


def _check_kind(where: str, kind: object, known: Iterable[str]) -> None:
    if kind not in list(known):
        listed = ", ".join(known)
        raise ConfigError(f"{where}: kind is one of {listed}, and {kind!r} came")


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


def _sources(said: Semantics, toml: ModelToml) -> dict[str, Source]:
    """The owner's sources, and those of the file that fill other tensors."""
    taken = {_filled(name, source) for name, source in toml.sources.items()}
    kept = {n: s for n, s in said.sources.items() if _filled(n, s) not in taken}
    return {**kept, **toml.sources}


def _filled(name: str, source: Source) -> str:
    return (source.tensor if isinstance(source, Image | Audio | Text) else None) or name


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
        outputs[name] = _output(f"outputs.{name}", outputs[name], table)
    for spec in signature.outputs:
        check_output(spec, outputs[spec.name], signature)
    if outputs and all(meaning.kind == "hidden" for meaning in outputs.values()):
        raise ConfigError("model.toml: every output is hidden, so that answers would be empty")
    return outputs


def _output(name: str, old: OutputMeaning, table: OutputTable) -> OutputMeaning:
    default: OutputKind = "probabilities" if table.classes and old.kind == "value" else old.kind
    kind = table.kind or default
    given = {key: getattr(table, key) for key in _BOXES}
    boxes = {key: value for key, value in given.items() if value is not None}
    if boxes and kind != "boxes":
        raise _wrong(name, f"'{next(iter(boxes))}' goes with kind = 'boxes'")
    for key, kinds in _ONLY_OF.items():
        if getattr(table, key) is not None and kind not in kinds:
            raise _wrong(name, f"'{key}' goes with kind = {' or '.join(map(repr, kinds))}")
    try:
        laid_out = msgspec.convert(boxes, Boxes) if boxes else old.boxes
    except msgspec.ValidationError as error:
        raise _wrong(name, str(error)) from error
    return OutputMeaning(
        kind=kind,
        classes=table.classes or old.classes,
        top_k=old.top_k if table.top_k is None else table.top_k,
        sigmoid=old.sigmoid if table.sigmoid is None else table.sigmoid,
        threshold=old.threshold if table.threshold is None else table.threshold,
        boxes=laid_out,
        unit=table.unit or old.unit,
        description=table.description or old.description,
    )
