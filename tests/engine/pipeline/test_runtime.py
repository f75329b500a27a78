"""Pipelines as models: opened, run, closed, and what their failures say."""

from __future__ import annotations

import asyncio
import gc
import inspect
import shutil
import sys
import textwrap
import weakref
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import (
    ConfigError,
    CorruptModel,
    InvalidInput,
    MissingLibrary,
    ModelFailed,
    UnsupportedModel,
    UntrustedModel,
)
from modelport.core.tensors import DType, bytes_tensor
from modelport.engine.opening import LoadedModel, Settings, open_version
from modelport.repository.integrity import digest
from modelport.repository.layout import find_sources
from modelport.runtimes.base import given
from modelport.runtimes.formats import PIPELINE, format_of, is_model
from modelport.semantics.plain import read
from tests.engine.pipeline.conftest import Opened, Pipeline, matmul

TEXT = bytes_tensor([b"a bc", b"x"], (2, 1))
ENCODER = matmul("tokens", "features", [[1, 2], [3, 4], [5, 6]])
LEFT = matmul("features", "left", [[1], [0]])
RIGHT = matmul("features", "right", [[0], [1]])
TWO_HEADS = """
[steps.encode]
model = "encoder.onnx"
inputs = { tokens = "x" }
[steps.left]
model = "left.onnx"
inputs = { features = "encode.features" }
[steps.right]
model = "right.onnx"
inputs = { features = "encode.features" }
"""
HEADS = {"encoder.onnx": ENCODER, "left.onnx": LEFT, "right.onnx": RIGHT}


def answer(loaded: LoadedModel, data: Any) -> Any:
    request = read(loaded.view, data)
    loaded.view.signature.check(request.inputs)
    outputs = loaded.model.predict(request.inputs)
    if inspect.isawaitable(outputs):

        async def wait() -> Any:
            return await outputs

        outputs = asyncio.run(wait())
    return loaded.answer(outputs, request.single)


def test_a_folder_with_pipeline_toml_is_a_model(pipeline: Pipeline) -> None:
    assert format_of(pipeline(TWO_HEADS)) is PIPELINE


