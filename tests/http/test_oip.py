"""The Open Inference Protocol over REST, where its clients do not lead: bytes and corners."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from modelport.core.errors import ModelFailed
from modelport.core.tensors import DType, bytes_tensor, to_raw
from modelport.http.oip_data import encode_data
from modelport.http.wire import Head
from tests.http.models import flowers, graph, identity, logarithm, sums, written
from tests.http.serving import LINEAR, Answer, Served, serving, source

WIDE = 50_000
"""The length of a row that is large in every form."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("models")
    scalar = graph(
        [("ReduceSum", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["rows", 2])],
        [("y", TensorProto.FLOAT, [1, 1])],
    )
    sources = [
        LINEAR,
        written(folder, "flowers", flowers()),
        written(folder, "log", logarithm()),
        written(folder, "sums", sums()),
        written(folder, "scalar", scalar),
        written(folder, "wide", identity(DType.FP32, ["rows", WIDE])),
        written(folder, "words", identity(DType.BYTES, ["rows", WIDE])),
        *(written(folder, t.value.lower(), identity(t, ["rows", 2])) for t in DType),
    ]
    with serving(sources) as server:
        yield server


def infer(server: Served, model: str, request: Any, **headers: str) -> Answer:
    return server.post(f"/v2/models/{model}/infer", json.dumps(request), **headers)


def tensor(
    data: Any, datatype: str = "FP64", shape: tuple[int, ...] = (1, 3), name: str = "x"
) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape), "data": data}


