"""Signing in from a browser, seen from outside: the cookie, what it opens, and when it ends."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelport.guard.auth import KeyRecord, new_key
from modelport.guard.links import new_link
from modelport.guard.policy import Permission, Policy
from modelport.guard.sessions import Sessions
from modelport.http.wire import Head
from tests.http.serving import LINEAR, Answer, Served, serving

GOOD = '{"x":[1,2,3]}'
PREDICT = "/models/linear/predict"
ADMIN, _ADMIN = new_key("admin", "admin token")
INFER, _INFER = new_key("infer", "shop")
BARE, _BARE = new_key("infer")
STRANGER, _ = new_key("infer")
SESSIONS = Sessions(secret=b"s" * 32, lasts_s=3600)


def policy(*records: KeyRecord, **more: Any) -> Policy:
    keys = {record.id: record for record in (_ADMIN, *records)}
    return Policy(keys=keys, admin_key_id=_ADMIN.id, **{"sessions": SESSIONS, **more})


OPEN = policy()
CLOSED = policy(_INFER, _BARE)


@dataclass
class Clock:
    """A clock that a test turns."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    with serving([LINEAR], clock=CLOCK, stream_s=0.0) as server:
        yield server


@pytest.fixture
def server(running: Served) -> Served:
    CLOCK.now = Clock.now
    running.decides(CLOSED)
    running.asked.clear()
    return running


