"""How answers are read and checked."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from benchmarks.calls import Answer, binary_inference, json_call, raw_call
from benchmarks.errors import WrongAnswer
from benchmarks.workloads import Workload, check


def _workload(name: str, *expected: float) -> Workload:
    return Workload(name, Path("repository"), Path("body"), expected)


def test_a_prediction_is_read_with_its_probabilities() -> None:
    call = json_call("/predict", b"{}")
    body = b'{"prediction": 1, "probabilities": {"0": 0.25, "1": 0.75}}'
    assert call.read(Answer(200, {}, body)) == [1.0, 0.25, 0.75]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"prediction": null}'])
def test_json_that_is_no_prediction_is_a_wrong_answer(body: bytes) -> None:
    with pytest.raises(WrongAnswer, match="not a prediction"):
        json_call("/predict", b"{}").read(Answer(200, {}, body))


def test_raw_floats_are_read() -> None:
    assert raw_call("/predict", b"").read(Answer(200, {}, struct.pack("<2f", 1, 2))) == [1, 2]


def test_a_binary_inference_says_how_long_its_header_is() -> None:
    call = binary_inference("/v2/models/image/infer", b"1234")
    length = int(call.headers["Inference-Header-Content-Length"])
    assert call.body[length:] == b"1234"
    assert b'"binary_data_size":4' in call.body[:length]


def test_the_floats_of_a_binary_answer_follow_its_header() -> None:
    call = binary_inference("/v2/models/image/infer", b"")
    headers = {"inference-header-content-length": "2"}
    assert call.read(Answer(200, headers, b"{}" + struct.pack("<f", 0.5))) == [0.5]


def test_a_binary_answer_without_a_header_length_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="Inference-Header-Content-Length"):
        binary_inference("/v2/models/image/infer", b"").read(Answer(200, {}, b"{}"))


def test_linear_must_be_exact() -> None:
    check(_workload("linear", 1.8), [1.8], "ours")
    with pytest.raises(WrongAnswer, match="ours answered"):
        check(_workload("linear", 1.8), [1.7999999523], "ours")


def test_image_may_differ_by_rounding_and_not_in_length() -> None:
    check(_workload("image", 1.0, 2.0), [1.0, 2.0001], "ours")
    with pytest.raises(WrongAnswer, match="expected"):
        check(_workload("image", 1.0, 2.0), [1.0], "ours")
