"""The unmodified `tritonclient` (HTTP; on gevent and on asyncio) against the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from modelport.core.tensors import DType
from tests.http.models import flowers, identity, sums, written
from tests.http.serving import LINEAR, Served, serving, source

triton = pytest.importorskip("tritonclient.http", reason="install tritonclient[http]")
aio = pytest.importorskip("tritonclient.http.aio")
utils = pytest.importorskip("tritonclient.utils")

Arrays = npt.NDArray[Any]

VALUES: dict[DType, list[Any]] = {
    DType.BOOL: [True, False],
    DType.UINT8: [0, 255],
    DType.UINT16: [0, 2**16 - 1],
    DType.UINT32: [0, 2**32 - 1],
    DType.UINT64: [0, 2**64 - 1],
    DType.INT8: [-128, 127],
    DType.INT16: [-(2**15), 2**15 - 1],
    DType.INT32: [-(2**31), 2**31 - 1],
    DType.INT64: [-(2**63), 2**63 - 1],
    DType.FP16: [-65504.0, 6e-8],
    DType.FP32: [-3.4028235e38, 1e-45],
    DType.FP64: [-1.7976931348623157e308, 5e-324],
    DType.BYTES: ["", "naïve 🐍"],
}

SLOW = """
import asyncio

async def slow(seconds: float) -> float:
    await asyncio.sleep(0 if seconds == 1 else seconds)  # 1 is what a model is warmed up with
    return seconds
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("models")
    (folder / "slow.py").write_text(SLOW)
    sources = [
        LINEAR,
        source(LINEAR_FILE, "linear", "2"),
        source(folder / "slow.py", attribute="slow"),
        written(folder, "sums", sums()),
        written(folder, "flowers", flowers()),
        *(written(folder, t.value.lower(), identity(t, [None, None])) for t in DType),
    ]
    with serving(sources) as server:
        yield server


LINEAR_FILE = Path(LINEAR.path)


@pytest.fixture(params=["gevent", "asyncio"])
def client(request: pytest.FixtureRequest, server: Served) -> Iterator[Any]:
    """Both clients in turn, the asynchronous one behind the face of the other."""
    address = f"127.0.0.1:{server.port}"
    if request.param == "gevent":
        with triton.InferenceServerClient(address) as client:
            yield client
    else:
        with asyncio.Runner() as runner:
            client = runner.run(_made(lambda: aio.InferenceServerClient(address)))
            yield _Awaited(client, runner)
            runner.run(client.close())


async def _made(make: Callable[[], Any]) -> Any:
    return make()


class _Awaited:
    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **named: Any) -> Any:
            answer = method(*args, **named)
            return self._runner.run(answer) if isinstance(answer, Awaitable) else answer

        return call


def given(name: str, array: Arrays, *, binary: bool = True) -> Any:
    item = triton.InferInput(name, list(array.shape), utils.np_to_triton_dtype(array.dtype))
    item.set_data_from_numpy(array, binary_data=binary)
    return item


def wanted(name: str, *, binary: bool = True, classes: int = 0) -> Any:
    return triton.InferRequestedOutput(name, binary_data=binary, class_count=classes)


ROW = np.array([[1.0, 2.0, 3.0]])


# -- the server and its models


def test_the_server_is_live_and_ready(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()


def test_models_are_ready_by_name_and_version(client: Any) -> None:
    assert client.is_model_ready("linear")
    assert client.is_model_ready("linear", "1")
    assert not client.is_model_ready("linear", "9")
    assert not client.is_model_ready("nix")


def test_the_server_s_metadata(client: Any) -> None:
    metadata = client.get_server_metadata()
    assert metadata["name"] == "modelport"
    assert metadata["version"] == "1.2.3"
    assert "binary_tensor_data" in metadata["extensions"]


def test_a_model_s_metadata(client: Any) -> None:
    metadata = client.get_model_metadata("linear")
    assert metadata["name"] == "linear"
    assert metadata["versions"] == ["1", "2"]
    assert metadata["platform"].startswith("ONNX Runtime")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1, 3]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP64", "shape": [-1]}]
    assert client.get_model_metadata("linear", "1") == metadata


def test_a_model_s_configuration(client: Any) -> None:
    config = client.get_model_config("bytes", "1")
    assert config["name"] == "bytes"
    # The shapes of a row: the client adds the batch's dimension where there is a largest batch.
    assert config["max_batch_size"] == 1024
    assert config["input"] == [{"name": "x", "data_type": "TYPE_STRING", "dims": [-1]}]
    assert client.get_model_config("linear")["input"][0]["data_type"] == "TYPE_FP64"
    alone = client.get_model_config("slow")
    assert alone["max_batch_size"] == 0
    assert alone["input"][0]["dims"] == [-1, 1]


