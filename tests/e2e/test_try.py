"""Somebody who has never seen the models tries them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright import sync_api

from tests.app.servers import Served

expect = sync_api.expect
pytestmark = pytest.mark.e2e


def test_home_shows_the_models_and_finds_one(page: sync_api.Page, served: Served) -> None:
    page.goto(served.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    expect(page.get_by_text("3 models")).to_be_visible()
    page.get_by_label("Search models").fill("digit")
    expect(page.get_by_text("1 model", exact=True)).to_be_visible()
    page.get_by_test_id("card-digits").click()
    expect(page).to_have_url(f"{served.url}/apps/digits")
    expect(page.get_by_role("heading", level=1)).to_have_text("Handwritten digits")


def test_a_search_that_finds_nothing_says_so(page: sync_api.Page, served: Served) -> None:
    page.goto(served.url)
    page.get_by_label("Search models").fill("zebra")
    expect(page.get_by_text("No model matches “zebra”.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_text("3 models")).to_be_visible()


def draw(page: sync_api.Page, strokes: list[list[tuple[float, float]]]) -> None:
    """Draw with the mouse; points are parts of the canvas from 0 to 1."""
    canvas = page.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=8)
        page.mouse.up()


SEVEN = [[(0.25, 0.12), (0.72, 0.12), (0.6, 0.4), (0.42, 0.9)]]


def test_a_drawn_seven_is_seen_as_seven(page: sync_api.Page, served: Served) -> None:
    page.goto(f"{served.url}/apps/digits")
    draw(page, SEVEN)
    answer = page.get_by_test_id("answer")
    expect(answer.get_by_test_id("predicted")).to_have_text("7")
    expect(page.get_by_test_id("took")).to_contain_text("ms · version 1")


def test_an_example_of_thirty_numbers_is_answered(page: sync_api.Page, served: Served) -> None:
    page.goto(f"{served.url}/apps/breast-cancer")
    page.get_by_text("Example 1").click()
    expect(page.get_by_test_id("predicted")).to_have_text(re.compile("malignant|benign"))
    expect(page.get_by_role("textbox", name="mean radius")).not_to_have_value("")


def test_what_is_missing_is_named(page: sync_api.Page, served: Served) -> None:
    page.goto(f"{served.url}/apps/linear")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Still missing: x")).to_be_visible()


def test_a_link_reproduces_input_and_answer(
    page: sync_api.Page, served: Served, context: sync_api.BrowserContext
) -> None:
    page.goto(f"{served.url}/apps/digits")
    draw(page, SEVEN)
    expect(page.get_by_test_id("predicted")).to_have_text("7")
    page.wait_for_url(re.compile("#in="))
    other = context.new_page()
    other.goto(page.url)
    expect(other.get_by_test_id("predicted")).to_have_text("7")


def test_a_damaged_link_shows_the_empty_form(page: sync_api.Page, served: Served) -> None:
    page.goto(f"{served.url}/apps/linear#in=AAAA%%%")
    expect(page.get_by_test_id("answer").get_by_text("The answer shows here.")).to_be_visible()


def test_a_table_is_scored_with_progress(
    page: sync_api.Page, served: Served, tmp_path: Path
) -> None:
    page.goto(f"{served.url}/apps/breast-cancer/batch")
    with page.expect_download() as template:
        page.get_by_role("button", name="Download a template").click()
    header, row = template.value.path().read_text().splitlines()
    table = tmp_path / "many.csv"
    table.write_text("\n".join([f"id,{header}", *(f"{n},{row}" for n in range(5000))]))
    page.locator("input[type=file]").first.set_input_files(table)
    expect(page.get_by_test_id("batch-done")).to_contain_text("5,000 rows in", timeout=60_000)
    with page.expect_download() as answers:
        page.get_by_role("button", name="Download the answers").click()
    assert answers.value.suggested_filename == "many-answers.csv"
    lines = answers.value.path().read_text().splitlines()
    assert len(lines) == 5001
    assert lines[0].startswith(f"id,{header},prediction")
    assert lines[5000].startswith("4999,")


def test_columns_that_a_table_lacks_are_named(
    page: sync_api.Page, served: Served, tmp_path: Path
) -> None:
    table = tmp_path / "few.csv"
    table.write_text("mean radius\n1\n")
    page.goto(f"{served.url}/apps/breast-cancer/batch")
    page.locator("input[type=file]").first.set_input_files(table)
    # The model takes missing values, and none but these.
    expect(page.get_by_text("count as missing: mean texture,")).to_be_visible()
    table.write_text("mean radus\n1\n")
    page.locator("input[type=file]").first.set_input_files(table)
    expect(page.get_by_role("alert")).to_contain_text("The header lacks: mean radius, mean")


def test_both_languages_and_both_schemes(page: sync_api.Page, served: Served) -> None:
    page.goto(served.url)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("模型")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("模型")
    page.get_by_role("button", name="深色").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


def test_an_unknown_model_is_told_in_the_servers_words(
    page: sync_api.Page, served: Served, expected_errors: list[str]
) -> None:
    expected_errors.append("404")
    page.goto(f"{served.url}/apps/nix")
    expect(page.get_by_role("alert")).to_contain_text("'nix'")
