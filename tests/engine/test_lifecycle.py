"""The life of a version: load, warm, ready; or failed, with the reason."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ConfigError, NotReady
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.engine.lifecycle import State, Version
from modelport.engine.opening import LoadedModel, Settings, open_version
from modelport.engine.warming import by_elements, by_rows, size_measure, warm_up
from modelport.repository.layout import Source

Sources = Callable[..., Source]
Trusted = Callable[[Source], frozenset[str]]
Served = Callable[..., tuple[Version, LoadedModel]]
LINEAR = (Path(__file__).parent.parent / "data" / "linear.onnx").read_bytes()
FAILS = (Path(__file__).parent.parent / "data" / "fails.onnx").read_bytes()


@pytest.fixture
def program(source: Sources, tmp_path: Path) -> Callable[..., Source]:
    """A class with that body of `predict`, which leaves a mark when it is closed."""

    def make(body: str, toml: str | None = None) -> Source:
        mark = str(tmp_path / "closed")
        text = f"""
        class S:
            async def wait(self): ...
            def predict(self, a: float) -> float:
                {body}
            def close(self) -> None:
                open({mark!r}, "w").close()
        """
        return source(textwrap.dedent(text), "app.py", toml, attribute="S")

    return make


def loaded(source: Source, **settings: Any) -> Version:
    version = Version(source)
    version.load(Settings(**settings))
    return version


def test_a_version_begins_loading_and_ends_ready(source: Sources) -> None:
    version = Version(source(LINEAR))
    assert version.state is State.LOADING
    with pytest.raises(NotReady, match="model 'm' is being loaded; try again in a moment") as e:
        _ = version.loaded
    assert e.value.retry_after_s == 1
    version.load(Settings())
    assert version.state is State.READY
    assert 0 < version.seconds_per_unit < 0.05
    assert version.loaded.view.signature.inputs[0].name == "x"
    assert len(version.loaded.digest) == 64


def test_what_the_owner_says_is_in_its_fields(source: Sources) -> None:
    toml = "[inputs.x]\ncolumns = ['a', 'b', 'c']\n[inputs.b]\nmaximum = 5"
    version = loaded(source(LINEAR, toml=toml))
    request = version.loaded.decode_json(b'{"a": 1, "b": 2, "c": 3}')
    outputs: Any = version.loaded.model.predict(request.inputs)
    assert version.loaded.answer(outputs, request.single) == {"prediction": 1.8}


@pytest.mark.parametrize(
    ("content", "toml", "words"),
    [
        (b"damaged", None, "'model.onnx' is not a usable ONNX file"),
        (b"", None, "'model.onnx' is empty"),
        (LINEAR, "[inputs.z]", "model.toml, [inputs.z]: the model has no such name"),
        (LINEAR, "[inputs", "model.toml is not valid TOML"),
        (
            LINEAR,
            "[[examples]]\ninput = { x = [1] }",
            "could not be loaded: example 1 of model.toml: 'x' takes one row as [3]",
        ),
    ],
)
def test_a_version_that_cannot_be_served_says_why(
    source: Sources, content: bytes, toml: str | None, words: str
) -> None:
    version = loaded(source(content, toml=toml))
    assert version.state is State.FAILED
    with pytest.raises(NotReady) as caught:
        _ = version.loaded
    assert caught.value.message.startswith("model 'm' could not be loaded: ")
    assert words in caught.value.message
    assert caught.value.retry_after_s is None


@pytest.mark.parametrize(
    ("content", "toml", "code"),
    [(b"", None, "CORRUPT_MODEL"), (LINEAR, "[inputs.z]", "CONFIG")],
)
def test_a_version_that_failed_has_the_code_of_the_error(
    source: Sources, content: bytes, toml: str | None, code: str
) -> None:
    assert loaded(source(content, toml=toml)).code == code


def test_an_answer_that_no_card_can_show_keeps_no_version_from_being_served(
    source: Sources, onnx_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = [onnx.helper.make_node("Identity", ["x"], ["y"])]
    free = (onnx.TensorProto.FLOAT, ["rows", "scores"])
    model = onnx_model(nodes, {"x": free}, {"y": free}).read_bytes()
    toml = "[outputs.y]\nclasses = ['a', 'b']\n[[examples]]\ninput = { x = [%s] }"
    good = loaded(source(model, toml=toml % "1, 0", name="good"))
    assert (good.state, good.example_answer) == (State.READY, "a")
    other = loaded(source(model, toml=toml % "1, 0, 0", name="other"))
    assert (other.state, other.example_answer) == (State.READY, None)
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "the model's answer to its own example cannot be read: " in record.getMessage()


def test_each_example_of_the_owner_is_checked_and_the_model_closed(
    program: Callable[..., Source], trusted: Trusted, tmp_path: Path
) -> None:
    wrong = "[[examples]]\ninput = { a = 1 }\n[[examples]]\ninput = { a = 'x' }"
    source = program("return a", wrong)
    with pytest.raises(ConfigError, match=r"^example 2 of model.toml: 'a' takes "):
        open_version(source, Settings(trusted=trusted(source)))
    assert (tmp_path / "closed").exists()


@pytest.mark.parametrize(
    "text",
    [
        "raise RuntimeError('postgres://me:hunter2@db')\nclass S: ...",
        "class S:\n    def __init__(self) -> None:\n        open('/srv/hunter2')",
        "class S:\n    def predict(self, a: float) -> float:\n        raise KeyError('hunter2')",
    ],
)
def test_what_a_program_says_while_it_loads_is_in_the_log_and_told_the_operator_alone(
    source: Sources, trusted: Trusted, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    made = source(text, "app.py", "[[examples]]\ninput = { a = 1 }", attribute="S")
    version = loaded(made, trusted=trusted(made))
    assert version.state is State.FAILED
    for told in (version.reason, version.not_ready().message, str(version.not_ready())):
        assert "hunter2" not in str(told)
        assert "Error" in str(told)
    assert "hunter2" in str(version.whole_reason)
    assert "model 'm' could not be loaded" in caplog.text
    assert "hunter2" in caplog.text
    assert "Traceback" in caplog.text


def test_a_problem_of_its_folder_is_its_reason() -> None:
    version = loaded(Source(name="m", version="1", path="", toml="", problem="two files"))
    assert (version.state, version.reason) == (State.FAILED, "two files")


def test_what_nobody_expected_is_logged_and_named_by_its_type(
    source: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    missing = source(LINEAR)
    Path(missing.path).unlink()
    with caplog.at_level(logging.ERROR):
        version = loaded(missing)
    assert (version.state, version.reason) == (State.FAILED, "FileNotFoundError while loading")
    assert "model 'm' could not be loaded" in caplog.text


def test_a_row_is_timed_by_its_example(program: Callable[..., Source], trusted: Trusted) -> None:
    source = program(
        "import time; time.sleep(0.01); return a", "[[examples]]\ninput = {a = [1, 2]}"
    )
    version = loaded(source, trusted=trusted(source))
    assert version.state is State.READY
    assert 0.009 < version.seconds_per_unit < 0.2


def test_an_example_that_the_model_refuses_fails_the_version_and_closes_the_model(
    program: Callable[..., Source], trusted: Trusted, tmp_path: Path
) -> None:
    source = program("raise ValueError('no')", "[[examples]]\ninput = { a = 1 }")
    version = loaded(source, trusted=trusted(source))
    assert (version.state, version.reason) == (State.FAILED, "ValueError while loading")
    assert (tmp_path / "closed").exists()


def test_an_example_whose_values_the_model_does_not_take_is_named(
    program: Callable[..., Source], trusted: Trusted
) -> None:
    refuse = "from modelport.core.errors import InvalidInput; raise InvalidInput('no 1 here')"
    source = program(refuse, "[[examples]]\ninput = { a = 1 }")
    version = loaded(source, trusted=trusted(source))
    assert (version.code, version.reason) == ("CONFIG", "example 1 of model.toml: no 1 here")


@pytest.mark.parametrize("raised", ["SystemExit(3)", "KeyboardInterrupt", "BaseException"])
@pytest.mark.parametrize(
    "text",
    [
        "raise {raised}\nclass S: ...",
        "class S:\n    def __init__(self) -> None:\n        raise {raised}",
        "class S:\n    def predict(self, a: float) -> float:\n        raise {raised}",
    ],
)
def test_a_program_that_wants_to_end_the_process_ends_its_own_loading(
    source: Sources, trusted: Trusted, text: str, raised: str
) -> None:
    made = source(
        text.format(raised=raised), "app.py", "[[examples]]\ninput = { a = 1 }", attribute="S"
    )
    version = loaded(made, trusted=trusted(made))
    assert version.state is State.FAILED


def test_a_generated_row_that_the_model_refuses_is_a_warning(
    source: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        version = loaded(source(FAILS))
    assert (version.state, version.seconds_per_unit) == (State.READY, 1.0)
    assert "did not take a generated row" in caplog.text


def test_a_wrong_model_toml_closes_the_model(
    program: Callable[..., Source], trusted: Trusted, tmp_path: Path
) -> None:
    source = program("return a", "[inputs.b]")
    with pytest.raises(ConfigError):
        open_version(source, Settings(trusted=trusted(source)))
    assert (tmp_path / "closed").exists()


def test_a_program_is_run_only_when_it_is_trusted(program: Callable[..., Source]) -> None:
    version = loaded(program("return a"))
    assert version.state is State.FAILED
    assert "--trust sha256:" in str(version.reason)


def test_an_asynchronous_model_is_not_run_to_warm_up(served: Served) -> None:
    async def function(x: Any) -> Any:
        raise AssertionError

    assert warm_up(served(function, "async")[1], by_rows).seconds_per_unit == 1.0


def test_a_slow_model_is_run_once_before_its_rows_are_tried_together(served: Served) -> None:
    runs: list[Any] = []
    assert warm_up(served(lambda x: runs.append(x) or x)[1], by_rows).seconds_per_unit < 0.1
    assert len(runs) == 5 + 3
    slow: list[Any] = []

    def function(x: Any) -> Any:
        import time

        slow.append(x)
        time.sleep(0.3)
        return x

    assert 0.3 <= warm_up(served(function)[1], by_rows).seconds_per_unit < 1
    assert len(slow) == 1 + 3


def test_a_closed_version_is_closed_once(
    program: Callable[..., Source], trusted: Trusted, tmp_path: Path
) -> None:
    source = program("return a")
    version = loaded(source, trusted=trusted(source))
    version.close()
    assert (tmp_path / "closed").exists()
    (tmp_path / "closed").unlink()
    version.close()
    assert not (tmp_path / "closed").exists()


def test_a_model_that_cannot_be_closed_is_logged(
    source: Sources, trusted: Trusted, caplog: pytest.LogCaptureFixture
) -> None:
    text = (
        "class S:\n    def predict(self, a: float) -> float:\n        return a\n"
        "    def close(self) -> None:\n        raise RuntimeError('stuck')\n"
    )
    made = source(text, "app.py", attribute="S")
    version = loaded(made, trusted=trusted(made))
    with caplog.at_level(logging.ERROR):
        version.close()
    assert "model 'm' could not be closed" in caplog.text
    assert "stuck" in caplog.text


def spec(*shape: int | None) -> TensorSpec:
    return TensorSpec("x", DType.FP64, shape)


@pytest.mark.parametrize(
    ("signature", "measure"),
    [
        (Signature((spec(None, 3),), ()), by_rows),
        (Signature((spec(3),), ()), by_rows),
        (Signature((spec(None, None),), ()), by_elements),
        (Signature((spec(None, 3), spec(None, 3, None)), ()), by_elements),
        (Signature((spec(None, 3),), (), lockstep=False), by_elements),
        (Signature((spec(3),), (), lockstep=False), by_rows),
        (Signature((), ()), by_rows),
    ],
)
def test_rows_of_one_shape_are_counted_and_of_any_length_measured(
    signature: Signature, measure: Any
) -> None:
    assert size_measure(signature) is measure


def test_sizes() -> None:
    inputs = {"a": np.ones((2, 3)), "b": np.ones((2, 4))}
    assert (by_rows(inputs, 2), by_elements(inputs, 2)) == (2, 14)


@pytest.mark.parametrize("dtype", [DType.FP64, DType.INT64, DType.UINT8, DType.BOOL])
def test_a_model_that_computes_over_its_rows_never_shares_a_batch(
    served: Served, dtype: DType
) -> None:
    signature = Signature(
        (TensorSpec("x", dtype, (None, 2)),),
        (TensorSpec("y", dtype, (None, 2)), TensorSpec("z", dtype, (None, 2))),
    )

    def merges(function: Callable[[Any], Any]) -> bool:
        return warm_up(served(function, signature=signature)[1], by_rows).merges

    assert merges(lambda x: x)
    assert not merges(lambda x: np.broadcast_to(x.max(axis=0), x.shape))
    assert not merges(lambda x: x[:1])
