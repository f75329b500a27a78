"""The gate: who may call what, seen from outside, for every route there is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from modelport.core.errors import ModelNotFound, NotFound, Unauthenticated
from modelport.guard.auth import KeyRecord, new_key
from modelport.guard.policy import Permission, Policy
from modelport.http.routes import Gate, Route, Router
from modelport.http.wire import Head
from modelport.repository.owned import OwnedModel
from tests.http.serving import FAILS, LINEAR, Served, serving

GOOD = '{"x":[1,2,3]}'
ADMIN, _ADMIN = new_key("admin")
INFER, _INFER = new_key("infer")
STRANGER, _ = new_key("admin")
ADMIN_ONLY = Policy(keys={_ADMIN.id: _ADMIN}, admin_key_id=_ADMIN.id)
"""What the first start makes: open on this machine, admin operations behind the token."""
CLOSED = Policy(keys={_ADMIN.id: _ADMIN, _INFER.id: _INFER}, admin_key_id=_ADMIN.id)
"""With a key for callers: nobody without one."""
CORS = "https://app.example"
FIGURES = {"figures.overview", "figures.history"}
"""What control is asked for whoever may read."""
OWNED = msgspec.json.encode(
    OwnedModel(
        name="linear",
        default_alias="latest",
        versions=[],
        aliases={},
        can_promote=True,
        why_not=None,
    )
)
ANSWERED = (200, 400)
"""Of routes that are open: whoever signs in is asked for a key, which no call here gives."""


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with serving([LINEAR, FAILS], stream_s=0.0) as server:
        server.answers["models.owned"] = OWNED
        yield server


@pytest.fixture
def server(running: Served) -> Served:
    running.decides(ADMIN_ONLY)
    running.rejected.clear()
    running.asked.clear()
    return running


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def address(route: Route) -> str:
    path = route.path.replace("{name}", "linear").replace("{version}", "1").replace("{id}", "k")
    return path.replace("{alias}", "production")


def answered(route: Route) -> tuple[int, ...]:
    """How an open address answers; the pages may not be built, and their files have other names."""
    pages = "/assets/", "/apps/", "/docs", "/sign-in", "/overview"
    is_page = route.path == "/" or route.path.startswith(pages)
    return (*ANSWERED, 404, 503) if is_page else ANSWERED


def call(server: Served, route: Route, headers: dict[str, str] | None = None) -> tuple[int, str]:
    body = GOOD if route.method == "POST" else None
    body = '{"version": "1"}' if route.path.endswith("{alias}") and body else body
    answer = server.ask(route.method, address(route), body, headers)
    code = answer.json["code"] if answer.status >= 400 and answer.body.startswith(b"{") else ""
    return answer.status, code


def test_every_route_declares_its_permission(server: Served) -> None:
    by_permission = {p: {r.path for r in server.routes if r.permission is p} for p in Permission}
    pages = "/docs", "/assets/", "/apps/", "/sign-in", "/overview"
    shell = {path for path in by_permission[Permission.PUBLIC] if path.startswith(pages)} | {"/"}
    open_to_all = {"/v2/health/live", "/v2/health/ready", "/session"}
    assert by_permission[Permission.PUBLIC] - shell == open_to_all
    changing = r"/admin/|/v2/repository/models/{name}/(load|unload)$|.*/errors$"
    assert all(re.search("predict|infer", path) for path in by_permission[Permission.INFER])
    for route in server.routes:
        assert bool(re.match(changing, route.path)) == (route.permission is Permission.ADMIN)


def test_on_this_machine_all_but_admin_is_open(server: Served) -> None:
    for route in server.routes:
        status, code = call(server, route)
        if route.permission is Permission.ADMIN:
            assert (status, code) == (401, "UNAUTHENTICATED"), route
        else:
            assert status not in (401, 403), route
    assert {operation for operation, _ in server.asked} == FIGURES


def test_a_caller_from_another_machine_needs_a_key(server: Served) -> None:
    for route in server.routes:
        host = (b"host", b"localhost")
        head = Head(route.method.encode(), address(route).encode(), (host,))
        head.loopback = False
        if route.permission is Permission.PUBLIC:
            server.gate.resolve(head)
        else:
            with pytest.raises(Unauthenticated):
                server.gate.resolve(head)
        head.headers = (host, (b"authorization", b"Bearer " + ADMIN.encode()))
        with contextlib.suppress(ModelNotFound):  # /predict, where several models are served
            server.gate.resolve(head)


def test_without_a_key_a_closed_server_answers_health_only(server: Served) -> None:
    server.decides(CLOSED)
    for route in server.routes:
        status, code = call(server, route)
        if route.permission is Permission.PUBLIC:
            assert status in answered(route), route
        else:
            assert (status, code) == (401, "UNAUTHENTICATED"), route
    assert server.asked == []


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {STRANGER}",
        f"Bearer {INFER}x",
        f"Bearer {INFER[:-1]}",
        f"Basic {INFER}",
        INFER,
        "Bearer",
        "Bearer ",
        "",
        f"Bearer mp_{_INFER.id}_{'A' * 43}",
    ],
    ids=range(9),  # the keys are others each time
)
def test_a_key_that_nobody_issued_opens_nothing(server: Served, authorization: str) -> None:
    for policy in (ADMIN_ONLY, CLOSED):
        server.decides(policy)
        for route in server.routes:
            status, _ = call(server, route, {"Authorization": authorization})
            is_open = route.permission is Permission.PUBLIC
            assert status in (answered(route) if is_open else (401,)), route


def test_a_key_to_infer_opens_all_but_admin(server: Served) -> None:
    server.decides(CLOSED)
    for route in server.routes:
        status, code = call(server, route, bearer(INFER))
        if route.permission is Permission.ADMIN:
            assert (status, code) == (403, "FORBIDDEN"), route
        else:
            assert status not in (401, 403), route
    assert {operation for operation, _ in server.asked} == FIGURES


def test_the_gate_says_who_is_calling(server: Served) -> None:
    def caller(policy: Policy, *headers: tuple[bytes, bytes]) -> str:
        server.gate.policy = policy
        head = Head(b"POST", b"/models/linear/predict", ((b"host", b"localhost"), *headers))
        server.gate.resolve(head)
        return head.principal.name

    assert caller(ADMIN_ONLY) == "local"
    assert caller(CLOSED, (b"authorization", b"Bearer " + INFER.encode())) == _INFER.id


def test_a_key_of_an_admin_opens_everything(server: Served) -> None:
    for policy in (ADMIN_ONLY, CLOSED):
        server.decides(policy)
        for route in server.routes:
            assert call(server, route, bearer(ADMIN))[0] not in (401, 403), route
    assert {operation for operation, _ in server.asked} == FIGURES | {
        "errors.recent",
        "models.owned",
        "models.promote",
        "models.rollback",
        "models.forget",
        "keys.list",
        "keys.create",
        "keys.revoke",
        "models.load",
        "models.unload",
        "models.reload",
    }


def test_a_key_that_is_revoked_stops_working_at_once_where_it_was_remembered(
    server: Served,
) -> None:
    server.decides(CLOSED)
    for _ in range(3):
        assert server.ask("POST", "/models/linear/predict", GOOD, bearer(INFER)).status == 200
    keys: dict[str, KeyRecord] = {_ADMIN.id: _ADMIN, "other": _INFER}
    server.decides(Policy(keys=keys, admin_key_id=_ADMIN.id))
    assert server.ask("POST", "/models/linear/predict", GOOD, bearer(INFER)).status == 401


def test_a_refusal_says_how_to_do_better(server: Served) -> None:
    server.decides(CLOSED)
    answer = server.post("/models/linear/predict", GOOD)
    assert answer.headers["www-authenticate"] == 'Bearer realm="modelport"'
    assert "Authorization: Bearer" in answer.json["error"]
    cold = server.get("/models")
    assert cold.headers["www-authenticate"] == answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing/here"),
        ("GET", "/admin/secrets"),
        ("POST", "/models/nix/predict"),
        ("GET", "/models/nix"),
        ("PUT", "/models/linear"),
        ("DELETE", "/v2/models/linear/infer"),
        ("POST", "/v2/models/linear/versions/9/infer"),
        ("GET", "/v2/models/nix/ready"),
        ("TRACE", "/"),
        ("OPTIONS", "/models"),
        ("OPTIONS", "*"),
    ],
)
def test_who_may_not_read_learns_nothing_of_what_exists(
    server: Served, method: str, path: str
) -> None:
    server.decides(CLOSED)
    refused = server.ask(method, path, "{}")
    known = server.ask("GET", "/models")
    assert refused.status == 401
    assert refused.json["error"] == known.json["error"]
    assert "allow" not in refused.headers
    assert server.ask(method, path, "{}", bearer(INFER)).status in (404, 405)


def test_a_wrong_method_is_told_which_are_right(server: Served) -> None:
    hot = server.get("/models/linear/predict")
    assert (hot.status, hot.headers["allow"]) == (405, "POST")
    cold = server.post("/models", "{}")
    assert (cold.status, cold.headers["allow"]) == (405, "GET, HEAD")
    assert cold.json["code"] == "METHOD_NOT_ALLOWED"


def test_an_address_that_is_none_is_told_where_all_are_listed(server: Served) -> None:
    assert server.get("/nothing").json["error"].endswith("addresses are listed at /docs")
    without_pages = Router([route for route in server.routes if route.path != "/docs"])
    with pytest.raises(NotFound, match=r"addresses are listed at /openapi\.json$"):
        without_pages.match("GET", b"/nothing")


def test_two_routes_for_one_address_are_a_mistake(server: Served) -> None:
    with pytest.raises(ValueError, match="declared wrongly"):
        Router([*server.routes, server.routes[0]])


def test_a_fault_in_a_cold_route_is_a_500_that_keeps_its_secret(
    server: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(request: Request) -> Response:
        raise RuntimeError("a secret")

    route = Route(method="GET", path="/own", permission=Permission.READ, endpoint=ask)
    gate = Gate(Router([route]), ADMIN_ONLY)
    monkeypatch.setattr(server.shared, "resolve", gate.resolve)
    answer = server.get("/own", X_Request_Id="mine")
    assert answer.status == 500
    assert answer.json["code"] == "INTERNAL"
    assert answer.json["request_id"] == "mine"
    assert b"secret" not in answer.body
    assert "request mine failed" in caplog.text


# -- browsers


@pytest.mark.parametrize("path", ["/models/linear/predict", "/predict", "/v2/models/linear/infer"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1"]
)
def test_a_page_of_another_origin_gets_nothing(server: Served, path: str, origin: str) -> None:
    answer = server.ask("POST", path, GOOD, {"Origin": origin})
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert b"1.8" not in answer.body


def test_a_page_of_another_origin_gets_nothing_with_a_key_either(server: Served) -> None:
    server.decides(CLOSED)
    headers = {"Origin": "https://evil.example"} | bearer(INFER)
    assert server.ask("GET", "/models", None, headers).status == 403
    assert server.ask("POST", "/models/linear/predict", GOOD, headers).status == 403


def test_our_own_pages_may_call(server: Served) -> None:
    host = f"127.0.0.1:{server.port}"
    answer = server.ask("POST", "/models/linear/predict", GOOD, {"Origin": f"http://{host}"})
    assert answer.json == {"prediction": 1.8}


def test_a_page_that_the_operator_allows_may_call(server: Served) -> None:
    server.decides(Policy(keys=ADMIN_ONLY.keys, admin_key_id=_ADMIN.id, cors_origins=(CORS,)))
    for method, path, body in [
        ("POST", "/models/linear/predict", GOOD),
        ("GET", "/models", None),
        ("POST", "/models/linear/predict", "{}"),
        ("GET", "/nothing", None),
    ]:
        answer = server.ask(method, path, body, {"Origin": CORS})
        assert answer.headers["access-control-allow-origin"] == CORS
        assert answer.headers["vary"] == "origin"
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert server.ask("GET", "/models", None, {"Origin": "https://b.example"}).status == 403


def test_a_browser_that_asks_first_is_answered(server: Served) -> None:
    server.decides(Policy(keys=CLOSED.keys, admin_key_id=_ADMIN.id, cors_origins=(CORS,)))
    headers = {
        "Origin": CORS,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-own",
    }
    answer = server.ask("OPTIONS", "/models/linear/predict", None, headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == CORS
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type,x-own"
    assert "POST" in answer.headers["access-control-allow-methods"]
    headers["Origin"] = "https://evil.example"
    refused = server.ask("OPTIONS", "/models/linear/predict", None, headers)
    assert refused.status == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "[::2]"]
)
def test_a_name_that_is_not_ours_is_refused_without_a_key(server: Served, host: str) -> None:
    for method, path in (("POST", "/models/linear/predict"), ("GET", "/models"), ("GET", "/no")):
        answer = server.ask(method, path, GOOD if method == "POST" else None, {"Host": host})
        assert answer.status == 403, answer
    assert server.ask("GET", "/v2/health/live", None, {"Host": host}).status == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:80", "own"])
def test_the_names_of_this_machine_and_the_operator_s_are_ours(server: Served, host: str) -> None:
    server.decides(Policy(allowed_hosts=("own",)))
    answer = server.ask("POST", "/models/linear/predict", GOOD, {"Host": host})
    assert answer.json == {"prediction": 1.8}


def test_a_full_address_in_the_request_line_is_the_name_that_counts(server: Served) -> None:
    for target, status in (("http://evil.example", b"403"), ("http://localhost", b"200")):
        with server.connect() as wire:
            head = f"GET {target}/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            wire.sendall(head.encode())
            assert wire.makefile("rb").read().split()[1] == status


# -- admin operations


def test_keys_are_handed_to_control(server: Served) -> None:
    admin = bearer(ADMIN)
    body = '{"role":"infer"}'
    assert server.ask("GET", "/admin/keys", None, admin).status == 200
    assert server.ask("POST", "/admin/keys", body, admin).status == 201
    assert server.ask("DELETE", "/admin/keys/abc", None, admin).status == 200
    assert server.asked == [
        ("keys.list", b""),
        ("keys.create", body.encode()),
        ("keys.revoke", b'{"id":"abc"}'),
    ]


def test_control_s_errors_have_the_one_shape(server: Served) -> None:
    answer = server.ask("DELETE", "/admin/keys/unknown", None, bearer(ADMIN))
    assert answer.status == 404
    assert set(answer.json) == {"error", "code", "detail", "request_id"}
    assert answer.json["request_id"] == answer.headers["x-request-id"]


def test_an_admin_body_stays_small(server: Served) -> None:
    answer = server.ask("POST", "/admin/keys", "x" * 100_000, bearer(ADMIN))
    assert answer.status == 413
    assert server.asked == []


def test_refusals_are_counted_by_their_code(server: Served) -> None:
    server.post("/models/linear/predict", GOOD, Origin="https://evil.example")
    server.get("/nothing")
    server.post("/models/nix/predict", GOOD)
    server.get("/admin/keys")
    assert server.rejected == {
        "FORBIDDEN": 1,
        "NOT_FOUND": 1,
        "MODEL_NOT_FOUND": 1,
        "UNAUTHENTICATED": 1,
    }