@dataclass
class Browser:
    """A page of the server's own, with the cookie that it was given."""

    server: Served
    cookie: str = ""
    csrf: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def signs_in(self, **content: str) -> Answer:
        answer = self.asks("POST", "/session", json.dumps(content))
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            self.csrf = answer.json["csrf"]
        return answer

    def asks(
        self, method: str, path: str, body: str | None = None, **headers: str | None
    ) -> Answer:
        """As a browser does; a header that is None is left out."""
        sent = {
            "Origin": self.server.url if method not in ("GET", "HEAD") else None,
            "Cookie": f"theme=dark; {self.cookie}" if self.cookie else None,
            "X-CSRF-Token": self.csrf,
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        given = {name: value for name, value in sent.items() if value is not None}
        return self.server.ask(method, path, body, given)

    @property
    def who(self) -> Any:
        answer = self.asks("GET", "/session")
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        return answer.json


@pytest.fixture
def browser(server: Served) -> Browser:
    return Browser(server)


@pytest.fixture
def signed_in(browser: Browser) -> Browser:
    assert browser.signs_in(key=INFER).status == 200
    return browser


NOBODY = {
    "signed_in": False,
    "principal": None,
    "role": None,
    "csrf": None,
    "permissions": [],
    "public_apps": [],
}
ANYONE = {**NOBODY, "role": "infer", "permissions": ["read", "infer"]}


def test_who_is_not_signed_in_is_told_whether_a_key_is_needed(browser: Browser) -> None:
    assert browser.who == {**NOBODY, "needs_key": True}
    browser.server.decides(OPEN)
    assert browser.who == {**ANYONE, "principal": "local", "needs_key": False}
    browser.headers["Host"] = "models.example"
    assert browser.who == {**NOBODY, "needs_key": True}
    browser.server.decides(policy(open_to_all=True))
    assert browser.who == {**ANYONE, "principal": "anyone", "needs_key": False}


def test_a_caller_with_a_key_is_told_what_it_is_for_and_is_not_signed_in(browser: Browser) -> None:
    browser.headers["Authorization"] = f"Bearer {INFER}"
    assert browser.who == {**ANYONE, "principal": "shop", "needs_key": True}
    browser.headers["Authorization"] = f"Bearer {STRANGER}"
    assert browser.who == {**NOBODY, "needs_key": True}


@pytest.mark.parametrize(
    ("key", "name", "role", "permissions"),
    [
        (INFER, "shop", "infer", ["read", "infer"]),
        (BARE, _BARE.id, "infer", ["read", "infer"]),
        (ADMIN, "admin token", "admin", ["read", "infer", "admin"]),
    ],
    ids=["infer", "without a name", "admin"],
)
def test_signing_in_with_a_key_says_who_one_is_now(
    browser: Browser, key: str, name: str, role: str, permissions: list[str]
) -> None:
    answer = browser.signs_in(key=key)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == {
        "signed_in": True,
        "principal": name,
        "role": role,
        "needs_key": True,
        "csrf": browser.csrf,
        "permissions": permissions,
        "public_apps": [],
    }
    assert browser.who == answer.json
    assert key not in answer.body.decode() + str(answer.headers)


def test_over_plain_http_the_cookie_is_for_this_site_and_no_program_reads_it(
    browser: Browser,
) -> None:
    name, _, rest = browser.signs_in(key=INFER).headers["set-cookie"].partition("=")
    assert name == "modelport-session"
    assert rest.split("; ")[1:] == ["Path=/", "Max-Age=3600", "HttpOnly", "SameSite=Strict"]


def test_behind_tls_the_cookie_is_the_hosts_own_and_sent_over_tls_only(browser: Browser) -> None:
    browser.server.decides(policy(_INFER, behind_tls=True))
    name, _, rest = browser.signs_in(key=INFER).headers["set-cookie"].partition("=")
    assert name == "__Host-modelport-session"
    assert set(rest.split("; ")[1:]) >= {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"}
    assert browser.who["signed_in"]
    browser.cookie = browser.cookie.removeprefix("__Host-")
    assert not browser.who["signed_in"], "a neighbour may have put that one there"


def test_over_tls_of_its_own_the_cookie_is_sent_over_tls_only(server: Served) -> None:
    def answer(*, tls: bool) -> bytes:
        head = Head(b"POST", b"/session", ((b"host", b"localhost"),))
        head.tls = tls
        server.gate.resolve(head)

        async def asked() -> Any:
            return await head.handler(json.dumps({"key": INFER}).encode())  # type: ignore[misc, operator]  # it is a coroutine here

        return asyncio.run(asked())[0]  # type: ignore[no-any-return]  # a reply

    assert b"set-cookie: __Host-modelport-session=" in answer(tls=True)
    assert b"; Secure\r\n" in answer(tls=True)
    assert b"__Host-" not in answer(tls=False)
    assert b"Secure" not in answer(tls=False)


@pytest.mark.parametrize(
    "key", [STRANGER, f"{INFER}x", INFER[:-1], "", "é", f"mp_{_INFER.id}_{'A' * 43}"], ids=range(6)
)
def test_every_wrong_key_is_refused_in_the_same_words(browser: Browser, key: str) -> None:
    answer = browser.signs_in(key=key)
    assert (answer.status, answer.json["code"]) == (401, "UNAUTHENTICATED")
    assert answer.json["error"] == browser.signs_in(key="other").json["error"]
    assert "modelport keys create" in answer.json["error"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[]", '"x"', "{}", '{"key": null}', '{"key": 3}', '{"token": ""}'),
        *('{"key": "a", "user": "b"}', '{"key": "a", "link": "b"}'),
    ],
)
def test_a_body_of_another_form_is_told_the_right_one(browser: Browser, body: str) -> None:
    answer = browser.asks("POST", "/session", body)
    assert (answer.status, answer.json["code"]) == (400, "INVALID_INPUT")
    assert '{"key": "…"} or {"link": "…"}' in answer.json["error"]


def test_a_body_is_small(browser: Browser) -> None:
    assert browser.signs_in(key="x" * 5000).status == 413


def test_a_link_signs_in_as_the_admin_and_once(browser: Browser) -> None:
    link, kept = new_link()
    browser.server.links.add(kept)
    answer = browser.signs_in(link=link)
    assert answer.status == 200
    assert (answer.json["principal"], answer.json["role"]) == ("admin token", "admin")
    assert browser.asks("GET", "/admin/keys").status == 200
    again = Browser(browser.server).signs_in(link=link)
    assert (again.status, again.json["code"]) == (401, "UNAUTHENTICATED")
    assert "'modelport keys link' makes another" in again.json["error"]
    assert "set-cookie" not in again.headers


def test_every_wrong_link_is_refused_in_the_same_words(browser: Browser) -> None:
    said = {browser.signs_in(link=link).json["error"] for link in ("", "é", new_link()[0], "x")}
    assert len(said) == 1


def test_a_page_of_another_origin_does_not_use_up_a_link(browser: Browser) -> None:
    link, kept = new_link()
    browser.server.links.add(kept)
    content = json.dumps({"link": link})
    refused = browser.asks("POST", "/session", content, Origin="https://evil.example")
    assert refused.status == 403
    assert browser.signs_in(link=link).status == 200


# -- what the cookie opens


def test_a_session_opens_what_its_key_opens(browser: Browser) -> None:
    for key in (INFER, ADMIN):
        browser.signs_in(key=key)
        for route in browser.server.routes:
            path = route.path.replace("{name}", "linear").replace("{version}", "1")
            answer = browser.asks(route.method, path.replace("{id}", "k"), GOOD)
            is_closed = route.permission is Permission.ADMIN and key == INFER
            assert (answer.status == 403) == is_closed, route
            assert answer.status != 401, route


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_needs_the_cookie_alone(signed_in: Browser, method: str) -> None:
    answer = signed_in.asks(method, "/models", X_CSRF_Token=None)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "private", "for no proxy to give to others"


@pytest.mark.parametrize(
    "headers",
    [
        {"X_CSRF_Token": None},
        {"X_CSRF_Token": "A" * 43},
        {"Origin": None},
        {"Origin": None, "Sec_Fetch_Site": "same-site"},
    ],
    ids=["no token", "a wrong token", "no origin", "a neighbour"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PREDICT),
        ("POST", "/v2/models/linear/infer"),
        ("POST", "/v2/repository/index"),
        ("POST", "/nothing/here"),
        ("DELETE", "/session"),
    ],
)
def test_a_change_by_the_cookie_alone_is_refused(
    signed_in: Browser, method: str, path: str, headers: dict[str, Any]
) -> None:
    answer = signed_in.asks(method, path, GOOD, **headers)
    assert (answer.status, answer.json["code"]) == (403, "FORBIDDEN")
    assert "X-CSRF-Token" in answer.json["error"]
    assert "set-cookie" not in answer.headers


