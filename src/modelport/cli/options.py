"""Flags from `core.settings`: each option is declared there, and only there."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import typer

from modelport.core.settings import Settings
from modelport.kit.config import build, read_file, types_of

__all__ = ["ConfigFile", "settings_here", "with_settings"]

_FILE = Path("modelport.toml")
_PREFIX = "MODELPORT_"
_NO_SETTINGS = ("MODELPORT_STATE_DIR", "MODELPORT_API_KEY", "MODELPORT_REPOSITORY")

ConfigFile: TypeAlias = Annotated[
    Path | None, typer.Option(help="Settings file; default: ./modelport.toml, if it is there.")
]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for each setting; it receives them built, as `settings`."""
    own = inspect.signature(command, eval_str=True)
    kept = [p for p in own.parameters.values() if p.name != "settings"]
    flags = [_flag(f, kind) for f, kind in _flag_fields()]
    config = inspect.Parameter(
        "config",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=ConfigFile,
    )
    names = [flag.name for flag in flags]

    def wrapped(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in names}
        settings = _settings(given.pop("config"), chosen)
        command(**given, settings=settings)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in kept]
    wrapped.__signature__ = inspect.Signature([*parameters, *flags, config])  # type: ignore[attr-defined]  # inspect reads it
    wrapped.__annotations__ = {p.name: p.annotation for p in [*parameters, *flags, config]}
    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    return wrapped


def settings_here(config: Path | None = None) -> Settings:
    """The settings of a command that has no flags for them, but at most one for their file."""
    return _settings(config, {})


def _flag_fields() -> list[tuple[Any, Any]]:
    return [
        (f, types_of(group)[f.name])
        for group in Settings.groups().values()
        for f in fields(group)
        if not f.metadata.get("file_only")
    ]


def _flag(declared: Any, kind: Any) -> inspect.Parameter:
    repeatable = get_origin(kind) is tuple
    kind = str if get_origin(kind) is Literal else kind
    value = list[get_args(kind)[0]] if repeatable else kind  # type: ignore[misc]  # built here
    flag = f"--{declared.name.replace('_', '-')}"
    shown = "" if repeatable or kind is bool else f" [default: {declared.default}]"
    help_text = f"{declared.metadata['help']}{shown}"
    return inspect.Parameter(
        declared.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[value | None, typer.Option(flag, help=help_text, show_default=False)],
    )


def _settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in flags.items()
        if value not in (None, [])
    }
    path = config if config is not None else _FILE
    file = read_file(path) if config is not None or path.is_file() else {}
    return build(
        Settings,
        file=file,
        environment=os.environ,
        flags=given,
        prefix=_PREFIX,
        reserved=_NO_SETTINGS,
    )
