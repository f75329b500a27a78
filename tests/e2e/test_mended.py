"""What a page does when the server goes, a session ends, a browser refuses, or a name is long."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright import sync_api

from tests.app.servers import LINEAR, Served, command, environment, eventually, serving
from tests.e2e.conftest import BUILT

expect = sync_api.expect
pytestmark = pytest.mark.e2e

LONG = "a" + 41 * "-b" + "cd"
"""A name of 85 characters."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server of two models, one with a long name, and the admin token; it asks for no key yet."""
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    folder = tmp_path_factory.mktemp("models")
    for name in ("linear", LONG):
        shutil.copy(LINEAR, folder / f"{name}.onnx")
    state = tmp_path_factory.mktemp("state")
    with serving(folder, state=state, workers=1) as server:
        yield server, (state / "admin-token").read_text().strip()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server that asks for keys, and the admin token."""
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    state = tmp_path_factory.mktemp("state")
    with serving(LINEAR, state=state, workers=1) as server:
        token = (state / "admin-token").read_text().strip()
        made = httpx.post(
            f"{server.url}/admin/keys",
            headers={"authorization": f"Bearer {token}"},
            json={"role": "infer", "name": "a clerk"},
        )
        assert made.is_success
        yield server, token


def sign_in(page: sync_api.Page, server: Served, token: str) -> None:
    page.goto(f"{server.url}/sign-in")
    page.get_by_label("Key").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_page_whose_code_does_not_come_says_so_and_can_be_tried_again(
    page: sync_api.Page, plain: tuple[Served, str], expected_errors: list[str]
) -> None:
    expected_errors += [
        "Failed to load resource",
        "Failed to fetch dynamically",
        "Unable to preload",
    ]
    server, _ = plain
    page.goto(server.url)
    page.get_by_test_id("card-linear").wait_for()
    page.route("**/assets/Docs*", lambda route: route.abort())
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("could not be shown")
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_test_id("card-linear")).to_be_visible()
    page.get_by_role("link", name="API", exact=True).click()
    page.unroute("**/assets/Docs*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("press", ["Run", "Models"])
def test_a_session_that_has_ended_leads_to_signing_in_and_back(
    page: sync_api.Page, locked: tuple[Served, str], expected_errors: list[str], press: str
) -> None:
    expected_errors.append("401")
    server, token = locked
    sign_in(page, server, token)
    page.goto(f"{server.url}/apps/linear")
    run = page.get_by_role("button", name="Run", exact=True)
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()
    page.context.clear_cookies()
    (run if press == "Run" else page.get_by_role("link", name=press, exact=True)).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    page.get_by_label("Key").fill(token)
    page.get_by_role("button", name="Sign in").click()
    there = "/apps/linear" if press == "Run" else "/"
    expect(page).to_have_url(re.compile(re.escape(server.url + there)))


def test_signing_out_of_a_server_that_does_not_answer_is_said_to_have_failed(
    page: sync_api.Page, locked: tuple[Served, str], expected_errors: list[str]
) -> None:
    expected_errors.append("Failed to load resource")
    server, token = locked
    sign_in(page, server, token)
    page.route("**/session", lambda route: route.abort())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert")).to_contain_text("still signed in")
    page.unroute("**/session")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_browser_without_a_clipboard_copies_all_the_same(
    page: sync_api.Page, plain: tuple[Served, str]
) -> None:
    server, _ = plain
    page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'clipboard', {get: () => undefined})"
    )
    page.goto(f"{server.url}/docs")
    page.get_by_role("button", name="Copy", exact=True).first.click()
    page.get_by_role("button", name="Copied").wait_for()
    page.goto(server.url)
    page.get_by_test_id("card-linear").wait_for()
    search = page.get_by_role("searchbox")
    search.focus()
    page.keyboard.press("Control+V")
    expect(search).to_have_value(server.url)


@pytest.mark.parametrize("path", ["/", "/docs", f"/docs/{LONG}", f"/apps/{LONG}"])
def test_a_long_name_stays_within_a_phone(
    page: sync_api.Page, plain: tuple[Served, str], path: str
) -> None:
    server, _ = plain
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(server.url + path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if path == "/":
        foot = page.get_by_test_id(f"card-{LONG}").get_by_text(f"{LONG} ·").bounding_box()
        assert foot is not None
        assert foot["x"] + foot["width"] <= 390


def test_a_model_shows_up_on_a_page_that_is_open(page: sync_api.Page, tmp_path: Path) -> None:
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    folder, state = tmp_path / "models", tmp_path / "state"

    def push(name: str) -> None:
        line = command("push", str(LINEAR), "--name", name, "--repository", str(folder))
        subprocess.run(line, check=True, env=environment(state), stdout=subprocess.DEVNULL)

    push("first")
    with serving(folder, state=state, workers=1) as server:
        page.clock.install()
        page.route("**/models", lambda route: route.fulfill(json=[]))
        page.goto(server.url)
        expect(page.get_by_text("--repository FOLDER")).to_be_visible()
        page.unroute("**/models")
        page.clock.fast_forward(3000)
        expect(page.get_by_test_id("card-first")).to_be_visible()
        push("second")
        assert eventually(lambda: "second" in httpx.get(f"{server.url}/models").text, 20)
        page.clock.fast_forward(30_000)
        expect(page.get_by_test_id("card-second")).to_be_visible()


def test_who_comes_back_finds_their_search_and_their_place(
    page: sync_api.Page, plain: tuple[Served, str]
) -> None:
    server, _ = plain
    page.set_viewport_size({"width": 390, "height": 300})
    page.goto(server.url)
    page.get_by_role("searchbox").press_sequentially("linear")
    expect(page).to_have_url(f"{server.url}/?q=linear")
    card = page.get_by_test_id("card-linear")
    card.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    assert place > 0
    card.click()
    page.get_by_role("button", name="Run").wait_for()
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("linear")
    expect(page.get_by_test_id(f"card-{LONG}")).to_have_count(0)
    page.wait_for_function("place => scrollY === place", arg=place)
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_an_open_server_is_never_said_to_ask_for_a_key(
    page: sync_api.Page, plain: tuple[Served, str]
) -> None:
    server, token = plain
    page.goto(f"{server.url}/sign-in")
    expect(page.get_by_text("no key is needed to read")).to_be_visible()
    sign_in(page, server, token)
    page.goto(f"{server.url}/docs")
    expect(page.get_by_text("asks for no key")).to_be_visible()