def test_a_page_of_the_server_predicts(signed_in: Browser) -> None:
    answer = signed_in.asks("POST", PREDICT, GOOD)
    assert answer.json == {"prediction": 1.8}
    assert answer.headers["cache-control"] == "private"
    by_site = signed_in.asks("POST", PREDICT, GOOD, Origin=None, Sec_Fetch_Site="same-origin")
    assert by_site.json == {"prediction": 1.8}


def test_a_page_of_another_origin_gets_nothing_with_the_cookie(signed_in: Browser) -> None:
    for origin in ("https://evil.example", f"http://localhost:{signed_in.server.port}", "null"):
        for method, path in (("GET", "/models"), ("GET", "/session"), ("POST", PREDICT)):
            answer = signed_in.asks(method, path, GOOD, Origin=origin)
            assert answer.status == 403, (method, path)


def test_a_page_that_may_call_from_elsewhere_changes_nothing_with_the_cookie(
    signed_in: Browser,
) -> None:
    app = "https://app.example"
    signed_in.server.decides(policy(_INFER, cors_origins=(app,)))
    assert signed_in.asks("POST", PREDICT, GOOD, Origin=app).status == 403
    read = signed_in.asks("GET", "/models", Origin=app)
    assert "access-control-allow-credentials" not in read.headers, "so that it cannot read this"


def test_a_page_of_another_origin_cannot_sign_its_visitor_in(browser: Browser) -> None:
    content = json.dumps({"key": INFER})
    browser.server.decides(policy(_INFER, cors_origins=("https://app.example",)))
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "https://app.example"},
        {"Origin": "null"},
        {"Origin": None, "Sec_Fetch_Site": "cross-site"},
    ):
        answer = browser.asks("POST", "/session", content, **headers)
        assert answer.status == 403
        assert "set-cookie" not in answer.headers
    assert browser.asks("POST", "/session", content, Origin=None).status == 200, "no browser"


def test_a_key_beside_the_cookie_is_what_counts(signed_in: Browser) -> None:
    def status(key: str, path: str = "/admin/keys") -> int:
        return signed_in.asks("GET", path, Authorization=f"Bearer {key}").status

    assert signed_in.asks("GET", "/admin/keys").status == 403
    assert status(ADMIN) == 200
    assert status(STRANGER, "/models") == 401
    sent = signed_in.asks(
        "POST", PREDICT, GOOD, Authorization=f"Bearer {ADMIN}", X_CSRF_Token=None, Origin=None
    )
    assert sent.status == 200, "no page of another origin can send that header"


