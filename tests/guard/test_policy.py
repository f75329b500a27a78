"""The gate: who is let in, as whom, and to what."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from modelport.core.errors import Forbidden, Unauthenticated
from modelport.core.messages import Priority
from modelport.guard.auth import KeyRecord, new_key
from modelport.guard.policy import (
    Caller,
    Permission,
    Policy,
    Principal,
    admit,
    check_sign_in,
    granted,
    is_admitted,
    permit,
    prioritise,
)
from modelport.guard.sessions import Sessions, csrf_token, new_session, session_of

INFER, INFER_RECORD = new_key("infer", "app")
ADMIN, ADMIN_RECORD = new_key("admin", "admin token")
STRANGER, _ = new_key("infer")
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")


def policy(*records: KeyRecord, **settings: object) -> Policy:
    keys = {record.id: record for record in records}
    return Policy(keys=keys, admin_key_id=ADMIN_RECORD.id, **settings)  # type: ignore[arg-type]


def local(**seen: Any) -> Caller:
    return Caller(loopback=True, **{"host": "localhost:8080", **seen})


def remote(**seen: str) -> Caller:
    return Caller(loopback=False, **{"host": "models.example:8080", **seen})  # type: ignore[arg-type]


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


OPEN = policy(ADMIN_RECORD)
CLOSED = policy(ADMIN_RECORD, INFER_RECORD)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:8080",
        "[::1]:8080",
        "[::1]",
        "127.0.0.1",
        "127.0.0.2:1",
    ],
)
def test_without_keys_this_machine_may_infer_under_its_own_name(host: str) -> None:
    principal = admit(OPEN, local(host=host))
    assert principal == Principal("local", "infer")
    permit(principal, Permission.INFER)
    permit(principal, Permission.READ)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "[::2]", "127.1", ""],
)
def test_without_keys_another_host_name_is_refused(host: str) -> None:
    with pytest.raises(Forbidden, match=r"this server is not called .*--allowed-host"):
        admit(OPEN, local(host=host))


def test_without_a_host_header_nobody_is_let_in() -> None:
    with pytest.raises(Forbidden):
        admit(OPEN, Caller(loopback=True))


def test_a_host_name_that_the_operator_allows_is_let_in_whatever_its_case() -> None:
    allowed = policy(allowed_hosts=("Models.Example",))
    assert admit(allowed, local(host="models.EXAMPLE:80")).name == "local"


def test_without_keys_other_machines_are_refused() -> None:
    for caller in (remote(), remote(host="localhost")):
        with pytest.raises(Unauthenticated, match=r"needs a key.*Authorization: Bearer KEY"):
            admit(OPEN, caller)


def test_open_to_all_lets_any_machine_infer_under_any_name() -> None:
    everyone = policy(ADMIN_RECORD, open_to_all=True)
    assert admit(everyone, remote()) == Principal("anyone", "infer")
    assert admit(everyone, local(host="other")) == Principal("anyone", "infer")


def test_an_infer_key_closes_the_door_even_when_open_to_all() -> None:
    for caller in (local(), remote()):
        with pytest.raises(Unauthenticated):
            admit(policy(INFER_RECORD, open_to_all=True), caller)


def test_the_admin_token_alone_does_not_close_the_door() -> None:
    assert not OPEN.needs_key
    assert CLOSED.needs_key
    assert policy(INFER_RECORD).needs_key
    assert not policy().needs_key


def test_a_second_admin_key_closes_the_door() -> None:
    assert policy(ADMIN_RECORD, new_key("admin")[1]).needs_key


def test_as_soon_as_there_are_keys_this_machine_needs_one_too() -> None:
    with pytest.raises(Unauthenticated):
        admit(CLOSED, local())


@pytest.mark.parametrize("caller", [local(**bearer(INFER)), remote(**bearer(INFER))])
def test_a_key_is_known_by_its_id_and_role_from_anywhere(caller: Caller) -> None:
    assert admit(CLOSED, caller) == Principal(INFER_RECORD.id, "infer", "normal", "normal")


def test_a_key_is_enough_under_any_host_name() -> None:
    assert admit(CLOSED, remote(host="any.example", **bearer(ADMIN))).role == "admin"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {STRANGER}",
        f"Basic {INFER}",
        INFER,
        f"Bearer {INFER}x",
        f"Bearer mp_{INFER_RECORD.id}_{STRANGER.split('_', 2)[2]}",
    ],
    ids=range(8),  # the keys are others each time
)
def test_a_wrong_authorization_is_refused_even_where_none_is_needed(authorization: str) -> None:
    for where in (OPEN, CLOSED, policy(open_to_all=True)):
        with pytest.raises(Unauthenticated, match="this key is not known here"):
            admit(where, local(authorization=authorization))


def test_a_revoked_key_is_refused() -> None:
    assert admit(CLOSED, local(**bearer(INFER)))
    with pytest.raises(Unauthenticated):
        admit(policy(ADMIN_RECORD), local(**bearer(INFER)))


def test_without_keys_callers_have_the_priority_that_they_ask_for() -> None:
    principal = admit(OPEN, local())
    assert prioritise(principal, None) == "normal"
    assert [prioritise(principal, asked) for asked in PRIORITIES] == [*PRIORITIES]


@pytest.mark.parametrize("own", PRIORITIES)
def test_a_keys_priority_is_that_of_its_requests_and_their_highest(own: Priority) -> None:
    key, record = new_key("infer", priority=own)
    principal = admit(policy(ADMIN_RECORD, record), local(**bearer(key)))
    assert prioritise(principal, None) == own
    for asked in PRIORITIES:
        if PRIORITIES.index(asked) <= PRIORITIES.index(own):
            assert prioritise(principal, asked) == asked
        else:
            with pytest.raises(Forbidden, match=f"'{own}' at most, and '{asked}'") as error:
                prioritise(principal, asked)
            assert error.value.detail == {"highest": own}


def test_the_admin_token_may_ask_for_any_priority() -> None:
    principal = admit(CLOSED, local(**bearer(ADMIN)))
    assert prioritise(principal, None) == "normal"
    assert prioritise(principal, "high") == "high"


def test_the_scheme_is_known_in_any_case_and_spaces_do_not_matter() -> None:
    assert admit(CLOSED, local(authorization=f"bEARER   {INFER} ")).role == "infer"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost", "http://[", "localhost:8080", "://"],
)
def test_a_page_of_another_origin_is_refused_before_its_key_is_looked_at(origin: str) -> None:
    for caller in (local(origin=origin), local(origin=origin, **bearer(INFER))):
        with pytest.raises(Forbidden, match="--cors-origin"):
            admit(CLOSED, caller)


def test_an_origin_without_a_host_header_is_refused() -> None:
    with pytest.raises(Forbidden, match="--cors-origin"):
        admit(OPEN, Caller(loopback=True, origin="http://"))


def test_the_servers_own_pages_are_let_in() -> None:
    assert admit(OPEN, local(origin="http://localhost:8080")).name == "local"
    assert admit(OPEN, local(origin="http://LocalHost:8080")).name == "local"


def test_an_origin_that_the_operator_allows_is_let_in() -> None:
    allowing = policy(cors_origins=("https://app.example",))
    assert admit(allowing, local(origin="https://app.example")).name == "local"
    with pytest.raises(Forbidden):
        admit(allowing, local(origin="http://app.example"))


def test_a_page_under_a_name_that_resolves_to_this_machine_is_refused() -> None:
    # DNS rebinding: for the browser, Origin and Host agree.
    with pytest.raises(Forbidden, match=r"this server is not called 'evil\.example'"):
        admit(OPEN, local(host="evil.example:8080", origin="http://evil.example:8080"))


@pytest.mark.parametrize("permission", Permission)
def test_an_admin_may_do_everything(permission: Permission) -> None:
    permit(admit(OPEN, local(**bearer(ADMIN))), permission)


@pytest.mark.parametrize(
    "permission", [each for each in Permission if each is not Permission.ADMIN]
)
def test_an_infer_key_may_do_everything_but_administer(permission: Permission) -> None:
    permit(Principal("0123", "infer"), permission)


def test_an_infer_key_may_not_administer() -> None:
    with pytest.raises(Forbidden, match="role 'infer' may not do this: it needs 'admin'") as error:
        permit(Principal("0123", "infer"), Permission.ADMIN)
    assert error.value.detail == {"needs": "admin"}


@pytest.mark.parametrize("name", ["local", "anyone"])
def test_without_a_key_nobody_may_administer(name: str) -> None:
    with pytest.raises(Unauthenticated, match="admin operations need the admin token"):
        permit(Principal(name, "infer"), Permission.ADMIN)


# -- sessions

SESSIONS = Sessions(secret=b"s" * 32, lasts_s=3600)
NOW = 1_800_000_000.0
OWN = {"origin": "http://localhost:8080"}


def signing(*records: KeyRecord) -> Policy:
    return policy(*records, sessions=SESSIONS)


def signed_in(record: KeyRecord = INFER_RECORD, **seen: Any) -> Caller:
    """A caller with the cookie of somebody who has just signed in, and the page's token."""
    token = new_session(SESSIONS, record, NOW)
    session = session_of(SESSIONS, token, {record.id: record}, NOW)
    assert session is not None
    csrf = csrf_token(SESSIONS, session)
    return local(**{"session": token, "csrf": csrf, "now": NOW, **OWN, **seen})


