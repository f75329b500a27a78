"""Keys: made once, stored without their secret, recognised in full only."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from modelport.guard.auth import KeyRecord, new_key, recognise, record_of


def test_a_new_key_is_recognised_by_its_record() -> None:
    key, record = new_key("infer", "phone", "2026-01-01")
    assert recognise(key, {record.id: record}) is record
    assert (record.role, record.name, record.created) == ("infer", "phone", "2026-01-01")


def test_a_record_holds_the_hash_of_the_secret_and_nothing_of_the_secret() -> None:
    key, record = new_key("admin")
    secret = key.split("_", 2)[2]
    assert record.hash == hashlib.sha256(secret.encode()).hexdigest()
    assert secret.encode() not in msgspec.json.encode(record)


def test_no_two_keys_are_the_same() -> None:
    assert len({new_key("infer")[0] for _ in range(50)}) == 50


def test_the_right_id_with_another_secret_is_not_recognised() -> None:
    key, record = new_key("infer")
    other, _ = new_key("infer")
    forged = f"mp_{record.id}_{other.split('_', 2)[2]}"
    assert recognise(forged, {record.id: record}) is None
    assert recognise(key, {record.id: record}) is record


def test_a_key_that_nobody_issued_or_somebody_revoked_is_not_recognised() -> None:
    key, _ = new_key("infer")
    assert recognise(key, {}) is None


def test_an_unknown_id_does_not_match_a_record_of_zeros() -> None:
    key, record = new_key("infer")
    zeros = KeyRecord(id="0" * 12, role="admin", hash="0" * 64)
    assert recognise(key, {record.id: zeros}) is None


@pytest.mark.parametrize(
    ("before", "after"), [("", "\n"), (" ", ""), ("", "A"), ("", "é"), ("x", "")]
)
def test_a_key_with_anything_around_it_is_not_recognised(before: str, after: str) -> None:
    key, record = new_key("infer")
    assert recognise(before + key + after, {record.id: record}) is None
    assert recognise(key[:-1], {record.id: record}) is None
    assert recognise(key.upper(), {record.id: record}) is None


@pytest.mark.parametrize("text", ["", "mp_", "mp_x_y", "é" * 60])
def test_what_is_no_key_is_not_recognised(text: str) -> None:
    assert recognise(text, {}) is None
    assert record_of(text, "admin", "x") is None


def test_the_record_of_a_key_recognises_it() -> None:
    key, _ = new_key("infer")
    record = record_of(key, "admin", "token")
    assert record is not None
    assert (record.role, record.name) == ("admin", "token")
    assert recognise(key, {record.id: record}) is record
