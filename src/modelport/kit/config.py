"""Settings from a file, the environment and flags, in rising precedence, for frozen dataclasses.

A settings class is a dataclass of groups, each a dataclass whose field names are unique over all
groups. The file has a table for each group; a variable is the prefix and the field's name.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from modelport.core.errors import ConfigError
from modelport.kit.words import close

__all__ = ["build", "read_file", "types_of"]

S = TypeVar("S")

_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def build(
    settings: type[S],
    *,
    file: Mapping[str, Any],
    environment: Mapping[str, str],
    flags: Mapping[str, Any],
    prefix: str,
    reserved: Iterable[str] = (),
) -> S:
    """The settings; a later source overrides an earlier one.

    Args:
        settings: the class.
        file: a parsed TOML file.
        environment: variables; those with the prefix are read.
        flags: by field; None means not given.
        prefix: such as `APP_`.
        reserved: variables with the prefix that are no settings.

    Raises:
        ConfigError: an unknown key (names the nearest), a value of the wrong type, or one outside
            of what its field's metadata allow as `least`, `most` and `shortest`.
    """
    groups = {f.name: _group_type(settings, f.name) for f in fields(settings)}  # type: ignore[arg-type]  # a dataclass
    _check_known("modelport.toml", file, groups)
    values: dict[str, Any] = {}
    for group, kind in groups.items():
        table = file.get(group, {})
        if not isinstance(table, dict):
            raise ConfigError(f"modelport.toml: '{group}' is a table: [{group}]")
        types = types_of(kind)
        _check_known(f"modelport.toml, [{group}]", table, types)
        hidden = {f.name for f in fields(kind) if f.metadata.get("secret")}
        for name, value in table.items():
            where = f"modelport.toml, [{group}] {name}"
            values[name] = _typed(where, value, types[name], is_secret=name in hidden)
    values |= _from_environment(groups, environment, prefix, set(reserved))
    values |= {name: value for name, value in flags.items() if value is not None}
    for kind in groups.values():
        types = types_of(kind)
        for declared in fields(kind):
            value = values.get(declared.name, declared.default)
            _check_range(declared, value)
            _check_length(declared, value)
            _check_choice(declared.name, value, types[declared.name])
    made = {
        group: kind(**{n: v for n, v in values.items() if n in types_of(kind)})
        for group, kind in groups.items()
    }
    return settings(**made)


def read_file(path: Path) -> dict[str, Any]:
    """A parsed TOML file.

    Raises:
        ConfigError: it is not there, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' is not valid TOML: {error}") from error


def types_of(group: type) -> dict[str, Any]:
    """The type of each field of a group."""
    hints = get_type_hints(group)
    return {f.name: hints[f.name] for f in fields(group)}


def _group_type(settings: type, name: str) -> type:
    kind = get_type_hints(settings)[name]
    assert is_dataclass(kind)
    return kind  # type: ignore[return-value]  # a class: hints name no instances


def _from_environment(
    groups: Mapping[str, type], environment: Mapping[str, str], prefix: str, reserved: set[str]
) -> dict[str, Any]:
    types = {name: kind for group in groups.values() for name, kind in types_of(group).items()}
    known = {f"{prefix}{name.upper()}": name for name in types}
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(prefix) or variable in reserved:
            continue
        if variable not in known:
            raise ConfigError(
                f"the environment variable {variable} is no setting{_nearest(variable, known)}"
            )
        name = known[variable]
        values[name] = _parsed(variable, text, types[name])
    return values


def _parsed(where: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    if get_origin(kind) is Literal:
        return text
    try:
        if kind is bool:
            return _WORDS[text.lower()]
        return kind(text)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{where} is {_name(kind)}, and {text!r} came") from error


def _typed(where: str, value: Any, kind: Any, *, is_secret: bool) -> Any:
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if isinstance(value, list) and all(type(v) is item for v in value):
            return tuple(value)
    elif type(value) is kind or get_origin(kind) is Literal:
        return value
    elif kind is float and type(value) is int:
        return float(value)
    came = "something else" if is_secret else repr(value)
    raise ConfigError(f"{where} is {_name(kind)}, and {came} came")


def _check_range(declared: Field[Any], value: Any) -> None:
    least = declared.metadata.get("least", -math.inf)
    most = declared.metadata.get("most", math.inf)
    if isinstance(value, int | float) and not (least <= value <= most and math.isfinite(value)):
        bounds = f"at least {least:g}" + ("" if most == math.inf else f" and at most {most:g}")
        raise ConfigError(f"the setting '{declared.name}' is {bounds}, and {value} came")


def _check_length(declared: Field[Any], value: Any) -> None:
    shortest = declared.metadata.get("shortest", 0)
    if value and shortest and len(value) < shortest:
        raise ConfigError(
            f"the setting '{declared.name}' has at least {shortest} characters, and {len(value)}"
            " came: 'openssl rand -base64 32' prints a text that nobody can guess"
        )


def _check_choice(name: str, value: Any, kind: Any) -> None:
    if get_origin(kind) is Literal and value not in get_args(kind):
        raise ConfigError(
            f"the setting '{name}' is one of {', '.join(get_args(kind))}, and {value!r} came"
        )


def _name(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "a list of texts"
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a text")


def _check_known(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: there is no setting '{key}'{_nearest(key, known)}")


def _nearest(key: str, known: Iterable[str]) -> str:
    found = close(key, known)
    return "" if found is None else f"; did you mean '{found}'?"