def test_statistics_count_what_was_inferred(client: Any) -> None:
    def successes() -> int:
        (stats,) = client.get_inference_statistics("sums")["model_stats"]
        return int(stats["inference_stats"]["success"]["count"])

    before = successes()
    two = np.ones((2, 2), np.float32)
    client.infer("sums", [given("a", two), given("b", two)])
    with pytest.raises(utils.InferenceServerException):
        client.infer("sums", [given("a", two)])
    assert successes() == before + 1
    every = client.get_inference_statistics()["model_stats"]
    assert {item["name"] for item in every} >= {"linear", "sums", "fp16"}
    (one,) = client.get_inference_statistics("sums", "1")["model_stats"]
    assert one["inference_stats"]["fail"]["count"] >= 1


# -- inference


# The client itself sends FP16 as binary data only.
SENT = [(t, binary) for t in DType for binary in (True, False) if binary or t is not DType.FP16]


@pytest.mark.parametrize("binary_out", [True, False], ids=["binary-out", "json-out"])
@pytest.mark.parametrize(
    ("dtype", "binary_in"),
    SENT,
    ids=[f"{t.value}-{'binary' if binary else 'json'}-in" for t, binary in SENT],
)
def test_every_type_comes_back_as_it_was_sent(
    client: Any, dtype: DType, binary_in: bool, binary_out: bool
) -> None:
    values = VALUES[dtype]
    if dtype is DType.BYTES:
        sent = np.array([[text.encode() for text in values]] * 2, dtype=np.object_)
    else:
        sent = np.array([values] * 2, dtype=dtype.numpy)
    result = client.infer(
        dtype.value.lower(),
        [given("x", sent, binary=binary_in)],
        outputs=[wanted("y", binary=binary_out)],
    )
    got = result.as_numpy("y")
    assert got.shape == sent.shape
    if dtype is DType.BYTES:
        assert [_words(value) for value in got.flat] == values * 2
    else:
        assert got.dtype == sent.dtype
        assert got.tobytes() == sent.tobytes()


def test_all_outputs_are_binary_where_none_is_asked_for(client: Any) -> None:
    a, b = np.float32([[1, 2]]), np.float32([[3, 5]])
    result = client.infer("sums", [given("a", a), given("b", b)])
    assert result.as_numpy("sum").tolist() == [[4, 7]]
    assert result.as_numpy("difference").tolist() == [[-2, -3]]
    outputs = result.get_response()["outputs"]
    assert all("binary_data_size" in output["parameters"] for output in outputs)


def test_asked_for_outputs_come_in_the_order_and_form_asked_for(client: Any) -> None:
    a, b = np.float32([[1, 2]]), np.float32([[3, 5]])
    result = client.infer(
        "sums",
        [given("b", b, binary=False), given("a", a)],
        outputs=[wanted("difference", binary=False), wanted("sum")],
    )
    first, second = result.get_response()["outputs"]
    assert (first["name"], first["data"]) == ("difference", [-2, -3])
    assert (second["name"], second["parameters"]) == ("sum", {"binary_data_size": 8})
    assert result.as_numpy("sum").tolist() == [[4, 7]]
    only = client.infer("sums", [given("a", a), given("b", b)], outputs=[wanted("sum")])
    assert only.as_numpy("difference") is None


def test_a_version_is_chosen_by_its_number_and_else_the_latest(client: Any) -> None:
    for asked, served in (("1", "1"), ("2", "2"), ("", "2")):
        response = client.infer("linear", [given("x", ROW)], model_version=asked).get_response()
        assert response["model_version"] == served
        assert response["model_name"] == "linear"


def test_the_request_id_comes_back(client: Any) -> None:
    assert client.infer("linear", [given("x", ROW)], request_id="me").get_response()["id"] == "me"
    assert "id" not in client.infer("linear", [given("x", ROW)]).get_response()


def test_parameters_of_other_servers_do_no_harm(client: Any) -> None:
    result = client.infer(
        "linear",
        [given("x", ROW)],
        sequence_id=7,
        sequence_start=True,
        sequence_end=True,
        priority=1,
        timeout=10_000_000,
        headers={"X-Own": "1"},
        query_params={"a": ["b", "c"]},
        parameters={"own": "value", "number": 1.5, "flag": True},
    )
    assert result.as_numpy("y").tolist() == [1.8]


@pytest.mark.parametrize("binary", [True, False])
def test_classes_come_with_score_index_and_name(client: Any, binary: bool) -> None:
    rows = np.float32([[0, 1, 2, 0], [5, 0, 1, 0]])
    outputs = [wanted("scores", binary=binary, classes=2)]
    result = client.infer("flowers", [given("x", rows)], outputs=outputs)
    got = [[_words(value) for value in row] for row in result.as_numpy("scores")]
    assert [[text.split(":")[1:] for text in row] for row in got] == [
        [["2", "virginica"], ["1", "versicolor"]],
        [["0", "setosa"], ["2", "virginica"]],
    ]
    assert float(got[0][0].split(":")[0]) == pytest.approx(0.665241, abs=1e-6)


