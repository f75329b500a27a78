"""What a browser's devices give, a camera and a microphone; and places in a text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api

from tests.app.servers import Served, serving
from tests.e2e.test_pages import violations

expect = sync_api.expect
pytestmark = pytest.mark.e2e


@pytest.fixture
def devices(context: sync_api.BrowserContext) -> sync_api.BrowserContext:
    """A person who lets pages use the devices; Chromium brings a moving picture and a beep."""
    context.grant_permissions(["camera", "microphone"])
    return context


def test_a_picture_is_taken_with_the_camera(
    devices: sync_api.BrowserContext, page: sync_api.Page, kinds: Served
) -> None:
    page.goto(f"{kinds.url}/apps/colours")
    page.get_by_role("button", name="Camera").click()
    window = page.get_by_role("dialog")
    expect(window.get_by_role("button", name="Take")).to_be_enabled()
    assert violations(page) == []
    window.get_by_role("button", name="Take").click()
    expect(window).to_have_count(0)
    page.get_by_role("button", name="Run", exact=True).click()
    # The picture is green, with a yellow disc.
    expect(page.get_by_test_id("predicted")).to_have_text("green")


def test_a_sound_is_recorded(
    devices: sync_api.BrowserContext, page: sync_api.Page, kinds: Served
) -> None:
    page.goto(f"{kinds.url}/apps/loudness")
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop").click()
    page.locator("audio").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_test_id("predicted")).to_be_visible()
    expect(page.get_by_test_id("took")).to_be_visible()


def test_a_camera_that_is_not_allowed_is_said(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/colours")
    page.get_by_role("button", name="Camera").click()
    window = page.get_by_role("dialog")
    expect(window.get_by_role("alert")).to_be_visible()
    window.get_by_role("button", name="Cancel").click()
    expect(window).to_have_count(0)


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Served]:
    """A program that marks places in a text."""
    program = tmp_path / "spans.py"
    shutil.copy(Path(__file__).with_name("spans.py"), program)
    (tmp_path / "spans.toml").write_text('[outputs.output]\nkind = "json"\n')
    with serving(f"{program}:spans", state=tmp_path / "state") as server:
        yield server


def test_places_in_a_text_are_marked(page: sync_api.Page, names: Served) -> None:
    page.goto(f"{names.url}/apps/spans")
    page.get_by_role("textbox", name="text").fill("from Oslo to Rome")
    page.get_by_role("button", name="Run", exact=True).click()
    answer = page.get_by_test_id("answer")
    expect(answer.locator("mark")).to_have_count(2)
    expect(answer.locator("mark").first).to_contain_text("Oslo")