def test_text_goes_through_a_function_an_encoder_and_a_head(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = """
    [steps.tokenise]
    model = "steps.py:tokenise"
    [steps.encode]
    model = "encoder.onnx"
    inputs = { tokens = "tokenise.output" }
    [steps.classify]
    model = "left.onnx"
    inputs = { features = "encode.features" }
    [outputs]
    score = "classify.left"
    """
    steps = """
    def tokenise(text: str) -> Annotated[NDArray[np.float32], (3,)]:
        return np.array([len(text), text.count(" "), 1], dtype=np.float32)
    """
    loaded = opened(pipeline(toml, {"steps.py": steps, **HEADS}))
    signature = loaded.view.signature
    assert [(s.name, s.dtype, s.shape) for s in signature.inputs] == [
        ("text", DType.BYTES, (None, 1))
    ]
    assert [(s.name, s.dtype, s.shape) for s in signature.outputs] == [
        ("score", DType.FP32, (None, 1))
    ]
    assert answer(loaded, {"text": "a bc"}) == {"prediction": 12.0}
    assert answer(loaded, {"text": ["a bc", "x"]})["prediction"].tolist() == [12, 6]
    assert loaded.description.execution == "blocking"
    assert loaded.description.runtime.startswith("pipeline (Python 3.")
    assert "ONNX Runtime" in loaded.description.runtime
    assert loaded.description.notes[0].startswith("step 'tokenise': run by Python 3")


def test_one_encoder_feeds_two_heads(pipeline: Pipeline, opened: Opened) -> None:
    loaded = opened(pipeline(TWO_HEADS, HEADS))
    assert loaded.description.execution == "compute"
    assert [spec.name for spec in loaded.view.signature.outputs] == ["left", "right"]
    for _ in range(50):
        assert answer(loaded, {"x": [1, 1, 1]}) == {"left": 9, "right": 12}


def test_what_the_pipelines_own_model_toml_says_counts_before_its_steps(
    pipeline: Pipeline, opened: Opened
) -> None:
    files = {
        **HEADS,
        "encoder.toml": "[inputs.tokens]\ncolumns = ['a', 'b', 'c']\nmaximum = 5\nunit = 'mm'",
        "left.toml": "[outputs.left]\nunit = 'EUR'",
        "model.toml": "title = 'Two heads'\n[inputs.b]\nmaximum = 9\n[outputs.right]\nunit = 'm'",
    }
    loaded = opened(pipeline(TWO_HEADS, files))
    assert loaded.semantics.title == "Two heads"
    fields = {field.name: field.meaning for field in loaded.view.fields}
    assert [(n, m.maximum, m.unit) for n, m in fields.items()] == [
        ("a", 5, "mm"), ("b", 9, "mm"), ("c", 5, "mm"),
    ]  # fmt: skip
    assert [output.meaning.unit for output in loaded.view.outputs] == ["EUR", "m"]
    with pytest.raises(InvalidInput, match=r"'a' is at most 5 mm, and 6.0 came"):
        answer(loaded, {"a": 6, "b": 1, "c": 1})


def test_a_step_may_be_a_folder_and_a_pipeline_itself(pipeline: Pipeline, opened: Opened) -> None:
    outer = """
    [steps.scale]
    model = "scale/model.onnx"
    inputs = { x = "image" }
    [steps.heads]
    model = "heads"
    inputs = { x = "scale.y" }
    """
    folder = pipeline(outer, {"scale/model.onnx": matmul("x", "y", np.eye(3) * 2)})
    inner = pipeline(TWO_HEADS, HEADS, "inner")
    shutil.move(inner, folder / "heads")
    (folder / "heads" / "model.toml").write_text("[inputs.x]\nunit = 'lux'")
    loaded = opened(folder)
    assert answer(loaded, {"image": [1, 1, 1]}) == {"left": 18, "right": 24}
    assert "step 'heads': step 'encode': run by ONNX" in " ".join(loaded.description.notes)


def test_a_step_is_trusted_with_the_pipeline_or_alone(pipeline: Pipeline) -> None:
    toml = "[steps.clean]\nmodel = 'steps.py:clean'"
    folder = pipeline(toml, {"steps.py": "def clean(a: float) -> float:\n    return a"})
    (source,) = find_sources(str(folder), is_model)
    with pytest.raises(UntrustedModel) as caught:
        open_version(source, Settings())
    told = caught.value.message
    assert told == (
        "step 'clean': 'steps.py' was not loaded: it is a program, which runs when it is loaded. If"
        f" you made it yourself, allow it by its digest: --trust sha256:{digest(folder)} (that of"
        " the whole pipeline)"
    )
    assert caught.value.detail["digest"] == digest(folder)
    for path in (folder, folder / "steps.py"):
        loaded = open_version(source, Settings(trusted=frozenset({digest(path)})))
        assert answer(loaded, {"a": 2}) == {"prediction": 2}
        loaded.model.close()


def test_loading_leaves_the_folder_as_it_is(pipeline: Pipeline, opened: Opened) -> None:
    files = {
        "steps.py": "import beside_it\ndef clean(a: float) -> float:\n    return beside_it.F * a",
        "beside_it.py": "F = 2",
    }
    folder = pipeline("[steps.clean]\nmodel = 'steps.py:clean'", files)
    before = digest(folder)
    opened(folder)
    assert digest(folder) == before


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("encodr.onnx", ConfigError, "no such file or folder; did you mean 'encoder.onnx'?"),
        ("../encoder.onnx", ConfigError, "a step is a file or a folder inside the pipeline's"),
        ("/etc/passwd", ConfigError, "inside the pipeline's folder"),
        (".", ConfigError, "inside the pipeline's folder"),
        ("bad.onnx", CorruptModel, "step 'encode': 'bad.onnx' is not a usable ONNX file"),
        ("pipeline.toml", UnsupportedModel, "step 'encode': 'pipeline.toml' is of no known"),
        ("steps.py", UnsupportedModel, "step 'encode': 'steps.py' is a program: say which class"),
    ],
)
def test_a_step_that_cannot_be_opened_is_named(
    pipeline: Pipeline, opened: Opened, model: str, kind: Any, words: str
) -> None:
    files = {"encoder.onnx": ENCODER, "bad.onnx": b"damaged", "steps.py": ""}
    folder = pipeline(f"[steps.encode]\nmodel = '{model}'", files)
    allowed = frozenset({digest(folder)})
    (source,) = find_sources(str(folder), is_model)
    with pytest.raises(kind) as caught:
        open_version(source, Settings(trusted=allowed))
    assert words in caught.value.message
    assert words in str(caught.value)
    assert str(folder) not in caught.value.message


def test_a_missing_library_is_named_with_its_step(
    pipeline: Pipeline, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "modelport.runtimes.mlflow", raising=False)
    folder = pipeline("[steps.old]\nmodel = 'old'", {"old/MLmodel": "flavors: {}"})
    with pytest.raises(MissingLibrary, match=r"^step 'old': reading MLflow .*pip install"):
        opened(folder)


