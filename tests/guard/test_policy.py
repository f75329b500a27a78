"""The gate: who is let in, as whom, and to what."""

from __future__ import annotations

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
    permit,
    prioritise,
)

INFER, INFER_RECORD = new_key("infer", "app")
ADMIN, ADMIN_RECORD = new_key("admin", "admin token")
STRANGER, _ = new_key("infer")
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")


def policy(*records: KeyRecord, **settings: object) -> Policy:
    keys = {record.id: record for record in records}
    return Policy(keys=keys, admin_key_id=ADMIN_RECORD.id, **settings)  # type: ignore[arg-type]


def local(**seen: str) -> Caller:
    return Caller(loopback=True, **{"host": "localhost:8080", **seen})  # type: ignore[arg-type]


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