def outputs(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return {output["name"]: output for output in answer.json["outputs"]}


@pytest.mark.parametrize("microseconds", [0, 10**7, 10**30, 10**400])
def test_a_long_time_or_none_is_the_server_s_own(server: Served, microseconds: int) -> None:
    request = {"inputs": [tensor([1, 2, 3])], "parameters": {"timeout": microseconds}}
    assert outputs(infer(server, "linear", request))["y"]["data"] == [1.8]


def test_a_short_time_is_a_deadline(server: Served) -> None:
    request = {"inputs": [tensor([1] * 30000, shape=(10000, 3))], "parameters": {"timeout": 1}}
    assert infer(server, "linear", request).status == 504


@pytest.mark.parametrize(
    ("model", "is_binary", "is_long"),
    [("wide", True, False), ("wide", False, True), ("words", True, True)],
)
def test_a_large_body_is_decoded_in_a_thread_unless_it_is_numbers_in_binary(
    server: Served, model: str, is_binary: bool, is_long: bool
) -> None:
    row = bytes_tensor([b"a"] * WIDE, (1, WIDE)) if model == "words" else np.ones((1, WIDE), "<f4")
    item: dict[str, Any] = {"name": "x", "datatype": DType.of(row.dtype).value, "shape": [1, WIDE]}
    raw = to_raw(row) if is_binary else b""
    item |= {"parameters": {"binary_data_size": len(raw)}} if raw else {"data": [1.0] * WIDE}
    asked = {"binary_data_output": True}
    text = json.dumps({"inputs": [item], "parameters": asked}).encode()
    length = ((b"inference-header-content-length", b"%d" % len(text)),) if is_binary else ()
    route = next(r for r in server.routes if r.path == "/v2/models/{name}/infer")
    assert route.prepare is not None
    handler = route.prepare(Head(b"POST", b"", length), {"name": model})

    async def is_answered_later() -> bool:
        answer = handler(text + raw)
        if isinstance(answer, tuple):
            return False
        await answer
        return True

    assert asyncio.run(is_answered_later()) is is_long


@pytest.mark.parametrize("is_binary", [True, False])
def test_the_owner_s_ranges_hold_in_every_protocol(tmp_path: Path, is_binary: bool) -> None:
    limited = written(tmp_path, "limited", identity(DType.FP64, ["rows", 3]))
    Path(limited.toml).write_text("[inputs.x]\nminimum = 0\nmaximum = 10")
    with serving([limited]) as server:
        for value, status in ((10.0, 200), (10.5, 400)):
            row = np.array([[1.0, 2.0, value]])
            size = {"parameters": {"binary_data_size": row.nbytes}}
            item = tensor(row.ravel().tolist())
            if is_binary:
                item = {k: v for k, v in item.items() if k != "data"} | size
            text = json.dumps({"inputs": [item]}).encode()
            headers = {"Inference-Header-Content-Length": str(len(text))} if is_binary else {}
            body = text + row.tobytes() if is_binary else text
            answer = server.ask("POST", "/v2/models/limited/infer", body, headers)
            assert answer.status == status
            if status == 400:
                assert answer.json["error"] == "'x' lies between 0 and 10, and 10.5 came"


def test_a_model_with_the_name_of_the_statistics_has_its_metadata(tmp_path: Path) -> None:
    named = written(tmp_path, "stats", identity(DType.FP64, ["rows", 3]))
    with serving([named, LINEAR]) as server:
        assert server.get("/v2/models/stats").json["name"] == "stats"
        (own,) = server.get("/v2/models/stats/stats").json["model_stats"]
        assert own["name"] == "stats"
    with serving([LINEAR]) as server:
        (only,) = server.get("/v2/models/stats").json["model_stats"]
        assert only["name"] == "linear"


def test_the_smallest_request(server: Served) -> None:
    answer = infer(server, "linear", {"inputs": [tensor([1, 2, 3])]})
    assert answer.json == {
        "model_name": "linear",
        "model_version": "1",
        "outputs": [{"name": "y", "datatype": "FP64", "shape": [1], "data": [1.8]}],
    }
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-model-version"] == "1"


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ([1, 2, 3, 4, 5, 6], (2, 3)),
        ([[1, 2, 3], [4, 5, 6]], (2, 3)),
        ([[1.0, 2.0, 3.0], [4, 5, 6]], (2, 3)),
    ],
)
def test_data_is_flat_or_nested(server: Served, data: Any, shape: tuple[int, ...]) -> None:
    answer = infer(server, "linear", {"inputs": [tensor(data, shape=shape)]})
    assert outputs(answer)["y"]["data"] == pytest.approx([1.8, 3.6])


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (DType.UINT64, [0, 2**64 - 1]),
        (DType.INT64, [-(2**63), 2**63 - 1]),
        (DType.INT8, [-128, 127]),
        (DType.BOOL, [True, False]),
        (DType.BYTES, ["", "naïve 🐍 \u0000 \\"]),
        (DType.FP64, [0.1, -1.7976931348623157e308]),
        (DType.FP64, [5e-324, 2**53 + 1]),
        (DType.FP32, [1.8, 16777217]),
        (DType.FP16, [65504, 0.1]),
    ],
)
def test_json_carries_every_type(server: Served, dtype: DType, values: list[Any]) -> None:
    for data in (values, [values]):
        item = tensor(data, dtype.value, (1, 2))
        output = outputs(infer(server, dtype.value.lower(), {"inputs": [item]}))["y"]
        assert output["datatype"] == dtype.value
        assert output["shape"] == [1, 2]
        if dtype.is_float:
            got = np.array(output["data"], dtype.numpy)
            assert got.tobytes() == np.array(values, dtype.numpy).tobytes()
        else:
            assert output["data"] == values


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (DType.UINT64, [0, 2**64]),
        (DType.UINT64, [0, -1]),
        (DType.INT64, [0, 2**63]),
        (DType.INT8, [0, 128]),
        (DType.UINT8, [0, -1]),
        (DType.BOOL, [0, 1]),
        (DType.INT32, [0, 1.0]),
        (DType.FP16, [0, 65520]),
        (DType.FP32, [0, 3.5e38]),
        (DType.BYTES, [None, "a"]),
    ],
)
def test_what_a_type_cannot_hold_is_refused(
    server: Served, dtype: DType, values: list[Any]
) -> None:
    for data in (values, [values]):
        item = tensor(data, dtype.value, (1, 2))
        answer = infer(server, dtype.value.lower(), {"inputs": [item]})
        assert answer.status == 400
        assert answer.json["code"] == "INVALID_INPUT"
        assert "'x'" in answer.json["error"]


