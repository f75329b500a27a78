"""Columns that a person does not write as the model takes them: categories, scaled numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from modelport.core.semantics import Category, Field, InputMeaning, Number
from modelport.core.signature import TensorSpec
from modelport.core.tensors import Array, Batch, DType
from modelport.semantics.fields import InputField
from modelport.semantics.inputs import check_range
from modelport.semantics.preparation import Check, Preparation, Prepared, unfit
from modelport.semantics.ranges import check_field

__all__ = ["columns_preparation"]


@dataclass(frozen=True)
class _Part:
    """One source, and the columns that it fills."""

    field: InputField
    places: tuple[int, ...]
    values: Callable[[Array], Array]
    """From the source's tensor `[rows]` to `[rows]`, or `[rows, places]`."""


def columns_preparation(
    spec: TensorSpec, meaning: InputMeaning, sources: Mapping[str, Category | Number]
) -> Preparation:
    """The preparation that fills one tensor from all of its columns.

    Args:
        spec: the tensor, of numbers, `[rows, columns]`, or `[rows]` where it is one column.
        meaning: names its columns.
        sources: what is written otherwise than the model takes it, by name.

    Raises:
        ConfigError: a source names no column, or does not go with the tensor; says why.
    """
    names = meaning.columns or (spec.name,)
    first = next(iter(sources))
    if spec.dtype in (DType.BYTES, DType.BOOL):
        raise unfit(first, f"it is a number for the model, and '{spec.name}' is {spec.dtype.value}")
    if not spec.is_batched or any(size != 1 for size in spec.row_shape[:-1]):
        raise unfit(first, f"it is a column, and '{spec.name}' does not have rows of columns")
    parts = _parts(spec, meaning, names, sources)
    shape = tuple(1 for _ in spec.row_shape[:-1])

    def run(inputs: Batch, check: Check) -> Prepared:
        rows = len(inputs[parts[0].field.name])
        table = np.empty((rows, len(names)), np.float64)
        for part in parts:
            column = inputs[part.field.name]
            check_field(part.field, column)
            table[:, part.places] = part.values(column).reshape(rows, len(part.places))
        made = table.astype(spec.dtype.numpy)
        return Prepared({spec.name: made.reshape(rows, *shape, *spec.row_shape[-1:] and (-1,))})

    fields = tuple(part.field for part in parts)
    return Preparation(fields=fields, run=run, short_bytes=1 << 18)


def _parts(
    spec: TensorSpec,
    meaning: InputMeaning,
    names: Sequence[str],
    sources: Mapping[str, Category | Number],
) -> list[_Part]:
    """What fills each column, in the order of the columns."""
    filled: dict[str, str] = {}
    for name, source in sources.items():
        if name in names and name not in _own_columns(name, source):
            raise unfit(name, "a column that it does not fill has this name, too")
        for column in _own_columns(name, source):
            if column not in names:
                raise unfit(name, f"there is no column '{column}' in '{spec.name}'")
            if column in filled:
                raise unfit(name, f"the column '{column}' is filled by '{filled[column]}' too")
            filled[column] = name
    parts: dict[str, _Part] = {}
    for at, column in enumerate(names):
        name = filled.get(column, "")
        if not name:
            field = meaning.column_fields.get(column, meaning.field)
            own = _field(spec, column, spec.dtype, field, "column")
            parts[column] = _Part(own, (at,), lambda v: v)
        elif name not in parts:
            parts[name] = _part(spec, name, sources[name], names)
    return list(parts.values())


def _own_columns(name: str, source: Category | Number) -> tuple[str, ...]:
    return (source.columns if isinstance(source, Category) else ()) or (name,)


def _part(spec: TensorSpec, name: str, source: Category | Number, names: Sequence[str]) -> _Part:
    places = tuple(names.index(column) for column in _own_columns(name, source))
    if isinstance(source, Number):
        return _Part(_standardised_field(spec, name, source), places, _standardised(source))
    field = Field(choices=source.choices, nullable=source.nullable, description=source.description)
    _check_category(spec, name, source)
    values = _one_hot(source) if source.columns else _coded(source)
    return _Part(
        _field(spec, name, DType.BYTES, field, "category"),
        places,
        values,
    )


def _field(
    spec: TensorSpec,
    name: str,
    dtype: DType,
    meaning: Field,
    kind: Literal["category", "number", "column"] = "number",
) -> InputField:
    return InputField(
        name,
        TensorSpec(name, dtype, (None,)),
        meaning,
        kind=kind,
        source_of=(spec.name,),
    )


def _standardised_field(spec: TensorSpec, name: str, source: Number) -> InputField:
    if name == spec.name:
        raise unfit(
            name,
            "a number that is standardised has a name of its own, so that it is told from the"
            f" tensor's raw value: say columns = ['NAME'] in [inputs.{name}] and use that name",
        )
    if not spec.dtype.is_float:
        raise unfit(name, f"a standardised number has fractions, and '{spec.name}' has none")
    if not (math.isfinite(source.mean) and math.isfinite(source.std)) or source.std == 0:
        raise unfit(name, "mean and std are finite numbers, and std is not 0")
    check_range(f"inputs.{name}", source.minimum, source.maximum)
    meaning = Field(
        unit=source.unit,
        minimum=source.minimum,
        maximum=source.maximum,
        nullable=source.nullable,
        description=source.description,
    )
    return _field(spec, name, DType.FP64, meaning)


def _standardised(source: Number) -> Callable[[Array], Array]:
    return lambda values: (values - source.mean) / source.std  # type: ignore[operator]  # FP64


def _check_category(spec: TensorSpec, name: str, source: Category) -> None:
    count = len(source.choices)
    if count < 1 or len(set(source.choices)) != count:
        raise unfit(name, "choices are names, each another one")
    if source.columns and len(source.columns) != count:
        raise unfit(name, f"{count} choices need as many columns, and {len(source.columns)} came")
    if source.codes and (source.columns or len(source.codes) != count):
        raise unfit(name, "codes are one number for each choice, where there are no columns")
    if not all(map(math.isfinite, source.codes)):
        raise unfit(name, "codes are finite numbers")
    if source.codes and not spec.dtype.is_float and any(c != int(c) for c in source.codes):
        raise unfit(name, f"codes are whole numbers, as '{spec.name}' is {spec.dtype.value}")
    for code in () if source.columns else (source.codes or (0, count - 1)):
        assert spec.dtype.bounds is not None  # of every number
        if not spec.dtype.bounds[0] <= code <= spec.dtype.bounds[1]:
            raise unfit(name, f"the code {code:g} has no room in {spec.dtype.value}")
    if source.nullable and not source.columns and not spec.dtype.is_float:
        raise unfit(name, f"a missing value would be NaN, which {spec.dtype.value} has not")


def _coded(source: Category) -> Callable[[Array], Array]:
    codes = source.codes or range(len(source.choices))
    known = {name.encode(): float(code) for name, code in zip(source.choices, codes, strict=True)}
    return lambda values: np.array([known.get(v, math.nan) for v in values.tolist()])


def _one_hot(source: Category) -> Callable[[Array], Array]:
    known = {name.encode(): at for at, name in enumerate(source.choices)}

    def values(given: Array) -> Array:
        out = np.zeros((len(given), len(known)))
        for row, value in enumerate(given.tolist()):
            if value in known:  # a missing one is 0 in all
                out[row, known[value]] = 1.0
        return out

    return values
