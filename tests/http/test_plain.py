"""Plain requests and answers over HTTP: JSON, CSV and npy, one row and many."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelport.core.settings import HttpLimits
from tests.http.models import flowers, logarithm, sums, written
from tests.http.serving import FAILS, LINEAR, Served, serving, source

PROGRAM = """
import asyncio

async def slow(seconds: float) -> float:
    if seconds < 0:
        raise {-2: asyncio.CancelledError, -3: KeyboardInterrupt, -4: SystemExit}[seconds]
    await asyncio.sleep(0 if seconds == 1 else seconds)  # 1 is what a model is warmed up with
    return seconds
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("models")
    (folder / "slow.py").write_text(PROGRAM)
    sources = [
        LINEAR,
        source(Path(LINEAR.path), "linear", "2"),
        FAILS,
        source(folder / "slow.py", attribute="slow"),
        written(folder, "flowers", flowers()),
        written(folder, "log", logarithm()),
        written(folder, "sums", sums()),
    ]
    with serving(sources, limits=HttpLimits(max_body_bytes=10**6)) as server:
        yield server


LINEAR_URL = "/models/linear/predict"
FLOWERS = "/models/flowers/predict"
FLOWER = {"a": 0, "b": 1, "c": 2, "d": 0}


# -- JSON


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ('{"x": [1, 2, 3]}', b'{"prediction":1.8}'),
        ('{"x": [[1, 2, 3]]}', b'{"prediction":[1.8]}'),
        ('{"x": [[1, 2, 3], [0, 0, 0]]}', b'{"prediction":[1.8,0.4]}'),
        ("[1, 2, 3]", b'{"prediction":1.8}'),
        ("[[1, 2, 3], [0, 0, 0]]", b'{"prediction":[1.8,0.4]}'),
        ('[{"x": [1, 2, 3]}, {"x": [0, 0, 0]}]', b'{"prediction":[1.8,0.4]}'),
        (' {"x":\t[1e0, 2.0, 3]}\n', b'{"prediction":1.8}'),
    ],
)
def test_one_row_gives_one_number_and_many_give_a_list(
    server: Served, body: str, answer: bytes
) -> None:
    got = server.post(LINEAR_URL, body)
    assert (got.status, got.body) == (200, answer)
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "single"),
    [
        (FLOWER, True),
        ({name: [value] for name, value in FLOWER.items()}, False),
        ([FLOWER], False),
        ({"x": list(FLOWER.values())}, True),
        ([list(FLOWER.values())], False),
    ],
)
def test_a_classifier_answers_with_its_label_and_probabilities(
    server: Served, body: object, single: bool
) -> None:
    answer = server.post(FLOWERS, json.dumps(body)).json
    assert set(answer) == {"prediction", "probabilities"}
    label, scores = answer["prediction"], answer["probabilities"]
    if not single:
        (label,), (scores,) = label, scores
    assert label == "virginica"
    assert list(scores) == ["setosa", "versicolor", "virginica"]
    assert sum(scores.values()) == pytest.approx(1, abs=1e-6)
    assert scores["virginica"] == pytest.approx(0.66524094, abs=1e-7)


def test_several_outputs_come_by_their_names(server: Served) -> None:
    answer = server.post("/models/sums/predict", '{"a": [1, 2], "b": [3, 5]}')
    assert answer.json == {"sum": [4, 7], "difference": [-2, -3]}


def test_a_number_that_json_has_not_is_null(server: Served) -> None:
    answer = server.post("/models/log/predict", '{"x": [1, 0, -1]}')
    assert answer.body == b'{"prediction":[0.0,null,null]}'
    assert server.post("/models/log/predict", '{"x": -1}').body == b'{"prediction":null}'


def test_float32_is_written_in_its_shortest_exact_form(server: Served) -> None:
    answer = server.post("/models/sums/predict", '{"a": [0.1, 1.8], "b": [0, 0]}')
    assert b'"sum":[0.1,1.8]' in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "Application/JSON; charset=utf-8"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Accept": "*/*"},
        {"Accept": "text/html, application/xhtml+xml, */*;q=0.8"},
        {"Accept": "application/*"},
        {"Accept": "application/json"},
        {"Accept": ""},
        {"Content-Encoding": "identity"},
    ],
)
def test_json_is_what_is_meant_where_nothing_else_is_said(
    server: Served, headers: dict[str, str]
) -> None:
    answer = server.ask("POST", LINEAR_URL, '{"x":[1,2,3]}', headers)
    assert answer.body == b'{"prediction":1.8}'


