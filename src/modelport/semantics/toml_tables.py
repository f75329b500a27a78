"""The tables of a `model.toml`, as their owner writes them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import (
    App,
    Audio,
    BoxForm,
    BoxLayout,
    Category,
    Image,
    Number,
    OutputKind,
    Source,
    Text,
)
from modelport.core.settings import Placement
from modelport.core.tensors import DType
from modelport.kit.tables import check_keys, read_table, read_value, tables
from modelport.semantics.app_table import read_app
from modelport.semantics.meant import (
    BATCHING_KEYS,
    EXAMPLE_KEYS,
    INPUT_KEYS,
    OUTPUT_KEYS,
    SOURCE_KEYS,
)

__all__ = [
    "KINDS",
    "SOURCES",
    "BatchingTable",
    "Example",
    "InputTable",
    "ModelToml",
    "OutputTable",
    "read_model_toml",
    "wrong",
]

_MOST_TOKENS = 10_000_000
"""Longer than what any model takes; padding to it is a table of a hundred megabytes."""


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
    pad: int | float | bool | str | None = None
    """What shorter rows are filled up with to share a batch, along their free dimensions."""
    mask_of: str | None = None
    """The input of which it tells what is real (1) and what padding (0); need not be sent."""


class OutputTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[outputs.NAME]`, where NAME is a tensor."""

    kind: OutputKind | None = None
    classes: tuple[str | int | float | bool, ...] = ()
    top_k: int | None = None
    sigmoid: bool | None = None
    threshold: float | None = None
    picture: str | None = None
    form: BoxForm | None = None
    relative: bool | None = None
    layout: BoxLayout | None = None
    scores: str | None = None
    labels: str | None = None
    overlap: float | None = None
    unit: str | None = None
    description: str | None = None
    cut_like: str | None = None
    """The padded input whose lengths its free dimensions have."""


class Example(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[[examples]]`: a request in plain JSON."""

    input: Any
    name: str | None = None
    """What its button says."""


class BatchingTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[batching]`: bounds on how requests share a run of the model."""

    enabled: bool | None = None
    max_rows: int | None = None
    objective: float | str | None = None
    """Seconds, or a text such as `50ms`."""


class ModelToml(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The whole file."""

    title: str | None = None
    description: str | None = None
    attribute: str | None = None
    """The class or function of a program that is served; no consent to run it."""
    placement: Placement | None = None
    """Where it runs: a copy in each worker, or one in the engine process; None is as set."""
    cache: bool | None = None
    """Whether answers may be stored, where the server has a cache; None leaves it to the format."""
    inputs: dict[str, InputTable] = {}
    sources: dict[str, Source] = {}
    """`[inputs.NAME]` with a `kind`: what a person gives in place of tensors."""
    outputs: dict[str, OutputTable] = {}
    batching: BatchingTable = BatchingTable()
    examples: tuple[Example, ...] = ()
    app: App = App()


KINDS: tuple[OutputKind, ...] = get_args(OutputKind)
SOURCES: dict[str, type[Source]] = {
    "image": Image,
    "text": Text,
    "audio": Audio,
    "category": Category,
    "number": Number,
}
_VALUES: dict[str, Any] = {
    "title": str,
    "description": str,
    "attribute": str,
    "cache": bool,
    "placement": Placement,
}
_GROUPS = ("inputs", "outputs", "batching", "examples", "app")


def read_model_toml(path: Path) -> ModelToml:
    """Parse a `model.toml`; an absent file says nothing.

    Raises:
        ConfigError: not TOML, an unknown key (names the nearest right one), or a wrong value; says
            the table, the key and what would be right.
    """
    if not path.is_file():
        return ModelToml()
    file = path.name
    try:
        return _read(file, path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ConfigError(f"{file} is not valid TOML: it is nested too deeply") from error
    except ValueError as error:  # of bytes that are no text, and of integers that are too long, too
        raise ConfigError(f"{file} is not valid TOML: {error}") from error


def _read(file: str, text: str) -> ModelToml:
    raw = tomllib.loads(text)
    check_keys(file, raw, (*_VALUES, *_GROUPS))
    inputs = tables(file, "inputs", raw.get("inputs", {}))
    outputs = tables(file, "outputs", raw.get("outputs", {}))
    values = {
        k: read_value(f"{file}, {k}", raw[k], kind) for k, kind in _VALUES.items() if k in raw
    }
    return ModelToml(
        **values,
        inputs={n: _input(file, n, table) for n, table in inputs.items() if "kind" not in table},
        sources={n: _source(file, n, table) for n, table in inputs.items() if "kind" in table},
        outputs={n: _output(file, n, table) for n, table in outputs.items()},
        batching=read_table(
            f"{file}, [batching]", raw.get("batching", {}), BatchingTable, BATCHING_KEYS
        ),
        examples=tuple(_examples(file, raw.get("examples", []))),
        app=read_app(f"{file}, [app]", raw.get("app", {})),
    )


def wrong(table: str, problem: str) -> ConfigError:
    """The error for a table, such as `inputs.x`, that does not go with its model."""
    return ConfigError(f"model.toml, [{table}]: {problem}")


def _input(file: str, name: str, table: Mapping[str, Any]) -> InputTable:
    where = f"{file}, [inputs.{name}]"
    check_keys(where, table, (*InputTable.__struct_fields__, "kind"), INPUT_KEYS)
    return read_table(where, table, InputTable)


def _source(file: str, name: str, table: Mapping[str, Any]) -> Source:
    where = f"{file}, [inputs.{name}]"
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in SOURCES:
        raise ConfigError(f"{where} kind: {kind!r} is not one of {', '.join(SOURCES)}")
    said = {key: value for key, value in table.items() if key != "kind"}
    if kind == "image":
        said = _full(said)
    source: Source = read_table(where, said, SOURCES[kind], SOURCE_KEYS[kind])
    tokens = source.max_tokens if isinstance(source, Text) else None
    if tokens is not None and not 1 <= tokens <= _MOST_TOKENS:
        raise ConfigError(f"{where} max_tokens: {tokens} is not from 1 to {_MOST_TOKENS}")
    return source


def _output(file: str, name: str, table: Mapping[str, Any]) -> OutputTable:
    where = f"{file}, [outputs.{name}]"
    if isinstance(table.get("labels"), list):
        raise ConfigError(
            f"{where} labels: it is the name of the output with the labels of boxes; names of"
            " classes are 'classes'"
        )
    return read_table(where, table, OutputTable, OUTPUT_KEYS)


def _full(image: dict[str, Any]) -> dict[str, Any]:
    """What may be written shorter: one number for all channels, the side of a square, capitals."""
    made = dict(image)
    for key in ("mean", "std", "size"):
        value = made.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            made[key] = [value, value] if key == "size" else [value]
    for key in ("channels", "layout"):
        if isinstance(made.get(key), str):
            made[key] = made[key].lower()
    return made


def _examples(file: str, given: object) -> Iterable[Example]:
    if not isinstance(given, list):
        raise ConfigError(f"{file}, examples: it is a list of tables: write [[examples]]")
    for number, table in enumerate(given, 1):
        yield read_table(f"{file}, [[examples]] {number}", table, Example, EXAMPLE_KEYS)