def _words(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("answer", [None, "gzip", "deflate"])
@pytest.mark.parametrize("request_", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_bodies_may_be_packed_both_ways(
    client: Any, request_: str | None, answer: str | None, binary: bool
) -> None:
    rows = np.linspace(0, 1, 3000).reshape(1000, 3)
    result = client.infer(
        "linear",
        [given("x", rows, binary=binary)],
        outputs=[wanted("y", binary=binary)],
        request_compression_algorithm=request_,
        response_compression_algorithm=answer,
    )
    np.testing.assert_allclose(result.as_numpy("y"), 0.4 + rows @ [0.1, 0.2, 0.3], rtol=1e-14)


def test_bodies_made_and_read_without_a_connection(server: Served) -> None:
    for binary in (True, False):
        body, length = triton.InferenceServerClient.generate_request_body(
            [given("x", ROW, binary=binary)], outputs=[wanted("y", binary=binary)]
        )
        headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}
        answer = server.ask("POST", "/v2/models/linear/infer", body, headers)
        size = answer.headers.get("inference-header-content-length")
        result = triton.InferenceServerClient.parse_response_body(
            answer.body, header_length=None if size is None else int(size)
        )
        assert result.as_numpy("y").tolist() == [1.8]


def test_requests_in_the_air_at_once(server: Served) -> None:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=8) as client:
        asked = [
            client.async_infer("linear", [given("x", ROW * n)], request_id=str(n))
            for n in range(1, 50)
        ]
        for n, one in enumerate(asked, start=1):
            result = one.get_result(timeout=10)
            assert result.get_response()["id"] == str(n)
            assert result.as_numpy("y")[0] == pytest.approx(0.4 + 1.4 * n, rel=1e-14)


# -- errors


@pytest.mark.parametrize(
    ("model", "version", "array", "status", "words"),
    [
        ("nix", "", ROW, "404", "no model 'nix'"),
        ("linear", "9", ROW, "404", "no version '9'"),
        ("linear", "", ROW.astype(np.float32), "400", "takes FP64"),
        ("linear", "", ROW[:, :2], "400", "takes the shape [?, 3]"),
    ],
)
def test_errors_arrive_with_message_and_status(
    client: Any, model: str, version: str, array: Arrays, status: str, words: str
) -> None:
    array = np.ascontiguousarray(array)
    with pytest.raises(utils.InferenceServerException) as caught:
        client.infer(model, [given("x", array)], model_version=version)
    assert caught.value.status() == status
    assert words in caught.value.message()


def test_metadata_of_an_unknown_model_is_an_error_too(client: Any) -> None:
    for ask in (client.get_model_metadata, client.get_model_config):
        with pytest.raises(utils.InferenceServerException, match="no model 'nix'"):
            ask("nix")


def test_a_timeout_in_microseconds_is_a_deadline(client: Any) -> None:
    inputs = [given("seconds", np.array([[5.0]]))]
    with pytest.raises(utils.InferenceServerException, match="deadline") as caught:
        client.infer("slow", inputs, timeout=50_000)
    assert caught.value.status() == "504"


# -- to the last bit


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_every_way_agrees_to_the_last_bit_on_a_thousand_random_rows(
    server: Served, kind: type[np.floating[Any]]
) -> None:
    bits = np.random.default_rng(7).bytes(1000 * 3 * kind().itemsize)
    rows = np.frombuffer(bits, kind).reshape(1000, 3)
    rows = np.ascontiguousarray(np.where(np.isfinite(rows), rows, kind(1.1)))
    name = "fp32" if kind is np.float32 else "fp64"
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        for sent in (True, False):
            for asked in (True, False):
                inputs = [given("x", rows, binary=sent)]
                result = client.infer(name, inputs, outputs=[wanted("y", binary=asked)])
                assert result.as_numpy("y").tobytes() == rows.tobytes()

    # What curl would send: the shortest text that means the number.
    texts = [[float(str(value)) for value in row] for row in rows]
    plain = server.post(f"/models/{name}/predict", json.dumps({"x": texts}))
    assert np.array(plain.json["prediction"], kind).tobytes() == rows.tobytes()
    item = {"name": "x", "datatype": name.upper(), "shape": [1000, 3], "data": texts}
    oip = server.post(f"/v2/models/{name}/infer", json.dumps({"inputs": [item]}))
    assert np.array(oip.json["outputs"][0]["data"], kind).tobytes() == rows.tobytes()


def test_a_model_s_own_arithmetic_agrees_to_the_last_bit(server: Served) -> None:
    rows = np.random.default_rng(8).standard_normal((1000, 3)) * 1e3
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        binary = client.infer("linear", [given("x", rows)]).as_numpy("y")
    plain = server.post("/models/linear/predict", json.dumps({"x": rows.tolist()}))
    assert np.array(plain.json["prediction"]).tobytes() == binary.tobytes()
    item = {"name": "x", "datatype": "FP64", "shape": [1000, 3], "data": rows.tolist()}
    oip = server.post("/v2/models/linear/infer", json.dumps({"inputs": [item]}))
    assert np.array(oip.json["outputs"][0]["data"]).tobytes() == binary.tobytes()
    for row, expected in zip(rows[:50], binary[:50], strict=True):
        one = server.post("/models/linear/predict", json.dumps({"x": row.tolist()}))
        assert one.json["prediction"] == expected
