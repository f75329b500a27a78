"""`model.toml`: what the owner of a model says of it, where the file does not or says it wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import (
    Audio,
    Boxes,
    Field,
    Image,
    InputMeaning,
    OutputKind,
    OutputMeaning,
    Semantics,
    Source,
    Text,
)
from modelport.core.signature import Shape, Signature, TensorSpec, sizes
from modelport.core.tensors import DType
from modelport.kit.words import nearest
from modelport.semantics.inputs import check_input, check_mask
from modelport.semantics.outputs import check_output
from modelport.semantics.toml_tables import (
    KINDS,
    SOURCES,
    BatchingTable,
    Example,
    InputTable,
    ModelToml,
    OutputTable,
    read_model_toml,
    wrong,
)

__all__ = [
    "KINDS",
    "SOURCES",
    "BatchingTable",
    "Example",
    "InputTable",
    "ModelToml",
    "OutputTable",
    "declared_inputs",
    "merge",
    "read_model_toml",
]


_OF_TENSORS = ("columns", "dtype", "shape", "pad", "mask_of")
_BOXES = Boxes.__struct_fields__
_ONLY_OF: dict[str, tuple[OutputKind, ...]] = {
    "top_k": ("probabilities", "logits"),
    "sigmoid": ("multilabel",),
    "threshold": ("multilabel", "boxes", "mask"),
    "picture": ("boxes", "mask"),
}


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
        if any(getattr(table, name) not in (None, ()) for name in _OF_TENSORS):
            raise wrong(f"inputs.{key}", f"a column has no {', '.join(_OF_TENSORS)} of its own")
        meaning = inputs[places[key]]
        field = _field(meaning.column_fields.get(key, meaning.field), table)
        fields = {**meaning.column_fields, key: field}
        inputs[places[key]] = msgspec.structs.replace(meaning, column_fields=fields)
    for name, meaning in inputs.items():
        check_input(name, meaning, signature.input(name))
        if meaning.mask_of is not None:
            check_mask(name, meaning.mask_of, signature, inputs)
    return Semantics(
        title=toml.title or said.title,
        description=toml.description or said.description,
        inputs=inputs,
        sources=_sources(said, toml),
        outputs=_outputs(said, toml, signature),
        examples=tuple(example.input for example in toml.examples) or said.examples,
        example_names=_example_names(toml),
        app=toml.app,
    )


def _example_names(toml: ModelToml) -> tuple[str | None, ...]:
    names = tuple(example.name or None for example in toml.examples)
    return names if any(names) else ()


def _unknown(group: str, key: str, names: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"model.toml, [{group}.{key}]: the model has no such name{nearest(key, names)}"
    )


def _shape(sizes: tuple[int, ...] | None) -> Shape:
    return (None,) if sizes is None else tuple(None if size < 0 else size for size in sizes)


def _check_declared(name: str, table: InputTable, spec: TensorSpec) -> None:
    if table.dtype is not None and table.dtype is not spec.dtype:
        raise wrong(f"inputs.{name}", f"the model's own type is {spec.dtype.value}")
    if table.shape is not None and _shape(table.shape) != spec.shape:
        raise wrong(f"inputs.{name}", f"the model's own shape is {sizes(spec.shape)}")


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
                raise wrong(f"inputs.{name}", f"the name '{column}' is given to two inputs")
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
        mask_of=table.mask_of or said.mask_of,
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
    given: dict[str, Any] = {key: getattr(table, key) for key in _BOXES}
    boxes = {key: value for key, value in given.items() if value is not None}
    if boxes and kind != "boxes":
        raise wrong(name, f"'{next(iter(boxes))}' goes with kind = 'boxes'")
    for key, kinds in _ONLY_OF.items():
        if getattr(table, key) is not None and kind not in kinds:
            raise wrong(name, f"'{key}' goes with kind = {' or '.join(map(repr, kinds))}")
    laid_out = Boxes(**boxes) if boxes else old.boxes
    return OutputMeaning(
        kind=kind,
        classes=table.classes or old.classes,
        top_k=old.top_k if table.top_k is None else table.top_k,
        sigmoid=old.sigmoid if table.sigmoid is None else table.sigmoid,
        threshold=old.threshold if table.threshold is None else table.threshold,
        picture=old.picture if table.picture is None else table.picture,
        boxes=laid_out,
        unit=table.unit or old.unit,
        description=table.description or old.description,
    )