def test_unknown_fields_and_parameters_are_extensions(server: Served) -> None:
    item = tensor([1, 2, 3]) | {"parameters": {"own": 1}, "extra": {}}
    request = {"inputs": [item], "parameters": {"own": "x"}, "extra": [1], "id": "é"}
    answer = infer(server, "linear", request)
    assert answer.json["id"] == "é"
    assert outputs(answer)["y"]["data"] == [1.8]


def test_only_the_outputs_asked_for_come_in_their_order(server: Served) -> None:
    pair = [tensor([1, 2], "FP32", (1, 2), name) for name in ("a", "b")]
    asked = [{"name": "difference"}, {"name": "sum", "parameters": {"binary_data": False}}]
    answer = infer(server, "sums", {"inputs": pair, "outputs": asked})
    assert list(outputs(answer)) == ["difference", "sum"]
    one = infer(server, "sums", {"inputs": pair, "outputs": asked[:1]})
    assert list(outputs(one)) == ["difference"]
    every = infer(server, "sums", {"inputs": pair, "outputs": []})
    assert list(outputs(every)) == ["sum", "difference"]


@pytest.mark.parametrize("padding", range(9))
def test_binary_numbers_are_read_wherever_they_start(server: Served, padding: int) -> None:
    # The JSON before them has any length, so that they lie across the machine's words.
    rows = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    item = tensor(None, shape=(2, 3)) | {"parameters": {"binary_data_size": rows.nbytes}}
    del item["data"]
    text = json.dumps({"inputs": [item], "id": "x" * padding}).encode()
    answer = server.ask(
        "POST",
        "/v2/models/linear/infer",
        text + rows.tobytes(),
        {"Inference-Header-Content-Length": str(len(text))},
    )
    assert outputs(answer)["y"]["data"] == pytest.approx([1.8, 3.6])


