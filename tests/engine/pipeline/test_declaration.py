"""`pipeline.toml`: what is read of it, and what its mistakes are told."""

from __future__ import annotations

import re

import pytest

from modelport.core.errors import ConfigError
from modelport.engine.pipeline.declaration import (
    PipelineToml,
    StepTable,
    read_pipeline_toml,
    running_order,
    width,
)
from tests.engine.pipeline.conftest import Pipeline


def steps(**inputs: dict[str, str]) -> PipelineToml:
    """Steps with those wires."""
    tables = {name: StepTable(model="m.onnx", inputs=given) for name, given in inputs.items()}
    return PipelineToml(steps=tables)


def test_steps_wires_and_outputs_are_read(pipeline: Pipeline) -> None:
    toml = """
    [steps.encode]
    model = "encoder.onnx"
    inputs = { "input.1" = "image" }
    [outputs]
    label = "encode.y.1"
    """
    assert read_pipeline_toml(pipeline(toml) / "pipeline.toml") == PipelineToml(
        steps={"encode": StepTable(model="encoder.onnx", inputs={"input.1": "image"})},
        outputs={"label": "encode.y.1"},
    )


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[steps", "pipeline.toml is not valid TOML: "),
        ("", "pipeline.toml names no steps: write [steps.NAME] with its model, a file here"),
        ("steps = 3", "pipeline.toml names no steps: write [steps.NAME]"),
        ("step = 3", "pipeline.toml: there is no key 'step'; did you mean 'steps'?"),
        ("[steps.a]", "pipeline.toml, [steps.a]: 'model' is missing: the file or folder that is"),
        ("[steps]\na = 'm.onnx'", "pipeline.toml, [steps.a]: a step is a table, with its file"),
        (
            "[steps.a]\nmodel = 'm'\ninput = {}",
            "pipeline.toml, [steps.a]: there is no key 'input'; did you mean 'inputs'?",
        ),
        ("[steps.a]\nmodel = 1", "pipeline.toml, [steps.a] model: 1 is not a text"),
        (
            "[steps.a]\nmodel = 'm'\ninputs = ['x']",
            "pipeline.toml, [steps.a] inputs: ['x'] is not a",
        ),
        ("[steps.'a.b']\nmodel = 'm'", "[steps.a.b]: a step's name is letters, digits, '_' and"),
        ("[steps.a]\nmodel = 'm'\n[outputs]\ny = 1", "pipeline.toml, [outputs] y: 1 is not a text"),
    ],
)
def test_a_mistake_is_told_with_its_place(pipeline: Pipeline, toml: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_pipeline_toml(pipeline(toml) / "pipeline.toml")


def test_a_file_that_is_no_text_is_no_toml(pipeline: Pipeline) -> None:
    path = pipeline("") / "pipeline.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"pipeline.toml is not valid TOML"):
        read_pipeline_toml(path)


def test_each_step_comes_after_those_that_feed_it() -> None:
    toml = steps(head={"f": "encode.y"}, encode={"t": "tokenise.t"}, tokenise={"x": "text"})
    assert running_order(toml) == ("tokenise", "encode", "head")
    assert width(toml, running_order(toml)) == 1


def test_two_heads_may_run_at_once() -> None:
    toml = steps(encode={}, left={"f": "encode.y"}, right={"f": "encode.y"})
    assert width(toml, running_order(toml)) == 2


@pytest.mark.parametrize(
    ("wires", "words"),
    [
        (
            {"a": {"x": "b.y"}, "b": {"x": "a.y"}},
            r'pipeline.toml, \[steps.(\w)\] inputs.x = "\w.y": the steps go round in a circle:'
            r" (a → b → a|b → a → b)$",
        ),
        ({"a": {"x": "a.y"}}, r'\[steps.a\] inputs.x = "a.y": .* circle: a → a$'),
        (
            {"encode": {}, "a": {"x": "encoder.y"}},
            r'pipeline.toml, \[steps.a\] inputs.x = "encoder.y": there is no step \'encoder\';'
            r" did you mean 'encode'\?$",
        ),
        (
            {"encode": {}, "a": {"x": "encode"}},
            r"'encode' is a step; write 'encode.TENSOR' for one of its outputs$",
        ),
    ],
)
def test_a_wire_that_leads_nowhere_or_round_in_a_circle_is_named(
    wires: dict[str, dict[str, str]], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        running_order(steps(**wires))
