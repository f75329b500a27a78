"""Addresses without what is secret in them."""

from __future__ import annotations

import pytest

from modelport.kit.addresses import shown


def test_an_address_is_shown_without_name_password_and_options() -> None:
    assert shown("redis://me:pw@host:1/2?ssl_password=x") == "redis://host:1/2"
    assert shown("unix://:pw@/run/redis.sock?db=1") == "unix:///run/redis.sock"
    assert shown("redis://:pw@[host/0") == "the given address"


@pytest.mark.parametrize("password", ["a@b#c", "a@b/c", "a@b?c", "a:b/c"])
def test_of_a_password_that_is_not_encoded_no_part_is_shown(password: str) -> None:
    assert shown(f"postgresql://me:{password}@host/db") == "the given address"