@pytest.mark.parametrize("target", ["inside", "itself"])
def test_links_are_refused(pipeline: Pipeline, opened: Opened, target: str) -> None:
    folder = pipeline("[steps.again]\nmodel = 'again'", {"inside/encoder.onnx": ENCODER})
    (folder / "again").symlink_to(folder if target == "itself" else folder / "inside")
    with pytest.raises(UnsupportedModel, match="'p' holds the link 'again'"):
        opened(folder)


def test_the_words_of_a_step_called_model_are_not_the_pipelines(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = "[steps.encode]\nmodel = 'model.onnx'\ninputs = { tokens = 'x' }"
    files = {
        "model.onnx": ENCODER,
        "model.toml": "[inputs.x]\nmaximum = 5",
        "model.onnx.toml": "[inputs.tokens]\nunit = 'mm'",
    }
    loaded = opened(pipeline(toml, files))
    assert loaded.semantics.inputs["x"].field.maximum == 5
    assert loaded.semantics.inputs["x"].field.unit == "mm"


def test_a_wrong_model_toml_of_a_step_names_the_step(pipeline: Pipeline, opened: Opened) -> None:
    folder = pipeline(TWO_HEADS, {**HEADS, "left.toml": "[inputs.feature]\nunit = 'mm'"})
    with pytest.raises(ConfigError, match=r"^step 'left': model.toml, \[inputs.feature\]"):
        opened(folder)


def test_steps_are_closed_with_the_pipeline_and_when_loading_fails(
    pipeline: Pipeline, opened: Opened
) -> None:
    program = """
    class Step:
        def predict(self, a: float) -> float:
            return a
        def close(self) -> None:
            open({!r}, "w").close()
    """
    folder = pipeline("[steps.one]\nmodel = 'one.py:Step'")
    mark = folder.parent / "closed"
    (folder / "one.py").write_text(textwrap.dedent(program.format(str(mark))))
    opened(folder).model.close()
    assert mark.exists()
    mark.unlink()
    (folder / "pipeline.toml").write_text(
        "[steps.one]\nmodel = 'one.py:Step'\n[outputs]\na = 'one.outputs'"
    )
    with pytest.raises(ConfigError, match=r"no output 'outputs'; did you mean 'output'\?"):
        opened(folder)
    assert mark.exists()


@pytest.mark.parametrize("toml", [TWO_HEADS, TWO_HEADS.partition("[steps.right]")[0]])
def test_a_closed_pipeline_is_gone_at_once(pipeline: Pipeline, toml: str) -> None:
    (source,) = find_sources(str(pipeline(toml, HEADS)), is_model)
    loaded = open_version(source, Settings())
    answer(loaded, {"x": [1, 1, 1]})
    gone = weakref.ref(loaded.model)
    gc.disable()  # by counting references alone
    try:
        loaded.model.close()
        loaded.model.close()
        del loaded
        assert gone() is None
    finally:
        gc.enable()


# -- failures of a step

FAILING = """
[steps.first]
model = "steps.py:first"
[steps.second]
model = "steps.py:second"
inputs = { b = "first.output" }
"""
FUNCTIONS = """
from modelport.core.errors import DeadlineExceeded, InvalidInput
def first(a: float) -> float:
    if a < 0:
        raise InvalidInput("negative numbers have no root", tensor="a")
    if a == 7:
        raise InvalidInput("not 7")
    return a ** 0.5
def second(b: float, c: float) -> float:
    if c == 3:
        raise InvalidInput("not 3", tensor="c")
    if b == 2:
        raise InvalidInput("not 2", tensor="b")
    if b == 3:
        raise InvalidInput("no")
    if b == 4:
        raise KeyError("hunter2")
    if b == 5:
        raise DeadlineExceeded("late")
    return b + c
"""


@pytest.mark.parametrize(
    ("a", "c", "kind", "words"),
    [
        (-1, 0, InvalidInput, "step 'first': negative numbers have no root"),
        (7, 0, InvalidInput, "step 'first': not 7"),
        (1, 3, InvalidInput, "step 'second': not 3"),
        (4, 0, ModelFailed, "step 'second' refused what other steps gave it: not 2"),
        (9, 0, ModelFailed, "step 'second' refused what other steps gave it: no"),
        (16, 0, ModelFailed, "step 'second' raised KeyError; its owner finds the reason in the"),
        (25, 0, Exception, "step 'second': late"),
    ],
)
def test_a_failing_step_is_named_and_the_caller_blamed_for_the_callers_own_alone(
    pipeline: Pipeline, opened: Opened, a: float, c: float, kind: Any, words: str
) -> None:
    loaded = opened(pipeline(FAILING, {"steps.py": FUNCTIONS}))
    assert answer(loaded, {"a": 100, "c": 1}) == {"prediction": 11}
    with pytest.raises(kind) as caught:
        answer(loaded, {"a": a, "c": c})
    assert caught.value.message.startswith(words)
    assert "hunter2" not in caught.value.message
    assert caught.value.__cause__ is not None
    if kind is InvalidInput and a != 7:
        assert caught.value.detail["tensor"] == ("a" if a < 0 else "c")


def test_a_tensor_of_another_name_is_told_as_the_pipeline_calls_it(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = "[steps.first]\nmodel = 'steps.py:first'\ninputs = { a = 'area' }"
    loaded = opened(pipeline(toml, {"steps.py": FUNCTIONS}))
    with pytest.raises(InvalidInput, match="step 'first': negative") as caught:
        answer(loaded, {"area": -1})
    assert caught.value.detail == {"tensor": "area"}


def test_what_a_function_did_not_promise_is_checked_on_its_wire(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = """
    [steps.count]
    model = "steps.py:count"
    [steps.encode]
    model = "encoder.onnx"
    inputs = { tokens = "count.output" }
    """
    steps = """
    def count(x: Annotated[NDArray[np.float32], (None, None)]
              ) -> Annotated[NDArray[np.float32], (None, None)]:
        return x
    """
    loaded = opened(pipeline(toml, {"steps.py": steps, "encoder.onnx": ENCODER}))
    assert answer(loaded, {"x": [1, 1, 1]})["prediction"].tolist() == [9, 12]
    with pytest.raises(ModelFailed) as caught:
        answer(loaded, {"x": [1, 1]})
    assert caught.value.message == (
        'pipeline.toml, [steps.encode] inputs.tokens = "count.output": the step takes the shape'
        " [?, 3], and [1, 2] came"
    )


# -- asynchronous steps


def test_an_asynchronous_step_makes_the_pipeline_asynchronous(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = """
    [steps.ask]
    model = "steps.py:ask"
    [steps.double]
    model = "steps.py:double"
    [steps.encode]
    model = "encoder.onnx"
    inputs = { tokens = "ask.output" }
    [outputs]
    features = "encode.features"
    doubled = "double.output"
    """
    steps = """
    import asyncio
    Row = Annotated[NDArray[np.float32], (None, 3)]
    async def ask(x: Row) -> Row:
        await asyncio.sleep(0)
        if x[0, 0] == 13:
            raise SystemExit(3)
        if x[0, 0] == 14:
            raise asyncio.CancelledError
        return x
    def double(x: Row) -> Row:
        if x[0, 0] == 15:
            raise KeyboardInterrupt
        return 2 * x
    """
    loaded = opened(pipeline(toml, {"steps.py": steps, "encoder.onnx": ENCODER}))
    assert loaded.description.execution == "async"
    got = answer(loaded, {"x": [1, 1, 1]})
    assert {name: value.tolist() for name, value in got.items()} == {
        "features": [9, 12],
        "doubled": [2, 2, 2],
    }
    for first, raised in ((13, "RuntimeError"), (14, "CancelledError"), (15, "KeyboardInterrupt")):
        with pytest.raises(ModelFailed, match=f"raised {raised}"):
            answer(loaded, {"x": [first, 1, 1]})


def test_requests_wait_together_and_a_blocking_step_runs_one_at_a_time(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = """
    [steps.ask]
    model = "steps.py:ask"
    [steps.count]
    model = "steps.py:count"
    inputs = { a = "ask.output" }
    """
    steps = """
    import asyncio, threading
    waiting, lock = [], threading.Lock()
    async def ask(a: float) -> float:
        waiting.append(a)
        while len(waiting) < 5:
            await asyncio.sleep(0)
        return a
    def count(a: float) -> float:
        if not lock.acquire(blocking=False):
            raise RuntimeError("called twice at once")
        threading.Event().wait(0.01)
        lock.release()
        return a + 1
    """
    loaded = opened(pipeline(toml, {"steps.py": steps}))

    async def all_of_them() -> list[Any]:
        batches = [{"a": np.array([[float(at)]])} for at in range(5)]
        return await asyncio.gather(*(loaded.model.predict(each) for each in batches))  # type: ignore[arg-type]  # awaitable: by execution

    answers = asyncio.run(all_of_them())
    assert [float(each["output"][0]) for each in answers] == [1, 2, 3, 4, 5]


def test_in_an_asynchronous_pipeline_too_a_refusal_is_the_pipelines_own(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = """
    [steps.ask]
    model = "steps.py:ask"
    [steps.root]
    model = "steps.py:root"
    inputs = { a = "ask.output" }
    """
    steps = """
    from modelport.core.errors import InvalidInput
    async def ask(a: float) -> float:
        if a == 0:
            raise InvalidInput("no 0", tensor="a")
        return a
    def root(a: float) -> float:
        raise InvalidInput("no roots")
    """
    loaded = opened(pipeline(toml, {"steps.py": steps}))
    with pytest.raises(InvalidInput, match="step 'ask': no 0"):
        answer(loaded, {"a": 0})
    with pytest.raises(ModelFailed, match="step 'root' refused what other steps gave it: no root"):
        answer(loaded, {"a": 1})


def test_a_step_that_is_ended_while_it_waits_ends(pipeline: Pipeline, opened: Opened) -> None:
    steps = """
    import asyncio
    async def ask(a: float) -> float:
        await asyncio.sleep(0)
    """
    loaded = opened(pipeline("[steps.ask]\nmodel = 'steps.py:ask'", {"steps.py": steps}))
    model: Any = loaded.model

    async def begin() -> None:
        (step,) = model._plan.first
        waiting = model._await_step(step, {"a": np.array([[1.0]])})
        waiting.send(None)
        waiting.close()  # would say that it was ignored

    asyncio.run(begin())


def test_two_encoders_feed_one_head(pipeline: Pipeline, opened: Opened) -> None:
    toml = """
    [steps.area]
    model = "steps.py:area"
    [steps.city]
    model = "steps.py:city"
    [steps.price]
    model = "steps.py:price"
    inputs = { size = "area.output", place = "city.output" }
    """
    steps = """
    def area(metres: float) -> float:
        return metres ** 2
    def city(name: str) -> int:
        return len(name)
    def price(size: float, place: int) -> float:
        return size * place
    """
    loaded = opened(pipeline(toml, {"steps.py": steps}))
    assert answer(loaded, {"metres": 3, "name": "Oslo"}) == {"prediction": 36}
    many = answer(loaded, [{"metres": 1, "name": "Rome"}, {"metres": 2, "name": "Bergen"}])
    assert many["prediction"].tolist() == [4, 24]


@pytest.mark.parametrize(("shape", "shown"), [("(None, 1)", r"\[\?, 1\]"), ("(None,)", r"\[\?\]")])
def test_a_value_of_more_than_one_axis_is_no_single_value(
    pipeline: Pipeline, opened: Opened, shape: str, shown: str
) -> None:
    toml = """
    [steps.many]
    model = "steps.py:many"
    [steps.one]
    model = "steps.py:one"
    inputs = { a = "many.output" }
    """
    steps = f"""
    def many(x: Annotated[NDArray[np.float64], (None, 2)]) -> NDArray[np.float64]:
        return x
    def one(a: Annotated[NDArray[np.float64], {shape}]) -> NDArray[np.float64]:
        return a
    """
    loaded = opened(pipeline(toml, {"steps.py": steps}))
    with pytest.raises(ModelFailed, match=rf"takes the shape {shown}, and \[1, 2\] came"):
        answer(loaded, {"x": [1, 2]})


def test_a_request_that_is_given_up_is_given_up(pipeline: Pipeline, opened: Opened) -> None:
    steps = """
    import asyncio
    async def ask(a: float) -> float:
        await asyncio.Event().wait()
    """
    loaded = opened(pipeline("[steps.ask]\nmodel = 'steps.py:ask'", {"steps.py": steps}))

    async def wait() -> None:
        async with asyncio.timeout(0.05):
            await loaded.model.predict({"a": np.array([[1.0]])})  # type: ignore[misc]  # awaitable

    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_parameters_reach_each_step_that_takes_some(pipeline: Pipeline, opened: Opened) -> None:
    toml = """
    [steps.scale]
    model = "steps.py:scale"
    [steps.shift]
    model = "steps.py:shift"
    inputs = { x = "scale.output" }
    """
    steps = """
    def scale(x: float) -> float:
        return 10 * x

    def shift(x: float, parameters: dict) -> float:
        return x + parameters.get("by", 0)
    """
    loaded = opened(pipeline(toml, {"steps.py": steps}))
    assert loaded.description.takes_parameters
    inputs = read(loaded.view, {"x": 1}).inputs
    (output,) = loaded.model.predict(inputs).values()  # type: ignore[union-attr]  # not awaitable
    assert output.tolist() == [10]
    asked = given(loaded.model, {"by": 5})
    (output,) = asked.predict(inputs).values()  # type: ignore[union-attr]  # as above
    assert output.tolist() == [15]