def test_binary_and_json_inputs_may_be_mixed(server: Served) -> None:
    a = np.float32([[1, 2]])
    items = [
        {"name": "a", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
        tensor([10, 20], "FP32", (1, 2), "b"),
    ]
    wanted = [{"name": "sum", "parameters": {"binary_data": True}}, {"name": "difference"}]
    text = json.dumps({"inputs": items, "outputs": wanted}).encode()
    headers = {
        "Inference-Header-Content-Length": str(len(text)),
        "Content-Type": "application/octet-stream",
    }
    answer = server.ask("POST", "/v2/models/sums/infer", text + a.tobytes(), headers)
    size = int(answer.headers["inference-header-content-length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    first, second = json.loads(answer.body[:size])["outputs"]
    assert first["parameters"] == {"binary_data_size": 8}
    assert "data" not in first
    assert second["data"] == [-9, -18]
    assert np.frombuffer(answer.body[size:], "<f4").tolist() == [11, 22]


def test_binary_output_may_be_the_default_and_one_of_them_not(server: Served) -> None:
    pair = [tensor([1, 2], "FP32", (1, 2), name) for name in ("a", "b")]
    request = {
        "inputs": pair,
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "sum"}, {"name": "difference", "parameters": {"binary_data": False}}],
    }
    answer = infer(server, "sums", request)
    size = int(answer.headers["inference-header-content-length"])
    first, second = json.loads(answer.body[:size])["outputs"]
    assert first["parameters"] == {"binary_data_size": 8}
    assert second["data"] == [0, 0]
    assert len(answer.body) == size + 8


def test_bytes_that_are_no_text_go_through_as_binary(server: Served) -> None:
    # ONNX's strings are text, so the model takes none; what is sent is refused, not garbled.
    raw = b"\x02\0\0\0\xff\xfe" * 2
    item = {"name": "x", "datatype": "BYTES", "shape": [1, 2]}
    item["parameters"] = {"binary_data_size": len(raw)}
    text = json.dumps({"inputs": [item]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    answer = server.ask("POST", "/v2/models/bytes/infer", text + raw, headers)
    assert answer.status == 400


def test_output_bytes_that_are_no_text_are_an_error_in_json() -> None:
    with pytest.raises(ModelFailed, match="binary data"):
        encode_data("y", bytes_tensor([b"\xff"], (1,)))


def test_nan_is_an_error_in_json_and_bits_in_binary(server: Served) -> None:
    item = tensor([1, 0, -1], "FP32", (3, 1))
    answer = infer(server, "log", {"inputs": [item]})
    assert answer.status == 500
    assert "NaN" in answer.json["error"]
    assert "binary" in answer.json["error"]
    request = {"inputs": [item], "parameters": {"binary_data_output": True}}
    answer = infer(server, "log", request)
    size = int(answer.headers["inference-header-content-length"])
    got = np.frombuffer(answer.body[size:], "<f4")
    assert got[0] == 0
    assert np.isneginf(got[1])
    assert np.isnan(got[2])


@pytest.mark.parametrize(
    ("count", "places"), [(1, ["2"]), (2, ["2", "1"]), (3, ["2", "1", "0"]), (99, ["2", "1", "0"])]
)
def test_classification_gives_the_best_first(server: Served, count: int, places: list[str]) -> None:
    item = tensor([0, 1, 2, 0], "FP32", (1, 4))
    asked = [{"name": "scores", "parameters": {"classification": count}}]
    output = outputs(infer(server, "flowers", {"inputs": [item], "outputs": asked}))["scores"]
    assert output["datatype"] == "BYTES"
    assert output["shape"] == [1, len(places)]
    assert [text.split(":")[1] for text in output["data"]] == places
    assert output["data"][0].endswith(":2:virginica")


@pytest.mark.parametrize("dtype", [DType.UINT8, DType.BOOL, DType.FP16, DType.INT64])
def test_classification_orders_every_kind_of_number(server: Served, dtype: DType) -> None:
    item = tensor([False, True] if dtype is DType.BOOL else [0, 1], dtype.value, (1, 2))
    asked = [{"name": "y", "parameters": {"classification": 2}}]
    answer = infer(server, dtype.value.lower(), {"inputs": [item], "outputs": asked})
    assert outputs(answer)["y"]["data"] == ["1.000000:1", "0.000000:0"]


def test_text_cannot_be_classified(server: Served) -> None:
    item = tensor(["a", "b"], "BYTES", (1, 2))
    asked = [{"name": "y", "parameters": {"classification": 1}}]
    answer = infer(server, "bytes", {"inputs": [item], "outputs": asked})
    assert answer.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_answer_is_what_it_says(server: Served, encoding: str) -> None:
    request = {"inputs": [tensor([1, 2, 3])]}
    answer = infer(server, "linear", request, Accept_Encoding=encoding)
    assert answer.headers["content-encoding"] == encoding
    unpack = gzip.decompress if encoding == "gzip" else zlib.decompress
    assert json.loads(unpack(answer.body))["outputs"][0]["data"] == [1.8]
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("accepted", ["gzip, deflate", "br", "identity", ""])
def test_an_answer_is_not_packed_where_nobody_insists(server: Served, accepted: str) -> None:
    answer = infer(server, "linear", {"inputs": [tensor([1, 2, 3])]}, Accept_Encoding=accepted)
    assert "content-encoding" not in answer.headers
    assert outputs(answer)["y"]["data"] == [1.8]


def test_raw_deflate_is_unpacked_too(server: Served) -> None:
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = json.dumps({"inputs": [tensor([1, 2, 3])]}).encode()
    packed = machine.compress(body) + machine.flush()
    answer = server.post("/v2/models/linear/infer", packed, Content_Encoding="deflate")
    assert outputs(answer)["y"]["data"] == [1.8]


def test_an_output_without_rows_is_written(server: Served) -> None:
    answer = infer(server, "scalar", {"inputs": [tensor([1, 2], "FP32", (1, 2))]})
    assert outputs(answer)["y"]["data"] == [3]


def test_requests_are_counted_apart_from_plain_ones(server: Served) -> None:
    counted = server.metrics_of("fp32", "oip")
    before = dict(counted.errors), counted.requests
    infer(server, "fp32", {"inputs": [tensor([1, 2, 3, 4], "FP32", (2, 2))]})
    infer(server, "fp32", {"inputs": []})
    infer(server, "fp32", {"inputs": [tensor([1, 2], "FP32", (1, 2))]}, Content_Type="text/xml")
    assert counted.requests == before[1] + 3
    assert counted.errors.get("INVALID_INPUT", 0) == before[0].get("INVALID_INPUT", 0) + 1
    assert counted.errors.get("UNSUPPORTED_MEDIA", 0) == before[0].get("UNSUPPORTED_MEDIA", 0) + 1
    assert server.metrics_of("fp32", "plain").requests == 0


SAYING = """
def say(x: float, parameters: dict) -> str:
    return str(sorted(parameters.items()))
"""


@pytest.fixture(scope="module")
def saying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("saying")
    (folder / "say.py").write_text(SAYING)
    with serving([LINEAR, source(folder / "say.py", attribute="say")]) as server:
        yield server


def test_parameters_of_a_request_reach_a_model_that_takes_some(saying: Served) -> None:
    own = {"top": 2**64 - 1, "loud": True, "tone": "warm", "heat": 0.5}
    of_the_protocol = {"timeout": 10**6, "priority": 2, "sequence_id": 7, "sequence_start": True}
    request = {"inputs": [tensor([1], shape=(1, 1))], "parameters": {**own, **of_the_protocol}}
    (said,) = outputs(infer(saying, "say", request))["output"]["data"]
    assert said == str(sorted(own.items()))
    request = {"inputs": [tensor([1], shape=(1, 1))]}
    assert outputs(infer(saying, "say", request))["output"]["data"] == ["[]"]
    assert saying.post("/models/say/predict", '{"x": 1}').json == {"prediction": "[]"}


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, 2**64, 10**400])
def test_a_parameter_that_is_no_single_value_is_refused_where_a_model_would_see_it(
    saying: Served, value: object
) -> None:
    request = {"inputs": [tensor([1], shape=(1, 1))], "parameters": {"top": value}}
    answer = infer(saying, "say", request)
    assert answer.status == 400
    assert (
        "the parameter 'top' is a text, a number of 64 bits, true or false" in answer.json["error"]
    )
    request = {"inputs": [tensor([1, 2, 3])], "parameters": {"top": value}}
    assert outputs(infer(saying, "linear", request))["y"]["data"] == [1.8]


MASKED = """
[inputs.a]
pad = 0
[inputs.b]
mask_of = "a"
"""


def test_a_mask_need_not_be_sent(tmp_path: Path) -> None:
    (tmp_path / "masked.toml").write_text(MASKED)
    free: list[int | str | None] = ["rows", "length"]
    kind = TensorProto.FLOAT
    model = graph(
        [("Add", ["a", "b"], ["y"])], [(n, kind, free) for n in "ab"], [("y", kind, free)]
    )
    with serving([written(tmp_path, "masked", model)]) as server:
        a = tensor([1, 2, 3], "FP32", name="a")
        b = tensor([0, 0, 5], "FP32", name="b")
        assert outputs(infer(server, "masked", {"inputs": [a]}))["y"]["data"] == [2, 3, 4]
        assert outputs(infer(server, "masked", {"inputs": [a, b]}))["y"]["data"] == [1, 2, 8]
        assert "input 'a' is missing" in infer(server, "masked", {"inputs": [b]}).json["error"]
        assert server.post("/predict", '{"a": [1, 2, 3]}').json == {"prediction": [2, 3, 4]}
        assert server.post("/predict", "[[1, 2], [3, 4]]").json == {"prediction": [[2, 3], [4, 5]]}
        both = server.post("/predict", '{"a": [1, 2], "b": [7, 7]}')
        assert both.json == {"prediction": [8, 9]}
        row = server.get("/openapi.json").json["components"]["schemas"]["masked.Row"]
        assert list(row["properties"]) == ["a"]
        config = server.get("/v2/models/masked/config").json
        assert [(i["name"], i.get("optional", False)) for i in config["input"]] == [
            ("a", False),
            ("b", True),
        ]