def test_curl_needs_no_content_type(server: Served) -> None:
    url = f"{server.url}{LINEAR_URL}"
    command = ["curl", "-sS", "-d", '{"x": [1,2,3]}', url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert done.stdout == b'{"prediction":1.8}'


def test_curl_that_offers_http_2_is_answered(server: Served) -> None:
    url = f"{server.url}{LINEAR_URL}"
    command = ["curl", "-sS", "--http2", "-d", '{"x": [1,2,3]}', url, url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert done.stdout == b'{"prediction":1.8}' * 2


def test_curl_that_waits_for_word_is_told_to_go_on(server: Served) -> None:
    rows = json.dumps({"x": [[1, 2, 3]] * 1000})
    command = ["curl", "-sS", "-H", "Expect: 100-continue", "--expect100-timeout", "10", "-d", "@-"]
    done = subprocess.run(
        [*command, f"{server.url}{LINEAR_URL}"],
        input=rows.encode(),
        capture_output=True,
        check=True,
        timeout=5,
    )
    assert json.loads(done.stdout) == {"prediction": [1.8] * 1000}


# -- CSV and npy


def test_a_csv_table_is_read_by_its_header(server: Served) -> None:
    answer = server.post(FLOWERS, "d,c,b,a\n0,2,1,0\n0,0,0,9\n", content_type="text/csv")
    assert answer.json["prediction"] == ["virginica", "setosa"]


def test_csv_rows_without_a_header_are_read_where_there_are_no_names(server: Served) -> None:
    answer = server.post(LINEAR_URL, "1,2,3\n0,0,0\n", content_type="text/csv; charset=utf-8")
    assert answer.json == {"prediction": [1.8, 0.4]}


def test_an_answer_in_csv(server: Served) -> None:
    answer = server.post(LINEAR_URL, "[[1,2,3],[0,0,0]]", accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.body == b"prediction\n1.8\n0.4\n"
    labels = server.post(FLOWERS, json.dumps([FLOWER]), accept="text/csv").body.decode()
    header, row = labels.splitlines()
    assert header == "prediction,setosa,versicolor,virginica"
    assert row.startswith("virginica,0.09003")


@pytest.mark.parametrize("media", ["application/x-npy", "application/x-numpy"])
def test_an_npy_array_goes_both_ways(server: Served, media: str) -> None:
    rows = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    body = io.BytesIO()
    np.save(body, rows)
    answer = server.post(
        LINEAR_URL, body.getvalue(), content_type=media, accept="application/x-npy"
    )
    assert answer.headers["content-type"] == "application/x-npy"
    got = np.load(io.BytesIO(answer.body))
    assert got.dtype == np.float64
    assert got.tolist() == [1.8, 0.4]


def test_labels_come_as_text_in_npy(server: Served) -> None:
    answer = server.post(FLOWERS, json.dumps([FLOWER]), accept="application/x-npy")
    assert np.load(io.BytesIO(answer.body)).tolist() == ["virginica"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv;q=0.9, application/json;q=0.1", "text/csv"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("text/*", "text/csv"),
        ("image/png, text/csv;q=0.1", "text/csv"),
        ("APPLICATION/X-NPY", "application/x-npy"),
        ("application/json;q=much, text/csv;level=1;q=0.1", "text/csv"),
        ("text/csv, application/json", "application/json"),
    ],
)
def test_accept_chooses_the_answer_it_likes_best(server: Served, accept: str, media: str) -> None:
    answer = server.post(LINEAR_URL, "[[1,2,3]]", accept=accept)
    assert answer.headers["content-type"].partition(";")[0] == media


def test_a_packed_body_is_unpacked(server: Served) -> None:
    body = b'{"x": [1, 2, 3]}'
    for packed in (gzip.compress(body), gzip.compress(body[:5]) + gzip.compress(body[5:])):
        answer = server.post(LINEAR_URL, packed, content_encoding="gzip")
        assert answer.body == b'{"prediction":1.8}'


# -- which model


def test_the_version_that_answered_is_named(server: Served) -> None:
    for path, version in [
        (LINEAR_URL, "2"),
        ("/models/linear/versions/1/predict", "1"),
        ("/models/linear/versions/2/predict", "2"),
        ("/models/line%61r/predict?trace=1", "2"),
    ]:
        answer = server.post(path, "[1,2,3]")
        assert answer.body == b'{"prediction":1.8}'
        assert answer.headers["x-model-version"] == version


def test_a_server_of_one_model_needs_no_name() -> None:
    with serving([LINEAR]) as server:
        assert server.post("/predict", "[1,2,3]").body == b'{"prediction":1.8}'


def test_a_server_of_several_models_wants_a_name(server: Served) -> None:
    answer = server.post("/predict", "[1,2,3]")
    assert answer.status == 404
    assert "/models/NAME/predict" in answer.json["error"]


# -- errors and time


def test_a_model_that_fails_is_a_500_without_its_secrets(server: Served) -> None:
    answer = server.post("/models/fails/predict", "[1,2,3]")
    assert answer.status == 500
    assert answer.json["code"] == "MODEL_FAILED"
    assert b"reshape" not in answer.body.lower()


def test_the_request_s_own_time_is_a_deadline(server: Served) -> None:
    answer = server.post("/models/slow/predict", '{"seconds": 5}', X_Request_Timeout="0.05")
    assert answer.status == 504
    assert answer.json["code"] == "DEADLINE_EXCEEDED"
    for enough in ("5", "inf", "1e9"):
        body = '{"seconds": 0.01}'
        answer = server.post("/models/slow/predict", body, X_Request_Timeout=enough)
        assert answer.json == {"prediction": 0.01}


def test_a_deadline_that_has_passed_already_is_kept_by_a_quick_model(server: Served) -> None:
    answer = server.post(LINEAR_URL, "[1, 2, 3]", X_Request_Timeout="1e-9")
    assert (answer.status, answer.json["code"]) == (504, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize(
    ("seconds", "raised"), [(2, "CancelledError"), (3, "KeyboardInterrupt"), (4, "SystemExit")]
)
def test_an_asynchronous_model_that_gives_itself_up_is_a_failure(
    server: Served, caplog: pytest.LogCaptureFixture, seconds: int, raised: str
) -> None:
    answer = server.post("/models/slow/predict", f'{{"seconds": -{seconds}}}')
    assert (answer.status, answer.json["code"]) == (500, "MODEL_FAILED")
    assert "model 'slow' version 1 raised" in caplog.text
    assert raised in caplog.text
    assert server.post("/models/slow/predict", '{"seconds": 0}').status == 200


def test_the_server_s_own_time_is_the_longest(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(PROGRAM)
    with serving([source(tmp_path / "slow.py", attribute="slow")], timeout_s=0.05) as server:
        answer = server.post("/predict", '{"seconds": 5}', X_Request_Timeout="60")
        assert answer.status == 504


def test_successes_errors_and_rows_are_counted(server: Served) -> None:
    counted = server.metrics_of("sums", "plain")
    before = counted.requests, counted.rows, sum(counted.errors.values())
    path = "/models/sums/predict"
    server.post(path, '{"a": [[1, 2], [3, 4]], "b": [[1, 2], [3, 4]]}')
    server.post(path, '{"a": [1, 2], "b": [3, 4]}')
    server.post(path, "{}")
    server.post(path, "nonsense")
    server.post(path, b"nonsense", content_encoding="gzip")
    server.post(path, b"<x/>", content_type="text/xml")
    server.post(path, b" " * (10**6 + 1))
    after = counted.requests, counted.rows, sum(counted.errors.values())
    assert [b - a for a, b in zip(before, after, strict=True)] == [6, 3, 4]
    assert counted.errors == {"INVALID_INPUT": 3, "UNSUPPORTED_MEDIA": 1}
    assert sum(counted.stages["total"].counts) == counted.requests - sum(counted.errors.values())


def test_a_client_that_only_ends_its_side_is_answered(server: Served) -> None:
    with server.connect() as wire:
        body = b'{"seconds": 0.8}'
        head = "POST /models/slow/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n\r\n"
        wire.sendall(head.encode() + body)
        wire.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        assert answer.status == 200
        assert answer.read() == b'{"prediction":0.8}'


def test_a_client_that_leaves_is_counted(server: Served) -> None:
    counted = server.metrics_of("slow", "plain")
    with server.connect() as wire:
        body = b'{"seconds": 30}'
        head = "POST /models/slow/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n"
        wire.sendall(head.encode() + body)
        wire.settimeout(0.2)
        with pytest.raises(TimeoutError):
            wire.recv(1)
    server.until(lambda: counted.errors.get("CANCELLED") == 1)
