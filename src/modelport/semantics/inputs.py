"""Whether what is said of an input goes with its tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelport.core.semantics import Field, InputMeaning
from modelport.core.signature import Signature, TensorSpec, show_shape
from modelport.core.tensors import DType
from modelport.kit.words import nearest
from modelport.semantics.toml_tables import wrong

__all__ = ["check_input", "check_mask", "check_range", "is_value_of"]


def check_input(name: str, meaning: InputMeaning, spec: TensorSpec) -> None:
    """Refuse a meaning that the tensor cannot have.

    Raises:
        ConfigError: says what is wrong, with the table of `model.toml`.
    """
    row = spec.row_shape
    if meaning.columns and not row:
        raise wrong(f"inputs.{name}", "columns are named, and the tensor has no axis for them")
    if meaning.columns and row[-1] not in (None, len(meaning.columns)):
        raise wrong(
            f"inputs.{name}",
            f"{len(meaning.columns)} columns are named, and the last axis of the tensor has"
            f" {row[-1]}",
        )
    for key, field in ((name, meaning.field), *meaning.column_fields.items()):
        _check_field(f"inputs.{key}", field, spec.dtype)


def check_mask(
    name: str, original: str, signature: Signature, inputs: Mapping[str, InputMeaning]
) -> None:
    """Refuse a mask of what it cannot be one of.

    Raises:
        ConfigError: says what is wrong, with the table of `model.toml`.
    """
    table, spec = f"inputs.{name}", signature.input(name)
    if original not in inputs:
        raise wrong(table, f"mask_of: the model has no such input{nearest(original, inputs)}")
    if inputs[original].mask_of is not None:
        raise wrong(table, f"mask_of: '{original}' is a mask itself")
    if spec.dtype is DType.BYTES:
        raise wrong(table, "mask_of goes with numbers, and the tensor has texts")
    shape = signature.input(original).shape
    if spec.shape != shape:
        raise wrong(
            table,
            "mask_of: a mask has the shape of what it masks, and this one is"
            f" {show_shape(spec.shape)}, '{original}' {show_shape(shape)}",
        )


def check_range(table: str, minimum: float | None, maximum: float | None) -> None:
    """Refuse a range that holds nothing.

    Raises:
        ConfigError: an end is not finite, or the first is above the second.
    """
    ends = [end for end in (minimum, maximum) if end is not None]
    if not all(math.isfinite(end) for end in ends):
        raise wrong(table, "minimum and maximum are finite numbers")
    if len(ends) == 2 and ends[0] > ends[1]:
        raise wrong(table, "minimum is above maximum")


def _check_field(table: str, field: Field, dtype: DType) -> None:
    if (field.minimum is not None or field.maximum is not None) and dtype.bounds is None:
        raise wrong(table, f"{dtype.value} has no range")
    check_range(table, field.minimum, field.maximum)
    for choice in field.choices:
        if not is_value_of(dtype, choice):
            raise wrong(table, f"the choice {choice!r} is no value of {dtype.value}")
    if field.choices and not any(_is_within(field, choice) for choice in field.choices):
        raise wrong(table, "no choice is between minimum and maximum")


def _is_within(field: Field, choice: object) -> bool:
    if not isinstance(choice, int | float):
        return True
    return (field.minimum is None or choice >= field.minimum) and (
        field.maximum is None or choice <= field.maximum
    )


def is_value_of(dtype: DType, choice: object) -> bool:
    """Whether a value of a TOML file is one of a type; a number is no truth value."""
    if dtype is DType.BYTES or dtype is DType.BOOL:
        return isinstance(choice, str if dtype is DType.BYTES else bool)
    if isinstance(choice, bool) or not isinstance(choice, int | float):
        return False
    assert dtype.bounds is not None  # of every number
    whole = dtype.is_float or isinstance(choice, int)
    return whole and dtype.bounds[0] <= choice <= dtype.bounds[1]
