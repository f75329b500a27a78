"""Live, ready, metrics, and what is told of the models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.http.models import flowers, written
from tests.http.serving import LINEAR, Served, serving, source

GOOD = '{"x":[1,2,3]}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("models")
    (folder / "empty.onnx").write_bytes(b"")
    sources = [
        LINEAR,
        source(Path(LINEAR.path), "linear", "10"),
        source(folder / "empty.onnx"),
        written(folder, "flowers", flowers()),
    ]
    with serving(sources) as server:
        yield server


def sample(server: Served, name: str, **labels: str) -> float:
    """One figure of `/metrics`, by the reader that Prometheus' own library has."""
    text = server.get("/metrics").body.decode()
    found = [
        item.value
        for family in text_string_to_metric_families(text)
        for item in family.samples
        if item.name == name and labels.items() <= item.labels.items()
    ]
    assert len(found) == 1, (name, labels, found)
    return float(found[0])


def test_the_server_lives(server: Served) -> None:
    answer = server.get("/v2/health/live")
    assert (answer.status, answer.json) == (200, {"live": True})


def test_the_server_is_ready_though_a_model_failed(server: Served) -> None:
    answer = server.get("/v2/health/ready")
    assert (answer.status, answer.json) == (200, {"ready": True})


def test_a_server_that_drains_lives_and_is_not_ready() -> None:
    with serving([LINEAR]) as server:
        server.shared.draining = True
        assert server.get("/v2/health/live").status == 200
        answer = server.get("/v2/health/ready")
        assert (answer.status, answer.json) == (503, {"ready": False})
        assert answer.headers["connection"] == "close"
        assert server.post("/predict", GOOD).status == 200


def test_a_probe_may_ask_for_the_head_only(server: Served) -> None:
    answer = server.ask("HEAD", "/v2/health/ready")
    assert (answer.status, answer.body) == (200, b"")


def test_a_model_is_ready_or_not(server: Served) -> None:
    for path, status in [
        ("linear", 200),
        ("linear/versions/1", 200),
        ("empty", 503),
        ("empty/versions/1", 503),
        ("nix", 404),
        ("linear/versions/3", 404),
    ]:
        assert server.get(f"/v2/models/{path}/ready").status == status


def test_a_model_that_failed_says_why(server: Served) -> None:
    for path in ("/v2/models/empty", "/v2/models/empty/config"):
        answer = server.get(path)
        assert answer.status == 503
        assert "is empty" in answer.json["error"]
    listed = {(m["name"], m["version"]): m for m in server.get("/models").json}
    assert listed["empty", "1"]["state"] == "FAILED"
    assert "is empty" in listed["empty", "1"]["reason"]
    assert listed["linear", "10"]["state"] == "READY"


def test_one_model_is_described(server: Served) -> None:
    model = server.get("/models/flowers").json
    assert model["state"] == "READY"
    assert [field["name"] for field in model["fields"]] == ["a", "b", "c", "d"]
    assert model["outputs"][0]["classes"] == ["setosa", "versicolor", "virginica"]
    answer = server.post("/models/flowers/predict", str(model["example"]).replace("'", '"'))
    assert answer.status == 200


def test_no_description_has_a_path(server: Served, tmp_path: Path) -> None:
    for path in ("/models", "/models/flowers", "/models/empty", "/v2/models/linear", "/metrics"):
        body = server.get(path).body
        assert str(tmp_path.parent).encode() not in body
        assert b"/work" not in body


def test_metrics_count_requests_rows_and_errors(server: Served) -> None:
    labels = {"model": "linear", "version": "10", "protocol": "plain"}
    server.post("/models/linear/predict", "[[1,2,3],[4,5,6]]")
    before = sample(server, "modelport_rows_total", **labels)
    server.post("/models/linear/predict", "[[1,2,3],[4,5,6]]")
    server.post("/models/linear/predict", "[]")
    assert sample(server, "modelport_rows_total", **labels) == before + 2
    assert sample(server, "modelport_errors_total", **labels, code="INVALID_INPUT") == 1
    assert sample(server, "modelport_requests_total", **labels) == 3
    for stage in ("total", "decode", "queue", "run", "encode"):
        name = "modelport_latency_seconds_count"
        assert sample(server, name, **labels, stage=stage) == 2


def test_metrics_count_what_reached_no_model(server: Served) -> None:
    server.get("/nothing/here")
    server.get("/nothing/here")
    assert sample(server, "modelport_rejected_total", code="NOT_FOUND") == 2


def test_metrics_have_the_type_that_prometheus_asks_for(server: Served) -> None:
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