@pytest.mark.parametrize(
    "cookie",
    [
        "modelport-session=",
        "modelport-session=x",
        "modelport-session",
        "modelport-session=1.{id}.1.9999999999.AAAAAAAAAAAAAAAAAAAAAA." + "A" * 43,
    ],
)
def test_a_cookie_that_nobody_signed_is_as_none(browser: Browser, cookie: str) -> None:
    browser.cookie = cookie.replace("{id}", _ADMIN.id)
    assert browser.who == {**NOBODY, "needs_key": True}
    assert browser.asks("GET", "/models").status == 401
    browser.server.decides(OPEN)
    assert browser.asks("POST", PREDICT, GOOD).json == {"prediction": 1.8}


def test_two_cookies_of_one_name_are_none(signed_in: Browser) -> None:
    signed_in.cookie = f"modelport-session=x; {signed_in.cookie}"
    assert not signed_in.who["signed_in"]


# -- when it ends


def test_a_session_that_has_ended_is_told_as_such(signed_in: Browser) -> None:
    CLOCK.now += 3599
    assert signed_in.asks("GET", "/models").status == 200
    CLOCK.now += 1
    answer = signed_in.asks("GET", "/models")
    assert answer.status == 401
    assert "the session of this cookie has ended: sign in again" in answer.json["error"]
    assert signed_in.who == {**NOBODY, "needs_key": True}
    signed_in.server.decides(OPEN)
    assert signed_in.asks("GET", "/models").status == 200


def test_on_a_connection_that_is_kept_a_session_is_not_remembered_beyond_its_end(
    signed_in: Browser,
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", signed_in.server.port, timeout=20)
    headers = {
        "Origin": signed_in.server.url,
        "Cookie": signed_in.cookie,
        "X-CSRF-Token": str(signed_in.csrf),
    }

    def status() -> int:
        connection.request("POST", PREDICT, GOOD, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert [status() for _ in range(3)] == [200] * 3
    CLOCK.now += 3600
    assert [status() for _ in range(3)] == [401] * 3
    CLOCK.now -= 3600
    assert status() == 200
    signed_in.server.decides(policy(_BARE))
    assert status() == 401, "its key was revoked"
    connection.close()


def test_a_head_with_a_key_is_remembered_and_one_with_a_session_is_not(signed_in: Browser) -> None:
    memo = signed_in.server.shared.memos[True]
    signed_in.server.shared.forget()
    for _ in range(2):
        signed_in.asks("POST", PREDICT, GOOD)
        signed_in.asks("GET", "/session")
    assert memo == {}
    signed_in.asks("POST", PREDICT, GOOD, Authorization=f"Bearer {INFER}")
    assert len(memo) == 1


def test_signing_out_takes_the_cookie_back(signed_in: Browser) -> None:
    answer = signed_in.asks("DELETE", "/session")
    assert answer.status == 200
    assert answer.json == {**NOBODY, "needs_key": True}
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name == "modelport-session="
    assert attributes == ["Path=/", "Max-Age=0", "HttpOnly", "SameSite=Strict"]


def test_signing_out_twice_is_no_mistake(browser: Browser) -> None:
    assert browser.asks("DELETE", "/session").status == 200
    browser.cookie = "modelport-session=x"
    assert browser.asks("DELETE", "/session").status == 200


def test_an_admin_on_an_open_server_can_sign_in_and_out_under_any_name(browser: Browser) -> None:
    browser.server.decides(OPEN)
    browser.headers |= {"Host": "models.example", "Origin": "https://models.example"}
    assert browser.signs_in(key=ADMIN).json["role"] == "admin"
    assert browser.asks("GET", "/admin/keys").status == 200
    assert browser.asks("DELETE", "/session").status == 200


def test_another_server_with_the_same_secret_and_keys_accepts_the_session(
    signed_in: Browser,
) -> None:
    with serving([LINEAR], policy=CLOSED, clock=CLOCK) as other:
        there = Browser(other, signed_in.cookie, signed_in.csrf)
        assert there.who == signed_in.who
        assert there.asks("POST", PREDICT, GOOD).json == {"prediction": 1.8}
        other.decides(policy(_INFER, sessions=Sessions(secret=b"t" * 32)))
        assert not there.who["signed_in"]
