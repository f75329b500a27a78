"""What the tensors of a pipeline mean: what the steps say that take them or give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import Field, InputMeaning

__all__ = ["Taker", "input_meanings"]

_NOTHING = InputMeaning()


@dataclass(frozen=True)
class Taker:
    """What a step says of an input that it takes from the pipeline."""

    wire: str
    meaning: InputMeaning


def input_meanings(
    takers: Mapping[str, Sequence[Taker]],
) -> tuple[dict[str, InputMeaning], tuple[str, ...]]:
    """The meaning of each input of a pipeline, and what its owner should look at.

    What several steps take has to suit all of them: the ranges and choices that they share, and
    missing values only where each takes them.

    Raises:
        ConfigError: two steps share no value of an input; names the wire.
    """
    warnings: list[str] = []
    found = {name: _shared(name, given, warnings) for name, given in takers.items()}
    return _without_clashes(found, warnings), tuple(warnings)


def _shared(name: str, takers: Iterable[Taker], warnings: list[str]) -> InputMeaning:
    shared: InputMeaning | None = None
    for taker in takers:
        if shared is None:
            shared = taker.meaning
            continue
        if shared.columns and taker.meaning.columns not in ((), shared.columns):
            warnings.append(
                f"the steps that take '{name}' name its columns differently:"
                f" {', '.join(shared.columns[:4])} and {', '.join(taker.meaning.columns[:4])}"
            )
        shared = _both(shared, taker)
    return shared or _NOTHING


def _both(first: InputMeaning, taker: Taker) -> InputMeaning:
    second = taker.meaning
    columns = first.columns or second.columns
    theirs = second.column_fields if second.columns == columns else {}
    fields = {
        column: _field(
            first.column_fields.get(column, first.field),
            theirs.get(column, second.field),
            taker.wire,
        )
        for column in columns
        if column in first.column_fields or column in theirs
    }
    field = _field(first.field, second.field, taker.wire)
    return InputMeaning(columns=columns, field=field, column_fields=fields)


def _field(first: Field, second: Field, wire: str) -> Field:
    """What suits both."""
    low = [end for end in (first.minimum, second.minimum) if end is not None]
    high = [end for end in (first.maximum, second.maximum) if end is not None]
    choices = first.choices or second.choices
    if first.choices and second.choices:
        choices = tuple(choice for choice in first.choices if choice in second.choices)
    shared = Field(
        unit=first.unit if first.unit is not None else second.unit,
        minimum=max(low, default=None),
        maximum=min(high, default=None),
        choices=choices,
        nullable=_nullable(first.nullable, second.nullable),
        description=first.description or second.description,
    )
    is_empty = low and high and max(low) > min(high)
    if is_empty or (first.choices and second.choices and not choices):
        raise ConfigError(f"{wire}: no value suits both this step and others that take it")
    return shared


def _nullable(first: bool | None, second: bool | None) -> bool | None:
    if first and second:
        return True
    return False if False in (first, second) else None


def _without_clashes(
    found: Mapping[str, InputMeaning], warnings: list[str]
) -> dict[str, InputMeaning]:
    """The same without names for columns that another input has already."""
    taken = set(found)
    kept: dict[str, InputMeaning] = {}
    for name, meaning in found.items():
        clash = next((c for c in meaning.columns if c in taken and c != name), None)
        if clash is None:
            taken |= set(meaning.columns)
        else:
            warnings.append(
                f"the columns of '{name}' have no names here: '{clash}' is another input's, too"
            )
            meaning = msgspec.structs.replace(meaning, columns=(), column_fields={})
        kept[name] = meaning
    return kept
