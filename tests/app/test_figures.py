"""What a real server tells of itself: figures now and of the last hour, a stream, errors."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.owner import Owner
from tests.app.servers import LINEAR, Served, eventually, serving

X = {"x": [1, 2, 3]}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def served(state: Path) -> Iterator[Served]:
    with serving(LINEAR, state=state) as server:
        yield server


@pytest.fixture
def owner(served: Served, state: Path) -> Iterator[Owner]:
    with Owner(served, state) as owner:
        yield owner


def predicts(url: str, times: int, content: object = X) -> list[int]:
    """On connections of their own, so that each worker is asked."""
    return [
        httpx.post(f"{url}/models/linear/predict", json=content, timeout=20).status_code
        for _ in range(times)
    ]


def test_known_requests_are_what_is_told(served: Served, owner: Owner) -> None:
    before = history_of(owner, "linear")
    time.sleep(5.1 - time.time() % 5)  # the server itself looks every five seconds
    owner.overview()
    time.sleep(1)
    assert predicts(served.url, 12) == [200] * 12
    assert predicts(served.url, 3, {"x": "no"}) == [400] * 3
    assert httpx.post(f"{served.url}/models/nix/predict", json=X).status_code == 404
    told = owner.overview()
    traffic = next(m for m in told["models"] if m["name"] == "linear")
    lasted_s = 15 / traffic["requests_per_s"]
    assert 0.9 < lasted_s < 10
    assert told["requests_per_s"] == traffic["requests_per_s"]
    assert told["errors_per_s"] == pytest.approx(3 / lasted_s)
    assert told["rows_per_s"] == pytest.approx(12 / lasted_s)
    assert told["rejected_per_s"] == pytest.approx(1 / lasted_s)
    assert sum(told["latency"]) == 12
    assert len(told["latency"]) == len(told["bounds_s"]) + 1
    assert 0 < traffic["p50_s"] <= traffic["p95_s"] <= traffic["p99_s"]
    assert (told["workers"], told["restarts"], told["waiting"]) == (2, 0, 0)
    assert told["cache_hit_rate"] is None
    after = history_of(owner, "linear")
    assert [a - b for a, b in zip(after, before, strict=True)] == [15, 3, 12, 12]


def history_of(owner: Owner, model: str, version: str = "1") -> list[int]:
    """Requests, errors, rows and latencies of the last hour."""
    owner.overview()
    time.sleep(1)  # two looks are so far apart
    owner.overview()
    told = owner.get(f"/models/{model}/history").raise_for_status().json()
    points = [p for v in told["versions"] if v["version"] == version for p in v["points"]]
    assert all(p["at"] % told["step_s"] == 0 for p in points)
    sums = [sum(p[key] for p in points) for key in ("requests", "errors", "rows")]
    return [*sums, sum(sum(p["latency"]) for p in points)]


def test_the_processes_of_the_server_are_told(served: Served, owner: Owner) -> None:
    told = owner.overview()
    found = [(p["kind"], p["index"]) for p in told["processes"]]
    assert found[:4] == [("supervisor", None), ("control", None), ("worker", 0), ("worker", 1)]
    pids = {p["pid"] for p in told["processes"]}
    assert served.process.pid in pids
    assert set(served.children()["worker"]) <= pids
    for process in told["processes"]:
        assert process["memory_bytes"] > 2**20
        assert 0 <= process["cpu"] <= os.cpu_count()
        assert process["uptime_s"] > 0
    assert told["cpus"] >= 1
    assert told["memory_bytes"] > sum(p["memory_bytes"] for p in told["processes"])


def test_the_server_s_own_points_are_told(owner: Owner) -> None:
    assert eventually(lambda: len(owner.get("/server/history").json()["server"]) > 1, 12)
    points = owner.get("/server/history").json()["server"]
    assert points[-1]["memory_bytes"] > 2**20
    later = owner.get("/server/history", params={"since": points[-1]["at"]}).json()
    assert [p["at"] for p in later["server"]][:1] == [points[-1]["at"]]
    assert owner.get("/server/history", params={"since": "soon"}).status_code == 400
    assert owner.get("/models/nix/history").status_code == 404


def test_a_stream_tells_each_second(served: Served) -> None:
    events: list[dict[str, Any]] = []
    began = time.monotonic()
    with httpx.stream("GET", f"{served.url}/server/events", timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line.removeprefix("data: ")))
            if time.monotonic() - began > 3:
                break
    assert 3 <= len(events) <= 6
    times = [event["at"] for event in events]
    assert times == sorted(times)
    assert 1.5 < times[-1] - times[0] < 4


def test_callers_errors_are_told_to_the_owner(served: Served, owner: Owner) -> None:
    url = f"{served.url}/models/linear/predict"
    for number in range(3):
        httpx.post(url, json={"x": number}, headers={"x-request-id": f"mine-{number}"})
    told = httpx.post(url, json={"y": 1}, headers={"x-request-id": "last"}).json()
    errors = owner.get("/models/linear/errors").json()["errors"]
    assert [e["request_id"] for e in errors[:4]] == ["last", "mine-2", "mine-1", "mine-0"]
    assert errors[0] | {"at": 0} == {
        "at": 0,
        "request_id": "last",
        "model": "linear",
        "version": "1",
        "protocol": "plain",
        "code": told["code"],
        "status": 400,
        "message": told["error"],
    }
    httpx.get(f"{served.url}/nothing", headers={"x-request-id": "nowhere"})
    (first, *_) = owner.get("/server/errors").json()["errors"]
    assert (first["request_id"], first["model"], first["status"]) == ("nowhere", None, 404)
    assert all(
        e["request_id"] != "nowhere" for e in owner.get("/models/linear/errors").json()["errors"]
    )
    assert owner.get("/models/nix/errors").status_code == 404


def test_the_cost_of_a_model_is_what_was_measured(owner: Owner) -> None:
    told = owner.get("/models/linear/cost").raise_for_status().json()
    (version,) = told["versions"]
    assert (version["version"], version["placement"]) == ("1", "inline")
    (curve,) = version["curves"]
    first = curve["points"][0]
    assert first["rows_per_s"] == pytest.approx(first["rows"] / first["seconds"])
    assert curve["best_rows"] in [p["rows"] for p in curve["points"]]
    assert owner.get("/models/nix/cost").status_code == 404


def test_a_key_to_infer_sees_figures_and_no_errors(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(LINEAR, state=state) as served, Owner(served, state) as owner:
        made = owner.post("/admin/keys", json={"role": "infer"}).json()
        with httpx.Client(base_url=served.url, timeout=20) as caller:
            caller.headers["authorization"] = f"Bearer {made['key']}"
            assert caller.get("/server/overview").status_code == 200
            assert caller.get("/models/linear/cost").status_code == 200
            for path in ("/server/errors", "/models/linear/errors", "/admin/models/linear"):
                refused = caller.get(path)
                assert refused.status_code == 403
                assert "errors" not in refused.json()
            moved = caller.post("/admin/models/linear/aliases/a", json={"version": "1"})
            assert moved.status_code == 403
            with caller.stream("GET", "/server/events") as stream:
                lines = stream.iter_lines()
                assert next(lines) == "retry: 1000"
                owner.delete(f"/admin/keys/{made['id']}").raise_for_status()
                began = time.monotonic()
                list(lines)
                assert time.monotonic() - began < 2
            assert caller.get("/server/events").status_code == 401
        assert httpx.get(f"{served.url}/server/overview").status_code == 200


def test_a_drain_ends_the_stream_and_nothing_waits_for_it(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path / "state") as served:
        with httpx.stream("GET", f"{served.url}/server/events", timeout=10) as stream:
            lines = stream.iter_lines()
            next(lines)
            began = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            list(lines)
        served.process.wait(20)
        assert time.monotonic() - began < 6


def test_nothing_is_counted_twice_when_control_is_replaced(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(LINEAR, state=state) as served, Owner(served, state) as owner:
        predicts(served.url, 20)
        httpx.post(f"{served.url}/models/linear/predict", json={}, headers={"x-request-id": "e"})
        os.kill(served.children()["control"][0], signal.SIGKILL)
        assert eventually(lambda: owner.get("/server/overview").status_code == 200, 20)
        assert eventually(lambda: owner.overview()["workers"] == 2)
        predicts(served.url, 4)
        assert history_of(owner, "linear")[0] == 4
        errors = owner.get("/server/errors").json()["errors"]
        assert [e["request_id"] for e in errors] == ["e"], "the workers told them again"


def test_what_a_worker_did_before_it_died_is_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(LINEAR, state=state, workers=1) as served, Owner(served, state) as owner:
        predicts(served.url, 10)
        httpx.post(f"{served.url}/models/linear/predict", json={}, headers={"x-request-id": "e"})
        before = history_of(owner, "linear")[0]
        assert before == 11
        os.kill(served.children()["worker"][0], signal.SIGKILL)
        assert eventually(lambda: is_serving(served.url), 20)
        predicts(served.url, 5)
        assert history_of(owner, "linear")[0] == 16
        assert owner.overview()["restarts"] == 1
        errors = owner.get("/server/errors").json()["errors"]
        assert "e" in [e["request_id"] for e in errors]


def is_serving(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


SLOW = """
import time

def slow(x: float) -> float:
    time.sleep(0.25)
    return x
"""


@pytest.mark.parametrize("placement", ["inline", "shared"])
def test_what_waits_is_counted_wherever_it_does(tmp_path: Path, placement: str) -> None:
    state, program = tmp_path / "state", tmp_path / "slow.py"
    program.write_text(SLOW)
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    arguments = "--trust", f"sha256:{digest}", "--placement", placement
    with (
        serving(f"{program}:slow", *arguments, state=state) as served,
        Owner(served, state) as owner,
    ):

        def ask() -> None:
            httpx.post(f"{served.url}/models/slow/predict", json={"x": 1}, timeout=60)

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        assert eventually(lambda: 4 < owner.traffic("slow")["waiting"] < 16)
        for thread in threads:
            thread.join()
        assert eventually(lambda: owner.traffic("slow")["waiting"] == 0)
        (version,) = owner.get("/admin/models/slow").json()["versions"]
        assert version["placement"] == placement
        assert version["instances"] == (2 if placement == "inline" else 1)
        assert f"'{placement}'" in version["placement_reason"]
        kinds = {p["kind"] for p in owner.overview()["processes"]}
        assert ("engine" in kinds) == (placement == "shared")