BOTH = signing(ADMIN_RECORD, INFER_RECORD)


@pytest.mark.parametrize("record", [INFER_RECORD, ADMIN_RECORD], ids=["infer", "admin"])
def test_a_session_is_its_key(record: KeyRecord) -> None:
    key = {INFER_RECORD.id: INFER, ADMIN_RECORD.id: ADMIN}[record.id]
    by_key = admit(BOTH, local(**bearer(key)))
    by_cookie = admit(BOTH, signed_in(record))
    assert by_cookie.session is not None
    assert msgspec.structs.replace(by_cookie, session=None) == by_key
    assert by_key.session is None


def test_a_key_beside_the_cookie_is_what_counts() -> None:
    both = signed_in(INFER_RECORD, csrf=None, origin=None, **bearer(ADMIN))
    assert admit(BOTH, both) == admit(BOTH, local(**bearer(ADMIN)))
    with pytest.raises(Unauthenticated, match="this key is not known here"):
        admit(BOTH, signed_in(**bearer(STRANGER)))


def test_reading_by_the_cookie_needs_nothing_more() -> None:
    assert admit(BOTH, signed_in(csrf=None, origin=None, changes=False)).name == INFER_RECORD.id


@pytest.mark.parametrize(
    "seen",
    [
        {"csrf": None},
        {"csrf": ""},
        {"csrf": "A" * 43},
        {"csrf": "é"},
        {"origin": None},
        {"origin": None, "fetch_site": "same-site"},
        {"origin": None, "fetch_site": "cross-site"},
        {"origin": None, "fetch_site": "none"},
        {"csrf": None, "origin": None, "fetch_site": "same-origin"},
    ],
)
def test_a_change_by_the_cookie_alone_is_refused_with_what_to_send(seen: dict[str, Any]) -> None:
    with pytest.raises(Forbidden, match=r"'X-CSRF-Token'.*GET /session.*'Origin'"):
        admit(BOTH, signed_in(**seen))


