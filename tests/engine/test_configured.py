"""Models as their `config.pbtxt` has them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ConfigError
from modelport.core.semantics import OutputMeaning, Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.engine.configured import configured, declared
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import State, Version
from modelport.engine.limits import Limits
from modelport.engine.opening import Settings, open_version
from modelport.repository.layout import Source
from modelport.repository.triton import TritonConfig
from modelport.runtimes.base import Description, LoadOptions
from modelport.semantics.model_toml import InputTable, ModelToml, OutputTable

LINEAR = Path(__file__).parents[1] / "data" / "linear.onnx"
X = 'input { name: "x" data_type: TYPE_FP64 dims: 3 }'
Laid = Callable[..., Source]


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """`linear.onnx` (x: FP64 [?, 3], y: FP64 [?]) with a `config.pbtxt`, and further files."""

    def make(config: str, **files: str) -> Source:
        folder = tmp_path / "linear"
        (folder / "1").mkdir(parents=True, exist_ok=True)
        shutil.copy(LINEAR, folder / "1" / "model.onnx")
        (folder / "config.pbtxt").write_text(config)
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text)
        return Source(
            name="linear",
            version="1",
            path=str(folder / "1" / "model.onnx"),
            toml=str(folder / "model.toml"),
            folder=str(folder / "1"),
            config=str(folder / "config.pbtxt"),
        )

    return make


class Doubles:
    """A model that gives twice its first input for each output, as that is typed and shaped."""

    def __init__(
        self, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], waits: bool = False
    ) -> None:
        meanings = {"label": OutputMeaning(kind="label", classes=(0, 1))}
        self.description = Description(
            runtime="test",
            signature=Signature(inputs, outputs),
            semantics=Semantics(outputs=meanings),
        )
        self.got: dict[str, Any] = {}
        self.closed = False
        self._waits = waits

    def predict(self, batch: Batch) -> Batch | Awaitable[Batch]:
        self.got = {name: tensor.dtype for name, tensor in batch.items()}
        first = 2 * batch[self.description.signature.inputs[0].name]  # type: ignore[operator]
        answer = {
            spec.name: (first if len(spec.shape) > 1 else first[:, 0]).astype(spec.dtype.numpy)
            for spec in self.description.signature.outputs
        }
        return self._later(answer) if self._waits else answer

    async def _later(self, answer: Batch) -> Batch:
        return answer

    def close(self) -> None:
        self.closed = True


def spec(name: str, dtype: DType, *shape: int | None) -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def test_a_config_that_says_what_the_file_says_changes_nothing(laid: Laid) -> None:
    y = 'output { name: "y" data_type: TYPE_FP64 dims: 1 reshape { shape: [] } }'
    loaded = open_version(laid(f"max_batch_size: 8 {X} {y}"), Settings())
    assert loaded.description.signature == loaded.model.description.signature
    assert loaded.description.notes == loaded.model.description.notes


@pytest.mark.parametrize(
    ("config", "toml", "rows"),
    [
        (f"max_batch_size: 8 {X}", "", 8),
        ("max_batch_size: 0", "", 0),
        ("", "", Limits().rows),
        (f"max_batch_size: 8 {X}", "[batching]\nmax_rows = 3", 3),
        (f"max_batch_size: 8 {X}", "[batching]\nenabled = false", 0),
    ],
)
def test_max_batch_size_bounds_the_rows_of_a_batch(
    laid: Laid, config: str, toml: str, rows: int
) -> None:
    engine = Engine([laid(config, model_toml=toml)], Settings())
    asyncio.run(engine.load())
    assert engine.batch_rows(engine.find("linear")) == rows
    engine.close()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            'input { name: "z" data_type: TYPE_FP32 dims: 3 }',
            "config.pbtxt, input 'z': the model has no such input; it has 'x'",
        ),
        (
            'max_batch_size: 8 input { name: "x" data_type: TYPE_INT32 dims: 3 }',
            "input 'x': data_type says INT32, and the model's file says FP64",
        ),
        (
            'max_batch_size: 8 input { name: "x" data_type: TYPE_FP64 dims: 4 }',
            "input 'x': dims and max_batch_size say [?, 4], and the model's file says [?, 3]",
        ),
        (X, "input 'x': dims and max_batch_size say [3], and the model's file says [?, 3]"),
        (
            'output { name: "y" data_type: TYPE_FP64 dims: [-1, 2] }',
            "output 'y': dims and max_batch_size say [?, 2]",
        ),
    ],
)
def test_a_clash_names_the_tensor(laid: Laid, config: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_version(laid(config), Settings())
    assert message in raised.value.message
    version = Version(laid(config))
    version.load(Settings())
    assert version.state is State.FAILED
    assert message in (version.reason or "")


def test_model_toml_comes_before_the_config(laid: Laid) -> None:
    wrong = 'input { name: "x" data_type: TYPE_INT32 dims: 3 }'
    toml = '[inputs.x]\ndtype = "FP64"\n[outputs.y]\nclasses = ["mine"]'
    labels = 'output { name: "y" data_type: TYPE_FP64 dims: -1 label_filename: "l.txt" }'
    source = laid(f"{wrong} {labels}", model_toml=toml, l_txt="theirs\n")
    assert open_version(source, Settings()).semantics.outputs["y"].classes == ("mine",)


def test_a_label_file_names_the_classes_of_its_output(laid: Laid) -> None:
    config = 'output { name: "y" data_type: TYPE_FP64 dims: -1 label_filename: "l.txt" }'
    loaded = open_version(laid(config, l_txt="spam\n"), Settings())
    assert loaded.semantics.outputs["y"] == OutputMeaning(kind="probabilities", classes=("spam",))
    with pytest.raises(ConfigError, match=r"'l\.txt' names 2 classes.* last axis .* has 1"):
        open_version(laid(config, l_txt="spam\nham\n"), Settings())


def test_what_is_not_applied_is_a_warning(laid: Laid) -> None:
    loaded = open_version(laid("dynamic_batching {}"), Settings())
    assert loaded.description.warnings == (
        "config.pbtxt of 'linear': not applied here: dynamic_batching",
    )


def test_declared_inputs_are_the_configs_with_the_owners_in_their_place() -> None:
    config = TritonConfig(inputs=(spec("a", DType.INT8, 2), spec("b", DType.INT8, 3)))
    toml = ModelToml(inputs={"a": InputTable(shape=(-1, 2)), "c": InputTable(dtype=DType.FP32)})
    assert declared(config, toml) == {
        "a": spec("a", DType.INT8, None, 2),
        "b": spec("b", DType.INT8, 3),
        "c": spec("c", DType.FP32, None),
    }
    assert declared(None, ModelToml()) == {}


def test_names_that_tell_places_are_looked_up_by_them() -> None:
    said = {n: spec(n, DType.FP32, 2) for n in ("INPUT__1", "INPUT__0", "INPUT__7")}
    options = LoadOptions(digest="d", declared_inputs=said)
    assert options.declared_for(["a", "b"]) == {
        "a": spec("a", DType.FP32, 2),
        "b": spec("b", DType.FP32, 2),
    }
    assert options.declared_for(["INPUT__1"]) == {"INPUT__1": said["INPUT__1"]}, "a name first"


def test_tensors_are_renamed_by_their_places(tmp_path: Path) -> None:
    own = (spec("a", DType.FP32, None, 2), spec("b", DType.FP32, None, 2))
    out = (spec("one", DType.FP32, None, 2), spec("two", DType.FP32, None, 2))
    config = TritonConfig(
        backend="pytorch",
        inputs=(spec("IN__1", DType.FP32, None, 2), spec("IN__0", DType.FP32, None, 2)),
        outputs=(spec("OUT__1", DType.FP32, None, 2),),
    )
    inner = Doubles(own, out)
    model, description = configured(inner, config, tmp_path, ModelToml())
    assert [s.name for s in description.signature.inputs] == ["IN__0", "IN__1"]
    assert [s.name for s in description.signature.outputs] == ["one", "OUT__1"]
    assert description.notes == (
        "tensors are named as in config.pbtxt: 'IN__0' is 'a', 'IN__1' is 'b', 'OUT__1' is 'two'",
    )
    ones = np.ones((1, 2), np.float32)
    answer = model.predict({"IN__0": ones, "IN__1": 5 * ones})
    assert not isinstance(answer, Awaitable)
    assert {name: value.tolist() for name, value in answer.items()} == {
        "one": [[2, 2]],
        "OUT__1": [[2, 2]],
    }
    model.close()
    assert inner.closed


async def _awaited(answer: Any) -> Any:
    return await answer


def test_an_asynchronous_model_can_be_renamed(tmp_path: Path) -> None:
    import asyncio

    config = TritonConfig(outputs=(spec("OUT__0", DType.FP32, None, 2),))
    x = spec("x", DType.FP32, None, 2)
    model, _ = configured(Doubles((x,), (x,), waits=True), config, tmp_path, ModelToml())
    answer = model.predict({"x": np.ones((1, 2), np.float32)})
    assert asyncio.run(_awaited(answer))["OUT__0"].tolist() == [[2, 2]]


def test_where_model_toml_uses_the_files_names_they_stay(tmp_path: Path) -> None:
    x, y = spec("x", DType.FP32, None, 2), spec("y", DType.FP32, None, 2)
    config = TritonConfig(inputs=(spec("IN__0", DType.FP32, None, 2),))
    toml = ModelToml(outputs={"y": OutputTable(unit="EUR")})
    _, description = configured(Doubles((x,), (y,)), config, tmp_path, toml)
    assert description.signature.inputs == (x,)


def fil(**more: Any) -> TritonConfig:
    return TritonConfig(
        backend="fil",
        inputs=(spec("input__0", DType.FP32, None, 3),),
        outputs=(spec("output__0", DType.FP32, None, more.pop("width", 1)),),
        **more,
    )


TREES = (spec("X", DType.FP64, None, 3),)
CLASSES = (spec("label", DType.INT64, None), spec("probabilities", DType.FP64, None, 3))


def test_trees_are_served_under_the_names_of_fil(tmp_path: Path) -> None:
    inner = Doubles(TREES, (spec("prediction", DType.FP64, None),))
    model, description = configured(inner, fil(), tmp_path, ModelToml())
    assert description.signature.inputs == (spec("input__0", DType.FP32, None, 3),)
    assert description.signature.outputs == (spec("output__0", DType.FP32, None, 1),)
    answer: Any = model.predict({"input__0": np.full((2, 3), 1.5, np.float32)})
    assert inner.got == {"X": np.dtype("float64")}, "widened, which is exact"
    assert answer["output__0"].dtype == np.float32
    assert answer["output__0"].tolist() == [[3.0], [3.0]]


@pytest.mark.parametrize(
    ("config", "renamed"),
    [
        (fil(predicts_class=True), "label"),
        (fil(predicts_class=True, predicts_probabilities=True, width=3), "probabilities"),
        (fil(), None),
    ],
)
def test_what_fil_gives_of_a_classifier_is_what_its_parameters_say(
    tmp_path: Path, config: TritonConfig, renamed: str | None
) -> None:
    model, description = configured(Doubles(TREES, CLASSES), config, tmp_path, ModelToml())
    names = [s.name for s in description.signature.outputs]
    expected = ["output__0" if name == renamed else name for name in ("label", "probabilities")]
    assert names == expected
    given = {"input__0": np.ones((1, 3), np.float32)}
    answer: Any = model.predict(given)
    assert list(answer) == expected
    told = "config.pbtxt names the tensor 'output__0', which the model has under another name"
    assert (told in description.warnings) is (renamed is None)


def test_an_input_that_would_be_narrowed_keeps_its_name(tmp_path: Path) -> None:
    inner = Doubles((spec("X", DType.FP16, None, 3),), CLASSES[:1])
    _, description = configured(inner, fil(predicts_class=True), tmp_path, ModelToml())
    assert description.signature.inputs[0].name == "X"
    assert "'input__0'" in description.warnings[0]
