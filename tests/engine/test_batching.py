"""What an owner says of batches: read, checked against the model, and what it makes of bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelport.core.errors import ConfigError
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.engine.batching import Batching, batching_of
from modelport.engine.limits import Limits
from modelport.engine.merging import Padding
from modelport.repository.triton import TritonConfig
from modelport.semantics.model_toml import read_model_toml

F32, I64, BOOL, BYTES = DType.FP32, DType.INT64, DType.BOOL, DType.BYTES
TEXT = Signature(
    (
        TensorSpec("ids", I64, (None, None)),
        TensorSpec("mask", BOOL, (None, None)),
        TensorSpec("words", BYTES, (None, None)),
        TensorSpec("kind", I64, (None, 1)),
    ),
    (TensorSpec("y", F32, (None, None, 4)), TensorSpec("score", F32, (None, 2))),
)
WHOLE = Signature((TensorSpec("ids", I64, (1, None)),), (TensorSpec("y", F32, (1, 4)),))


@pytest.fixture
def said(tmp_path: Path):  # a function with defaults
    def make(
        text: str, config: TritonConfig | None = None, signature: Signature = TEXT
    ) -> Batching:
        path = tmp_path / "model.toml"
        path.write_text(text, encoding="utf-8")
        return batching_of(read_model_toml(path), config, signature)

    return make


def test_where_nothing_is_said_the_servers_bounds_hold(said) -> None:
    assert said("") == Batching()
    server = Limits(rows=64, objective_s=0.1, queue_jobs=7)
    made = Batching().limits(server, merges=True, at_once=2)
    assert made == Limits(rows=64, objective_s=0.1, queue_jobs=7, at_once=2)
    assert not Batching().limits(server, merges=False, at_once=1).merges


@pytest.mark.parametrize(
    ("objective", "seconds"),
    [
        ('"50ms"', 0.05),
        ('"1.5 ms"', 0.0015),
        ('"2s"', 2),
        ("0.05", 0.05),
        ("2", 2),
        ("0", None),
        ('"0ms"', None),
    ],
)
def test_an_objective_is_a_time(said, objective: str, seconds: float | None) -> None:
    made = said(f"[batching]\nobjective = {objective}")
    limits = made.limits(Limits(objective_s=9), merges=True, at_once=1)
    assert limits.objective_s == pytest.approx(seconds) if seconds else limits.objective_s is None


@pytest.mark.parametrize("objective", ['"fast"', '"50"', '"-1ms"', "-1", "nan", "inf", '""'])
def test_what_is_no_time_is_told_what_is_one(said, objective: str) -> None:
    with pytest.raises(ConfigError) as told:
        said(f"[batching]\nobjective = {objective}")
    assert told.value.message.startswith("model.toml, [batching]: objective is a time, such as ")
    assert '"50ms"' in told.value.message


@pytest.mark.parametrize(
    ("text", "most", "rows", "merges"),
    [
        ("max_rows = 8", None, 8, True),
        ("max_rows = 8", 32, 8, True),
        ("", 32, 32, True),
        ("max_rows = 1", None, 1, False),
        ("enabled = false", 32, 32, False),
        ("", 0, 100, False),
        ("enabled = true", 0, 100, True),
        ("max_rows = 8", 0, 8, False),
    ],
)
def test_model_toml_comes_before_max_batch_size(
    said, text: str, most: int | None, rows: int, merges: bool
) -> None:
    made = said(f"[batching]\n{text}", TritonConfig(max_batch_size=most))
    limits = made.limits(Limits(rows=100), merges=True, at_once=1)
    assert (limits.rows, limits.merges) == (rows, merges)


def test_padding_is_declared_with_the_inputs_and_cuts_with_the_outputs(said) -> None:
    made = said(
        """
        [inputs.ids]
        pad = 1
        [inputs.mask]
        mask_of = "ids"
        [inputs.words]
        pad = "é"
        [outputs.y]
        cut_like = "ids"
        """
    )
    values = {"ids": 1, "mask": False, "words": "é".encode()}
    assert made.padding == Padding(values, {"y": "ids"})


def test_a_mask_of_what_is_not_padded_is_not_padded(said) -> None:
    assert said('[inputs.mask]\nmask_of = "ids"').padding == Padding()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[batching]\nmax_rows = 0", "[batching]: max_rows is 1 or more, not 0"),
        ("[inputs.kind]\npad = 0", "[inputs.kind]: pad goes with rows of any length"),
        ("[inputs.ids]\npad = 0.5", "[inputs.ids]: pad = 0.5 is no value of INT64"),
        ("[inputs.ids]\npad = 'x'", "[inputs.ids]: pad = 'x' is no value of INT64"),
        ("[inputs.mask]\npad = 0", "[inputs.mask]: pad = 0 is no value of BOOL"),
        (
            "[inputs.ids]\npad = 0\n[outputs.y]\ncut_like = 'idz'",
            "cut_like is the name of an input that is padded ('ids'), and not 'idz'",
        ),
        (
            "[outputs.y]\ncut_like = 'ids'",
            "an input that is padded (there are none: [inputs.NAME] pad = 0), and not 'ids'",
        ),
        (
            "[inputs.ids]\npad = 0\n[outputs.score]\ncut_like = 'ids'",
            "[outputs.score]: cut_like = 'ids': no dimension of [?, 2] is free where one of [?, ?]",
        ),
    ],
)
def test_what_does_not_go_with_the_model_is_told(said, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        said(text)
    assert words in told.value.message


def test_padding_goes_with_rows_only(said) -> None:
    with pytest.raises(ConfigError, match="pad goes with a model whose inputs and outputs have"):
        said("[inputs.ids]\npad = 0", signature=WHOLE)
