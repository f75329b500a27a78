"""Public apps, seen from outside: what opens without a key, and that nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from modelport.guard.auth import new_key
from modelport.guard.policy import Permission, Policy
from modelport.guard.sessions import Sessions, new_session
from modelport.http.routes import Route
from modelport.http.wire import Head
from tests.http.serving import FAILS, LINEAR, Served, serving

GOOD = '{"x":[1,2,3]}'
ADMIN, _ADMIN = new_key("admin")
INFER, _INFER = new_key("infer")
SESSIONS = Sessions(secret=b"s" * 32, lasts_s=3600)
OPENED = {
    ("GET", "/models"),
    ("GET", "/models/{name}"),
    ("POST", "/models/{name}/predict"),
    ("POST", "/models/{name}/versions/{version}/predict"),
}
"""All that a public app needs, and so all that asks no key of anybody."""


def policy(*public: str, **more: Any) -> Policy:
    keys = {_ADMIN.id: _ADMIN, _INFER.id: _INFER}
    given = {"keys": keys, "admin_key_id": _ADMIN.id, "sessions": SESSIONS}
    return Policy(**{**given, "public_apps": frozenset(public), **more})


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with serving([LINEAR, FAILS]) as server:
        yield server


@pytest.fixture
def server(running: Served) -> Served:
    running.decides(policy("linear"))
    running.asked.clear()
    return running


def address(route: Route, model: str) -> str:
    return route.path.replace("{name}", model).replace("{version}", "1").replace("{id}", "k")


def status(server: Served, route: Route, model: str, headers: dict[str, str]) -> int:
    body = GOOD if route.method == "POST" else None
    return server.ask(route.method, address(route, model), body, headers).status


def closed(server: Served) -> list[Route]:
    """Every route that asks for something."""
    return [route for route in server.routes if route.permission is not Permission.PUBLIC]


def test_every_address_is_asked_without_a_key(server: Served) -> None:
    for route in closed(server):
        expected = 200 if (route.method, route.path) in OPENED else 401
        assert status(server, route, "linear", {}) == expected, route
    assert server.asked == []


def test_another_models_addresses_stay_closed(server: Served) -> None:
    for route in closed(server):
        expected = 200 if (route.method, route.path) == ("GET", "/models") else 401
        assert status(server, route, "fails", {}) == expected, route


@pytest.mark.parametrize("name", ["*", "nix", "Linear", "linear%2f", "%6c%69near%00"])
def test_no_other_name_means_a_public_model(server: Served, name: str) -> None:
    assert server.get(f"/models/{name}").status == 401
    assert server.post(f"/models/{name}/predict", GOOD).status == 401


def test_where_no_app_is_public_nothing_is_open(server: Served) -> None:
    server.decides(policy())
    for route in closed(server):
        assert status(server, route, "linear", {}) == 401, route


def test_the_list_has_the_public_ones_only(server: Served) -> None:
    assert [model["name"] for model in server.get("/models").json] == ["linear"]
    with_key = server.ask("GET", "/models", None, {"Authorization": f"Bearer {INFER}"})
    assert {model["name"] for model in with_key.json} == {"linear", "fails"}


def test_anybody_gets_the_models_answer(server: Served) -> None:
    for path in ("/models/linear/predict", "/models/linear/versions/1/predict"):
        for _ in range(2):  # the second is remembered
            answer = server.post(path, GOOD)
            assert answer.json == {"prediction": 1.8}
    assert server.get("/models/linear").json["fields"][0]["name"] == "x"


def test_what_was_public_is_closed_at_once_where_it_was_remembered(server: Served) -> None:
    assert server.post("/models/linear/predict", GOOD).status == 200
    server.decides(policy())
    assert server.post("/models/linear/predict", GOOD).status == 401


def test_a_wrong_key_and_an_ended_session_are_refused_everywhere(server: Served) -> None:
    ended = new_session(SESSIONS, _INFER, 0.0)
    for headers in (
        {"Authorization": "Bearer mp_wrong"},
        {"Cookie": f"modelport-session={ended}"},
    ):
        for route in closed(server):
            assert status(server, route, "linear", headers) == 401, route


def test_a_page_of_another_origin_and_another_name_get_nothing(server: Served) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        for route in closed(server):
            opened = (route.method, route.path) in OPENED
            refused = (403,) if opened or "Origin" in headers else (401,)
            assert status(server, route, "linear", headers) in refused, route


def test_anybodys_requests_come_after_those_with_a_key(server: Served) -> None:
    head = Head(b"POST", b"/models/linear/predict", ((b"host", b"localhost"),))
    server.gate.resolve(head)
    assert (head.principal.name, head.principal.priority) == ("public", "low")
    refused = server.post("/models/linear/predict", GOOD, X_Priority="high")
    assert refused.status == 403
    assert "without a key" in refused.json["error"]


def test_a_page_is_told_what_needs_no_key(server: Served) -> None:
    who = server.get("/session").json
    assert who["needs_key"]
    assert who["principal"] is None
    assert who["permissions"] == []
    assert who["public_apps"] == ["linear"]
    stranger = server.ask("GET", "/session", None, {"Host": "evil.example"}).json
    assert stranger["public_apps"] == []
    ended = {"Cookie": f"modelport-session={new_session(SESSIONS, _INFER, 0.0)}"}
    assert server.ask("GET", "/session", None, ended).json["public_apps"] == []
    server.decides(policy())
    assert server.get("/session").json["public_apps"] == []


def test_who_may_not_read_learns_no_more_of_what_exists(server: Served) -> None:
    refused = [
        server.get("/models/fails"),
        server.get("/models/nix"),
        server.get("/nothing"),
        server.ask("PUT", "/models/linear", "{}"),
        server.post("/v2/models/linear/infer", "{}"),
        server.post("/predict", GOOD),
    ]
    assert {answer.status for answer in refused} == {401}
    assert len({answer.json["error"] for answer in refused}) == 1


def test_the_routes_of_an_app_are_these(server: Served) -> None:
    assert {(r.method, r.path) for r in server.routes if r.of_app} == OPENED


def test_only_the_sole_models_own_address_is_public() -> None:
    with serving([LINEAR], policy=policy("linear")) as alone:
        assert alone.post("/predict", GOOD).status == 401
        assert json.loads(alone.post("/models/linear/predict", GOOD).body) == {"prediction": 1.8}
