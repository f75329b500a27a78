"""Pictures and texts that a step takes, as inputs of the pipeline and between its steps."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ConfigError, InvalidInput
from modelport.core.tensors import bytes_tensor
from modelport.engine.opening import LoadedModel
from modelport.semantics.labels import answer_json
from modelport.semantics.plain import read
from tests.engine.pipeline.conftest import Opened, Pipeline, onnx_bytes

onnx = pytest.importorskip("onnx")
pytest.importorskip("PIL")
tokenizers = pytest.importorskip("tokenizers")

F, INT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
MEANS = onnx_bytes("GlobalAveragePool", {"x": (F, [None, 3, 2, 2])}, {"m": (F, [None, 3, 1, 1])})
FLAT = onnx_bytes("Flatten", {"m": (F, [None, 3, 1, 1])}, {"y": (F, [None, 3])})
SUM = onnx_bytes(
    "ReduceSum", {"ids": (INT, [None, None])}, {"n": (INT, [None, 1])}, {"axes": np.array([1])}
)
PHOTO = '[inputs.photo]\nkind = "image"\ntensor = "x"\n'
WORDS = '[inputs.text]\nkind = "text"\ntensor = "ids"\n'


def tokenizer() -> str:
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "c": 2}, "a"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    text: str = made.to_str()
    return text


def picture(red: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (4, 4), (red, 0, 255)).save(out, "PNG")
    return out.getvalue()


def answer(loaded: LoadedModel, body: Any) -> Any:
    request = read(loaded.view, body)
    prepared = loaded.prepared(request.inputs)
    loaded.view.signature.check(prepared.inputs)
    outputs = loaded.model.predict(prepared.inputs)
    return json.loads(answer_json(loaded.answer(outputs, request.single, prepared.frames)))


def test_a_picture_of_a_step_is_one_of_the_pipeline(pipeline: Pipeline, opened: Opened) -> None:
    files = {"means.onnx": MEANS, "means.toml": PHOTO, "flat.onnx": FLAT}
    toml = """
        [steps.means]
        model = "means.onnx"
        [steps.flat]
        model = "flat.onnx"
        inputs = { m = "means.m" }
    """
    loaded = opened(pipeline(toml, files))
    assert [field.name for field in loaded.view.fields] == ["photo"]
    assert [spec.name for spec in loaded.view.signature.inputs] == ["x"]
    assert answer(loaded, {"photo": picture(255)}) == {"prediction": [1, 0, 1]}
    assert answer(loaded, {"x": np.ones((3, 2, 2)).tolist()}) == {"prediction": [1, 1, 1]}


def test_it_may_have_another_name_and_its_tensor_too(pipeline: Pipeline, opened: Opened) -> None:
    files = {"means.onnx": MEANS, "means.toml": PHOTO}
    toml = """
        [steps.means]
        model = "means.onnx"
        inputs = { photo = "picture", x = "pixels" }
    """
    loaded = opened(pipeline(toml, files))
    assert [field.name for field in loaded.view.fields] == ["picture"]
    assert [spec.name for spec in loaded.view.signature.inputs] == ["pixels"]
    assert answer(loaded, {"picture": picture(0)}) == {"prediction": [[0], [0], [1]]}


def test_a_text_finds_the_tokenizer_in_its_steps_folder(pipeline: Pipeline, opened: Opened) -> None:
    files = {"sum/model.onnx": SUM, "sum/model.toml": WORDS, "sum/tokenizer.json": tokenizer()}
    toml = """
        [steps.sum]
        model = "sum/model.onnx"
    """
    loaded = opened(pipeline(toml, files))
    assert answer(loaded, {"text": ["b c", "c c c"]}) == {"prediction": [3, 6]}


def test_a_text_that_a_function_made_is_cut_where_the_step_runs(
    pipeline: Pipeline, opened: Opened
) -> None:
    files = {
        "sum.onnx": SUM,
        "sum.toml": WORDS,
        "tokenizer.json": tokenizer(),
        "steps.py": """
            def clean(review: str) -> str:
                return review.lower()
        """,
    }
    toml = """
        [steps.clean]
        model = "steps.py:clean"
        [steps.sum]
        model = "sum.onnx"
        inputs = { text = "clean.output" }
    """
    loaded = opened(pipeline(toml, files))
    assert [field.name for field in loaded.view.fields] == ["review"]
    assert answer(loaded, {"review": "B C"}) == {"prediction": 3}


def test_two_steps_may_not_have_one_source_mean_two_things(
    pipeline: Pipeline, opened: Opened
) -> None:
    files = {
        "a.onnx": MEANS,
        "a.toml": PHOTO,
        "b.onnx": MEANS,
        "b.toml": PHOTO + "scale = 1.0\n",
    }
    toml = """
        [steps.a]
        model = "a.onnx"
        [steps.b]
        model = "b.onnx"
        inputs = { x = "other" }
        [outputs]
        a = "a.m"
        b = "b.m"
    """
    with pytest.raises(ConfigError, match="another step takes 'photo' in another way"):
        opened(pipeline(toml, files))


def test_a_damaged_picture_is_the_callers(pipeline: Pipeline, opened: Opened) -> None:
    toml = """
        [steps.means]
        model = "means.onnx"
    """
    loaded = opened(pipeline(toml, {"means.onnx": MEANS, "means.toml": PHOTO}))
    with pytest.raises(InvalidInput, match="'photo' is no picture"):
        loaded.prepared({"photo": bytes_tensor([b"x"], (1,))})
