"""Pictures, texts, recordings and categories over HTTP: every form of body, every protocol."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, save
from PIL import Image as pillow
from scipy.io import wavfile
from tokenizers import Tokenizer, models, pre_tokenizers

from modelport.client import Client
from modelport.core.tensors import to_raw
from tests.http.models import graph
from tests.http.serving import Served, serving, source

F = TensorProto.FLOAT
TOMLS = {
    "colour": """
[inputs.photo]
kind = "image"
tensor = "x"

[outputs.y]
kind = "logits"
classes = ["red", "green", "blue"]
top_k = 2
""",
    "same": '[inputs.x]\nkind = "image"\n',
    "words": '[inputs.text]\nkind = "text"\ntensor = "x"\n',
    "loud": '[inputs.x]\nkind = "audio"\nrate = 8000\n',
    "shop": """
[inputs.x]
columns = ["age", "small", "large"]
[inputs.age]
kind = "number"
mean = 40
std = 10
minimum = 0
[inputs.size]
kind = "category"
choices = ["small", "large"]
columns = ["small", "large"]
""",
    "boxes": """
[inputs.photo]
kind = "image"
tensor = "x"
[outputs.b]
kind = "boxes"
layout = "rows"
classes = ["cat", "dog"]
""",
    "mixed": """
