"""How servers are asked, and how their answers are read and checked."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import pytest

from benchmarks.calls import Answer, Call
from benchmarks.dialects import DIALECTS
from benchmarks.errors import WrongAnswer
from benchmarks.workloads import Workload, check

_ROW = b'{"x":[1,2,3]}'
_TOKENS = json.dumps({"input_ids": [101] * 32, "attention_mask": [1] * 32}).encode()


def _workload(name: str, *expected: float) -> Workload:
    return Workload(name, Path("repository"), Path("body"), expected)


def _call(dialect: str, workload: str = "linear", body: bytes = _ROW) -> Call:
    return DIALECTS[dialect](workload, body)


def _read(dialect: str, workload: str, answer: object) -> list[float]:
    call = _call(dialect, workload, _TOKENS if workload == "transformer" else _ROW)
    return call.read(Answer(200, {}, json.dumps(answer).encode()))


def test_a_prediction_is_read_with_its_probabilities() -> None:
    content = {"prediction": 1, "probabilities": {"0": 0.25, "1": 0.75}}
    assert _read("body", "tabular", content) == [1.0, 0.25, 0.75]


def test_a_prediction_may_be_an_embedding() -> None:
    assert _read("modelport", "transformer", {"prediction": [0.5, -0.5]}) == [0.5, -0.5]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"prediction": null}'])
def test_json_that_is_no_prediction_is_a_wrong_answer(body: bytes) -> None:
    with pytest.raises(WrongAnswer, match="not a prediction"):
        _call("body").read(Answer(200, {}, body))


def test_raw_floats_are_read() -> None:
    call = _call("body", "image", b"")
    assert call.read(Answer(200, {}, struct.pack("<2f", 1, 2))) == [1, 2]
    with pytest.raises(WrongAnswer, match="float32"):
        call.read(Answer(200, {}, b"12345"))


def test_the_open_inference_protocol_names_each_tensor_with_its_shape() -> None:
    content = json.loads(_call("oip", "transformer", _TOKENS).body)
    assert [(t["name"], t["datatype"], t["shape"]) for t in content["inputs"]] == [
        ("input_ids", "INT64", [1, 32]),
        ("attention_mask", "INT64", [1, 32]),
    ]
    assert content["inputs"][0]["data"] == [101] * 32


def test_tensors_are_read_in_the_order_of_the_model_not_of_the_answer() -> None:
    outputs = [{"name": "probabilities", "data": [0.25, 0.75]}, {"name": "label", "data": [1]}]
    call = DIALECTS["oip"]("tabular", b'{"X":[0]}')
    assert call.read(Answer(200, {}, json.dumps({"outputs": outputs}).encode())) == [1, 0.25, 0.75]


def test_an_answer_without_one_of_the_tensors_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="not the tensors of linear"):
        _read("oip", "linear", {"outputs": [{"name": "z", "data": [1]}]})


@pytest.mark.parametrize("dialect", ["oip", "modelport"])
def test_a_binary_inference_says_how_long_its_header_is(dialect: str) -> None:
    call = _call(dialect, "image", b"1234")
    length = int(call.headers["Inference-Header-Content-Length"])
    assert call.body[length:] == b"1234"
    assert b'"binary_data_size":4' in call.body[:length]


def test_the_floats_of_a_binary_answer_follow_its_header() -> None:
    headers = {"inference-header-content-length": "2"}
    answer = Answer(200, headers, b"{}" + struct.pack("<f", 0.5))
    assert _call("oip", "image", b"").read(answer) == [0.5]


def test_a_binary_answer_without_a_header_length_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="Inference-Header-Content-Length"):
        _call("oip", "image", b"").read(Answer(200, {}, b"{}"))


def test_servers_that_read_json_alone_get_the_picture_as_base64() -> None:
    picture = base64.b64encode(b"1234").decode()
    assert json.loads(_call("base64", "image", b"1234").body) == {"image": picture}
    assert json.loads(_call("rows", "image", b"1234").body) == {"rows": [picture]}
    [tensor] = json.loads(_call("oip-json", "image", b"1234").body)["inputs"]
    assert tensor["data"] == [picture]
    assert tensor["datatype"] == "BYTES"


def test_rows_hold_the_tensors_of_a_row_and_are_read_flat() -> None:
    assert json.loads(_call("rows").body) == {"rows": [[1, 2, 3]]}
    [row] = json.loads(_call("rows", "transformer", _TOKENS).body)["rows"]
    assert row == [[101] * 32, [1] * 32]
    assert _read("rows", "linear", [[1.0, 0.25]]) == [1.0, 0.25]
    with pytest.raises(WrongAnswer, match="not rows"):
        _read("rows", "linear", {"error": "no"})


def test_linear_must_be_exact() -> None:
    check(_workload("linear", 1.8), [1.8], "ours")
    with pytest.raises(WrongAnswer, match="ours answered"):
        check(_workload("linear", 1.8), [1.7999999523], "ours")


@pytest.mark.parametrize(("name", "off"), [("image", 1e-4), ("transformer", 1e-5)])
def test_sums_may_differ_by_rounding_and_not_in_length(name: str, off: float) -> None:
    check(_workload(name, 1.0, 0.2), [1.0, 0.2 + off], "ours")
    with pytest.raises(WrongAnswer, match="expected"):
        check(_workload(name, 1.0, 0.2), [1.0, 0.2 + 100 * off], "ours")
    with pytest.raises(WrongAnswer, match="expected"):
        check(_workload(name, 1.0, 0.2), [1.0], "ours")
