"""What goes wrong while a page is open: long work, dead workers, inputs too long for a link."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright import sync_api

from tests.app.servers import Served, eventually, serving

expect = sync_api.expect
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    program = Path(__file__).with_name("slow.py")
    with serving(f"{program}:slow", state=tmp_path_factory.mktemp("state")) as server:
        yield server


def test_long_work_shows_that_it_runs_and_is_cancelled_on_the_server_too(
    page: sync_api.Page, slow: Served, tmp_path: Path
) -> None:
    marker = tmp_path / "stopped"
    page.goto(f"{slow.url}/apps/slow")
    page.get_by_role("textbox", name="seconds").fill("30")
    page.get_by_role("textbox", name="marker").fill(str(marker))
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("Running…")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. The server stopped, too.")).to_be_visible()
    assert eventually(marker.exists)
    page.get_by_role("textbox", name="seconds").fill("0.01")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_test_id("took")).to_be_visible()


def test_a_killed_worker_costs_no_more_than_another_try(
    page: sync_api.Page, served: Served, expected_errors: list[str]
) -> None:
    expected_errors.append("Failed to load resource")
    page.goto(f"{served.url}/apps/linear")
    page.get_by_text("Example 1").click()
    expect(page.get_by_test_id("took")).to_be_visible()
    for pid in served.children()["worker"]:
        os.kill(pid, signal.SIGKILL)

    def is_answered() -> bool:
        page.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_timeout(300)
        return page.get_by_test_id("answer").get_by_text("1.8").is_visible()

    assert eventually(is_answered, within_s=15)


def test_an_input_that_is_too_long_for_a_link_is_a_file(
    page: sync_api.Page, kinds: Served, tmp_path: Path
) -> None:
    picture = tmp_path / "noise.png"
    Image.frombytes("RGB", (128, 128), os.urandom(128 * 128 * 3)).save(picture)
    page.goto(f"{kinds.url}/apps/colours")
    page.locator("input[accept='image/*']").set_input_files(picture)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("too long for a link")).to_be_visible()
    with page.expect_download() as kept:
        page.get_by_role("button", name="Download input").click()
    predicted = page.get_by_test_id("predicted").inner_text()
    page.reload()
    expect(page.get_by_test_id("answer").get_by_text("The answer shows here.")).to_be_visible()
    page.locator("input[accept='image/*']").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": picture.read_bytes()}
    )
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("too long for a link").wait_for()
    page.locator("input[accept*=json]").set_input_files(kept.value.path())
    expect(page.get_by_test_id("predicted")).to_have_text(predicted)
