"""Pictures and texts for a model in this process and on the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, save
from PIL import Image as pillow
from tokenizers import Tokenizer, models, pre_tokenizers

import modelport
from modelport.core.errors import InvalidInput
from tests.app.servers import command, environment
from tests.http.models import graph


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pillow.new("RGB", (6, 5), (255, 0, 0)).save(tmp_path / "red.png")
    return tmp_path / "red.png"


@pytest.fixture
def means(tmp_path: Path) -> Path:
    nodes = [("GlobalAveragePool", ["x"], ["m"]), ("Flatten", ["m"], ["y"])]
    model = graph(
        nodes,
        [("x", TensorProto.FLOAT, [None, 3, 4, 4])],
        [("y", TensorProto.FLOAT, [None, 3])],
    )
    save(model, tmp_path / "means.onnx")
    (tmp_path / "means.toml").write_text('[inputs.photo]\nkind = "image"\ntensor = "x"\n')
    return tmp_path / "means.onnx"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    made = Tokenizer(models.WordLevel({"a": 1, "b": 2}, unk_token="a"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    model = graph(
        [("ReduceSum", ["ids", "axes"], ["y"])],
        [("ids", TensorProto.INT64, [None, None])],
        [("y", TensorProto.INT64, [None, 1])],
        {"axes": np.array([1])},
    )
    save(model, tmp_path / "words.onnx")
    (tmp_path / "words.toml").write_text('[inputs.text]\nkind = "text"\ntensor = "ids"\n')
    return tmp_path / "words.onnx"


def test_a_picture_is_given_in_every_way_that_python_has(means: Path, picture: Path) -> None:
    with modelport.load(means) as model:
        for value in (picture, picture.read_bytes(), pillow.open(picture)):
            assert model.predict({"photo": value}) == {"prediction": [1, 0, 0]}
            assert model.predict(value) == {"prediction": [1, 0, 0]}
        rows = model.predict({"photo": [picture, pillow.open(picture)]})
        assert rows == {"prediction": [[1, 0, 0]] * 2}
        raw = model.predict(np.ones((1, 3, 4, 4), np.float32))
        assert np.asarray(raw).tolist() == [[1, 1, 1]]
        with pytest.raises(InvalidInput, match=r"none\.png' cannot be read: No such file"):
            model.predict(picture.with_name("none.png"))


def test_a_text_stands_alone(words: Path) -> None:
    with modelport.load(words) as model:
        assert model.predict("a b b") == {"prediction": 5}
        assert model.predict(["a", "b b"]) == {"prediction": [1, 4]}


@pytest.mark.parametrize(
    ("model", "data", "prediction"),
    [
        ("words", "a b", 3),
        ("words", '{"text": "b"}', 2),
        ("means", "red.png", [1, 0, 0]),
        ("means", "--input=plain", [1, 0, 0]),  # a file without an ending
    ],
)
def test_the_command_line_takes_them_as_people_type_them(
    means: Path, words: Path, picture: Path, model: str, data: str, prediction: object
) -> None:
    folder = means.parent
    (folder / "plain").write_bytes(picture.read_bytes())
    made = subprocess.run(
        command("predict", f"{model}.onnx", data),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(folder / "state"),
        timeout=60,
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == {"prediction": prediction}
