"""Tables of a TOML file as structs; an error says the table, the key and what would be right."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from modelport.core.errors import ConfigError
from modelport.kit.words import nearest

__all__ = ["check_keys", "read_table", "read_value", "tables"]

S = TypeVar("S", bound=msgspec.Struct)

_LONGEST = 60
"""Characters of a wrong value that are repeated."""
_WORDS: dict[object, tuple[str, str]] = {
    bool: ("true or false", "truth values"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
}
"""Of one and of several."""


def read_table(
    where: str, table: object, kind: type[S], meant: Mapping[str, str] | None = None
) -> S:
    """A table as a struct.

    Args:
        where: the file and the table, such as `a.toml, [inputs.x]`.
        table: what the file has there.
        kind: the struct, whose fields are the keys.
        meant: what people mean by words that are no keys, as it should be written.

    Raises:
        ConfigError: an unknown key, one that is missing, or a value that is not what it should be.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: {_shown(table)} is not a table of keys and values")
    declared = {field.name: field for field in msgspec.structs.fields(kind)}
    check_keys(where, table, declared, meant)
    for name, field in declared.items():
        if field.required and name not in table:
            raise ConfigError(f"{where}: '{name}' is missing; it is {_words(field.type)}")
    given = {key: read_value(f"{where} {key}", v, declared[key].type) for key, v in table.items()}
    return kind(**given)


def read_value(where: str, value: object, kind: Any) -> Any:
    """A value as the type it should have.

    Raises:
        ConfigError: it is none of it, or holds a whole number beyond 64 bits.
    """
    if get_origin(kind) is dict and isinstance(value, dict):
        inner, joint = get_args(kind)[1], " " if where.endswith("]") else "."
        return {k: read_value(f"{where}{joint}{k}", item, inner) for k, item in value.items()}
    if kind is not Any and not all(map(_has_room, value if isinstance(value, list) else [value])):
        raise ConfigError(f"{where}: {_shown(value)} has more than 64 bits")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_shown(value)} is not {_words(kind)}") from error


def check_keys(
    where: str,
    table: Mapping[str, object],
    known: Iterable[str],
    meant: Mapping[str, str] | None = None,
) -> None:
    """Refuse a key that is not known, with the nearest that is."""
    names = list(known)
    for key in table:
        if key not in names:
            raise ConfigError(f"{where}: there is no key '{key}'{nearest(key, names, meant)}")


def tables(file: str, group: str, value: object) -> dict[str, dict[str, Any]]:
    """The tables `[group.NAME]` by their names.

    Raises:
        ConfigError: the group, or what stands in it, is no table.
    """
    if not isinstance(value, dict):
        raise ConfigError(f"{file}, {group}: {_shown(value)} is not tables: write [{group}.NAME]")
    for name, table in value.items():
        if not isinstance(table, dict):
            raise ConfigError(
                f"{file}, [{group}] {name}: {_shown(table)} is not a table: write [{group}.{name}]"
            )
    return value


def _has_room(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**64


def _shown(value: object) -> str:
    """A value as it stands in the file, or nearly so."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _words(kind: Any) -> str:
    """What a value of a type is, as the end of a sentence."""
    kinds = _kinds(kind)
    if len(kinds) > 1:
        return " or ".join(_words(each) for each in kinds)
    kind = kinds[0]
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        count = "" if others == [...] else f"{1 + len(others)} "
        return f"a list of {count}" + " or ".join(_several(each) for each in _kinds(first))
    return _WORDS[kind][0] if kind in _WORDS else "a table"


def _several(kind: Any) -> str:
    return _WORDS[kind][1] if kind in _WORDS else "tables"


def _kinds(kind: Any) -> list[Any]:
    """The types of a union but for None, which TOML has no word for."""
    if get_origin(kind) not in (Union, types.UnionType):
        return [kind]
    found = [each for each in get_args(kind) if each is not type(None)]
    return [each for each in found if each is not int or float not in found]
