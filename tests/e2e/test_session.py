"""Where keys are needed: signing in with a key or a link, being refused, signing out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright import sync_api

from tests.app.servers import Served, serving

expect = sync_api.expect
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def locked(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server that asks for keys, and one of them."""
    state = tmp_path_factory.mktemp("state")
    with serving(demo, state=state) as server:
        token = (state / "admin-token").read_text().strip()
        made = httpx.post(
            f"{server.url}/admin/keys",
            headers={"authorization": f"Bearer {token}"},
            json={"role": "infer", "name": "a clerk"},
        )
        yield server, made.json()["key"]


def sign_in(page: sync_api.Page, key: str) -> None:
    """On the page that asks for a key."""
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_key_opens_the_page_that_was_wanted(
    page: sync_api.Page, locked: tuple[Served, str], expected_errors: list[str]
) -> None:
    server, key = locked
    expected_errors.append("401")
    page.goto(f"{server.url}/apps/linear")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    sign_in(page, "mp_wrong")
    expect(page.get_by_role("alert")).to_contain_text("nobody can sign in with this")
    sign_in(page, key)
    expect(page).to_have_url(f"{server.url}/apps/linear")
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()
    cookie = next(c for c in page.context.cookies() if c["name"] == "modelport-session")
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    expect(page.get_by_text("a clerk")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_all_tabs_sign_out_together(
    page: sync_api.Page, locked: tuple[Served, str], expected_errors: list[str]
) -> None:
    server, key = locked
    expected_errors.append("401")
    page.goto(f"{server.url}/sign-in")
    sign_in(page, key)
    expect(page.get_by_text("a clerk")).to_be_visible()
    other = page.context.new_page()
    other.goto(f"{server.url}/apps/linear")
    expect(other.get_by_text("a clerk")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    sign_in(page, key)
    expect(other).to_have_url(f"{server.url}/apps/linear")
    expect(other.get_by_text("a clerk")).to_be_visible()


def test_what_is_locked_is_not_delivered(page: sync_api.Page, locked: tuple[Served, str]) -> None:
    server, _ = locked
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}/")
    expect(page).to_have_url(re.compile("/sign-in"))
    assert not any("/models" in url for url in asked)
    assert page.request.get(f"{server.url}/models").status == 401