@pytest.mark.parametrize("seen", [OWN, {"origin": None, "fetch_site": "same-origin"}])
def test_a_page_of_this_server_changes_with_the_sessions_token(seen: dict[str, Any]) -> None:
    assert admit(BOTH, signed_in(**seen)).name == INFER_RECORD.id


def test_the_token_of_another_session_of_the_same_key_is_refused() -> None:
    other = signed_in()
    with pytest.raises(Forbidden, match="X-CSRF-Token"):
        admit(BOTH, signed_in(csrf=other.csrf))


def test_a_page_of_an_allowed_origin_does_not_change_by_the_cookie() -> None:
    app = "https://app.example"
    allowing = policy(ADMIN_RECORD, INFER_RECORD, sessions=SESSIONS, cors_origins=(app,))
    with pytest.raises(Forbidden, match="X-CSRF-Token"):
        admit(allowing, signed_in(origin=app))
    with pytest.raises(Forbidden, match="--cors-origin"):
        admit(BOTH, signed_in(origin=app))


def test_a_session_that_ended_is_none_and_told_only_where_a_key_is_needed() -> None:
    late = signed_in(now=NOW + SESSIONS.lasts_s)
    with pytest.raises(Unauthenticated, match=r"needs a key, and the session .* has ended"):
        admit(BOTH, late)
    assert admit(signing(ADMIN_RECORD), late) == Principal("local", "infer")


def test_without_a_time_every_session_has_ended() -> None:
    token = new_session(SESSIONS, INFER_RECORD, NOW)
    with pytest.raises(Unauthenticated, match="has ended"):
        admit(BOTH, local(session=token))


def test_a_session_ends_with_its_key() -> None:
    caller = signed_in(INFER_RECORD)
    assert admit(BOTH, caller)
    with pytest.raises(Unauthenticated, match="has ended"):
        admit(signing(ADMIN_RECORD, new_key("infer")[1]), caller)


def test_a_policy_without_sessions_of_its_own_accepts_none() -> None:
    with pytest.raises(Unauthenticated, match="has ended"):
        admit(CLOSED, signed_in())
    assert CLOSED.sessions.secret != OPEN.sessions.secret


@pytest.mark.parametrize("seen", [{}, OWN, {"fetch_site": "same-origin"}, {"fetch_site": "none"}])
def test_own_pages_and_what_is_no_page_may_sign_in(seen: dict[str, str]) -> None:
    check_sign_in(CLOSED, local(**seen))


@pytest.mark.parametrize(
    "seen",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://app.example"},
        {"fetch_site": "cross-site"},
        {"fetch_site": "same-site"},
    ],
)
def test_other_pages_may_not_sign_their_visitors_in(seen: dict[str, str]) -> None:
    allowing = policy(INFER_RECORD, cors_origins=("https://app.example",))
    with pytest.raises(Forbidden):
        check_sign_in(allowing, local(**seen))


def test_what_a_role_allows() -> None:
    assert granted("infer") == (Permission.PUBLIC, Permission.READ, Permission.INFER)
    assert granted("admin") == tuple(Permission)


def test_who_was_admitted_is_so_for_as_long_as_their_key_is_there() -> None:
    caller = Principal(INFER_RECORD.id, "infer")
    assert is_admitted(policy(INFER_RECORD), caller)
    assert not is_admitted(policy(ADMIN_RECORD), caller)
    for name in ("local", "anyone"):
        assert is_admitted(policy(ADMIN_RECORD), Principal(name, "infer"))
        assert not is_admitted(policy(ADMIN_RECORD, INFER_RECORD), Principal(name, "infer"))
