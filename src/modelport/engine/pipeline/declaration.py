"""`pipeline.toml`: the steps of a pipeline and the wires between them, as its owner writes them."""

from __future__ import annotations

import re
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.core.errors import ConfigError
from modelport.kit.tables import check_keys, read_table, read_value
from modelport.kit.words import nearest

__all__ = [
    "FILE",
    "PipelineToml",
    "Place",
    "StepTable",
    "output_name",
    "place",
    "read_pipeline_toml",
    "running_order",
    "width",
    "wire_name",
]

FILE = "pipeline.toml"
_NAME = re.compile(r"[A-Za-z0-9_-]+")


class StepTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[steps.NAME]`: what is run, and where its inputs come from."""

    model: str
    """A file or a folder inside the pipeline's own, or `FILE.py:NAME` for a class or function."""
    inputs: dict[str, str] = {}
    """By the name of the step's input: `STEP.TENSOR`, which is an output of another step, or
    `NAME`, which is an input of the pipeline. One that is left out is the pipeline's input of the
    same name."""


class PipelineToml(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The whole file."""

    steps: dict[str, StepTable]
    outputs: dict[str, str] = {}
    """By the name of the pipeline's output: `STEP.TENSOR`. Empty means every output of the steps
    from which no other step takes anything."""


class Place(NamedTuple):
    """Where a tensor comes from."""

    step: str
    """Empty for an input of the pipeline."""
    tensor: str

    def __str__(self) -> str:
        return f"{self.step}.{self.tensor}" if self.step else self.tensor


def read_pipeline_toml(path: Path) -> PipelineToml:
    """Parse a `pipeline.toml`.

    Raises:
        ConfigError: not TOML, an unknown key (names the nearest right one), a wrong type, no steps.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FILE} is not valid TOML: {error}") from error
    check_keys(FILE, raw, PipelineToml.__struct_fields__)
    tables = raw.get("steps")
    if not tables or not isinstance(tables, dict):
        raise ConfigError(f"{FILE} names no steps: write [steps.NAME] with its model, a file here")
    steps = {name: _step(name, table) for name, table in tables.items()}
    outputs = read_value(f"{FILE}, [outputs]", raw.get("outputs", {}), dict[str, str])
    return PipelineToml(steps=steps, outputs=outputs)


def running_order(toml: PipelineToml) -> tuple[str, ...]:
    """The steps, each after those from which it takes something.

    Raises:
        ConfigError: a wire leads to no step, or wires go round in a circle; names the wire.
    """
    wires = {
        name: {tensor: place(toml, wire_name(name, tensor, text), text) for tensor, text in given}
        for name, given in ((name, step.inputs.items()) for name, step in toml.steps.items())
    }
    before = {name: [p.step for p in given.values() if p.step] for name, given in wires.items()}
    try:
        return tuple(TopologicalSorter(before).static_order())
    except CycleError as error:
        first, second, *_ = circle = error.args[1]
        tensor = next(tensor for tensor, p in wires[second].items() if p.step == first)
        wire = wire_name(second, tensor, str(wires[second][tensor]))
        raise ConfigError(f"{wire}: the steps go round in a circle: {' → '.join(circle)}") from None


def width(toml: PipelineToml, order: tuple[str, ...]) -> int:
    """How many steps run at the same time, if each takes as long as any other."""
    levels: dict[str, int] = {}
    for name in order:
        texts = toml.steps[name].inputs.values()
        before = {step for step, dot, _ in (text.partition(".") for text in texts) if dot}
        levels[name] = 1 + max((levels[step] for step in before), default=0)
    found = list(levels.values())
    return max(found.count(level) for level in found)


def place(toml: PipelineToml, wire: str, text: str) -> Place:
    """What the right side of a wire means.

    Raises:
        ConfigError: it leads to no step, or to a step as a whole.
    """
    step, dot, tensor = text.partition(".")
    if not dot:
        if text in toml.steps:
            raise ConfigError(
                f"{wire}: '{text}' is a step; write '{text}.TENSOR' for one of its outputs"
            )
        return Place("", text)
    if step not in toml.steps:
        raise ConfigError(f"{wire}: there is no step '{step}'{nearest(step, toml.steps)}")
    return Place(step, tensor)


def wire_name(step: str, tensor: str, text: str | None) -> str:
    """A wire to a step's input, as messages name it; without a text it is one that is left out."""
    if text is None:
        return f"{FILE}, [steps.{step}] inputs.{tensor} (left out: the pipeline's input '{tensor}')"
    return f'{FILE}, [steps.{step}] inputs.{tensor} = "{text}"'


def output_name(name: str, text: str) -> str:
    """A wire to an output of the pipeline, as messages name it."""
    return f'{FILE}, [outputs] {name} = "{text}"'


def _step(name: str, table: object) -> StepTable:
    where = f"{FILE}, [steps.{name}]"
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: a step's name is letters, digits, '_' and '-'")
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: a step is a table, with its file or folder as 'model'")
    if "model" not in table:
        check_keys(where, table, StepTable.__struct_fields__)
        raise ConfigError(f"{where}: 'model' is missing: the file or folder that is run")
    return read_table(where, table, StepTable)
