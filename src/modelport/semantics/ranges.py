"""Ranges, choices and missing values: what the meaning of a field allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.semantics import Field
from modelport.core.tensors import Array, Batch, DType
from modelport.semantics.fields import InputField, PlainView

__all__ = ["as_given", "check_field", "check_meaning", "limits"]


def limits(view: PlainView) -> Callable[[Batch], None] | None:
    """What refuses tensors with values outside their ranges or choices; None if any value goes.

    For tensors that come from elsewhere than `read`, which looks at every value.
    """
    limited = [part for part in as_given(view) if _is_limited(part.meaning)]

    def check(inputs: Batch) -> None:
        for field in limited:
            array = inputs[field.tensor.name]
            _check_limits(field, array if field.column is None else array[..., field.column])

    return check if limited else None


def as_given(view: PlainView) -> list[InputField]:
    """The parts of tensors whose values mean the same to people as to the model."""
    kinds = {field.name: field.kind for field in view.sources.values()}
    return [part for part in view.parts if kinds.get(part.name, "column") == "column"]


def check_field(field: InputField, array: Array) -> None:
    """Refuse a value of a field that its meaning does not allow.

    Raises:
        InvalidInput: it is outside its range or choices, or missing where none may be.
    """
    missing = field.meaning.nullable is not True
    if missing and field.dtype.is_float and np.isnan(array).any():
        raise _missing_value(field)
    _check_limits(field, array)


def _is_limited(meaning: Field) -> bool:
    ends = meaning.minimum, meaning.maximum
    return bool(meaning.choices) or any(end is not None for end in ends)


def check_meaning(field: InputField, array: Array) -> None:
    """Refuse what a value's meaning does not allow, where it says so.

    Raises:
        InvalidInput: it is outside its range or choices, or NaN where none may be.
    """
    meaning = field.meaning
    if field.dtype.is_float and meaning.nullable is False and np.isnan(array).any():
        raise _missing_value(field)
    _check_limits(field, array)


def _missing_value(field: InputField) -> InvalidInput:
    return InvalidInput(
        f"'{field.name}' holds NaN, and the model does not accept a missing value there",
        tensor=field.name,
    )


def _check_limits(field: InputField, array: Array) -> None:
    meaning = field.meaning
    if meaning.minimum is not None or meaning.maximum is not None:
        _check_range(field, array, meaning.minimum, meaning.maximum)
    if meaning.choices:
        _check_choices(field, array.ravel().tolist())


def _check_range(field: InputField, array: Any, low: float | None, high: float | None) -> None:
    if field.dtype.is_float:  # a bound of 0.1 means the value that 0.1 becomes
        with np.errstate(over="ignore"):
            low = None if low is None else array.dtype.type(low)
            high = None if high is None else array.dtype.type(high)
    outside = np.zeros(array.shape, dtype=bool)
    if low is not None:
        outside |= array < low
    if high is not None:
        outside |= array > high
    if outside.any():
        got = array[outside].flat[0].item()
        raise InvalidInput(
            f"'{field.name}' {_range_words(field.meaning)}, and {got} came",
            tensor=field.name,
            expected=[field.meaning.minimum, field.meaning.maximum],
            got=got,
        )


def _range_words(meaning: Field) -> str:
    unit = f" {meaning.unit}" if meaning.unit else ""
    if meaning.maximum is None:
        return f"is at least {meaning.minimum:g}{unit}"
    if meaning.minimum is None:
        return f"is at most {meaning.maximum:g}{unit}"
    return f"lies between {meaning.minimum:g} and {meaning.maximum:g}{unit}"


def _check_choices(field: InputField, values: Sequence[object]) -> None:
    choices = field.meaning.choices
    with np.errstate(over="ignore"):  # no finite value is such a choice
        allowed = {_as_element(field.dtype, choice) for choice in choices}
    for value in dict.fromkeys(values):
        missing = value == b"" or value != value  # NaN is not itself
        if value not in allowed and not (missing and field.meaning.nullable):
            got = value.decode(errors="replace") if isinstance(value, bytes) else value
            raise InvalidInput(
                f"'{field.name}' is one of {', '.join(map(repr, choices[:10]))}, and {got!r} came",
                tensor=field.name,
                expected=list(choices),
                got=got,
            )


def _as_element(dtype: DType, choice: object) -> object:
    """What a tensor of this type holds for a choice."""
    if isinstance(choice, str):
        return choice.encode()
    return dtype.numpy.type(choice).item() if dtype.is_float else choice
