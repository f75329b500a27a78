"""Links to sign in with: random, kept as a hash, and in the part of an address that stays home."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from modelport.guard.links import link_address, link_hash, new_link


def test_a_link_is_found_by_its_hash_which_tells_nothing_of_it() -> None:
    link, kept = new_link()
    assert link_hash(link) == kept
    assert link not in kept


def test_no_two_links_are_the_same() -> None:
    assert len({new_link()[0] for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "link", ["", "x", "é" * 43, "A" * 42, "A" * 44, "A" * 42 + "\n", "A" * 42 + "="]
)
def test_what_is_no_link_has_no_hash(link: str) -> None:
    assert link_hash(link) is None


def test_a_browser_does_not_send_the_link_with_the_address() -> None:
    link, _ = new_link()
    address = urlsplit(link_address("http://localhost:8080/", link))
    assert (address.path, address.query, address.fragment) == ("/sign-in", "", f"link={link}")
