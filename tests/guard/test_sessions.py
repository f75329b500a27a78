"""Sessions: what nobody signed, what has ended and what lost its key is nobody's."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.guard.auth import KeyRecord, new_key
from modelport.guard.sessions import Session, Sessions, csrf_token, new_session, session_of

NOW = 1_800_000_000
RECORD, OTHER = (new_key(role)[1] for role in ("infer", "admin"))
RECORDS = {record.id: record for record in (RECORD, OTHER)}
SESSIONS = Sessions(secret=b"a secret of thirty-two characters", lasts_s=3600)
TOKEN = new_session(SESSIONS, RECORD, NOW)


def found(token: str = TOKEN, sessions: Sessions = SESSIONS, now: float = NOW) -> Session | None:
    return session_of(sessions, token, RECORDS, now)


def one(token: str = TOKEN) -> Session:
    session = found(token)
    assert session is not None
    return session


def test_a_session_names_its_key_and_its_time() -> None:
    session = one()
    assert (session.key_id, session.begun, session.ends) == (RECORD.id, NOW, NOW + 3600)
    assert TOKEN.startswith(session.text + ".")


def test_a_token_can_stand_in_a_cookie_and_holds_nothing_of_the_key_or_the_secret() -> None:
    assert set(TOKEN) <= set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.")
    assert RECORD.hash not in TOKEN
    assert "secret" not in TOKEN


def test_no_two_sessions_are_the_same_nor_are_their_csrf_tokens() -> None:
    tokens = {new_session(SESSIONS, RECORD, NOW) for _ in range(50)}
    assert len(tokens) == 50
    assert len({csrf_token(SESSIONS, one(token)) for token in tokens}) == 50


def test_the_csrf_token_is_no_part_of_the_session_and_its_own_for_each_secret() -> None:
    csrf = csrf_token(SESSIONS, one())
    assert csrf not in TOKEN
    assert csrf == csrf_token(SESSIONS, one())
    assert csrf != csrf_token(Sessions(secret=b"b" * 32), one())
    assert found(f"{one().text}.{csrf}") is None


@given(st.data())
def test_a_token_that_was_tampered_with_is_never_accepted(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TOKEN)))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(st.text(max_size=3) | st.text("0123456789abcdef._-AZ", max_size=3))
    tampered = TOKEN[:at] + put + TOKEN[at + cut :]
    assert (found(tampered) is None) == (tampered != TOKEN)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_what_is_no_token_is_never_accepted(text: str) -> None:
    assert found(text) is None


@given(st.integers(-(10**9), 10**9))
def test_a_session_holds_until_its_end_and_not_at_it(seconds: int) -> None:
    assert (found(now=NOW + seconds) is not None) == (seconds < 3600)
    assert found(now=NOW + 3599.999) is not None


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_the_shorter_of_what_was_signed_and_what_holds_now_counts(lasts_s: int, age: int) -> None:
    now_shorter = msgspec.structs.replace(SESSIONS, lasts_s=lasts_s)
    known = found(sessions=now_shorter, now=NOW + age)
    assert (known is not None) == (age < min(lasts_s, 3600))


@given(st.binary(min_size=1, max_size=64))
def test_another_secret_does_not_accept_it(secret: bytes) -> None:
    other = Sessions(secret=secret, lasts_s=3600)
    assert (found(sessions=other) is not None) == (secret == SESSIONS.secret)


def test_another_server_with_the_same_secret_and_keys_accepts_it() -> None:
    there = Sessions(secret=SESSIONS.secret, lasts_s=3600)
    assert session_of(there, TOKEN, dict(RECORDS), NOW) == one()


@pytest.mark.parametrize(
    "records",
    [{}, {OTHER.id: OTHER}, {RECORD.id: msgspec.structs.replace(RECORD, hash=OTHER.hash)}],
    ids=["no keys", "revoked", "another key under its id"],
)
def test_without_its_key_it_is_nobodys(records: dict[str, KeyRecord]) -> None:
    assert session_of(SESSIONS, TOKEN, records, NOW) is None


def test_a_session_of_a_key_that_is_not_there_cannot_be_made_up() -> None:
    nobody = KeyRecord(id="0" * 12, role="admin", hash="")
    token = new_session(SESSIONS, nobody, NOW)
    assert session_of(SESSIONS, token, RECORDS, NOW) is None


def test_the_secret_is_not_shown() -> None:
    assert "secret" not in repr(SESSIONS)
    assert "3600" in repr(SESSIONS)


def test_by_itself_the_secret_is_one_that_nobody_knows() -> None:
    assert len({Sessions().secret for _ in range(10)}) == 10
    assert len(Sessions().secret) == 32
