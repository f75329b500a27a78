"""What is known of a model's file without serving it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from modelport.app.local import open_path
from modelport.core.errors import ConfigError
from modelport.http.catalog import describe
from modelport.repository.integrity import size_bytes
from modelport.repository.layout import find_sources
from modelport.runtimes.formats import is_model
from modelport.semantics.starting_toml import write_model_toml

__all__ = ["Inspection", "inspect_model", "write_starting_toml"]


@dataclass(frozen=True)
class Inspection:
    """The facts, as JSON has them, and a `model.toml` that says them."""

    facts: dict[str, Any]
    toml: str


def inspect_model(argument: str, trusted: frozenset[str]) -> Inspection:
    """Load a model and tell what is known of it; raises as `modelport.load`."""
    loaded = open_path(argument, trusted)
    path = _file(argument)
    facts = {"file": str(path), "size_bytes": size_bytes(path)}
    facts |= msgspec.to_builtins(describe(loaded))
    toml = write_model_toml(loaded.description.signature, loaded.semantics)
    loaded.model.close()
    return Inspection(facts, toml)


def write_starting_toml(argument: str, found: Inspection) -> Path:
    """Write the `model.toml` where serving will read it.

    Raises:
        ConfigError: there is one already.
    """
    (source,) = find_sources(argument, is_model)
    path = Path(source.toml)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(found.toml)
    except FileExistsError as error:
        raise ConfigError(f"'{path}' is there already; move it away first") from error
    return path


def _file(argument: str) -> Path:
    base, separator, _ = argument.rpartition(":")
    return Path(base if separator and base.endswith(".py") else argument)
