"""Wires between real models: what fits, what is refused, and what the whole takes and gives."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType
from modelport.engine.opening import LoadedModel
from tests.engine.pipeline.conftest import DOUBLE, FLOAT, Opened, Pipeline, matmul, onnx_bytes

ENCODER = matmul("x", "y", np.ones((3, 4)))
F32, F64 = DType.FP32, DType.FP64
CHAIN = """
[steps.encode]
model = "encoder.onnx"
[steps.head]
model = "head.onnx"
inputs = { f = "encode.y" }
"""
BOTH = """
[steps.a]
model = "a.onnx"
[steps.b]
model = "b.onnx"
[outputs]
left = "a.y"
right = "b.y"
"""
WIRE = 'pipeline.toml, [steps.head] inputs.f = "encode.y": '


def specs(loaded: LoadedModel) -> tuple[list[TensorSpec], list[TensorSpec]]:
    signature = loaded.view.signature
    return list(signature.inputs), list(signature.outputs)


@pytest.mark.parametrize(
    ("toml", "head", "words"),
    [
        (
            CHAIN,
            matmul("f", "z", np.ones((4, 1)), kind=DOUBLE),
            f"{WIRE}'encode.y' is FP32 [?, 4], and the step takes FP64 [?, 4]; a wire changes"
            " neither type nor shape: a step in between can",
        ),
        (
            CHAIN,
            matmul("f", "z", np.ones((5, 1))),
            f"{WIRE}'encode.y' is FP32 [?, 4], and the step takes FP32 [?, 5]; a wire",
        ),
        (
            CHAIN,
            onnx_bytes("Relu", {"f": (FLOAT, ["n"])}, {"z": (FLOAT, ["n"])}),
            f"{WIRE}'encode.y' is FP32 [?, 4], and the step takes FP32 [?]; a wire",
        ),
        (
            CHAIN.replace("encode.y", "encode.features"),
            matmul("f", "z", np.ones((4, 1))),
            "inputs.f = \"encode.features\": the step 'encode' has no output 'features';"
            " known are y",
        ),
        (
            CHAIN.replace("{ f", "{ feature"),
            matmul("features", "z", np.ones((4, 1))),
            'pipeline.toml, [steps.head] inputs.feature = "encode.y": the step has no input'
            " 'feature'; did you mean 'features'?",
        ),
        (
            f'{CHAIN}[outputs]\nlabel = "head.label"',
            matmul("f", "labels", np.ones((4, 1))),
            "pipeline.toml, [outputs] label = \"head.label\": the step 'head' has no output"
            " 'label'; did you mean 'labels'?",
        ),
        (
            f'{CHAIN}[outputs]\nlabel = "heads.label"',
            matmul("f", "z", np.ones((4, 1))),
            "[outputs] label = \"heads.label\": there is no step 'heads'; did you mean 'head'?",
        ),
        (
            f'{CHAIN}[outputs]\nlabel = "x"',
            matmul("f", "z", np.ones((4, 1))),
            "[outputs] label = \"x\": an output comes from a step: write 'STEP.TENSOR'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_name_of_the_wire(
    pipeline: Pipeline, opened: Opened, toml: str, head: bytes, words: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        opened(pipeline(toml, {"encoder.onnx": ENCODER, "head.onnx": head}))


def test_two_last_steps_with_an_output_of_one_name_want_it_named(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = BOTH.partition("[outputs]")[0]
    with pytest.raises(ConfigError) as caught:
        opened(pipeline(toml, {"a.onnx": ENCODER, "b.onnx": ENCODER}))
    assert caught.value.message == (
        "pipeline.toml: the steps 'a' and 'b' both give 'y': name the outputs, as [outputs]"
        ' a = "a.y", b = "b.y"'
    )


def test_what_steps_take_alike_is_one_input(pipeline: Pipeline, opened: Opened) -> None:
    free = onnx_bytes("Relu", {"x": (FLOAT, ["n", None])}, {"y": (FLOAT, ["n", None])})
    loaded = opened(pipeline(BOTH, {"a.onnx": free, "b.onnx": ENCODER}))
    assert specs(loaded) == (
        [TensorSpec("x", F32, (None, 3))],
        [TensorSpec("left", F32, (None, None)), TensorSpec("right", F32, (None, 4))],
    )
    assert loaded.view.signature.is_batched


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (matmul("x", "y", np.ones((3, 1)), kind=DOUBLE), "FP64 [?, 3]"),
        (matmul("x", "y", np.ones((2, 1))), "FP32 [?, 2]"),
    ],
)
def test_steps_that_take_an_input_differently_are_refused(
    pipeline: Pipeline, opened: Opened, other: bytes, shown: str
) -> None:
    words = (
        "pipeline.toml, [steps.b] inputs.x (left out: the pipeline's input 'x'): the step takes"
        f" {shown}, and another step takes the pipeline's input 'x' as FP32 [?, 3]"
    )
    with pytest.raises(ConfigError, match=re.escape(words)):
        opened(pipeline(BOTH, {"a.onnx": ENCODER, "b.onnx": other}))


def test_a_batch_that_one_step_fixes_is_fixed(pipeline: Pipeline, opened: Opened) -> None:
    one = matmul("x", "y", np.ones((3, 4)), rows=1)
    loaded = opened(pipeline(BOTH, {"a.onnx": ENCODER, "b.onnx": one}))
    assert specs(loaded)[0] == [TensorSpec("x", F32, (1, 3))]
    assert not loaded.view.signature.is_batched


def test_one_value_a_row_fits_with_an_axis_of_one_and_without(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = """
    [steps.flat]
    model = "flat.onnx"
    [steps.column]
    model = "column.onnx"
    inputs = { c = "flat.y" }
    [steps.again]
    model = "flat.onnx"
    inputs = { x = "column.z" }
    [steps.beside]
    model = "column.onnx"
    inputs = { c = "x" }
    [outputs]
    y = "again.y"
    z = "beside.z"
    """
    files = {
        "flat.onnx": onnx_bytes("Neg", {"x": (FLOAT, ["n"])}, {"y": (FLOAT, ["n"])}),
        "column.onnx": matmul("c", "z", [[2]]),
    }
    loaded = opened(pipeline(toml, files))
    assert specs(loaded)[0] == [TensorSpec("x", F32, (None, 1))]
    outputs: Any = loaded.model.predict({"x": np.array([[1], [2]], np.float32)})
    assert outputs["y"].tolist() == [2, 4]
    assert outputs["z"].tolist() == [[2], [4]]


@pytest.mark.parametrize(
    ("output", "is_batched"),
    [({"y": (FLOAT, ["n", 3])}, True), ({"y": (FLOAT, [1, 3])}, False)],
)
def test_rows_are_rows_as_far_as_each_wire_keeps_them_apart(
    pipeline: Pipeline, opened: Opened, output: Any, is_batched: bool
) -> None:
    kind = "Relu" if is_batched else "Sum"
    first = onnx_bytes(kind, {"x": (FLOAT, ["n", 3])}, output)
    second = onnx_bytes("Relu", {"f": output["y"]}, {"z": output["y"]})
    loaded = opened(pipeline(CHAIN, {"encoder.onnx": first, "head.onnx": second}))
    assert loaded.view.signature.is_batched is is_batched


def test_a_step_whose_inputs_have_rows_of_their_own_leaves_them_so(
    pipeline: Pipeline, opened: Opened
) -> None:
    compare = onnx_bytes(
        "MatMul",
        {"q": (FLOAT, ["queries", 3]), "d": (FLOAT, ["rows", "documents"])},
        {"s": (FLOAT, ["queries", "documents"])},
    )
    loaded = opened(pipeline("[steps.compare]\nmodel = 'c.onnx'", {"c.onnx": compare}))
    assert not loaded.view.signature.lockstep


def test_an_idle_step_is_a_warning(pipeline: Pipeline, opened: Opened) -> None:
    toml = BOTH.replace('right = "b.y"\n', "")
    loaded = opened(pipeline(toml, {"a.onnx": ENCODER, "b.onnx": ENCODER}))
    assert loaded.description.warnings == (
        "nothing takes an output of the step 'b', which runs all the same",
    )


# -- what inputs mean


def both(pipeline: Pipeline, opened: Opened, a: str, b: str, model: bytes = ENCODER) -> LoadedModel:
    """Two steps that take one input, with what their owners say of it."""
    files: dict[str, Any] = {"a.onnx": model, "b.onnx": model, "a.toml": a, "b.toml": b}
    return opened(pipeline(BOTH, files))


def test_an_input_means_what_suits_all_that_take_it(pipeline: Pipeline, opened: Opened) -> None:
    loaded = both(
        pipeline,
        opened,
        "[inputs.x]\ncolumns = ['p', 'q', 'r']\nminimum = 0\nmaximum = 9\nnullable = true\n"
        "[inputs.q]\nunit = 'mm'",
        "[inputs.x]\nminimum = 2\nmaximum = 20\ndescription = 'lengths'",
    )
    said = loaded.semantics.inputs["x"]
    assert said.columns == ("p", "q", "r")
    assert (said.field.minimum, said.field.maximum) == (2, 9)
    assert said.field.nullable is None  # one of the two did not say that it takes missing values
    assert said.column_fields["q"].unit == "mm"
    assert said.column_fields["q"].minimum == 2
    assert said.field.description == "lengths"


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [("true", "true", True), ("true", "false", False), ("false", "true", False)],
)
def test_values_may_be_missing_where_every_taker_takes_them(
    pipeline: Pipeline, opened: Opened, a: str, b: str, shared: bool
) -> None:
    loaded = both(pipeline, opened, f"[inputs.x]\nnullable = {a}", f"[inputs.x]\nnullable = {b}")
    assert loaded.semantics.inputs["x"].field.nullable is shared


def test_choices_are_those_of_all(pipeline: Pipeline, opened: Opened) -> None:
    loaded = both(
        pipeline, opened, "[inputs.x]\nchoices = [1, 2, 3]", "[inputs.x]\nchoices = [3, 2]"
    )
    assert loaded.semantics.inputs["x"].field.choices == (2, 3)


@pytest.mark.parametrize(
    ("a", "b"),
    [("maximum = 1", "minimum = 2"), ("choices = [1, 2]", "choices = [3]")],
)
def test_steps_that_share_no_value_are_refused(
    pipeline: Pipeline, opened: Opened, a: str, b: str
) -> None:
    with pytest.raises(ConfigError, match=r"\[steps.b\] inputs.x .*: no value suits both this"):
        both(pipeline, opened, f"[inputs.x]\n{a}", f"[inputs.x]\n{b}")


def test_columns_of_other_names_are_a_warning(pipeline: Pipeline, opened: Opened) -> None:
    loaded = both(
        pipeline,
        opened,
        "[inputs.x]\ncolumns = ['p', 'q', 'r']",
        "[inputs.x]\ncolumns = ['q', 'p', 'r']\n[inputs.q]\nmaximum = 3",
    )
    assert [field.name for field in loaded.view.fields] == ["p", "q", "r"]
    assert "name its columns differently: p, q, r and q, p, r" in loaded.description.warnings[0]


def test_a_columns_name_is_of_one_input(pipeline: Pipeline, opened: Opened) -> None:
    toml = BOTH.replace('"b.onnx"', '"b.onnx"\ninputs = { x = "z" }')
    said = "[inputs.x]\ncolumns = ['p', 'q', 'r']"
    files: dict[str, Any] = {"a.onnx": ENCODER, "b.onnx": ENCODER, "a.toml": said, "b.toml": said}
    loaded = opened(pipeline(toml, files))
    assert [field.name for field in loaded.view.fields] == ["p", "q", "r", "z"]
    assert loaded.description.warnings == (
        "the columns of 'z' have no names here: 'p' is another input's, too",
    )


def test_an_input_is_checked_at_the_door(pipeline: Pipeline, opened: Opened) -> None:
    loaded = opened(
        pipeline(CHAIN, {"encoder.onnx": ENCODER, "head.onnx": matmul("f", "z", np.ones((4, 1)))})
    )
    with pytest.raises(InvalidInput, match=r"input 'x' takes the shape \[\?, 3\]"):
        loaded.view.signature.check({"x": np.ones((1, 2), np.float32)})