[inputs.photo]
kind = "image"
tensor = "x"
[inputs.age]
unit = "a"
""",
    "tags": '[outputs.y]\nkind = "multilabel"\nclasses = ["a", "b", "c"]\nsigmoid = true\n',
    "entities": '[outputs.y]\nkind = "json"\n',
}


def _models() -> dict[str, Any]:
    means = [("GlobalAveragePool", ["x"], ["m"]), ("Flatten", ["m"], ["y"])]
    boxes = [
        ("GlobalAveragePool", ["x"], ["m"]),
        ("Flatten", ["m"], ["f"]),
        ("MatMul", ["f", "zero"], ["z"]),
        ("Add", ["z", "found"], ["n"]),
        ("Unsqueeze", ["n", "axis"], ["b"]),
    ]
    found = {
        "zero": np.zeros((3, 6), np.float32),
        "found": np.array([[2, 1, 6, 5, 0.75, 1]], np.float32),
        "axis": np.array([1]),
    }
    eight = [None, 3, 8, 8]
    mixed = [*means[:1], ("Flatten", ["m"], ["f"]), ("Add", ["f", "age"], ["y"])]
    return {
        "colour": graph(means, [("x", F, eight)], [("y", F, [None, 3])]),
        "same": graph(means, [("x", F, eight)], [("y", F, [None, 3])]),
        "words": graph(
            [("ReduceSum", ["x", "axis"], ["y"])],
            [("x", TensorProto.INT64, [None, None])],
            [("y", TensorProto.INT64, [None, 1])],
            {"axis": np.array([1])},
        ),
        "loud": graph(
            [("Abs", ["x"], ["a"]), ("ReduceMax", ["a"], ["m"]), ("Reshape", ["m", "one"], ["y"])],
            [("x", F, [1, None])],
            [("y", F, [1])],
            {"one": np.array([1])},
        ),
        "shop": graph(
            [("MatMul", ["x", "w"], ["y"])],
            [("x", F, [None, 3])],
            [("y", F, [None, 1])],
            {"w": np.array([[1], [10], [100]], np.float32)},
        ),
        "boxes": graph(boxes, [("x", F, eight)], [("b", F, [None, 1, 6])], found),
        "mixed": graph(mixed, [("x", F, eight), ("age", F, [None, 1])], [("y", F, [None, 3])]),
        "tags": graph([("Identity", ["x"], ["y"])], [("x", F, [None, 3])], [("y", F, [None, 3])]),
        "entities": graph(
            [("Identity", ["x"], ["y"])],
            [("x", TensorProto.STRING, [None])],
            [("y", TensorProto.STRING, [None])],
        ),
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("models")
    tokens = Tokenizer(models.WordLevel({"[PAD]": 0, "one": 1, "two": 2}, unk_token="[PAD]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.save(str(folder / "tokenizer.json"))
    for name, model in _models().items():
        save(model, folder / f"{name}.onnx")
        (folder / f"{name}.toml").write_text(TOMLS[name])
    with serving([source(folder / f"{name}.onnx") for name in TOMLS]) as server:
        states = {v["name"]: v["reason"] for v in server.get("/models").json}
        assert not any(states.values()), states
        yield server


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (16, 12)) -> bytes:
    out = io.BytesIO()
    pillow.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


RED, BLUE = picture((255, 0, 0)), picture((0, 0, 255))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def form(*parts: tuple[str, bytes, str]) -> tuple[bytes, str]:
    """A body and its content type."""
    lines = b"".join(
        b'--XX\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (name.encode(), b'; filename="%b"' % file.encode() if file else b"", content)
        for name, content, file in parts
    )
    return lines + b"--XX--\r\n", "multipart/form-data; boundary=XX"


# -- plain


@pytest.mark.parametrize(
    "value",
    [
        {"photo": b64(RED)},
        {"photo": f"data:image/png;base64,{b64(RED)}"},
        {"photo": {"b64": b64(RED)}},
        {"x": (np.ones((3, 8, 8)) * np.array([1, 0, 0])[:, None, None]).tolist()},
    ],
)
def test_a_picture_in_json_in_every_form_or_as_a_raw_tensor(server: Served, value: Any) -> None:
    answer = server.post("/models/colour/predict", json.dumps(value))
    assert answer.status == 200, answer.body
    assert answer.json["prediction"] == "red"
    best = answer.json["probabilities"]
    assert list(best) == ["red", "green"]  # the two largest, in falling order
    assert best["red"] == pytest.approx(np.e / (np.e + 2), abs=1e-6)


def test_many_pictures_are_many_rows(server: Served) -> None:
    for body in (
        {"photo": [b64(RED), b64(BLUE)]},
        [{"photo": b64(RED)}, {"photo": b64(BLUE)}],
        [b64(RED), b64(BLUE)],
    ):
        answer = server.post("/models/colour/predict", json.dumps(body))
        assert answer.json["prediction"] == ["red", "blue"], body


@pytest.mark.parametrize("media", ["image/png", "image/jpeg", "application/octet-stream"])
def test_a_picture_as_the_whole_body(server: Served, media: str) -> None:
    answer = server.post("/models/colour/predict", BLUE, content_type=media)
    assert answer.json["prediction"] == "blue"


def test_a_form_with_files(server: Served) -> None:
    body, media = form(("photo", RED, "a.png"), ("photo", BLUE, "b.png"))
    answer = server.post("/models/colour/predict", body, content_type=media)
    assert answer.json["prediction"] == ["red", "blue"]
    body, media = form(("file", BLUE, "b.png"))  # whatever the only part is called
    answer = server.post("/models/colour/predict", body, content_type=media)
    assert answer.json["prediction"] == "blue"


def test_a_form_with_a_file_and_a_number(server: Served) -> None:
    body, media = form(("photo", RED, "a.png"), ("age", b"2.5", ""))
    answer = server.post("/models/mixed/predict", body, content_type=media)
    assert answer.json == {"prediction": [3.5, 2.5, 2.5]}
    body, media = form(("photo", RED, "a.png"), ("age", b"old", ""))
    answer = server.post("/models/mixed/predict", body, content_type=media)
    assert answer.status == 400
    assert "'age' takes numbers (FP32), and the text 'old' came" in answer.json["error"]
    answer = server.post("/models/mixed/predict", RED, content_type="image/png")
    assert answer.status == 415
    assert "takes 'photo', 'age', not a file alone" in answer.json["error"]


def test_a_source_with_the_name_of_its_tensor_is_told_by_its_value(server: Served) -> None:
    files = server.post("/models/same/predict", json.dumps({"x": b64(RED)}))
    raw = server.post("/models/same/predict", json.dumps({"x": np.ones((3, 8, 8)).tolist()}))
    assert files.json == {"prediction": [1, 0, 0]}
    assert raw.json == {"prediction": [1, 1, 1]}
    bare = server.post("/models/same/predict", json.dumps(np.ones((2, 3, 8, 8)).tolist()))
    assert bare.json == {"prediction": [[1, 1, 1]] * 2}


def test_npy_is_a_raw_tensor(server: Served) -> None:
    out = io.BytesIO()
    np.save(out, np.ones((1, 3, 8, 8), np.float32))
    answer = server.post("/models/same/predict", out.getvalue(), content_type="application/x-npy")
    assert answer.json == {"prediction": [1, 1, 1]} or answer.json == {"prediction": [[1, 1, 1]]}


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b'{"text": "one two"}', "application/json"),
        (b"one two\n", "text/plain"),
        (b"text\none two\n", "text/csv"),
        (form(("text", b"one two", ""))[0], "multipart/form-data; boundary=XX"),
        (b'{"x": [1, 2]}', "application/json"),
    ],
)
def test_a_text_in_every_form(server: Served, body: bytes, media: str) -> None:
    answer = server.post("/models/words/predict", body, content_type=media)
    assert answer.status == 200, answer.body
    assert np.ravel(answer.json["prediction"]).tolist() == [3]


def test_texts_of_different_lengths_share_a_request(server: Served) -> None:
    answer = server.post("/models/words/predict", '{"text": ["one", "two two one", "one one"]}')
    assert answer.json == {"prediction": [1, 5, 2]}


def test_a_recording_as_the_whole_body(server: Served) -> None:
    out = io.BytesIO()
    wavfile.write(out, 8000, np.array([0, 8192, -16384], np.int16))
    answer = server.post("/models/loud/predict", out.getvalue(), content_type="audio/wav")
    assert answer.json["prediction"] in (0.5, [0.5])


def test_categories_and_scaled_numbers(server: Served) -> None:
    one = server.post("/models/shop/predict", '{"age": 50, "size": "large"}')
    assert one.json == {"prediction": 101}
    rows = server.post(
        "/models/shop/predict", "size,age\nsmall,30\nlarge,40\n", content_type="text/csv"
    )
    assert rows.json == {"prediction": [9, 100]}
    raw = server.post("/models/shop/predict", '{"x": [1, 0, 1]}')
    assert raw.json == {"prediction": 101}


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        ("colour", {"photo": "not base64!"}, "'photo' takes an image file as base64 text"),
        ("colour", {"photo": b64(b"hello")}, "'photo' is no picture that can be read"),
        ("colour", {"photo": [b64(RED), b64(RED[:45])]}, "picture 1 of 'photo' is a damaged"),
        ("colour", {"photo": 7}, "photo"),
        ("colour", {"photo": None}, "photo"),
        ("colour", {}, "'photo' is missing"),
        ("colour", {"picture": b64(RED)}, "no field 'picture'; it takes 'photo'"),
        ("colour", {"photo": b64(RED), "x": [[[1.0]]]}, "'photo' is given twice"),
        ("words", {"text": 3}, "'text' takes text (BYTES), and the number 3 came"),
        ("words", {"text": ""}, "text 0 of 'text' has no token"),
        ("shop", {"age": 50, "size": "huge"}, "'size' is one of 'small', 'large', and 'huge'"),
        ("shop", {"age": -1, "size": "small"}, "'age' is at least 0, and -1"),
        ("shop", {"size": "small"}, "'age' is missing"),
        ("mixed", {"photo": [b64(RED)] * 2, "age": [1]}, "same number of rows"),
    ],
)
def test_what_cannot_be_taken_is_told(
    server: Served, model: str, body: dict[str, Any], said: str
) -> None:
    answer = server.post(f"/models/{model}/predict", json.dumps(body))
    assert answer.status == 400, answer.body
    assert said in answer.json["error"]
    assert answer.json["code"] == "INVALID_INPUT"


# -- the Open Inference Protocol


def oip(server: Served, model: str, *inputs: dict[str, Any]) -> Any:
    return server.post(f"/v2/models/{model}/infer", json.dumps({"inputs": list(inputs)}))


def test_a_source_or_the_raw_tensor_in_json(server: Served) -> None:
    given = {"name": "photo", "datatype": "BYTES", "shape": [1], "data": [b64(BLUE)]}
    assert oip(server, "colour", given).json["outputs"][0]["data"] == [0, 0, 1]
    raw = {"name": "x", "datatype": "FP32", "shape": [1, 3, 8, 8], "data": [1.0] * 192}
    assert oip(server, "colour", raw).json["outputs"][0]["data"] == [1, 1, 1]
    assert oip(server, "same", given | {"name": "x"}).json["outputs"][0]["data"] == [0, 0, 1]
    both = oip(server, "colour", given, raw)
    assert both.status == 400
    assert "'x' is given twice" in both.json["error"]


def test_files_in_binary(server: Served) -> None:
    raw = to_raw(np.array([RED, BLUE], dtype=object))
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "photo",
                    "datatype": "BYTES",
                    "shape": [2],
                    "parameters": {"binary_data_size": len(raw)},
                }
            ]
        }
    ).encode()
    answer = server.post(
        "/v2/models/colour/infer",
        head + raw,
        content_type="application/octet-stream",
        inference_header_content_length=str(len(head)),
    )
    assert answer.json["outputs"][0]["data"] == [1, 0, 0, 0, 0, 1]


def test_texts_and_categories(server: Served) -> None:
    text = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["one", "two two"]}
    assert oip(server, "words", text).json["outputs"][0]["data"] == [1, 4]
    age = {"name": "age", "datatype": "FP64", "shape": [1], "data": [50]}
    size = {"name": "size", "datatype": "BYTES", "shape": [1], "data": ["large"]}
    assert oip(server, "shop", age, size).json["outputs"][0]["data"] == [101]
    alone = oip(server, "shop", size)
    assert alone.status == 400
    assert "'age' is missing" in alone.json["error"]
    wrong = oip(server, "shop", age, size | {"data": ["huge"]})
    assert "'size' is one of" in wrong.json["error"]
    uneven = oip(server, "shop", age, size | {"shape": [2], "data": ["large", "small"]})
    assert "same number of rows" in uneven.json["error"]


def test_the_metadata_name_the_tensors_and_what_replaces_them(server: Served) -> None:
    told = server.get("/v2/models/words").json
    assert [tensor["name"] for tensor in told["inputs"]] == ["x"]
    assert told["sources"] == [
        {"name": "text", "datatype": "BYTES", "shape": [-1], "kind": "text", "replaces": ["x"]}
    ]
    assert "sources" not in server.get("/v2/models/tags").json


# -- answers


def test_boxes_are_in_the_pixels_of_the_picture_that_was_sent(server: Served) -> None:
    body = json.dumps({"photo": [b64(picture((1, 2, 3), (16, 24)))]})
    answer = server.post("/models/boxes/predict", body).json
    assert answer == {
        "prediction": [
            [
                {
                    "label": "dog",
                    "score": 0.75,
                    "box": {"left": 4, "top": 3, "right": 12, "bottom": 15},
                }
            ]
        ]
    }


def test_several_labels_may_hold(server: Served) -> None:
    one = server.post("/models/tags/predict", '{"x": [4, -4, 0.5]}').json
    assert one["prediction"] == ["a", "c"]
    assert one["scores"]["b"] == pytest.approx(1 / (1 + np.exp(4)), abs=1e-6)
    many = server.post("/models/tags/predict", '{"x": [[4, -4, 0.5], [-1, -1, -1]]}').json
    assert many["prediction"] == [["a", "c"], []]


def test_json_is_shown_as_what_it_holds(server: Served) -> None:
    answer = server.post("/models/entities/predict", json.dumps({"x": '[{"entity": "city"}]'}))
    assert answer.json == {"prediction": [{"entity": "city"}]}
    wrong = server.post("/models/entities/predict", json.dumps({"x": "{"}))
    assert wrong.status == 500
    assert wrong.json["code"] == "MODEL_FAILED"


# -- what describes them


def test_the_example_of_each_model_is_answered(server: Served) -> None:
    for name in TOMLS:
        example = server.get(f"/models/{name}").json["example"]
        if name != "entities":
            answer = server.post(f"/models/{name}/predict", json.dumps(example))
            assert answer.status == 200, (name, answer.body)


def test_the_document_has_every_form_of_body(server: Served) -> None:
    document = server.get("/openapi.json").json
    bodies = document["paths"]["/models/colour/predict"]["post"]["requestBody"]["content"]
    assert {"application/json", "multipart/form-data", "image/*"} <= set(bodies)
    photo = document["components"]["schemas"]["colour.Row"]["properties"]["photo"]
    assert photo["anyOf"][0]["contentEncoding"] == "base64"
    texts = document["paths"]["/models/words/predict"]["post"]["requestBody"]["content"]
    assert "text/plain" in texts


def test_the_client_sends_pictures(server: Served) -> None:
    with Client(server.url) as client:
        for value in (b64(RED), RED, pillow.new("RGB", (9, 9), (255, 0, 0))):
            assert client.predict("colour", {"photo": value})["prediction"] == "red"
        rows = client.predict("colour", {"photo": [RED, BLUE]})
        assert rows["prediction"] == ["red", "blue"]
