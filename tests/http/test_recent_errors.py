"""The last errors that callers were told, kept for whoever looks into them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from modelport.monitor.recent import RecentError
from tests.http.serving import FAILS, LINEAR, Served, serving, source

SLEEPS = """
import time

def sleeps(x: float) -> float:
    time.sleep(2)
    return x
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    program = tmp_path_factory.mktemp("programs") / "sleeps.py"
    program.write_text(SLEEPS)
    empty = program.with_name("empty.onnx")
    empty.write_bytes(b"")
    sources = [LINEAR, FAILS, source(program, attribute="sleeps"), source(empty)]
    with serving(sources) as server:
        yield server


def last(server: Served) -> RecentError:
    return server.errors.since(0)[0][-1]


def test_an_error_is_kept_as_its_caller_got_it(server: Served) -> None:
    answer = server.post("/models/linear/predict", '{"x": "no"}', X_Request_Id="mine")
    kept = last(server)
    assert (kept.request_id, kept.message) == ("mine", answer.json["error"])
    assert (kept.model, kept.version, kept.protocol) == ("linear", "1", "plain")
    assert (kept.code, kept.status) == (answer.json["code"], answer.status)
    assert abs(kept.at - time.time()) < 5
    before = len(server.errors.since(0)[0])
    assert server.post("/models/linear/predict", '{"x": [1, 2, 3]}').status == 200
    assert len(server.errors.since(0)[0]) == before


def test_an_id_that_the_server_gave_is_kept_too(server: Served) -> None:
    body = '{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]}'
    answer = server.post("/v2/models/linear/infer", body)
    assert answer.status == 400
    kept = last(server)
    assert (kept.request_id, kept.protocol) == (answer.headers["x-request-id"], "oip")


def test_what_reached_no_model_is_kept_as_that(server: Served) -> None:
    for path, status in (("/models/nix/predict", 404), ("/nothing", 404), ("/admin/keys", 401)):
        answer = server.post(path, "{}")
        assert answer.status == status
        kept = last(server)
        assert (kept.model, kept.version, kept.protocol, kept.status) == (None, None, None, status)
        assert kept.message == answer.json["error"]


@pytest.mark.parametrize(
    ("path", "protocol"), [("/models/empty/predict", "plain"), ("/v2/models/empty/infer", "oip")]
)
def test_what_asks_a_version_that_could_not_be_loaded_is_kept_and_counted_as_the_version_s(
    server: Served, path: str, protocol: str
) -> None:
    answer = server.post(path, "{}")
    assert answer.status == 503
    kept = last(server)
    assert (kept.model, kept.version, kept.protocol) == ("empty", "1", protocol)
    assert (kept.code, kept.message) == ("NOT_READY", answer.json["error"])
    assert server.metrics_of("empty", protocol).errors == {"NOT_READY": 1}
    assert "NOT_READY" not in server.rejected


def test_a_version_that_is_not_there_makes_no_further_figures(
    server: Served,
) -> None:
    counted = dict(server.metrics)
    server.post("/models/empty/versions/9/predict", "{}")
    assert last(server).model is None
    assert server.metrics == counted


def test_only_the_beginning_of_a_long_message_is_kept(server: Served) -> None:
    answer = server.post("/models/linear/predict", '{"%s": 1}' % ("x" * 2000))
    assert len(answer.json["error"]) > 300
    assert last(server).message == answer.json["error"][:300]


def test_a_caller_who_leaves_is_kept_as_such(server: Served) -> None:
    with server.connect() as sock:
        head = "POST /models/sleeps/predict HTTP/1.1", "Host: localhost", "X-Request-Id: gone"
        sock.sendall("\r\n".join([*head, "Content-Length: 10", "", '{"x": 1.0}']).encode())
        time.sleep(0.1)
    server.until(lambda: last(server).request_id == "gone")
    kept = last(server)
    assert (kept.code, kept.status, kept.model) == ("CANCELLED", 499, "sleeps")
