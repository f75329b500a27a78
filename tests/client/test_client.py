"""The calls of both clients against a real server; each test runs for both."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
from httpx import Response

from modelport.client import AsyncClient, Client, ModelState
from modelport.core.errors import Internal, InvalidInput, ModelNotFound
from modelport.core.tensors import DType

PREDICTED = {"prediction": 1.8}
NO_OUTPUTS = {"outputs": []}


def test_a_prediction_is_plain_json_both_ways(server, connect):
    server.will(Response(200, json=PREDICTED))
    assert connect(server.url).predict(None, {"x": np.arange(3)}) == PREDICTED
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/predict", b'{"x":[0,1,2]}')
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("model", "version", "path"),
    [
        ("iris", None, "/models/iris/predict"),
        ("iris", 2, "/models/iris/versions/2/predict"),
        ("iris", "canary", "/models/iris/versions/canary/predict"),
        ("a/b ü?#%2F..", None, "/models/a%2Fb%20%C3%BC%3F%23%252F../predict"),
    ],
)
def test_names_are_percent_encoded_into_the_path(server, connect, model, version, path):
    connect(f"{server.url}/team/").predict(model, [1], version=version)
    assert server.asked[0].path == f"/team{path}"


def test_a_priority_is_said_in_a_header_and_else_left_to_the_key(server, connect):
    server.will(*(Response(200, json=PREDICTED) for _ in range(2)), Response(200, json=NO_OUTPUTS))
    client = connect(server.url)
    client.predict("iris", [1])
    client.predict("iris", [1], priority="low")
    client.infer("iris", {"x": np.zeros(3)}, priority="high")
    said = [asked.headers.get("x-priority") for asked in server.asked]
    assert said == [None, "low", "high"]


def test_parameters_are_sent_beside_the_tensors(server, connect):
    server.will(Response(200, json=NO_OUTPUTS))
    connect(server.url).infer("iris", {"x": np.zeros(3)}, parameters={"top": 3})
    (asked,) = server.asked
    sent = msgspec.json.decode(asked.body[: int(asked.headers["inference-header-content-length"])])
    assert sent["parameters"] == {"top": 3, "binary_data_output": True}


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_refused(server, connect, name):
    with pytest.raises(InvalidInput, match="no name of a model"):
        connect(server.url).predict(name, [1])
    assert server.asked == []


def test_data_in_the_place_of_the_name_is_told_so(server, connect):
    with pytest.raises(InvalidInput, match=r"a dict came .* predict\(model, data\)"):
        connect(server.url).predict({"x": [1]}, "iris")


def test_a_version_needs_a_model(server, connect):
    with pytest.raises(InvalidInput, match="version 3 of which model"):
        connect(server.url).predict(None, [1], version=3)


def test_tensors_travel_as_their_bytes(server, connect):
    server.will(echoes)
    sent = {t.value: np.array([[0, 1], [1, 0]]).astype(t.numpy) for t in DType if t.numpy != "O"}
    sent["nan"] = np.array([np.nan, np.inf, -0.0])
    sent["scalar"] = np.array(7.5)
    sent["empty"] = np.zeros((0, 3), np.float32)
    sent["big-endian"] = np.array([1, 2], dtype=">i4")
    sent["strided"] = np.arange(6).reshape(2, 3).T
    got = connect(server.url).infer("m", sent)
    assert list(got) == list(sent)
    for name, tensor in sent.items():
        np.testing.assert_array_equal(got[name], tensor, strict=name != "big-endian")
    assert server.asked[0].path == "/v2/models/m/infer"


def test_texts_and_bytes_come_back_as_bytes(server, connect):
    server.will(echoes)
    objects = np.array([["ä", b"\xff"], ["", "z"]], dtype=object)
    sent = {"o": objects, "u": np.array(["ab"]), "s": np.array([b"ab"])}
    got = connect(server.url).infer("m", sent, version="1")
    assert got["o"].tolist() == [["ä".encode(), b"\xff"], [b"", b"z"]]
    assert got["u"].tolist() == got["s"].tolist() == [b"ab"]
    assert server.asked[0].path == "/v2/models/m/versions/1/infer"


def test_outputs_are_asked_for_by_name_and_in_bytes(server, connect):
    server.will(Response(200, json={"outputs": []}))
    connect(server.url).infer("m", {"x": np.ones(1)}, outputs=["b", "a"])
    asked = header_of(server.asked[0])
    assert asked["outputs"] == [
        {"name": "b", "parameters": {"binary_data": True}},
        {"name": "a", "parameters": {"binary_data": True}},
    ]
    assert asked["parameters"] == {"binary_data_output": True}


def test_a_server_that_answers_tensors_in_json_is_understood(server, connect):
    outputs = [
        {"name": "y", "datatype": "FP32", "shape": [2, 1], "data": [1.5, 2]},
        {"name": "t", "datatype": "BYTES", "shape": [2], "data": ["ä", "b"]},
    ]
    server.will(Response(200, json={"model_name": "m", "outputs": outputs}))
    got = connect(server.url).infer("m", {"x": np.ones(1)})
    np.testing.assert_array_equal(got["y"], np.array([[1.5], [2]], np.float32), strict=True)
    assert got["t"].tolist() == ["ä".encode(), b"b"]


@pytest.mark.parametrize(
    "output",
    [
        {"name": "y", "datatype": "BF16", "shape": [1], "data": [1]},
        {"name": "y", "datatype": "FP32", "shape": [3], "data": [1]},
        {"name": "y", "datatype": "FP32", "shape": [1], "data": ["a"]},
        {"name": "y", "datatype": "BYTES", "shape": [1], "data": [1]},
        {"name": "y", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}},
        {"name": "y", "datatype": "FP32"},
    ],
)
def test_a_broken_tensor_answer_is_the_servers_fault(server, connect, output):
    server.will(Response(200, json={"outputs": [output]}))
    with pytest.raises(Internal, match="answered 200 OK with application/json"):
        connect(server.url).infer("m", {"x": np.ones(1)})


@pytest.mark.parametrize("length", ["999", "-1", "x"])
def test_a_header_length_beyond_the_answer_is_the_servers_fault(server, connect, length):
    headers = {"Inference-Header-Content-Length": length}
    server.will(Response(200, json={"outputs": []}, headers=headers))
    with pytest.raises(Internal, match="Inference-Header-Content-Length"):
        connect(server.url).infer("m", {"x": np.ones(1)})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], "'x' is a list, and infer.. takes numpy arrays"),
        (np.array([1j]), "complex128"),
        (np.array([1, None], dtype=object), "'x' holds a int"),
        (np.array(["\ud800"], dtype=object), "'x' holds half of a surrogate pair"),
    ],
)
def test_what_no_tensor_can_hold_is_refused_before_it_is_sent(server, connect, value, words):
    with pytest.raises(InvalidInput, match=words):
        connect(server.url).infer("m", {"x": value})
    assert server.asked == []


def test_models_are_listed_with_their_state(server, connect):
    rows = [
        {"name": "a", "version": "1", "state": "ready", "since": 3},
        {"name": "b", "version": None, "state": "failed", "reason": "damaged"},
    ]
    server.will(Response(200, json=rows))
    assert connect(server.url).models() == [
        ModelState("a", "1", "ready"),
        ModelState("b", None, "failed", "damaged"),
    ]
    assert server.asked[0].path == "/models"


def test_metadata_is_what_the_server_says(server, connect):
    server.will(Response(200, json={"name": "m", "versions": ["1"]}))
    assert connect(server.url).metadata("m", version=1) == {"name": "m", "versions": ["1"]}
    assert server.asked[0].path == "/v2/models/m/versions/1"


def test_a_running_server_is_live_and_its_models_ready(server, connect):
    server.will(Response(200))
    client = connect(server.url)
    assert client.is_live() is client.is_ready() is client.is_ready("m") is True
    paths = [asked.path for asked in server.asked]
    assert paths == ["/v2/health/live", "/v2/health/ready", "/v2/models/m/ready"]


def test_a_server_that_is_not_ready_or_not_there_is_no_error_to_a_probe(
    server, connect, silent_url
):
    server.will(Response(503, json={"error": "loading", "code": "NOT_READY"}))
    assert connect(server.url).is_ready("m") is False
    assert connect(silent_url, retries=0).is_live() is False


def test_a_probe_that_is_refused_is_an_error(server, connect):
    server.will(Response(404, json={"error": "no 'typo'", "code": "MODEL_NOT_FOUND"}))
    with pytest.raises(ModelNotFound):
        connect(server.url).is_ready("typo")


def test_threads_share_one_client(server):
    server.will(echoes)
    with Client(server.url) as client, ThreadPoolExecutor(8) as pool:
        asked = [np.full(3, float(at)) for at in range(64)]
        answers = list(pool.map(lambda x: client.infer("m", {"x": x})["x"], asked))
    np.testing.assert_array_equal(answers, asked)


async def ask(url: str) -> object:
    async with AsyncClient(url) as client:
        return await client.predict(None, [1])


def test_an_async_client_is_a_context_manager(server):
    server.will(Response(200, json=PREDICTED))
    assert asyncio.run(ask(server.url)) == PREDICTED


def test_importing_the_client_imports_no_server_and_no_dataframes():
    heavy = "onnxruntime pandas polars starlette uvicorn sqlalchemy typer prometheus_client"
    code = f"import sys, modelport.client; print(set({heavy.split()}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"


def header_of(asked):
    length = int(asked.headers["inference-header-content-length"])
    return msgspec.json.decode(asked.body[:length])


def echoes(asked):
    """Every input as an output of the same name, in bytes."""
    header = msgspec.json.encode({"model_name": "m", "outputs": header_of(asked)["inputs"]})
    raw = asked.body[int(asked.headers["inference-header-content-length"]) :]
    headers = {"Inference-Header-Content-Length": str(len(header))}
    return Response(200, headers=headers, content=header + raw)
