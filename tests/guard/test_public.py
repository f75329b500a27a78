"""Public apps in the gate's decisions: what callers without any credentials may, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.core.errors import Forbidden, Unauthenticated
from modelport.guard.auth import new_key
from modelport.guard.policy import (
    Caller,
    Permission,
    Policy,
    Principal,
    admit,
    granted,
    is_anybody,
    is_public,
    permit,
    prioritise,
)
from modelport.guard.sessions import Sessions, new_session

ADMIN, _ADMIN = new_key("admin")
INFER, _INFER = new_key("infer")
SESSIONS = Sessions(secret=b"s" * 32, lasts_s=3600)
NOW = 1_800_000_000.0


def policy(**more: Any) -> Policy:
    given = {
        "keys": {_ADMIN.id: _ADMIN, _INFER.id: _INFER},
        "admin_key_id": _ADMIN.id,
        "sessions": SESSIONS,
        "public_apps": frozenset({"price"}),
    }
    return Policy(**{**given, **more})


def caller(**more: Any) -> Caller:
    return Caller(**{"loopback": False, "host": "localhost:8080", "now": NOW, **more})


def test_only_the_models_of_the_policy_are_public() -> None:
    assert is_public(policy(), "price")
    assert not is_public(policy(), "mood")
    assert not is_public(policy(), "*")
    assert is_public(policy(), None)
    assert not is_public(Policy(), None)
    assert not is_public(Policy(), "price")


@pytest.mark.parametrize("loopback", [True, False])
def test_whoever_has_no_credentials_is_anybody_at_a_public_app(loopback: bool) -> None:
    anybody = admit(policy(), caller(loopback=loopback), public=True)
    assert anybody == Principal("public", "public", "low", "low")
    assert is_anybody(anybody)
    assert not is_anybody(admit(Policy(), caller(loopback=True)))
    with pytest.raises(Unauthenticated, match="this server needs a key"):
        admit(policy(), caller(loopback=loopback))


def test_a_caller_from_afar_is_anybody_where_only_this_machine_needs_no_key() -> None:
    open_here = policy(keys={_ADMIN.id: _ADMIN})
    assert admit(open_here, caller(), public=True).name == "public"
    assert admit(open_here, caller(loopback=True), public=True).name == "local"


def test_where_all_are_let_in_nobody_is_less_than_before() -> None:
    everyone = policy(keys={_ADMIN.id: _ADMIN}, open_to_all=True)
    assert admit(everyone, caller(), public=True) == Principal("anyone", "infer")


def test_who_has_a_key_is_known_by_it() -> None:
    with_key = caller(authorization=f"Bearer {INFER}")
    assert admit(policy(), with_key, public=True).name == _INFER.id


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer mp_x", "Basic YTpi"])
def test_a_wrong_key_is_refused_and_not_taken_for_none(authorization: str) -> None:
    with pytest.raises(Unauthenticated, match="this key is not known here"):
        admit(policy(), caller(authorization=authorization), public=True)


def test_an_ended_session_is_refused_and_not_taken_for_none() -> None:
    token = new_session(SESSIONS, _INFER, NOW)
    reading = caller(session=token, changes=False)
    assert admit(policy(), reading, public=True).name == _INFER.id
    for wrong in (caller(session=token, changes=False, now=NOW + 3601), caller(session="x.y")):
        with pytest.raises(Unauthenticated, match="the session of this cookie has ended"):
            admit(policy(), wrong, public=True)


def test_a_change_by_the_cookie_alone_is_refused_here_too() -> None:
    token = new_session(SESSIONS, _INFER, NOW)
    with pytest.raises(Forbidden, match="X-CSRF-Token"):
        admit(policy(), caller(session=token), public=True)


def test_pages_of_other_origins_are_refused_here_too() -> None:
    with pytest.raises(Forbidden, match="--cors-origin"):
        admit(policy(), caller(origin="https://evil.example"), public=True)
    own = caller(origin="http://localhost:8080")
    assert admit(policy(), own, public=True).name == "public"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", None])
def test_a_name_that_is_not_the_servers_is_refused(host: str | None) -> None:
    with pytest.raises(Forbidden, match="--allowed-host"):
        admit(policy(), caller(host=host), public=True)


@pytest.mark.parametrize("host", ["localhost", "models.example:443", "192.0.2.7", "[2001:db8::1]"])
def test_its_names_and_literal_addresses_are_its_own(host: str) -> None:
    named = policy(allowed_hosts=("Models.example",))
    assert admit(named, caller(host=host), public=True).name == "public"


def test_anybody_sees_and_uses_and_changes_nothing() -> None:
    anybody = admit(policy(), caller(), public=True)
    assert set(granted("public")) == {Permission.PUBLIC, Permission.READ, Permission.INFER}
    with pytest.raises(Forbidden):
        permit(anybody, Permission.ADMIN)


def test_anybody_comes_after_those_who_have_a_key() -> None:
    anybody = admit(policy(), caller(), public=True)
    assert prioritise(anybody, None) == "low"
    assert prioritise(anybody, "low") == "low"
    with pytest.raises(Forbidden, match="requests without a key have the priority 'low' at most"):
        prioritise(anybody, "normal")
