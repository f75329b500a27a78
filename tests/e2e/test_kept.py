"""What somebody has filled in is kept, and what is told of it is told rightly."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from playwright import sync_api

from tests.app.servers import Served

expect = sync_api.expect
pytestmark = pytest.mark.e2e

HEADER = "area,rooms,age,city"


def fill(page: sync_api.Page, url: str) -> None:
    page.goto(f"{url}/apps/price")
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()


def area(page: sync_api.Page) -> sync_api.Locator:
    return page.get_by_role("textbox", name="area")


def test_another_view_keeps_the_input_and_its_answer(page: sync_api.Page, kinds: Served) -> None:
    fill(page, kinds.url)
    page.get_by_role("tab", name="About").click()
    expect(page.get_by_text("Digest")).to_be_visible()
    page.get_by_role("tab", name="Try it").click()
    expect(area(page)).to_have_value("120")
    expect(page.get_by_test_id("took")).to_be_visible()
    area(page).fill("50")
    page.go_back()
    page.go_back()
    expect(area(page)).to_have_value("50")


def test_an_answer_to_an_earlier_input_says_so(page: sync_api.Page, kinds: Served) -> None:
    fill(page, kinds.url)
    old = page.get_by_text("the input before your last change")
    expect(old).to_have_count(0)
    before = page.get_by_test_id("answer").bounding_box()
    area(page).fill("121")
    expect(old).to_be_visible()
    assert page.get_by_test_id("answer").bounding_box() == before
    area(page).fill("120")
    expect(old).to_have_count(0)


def test_a_failure_has_nothing_of_the_last_success(
    page: sync_api.Page, kinds: Served, expected_errors: list[str]
) -> None:
    expected_errors.append("400")
    fill(page, kinds.url)
    page.get_by_role("tab", name="JSON").click()
    area(page).fill("5000")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("tabpanel", name="Answer")).to_contain_text("That did not work")
    expect(page.get_by_test_id("took")).to_have_count(0)
    expect(page.get_by_test_id("share")).to_have_count(0)


def test_a_link_is_followed_on_the_same_page_and_cleared(
    page: sync_api.Page, kinds: Served
) -> None:
    fill(page, kinds.url)
    page.wait_for_url(re.compile("#in="))
    first = page.url
    area(page).fill("60")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: "#in=" in url and url != first)
    page.evaluate("url => { location.href = url }", first)
    expect(area(page)).to_have_value("120")
    page.get_by_role("button", name="Clear").click()
    assert "#" not in page.url
    page.reload()
    expect(page.get_by_test_id("answer").get_by_text("The answer shows here.")).to_be_visible()


def test_an_input_file_is_opened_without_a_run_before(
    page: sync_api.Page, kinds: Served, tmp_path: Path
) -> None:
    page.goto(f"{kinds.url}/apps/price")
    given = tmp_path / "input.json"
    chooser = page.locator("input[type=file]")
    given.write_text("[1")
    expect(page.get_by_role("button", name="Open input file")).to_be_visible()
    chooser.set_input_files(given)
    expect(page.get_by_role("alert")).to_contain_text("no input")
    given.write_text(json.dumps({"area": 70, "rooms": 2, "age": None, "city": "Oslo"}))
    chooser.set_input_files(given)
    expect(area(page)).to_have_value("70")
    expect(page.get_by_test_id("took")).to_be_visible()


def test_what_is_wrong_with_a_file_names_its_row(
    page: sync_api.Page, kinds: Served, tmp_path: Path, expected_errors: list[str]
) -> None:
    expected_errors.append("400")
    page.goto(f"{kinds.url}/apps/price/batch")
    table = tmp_path / "houses.csv"
    rows = ["100,3,10,Oslo"] * 649

    def score(lines: list[str], header: str = HEADER) -> None:
        table.write_text("\n".join([header, *lines]) + "\n")
        page.locator("input[type=file]").first.set_input_files(table)

    score([*rows[:548], "wide,3,10,Oslo", *rows[549:]])
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Row 549 of 649, area:")
    score([])
    expect(alert).to_contain_text("no rows under it")
    table.write_bytes(b"PK\x03\x04\0\0[Content_Types].xml")
    page.locator("input[type=file]").first.set_input_files(table)
    expect(alert).to_contain_text("This is no CSV file.")
    # The same file, mended: other capitals, semicolons, and none of what may be empty.
    score(["99,5;3;Oslo"] * 649, "AREA;Rooms;City")
    expect(page.get_by_test_id("batch-done")).to_contain_text("649 rows")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download the answers").click()
    first, *answers = saved.value.path().read_text().splitlines()
    assert first.startswith("AREA;Rooms;City;")
    assert len(answers) == 649
    assert answers[0].startswith("99,5;3;Oslo;")
    assert "." not in answers[0]  # as the file writes its own numbers


def test_answers_stand_under_their_name_beside_rows_of_any_length(
    page: sync_api.Page, kinds: Served, tmp_path: Path, expected_errors: list[str]
) -> None:
    expected_errors.append("400")
    page.goto(f"{kinds.url}/apps/price/batch")
    table = tmp_path / "houses.csv"
    table.write_text("\ufeffarea,rooms,prediction,city,age\n100,3,,Oslo\n90,2,,Rome,7,\n", "utf-8")
    page.locator("input[type=file]").first.set_input_files(table)
    expect(page.get_by_test_id("batch-done")).to_contain_text("2 rows in")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download the answers").click()
    header, *rows = csv.reader(saved.value.path().read_text("utf-8").splitlines())
    assert header == ["\ufeffarea", "rooms", "prediction", "city", "age", "", "answer.prediction"]
    assert [row[:6] for row in rows] == [
        ["100", "3", "", "Oslo", "", ""],
        ["90", "2", "", "Rome", "7", ""],
    ]
    assert all(float(row[6]) > 0 for row in rows)
    # Between commas, a comma parts thousands: whoever meant them is asked.
    table.write_text('area,rooms,city,age\n"1,200",3,Oslo,7\n')
    page.locator("input[type=file]").first.set_input_files(table)
    expect(page.get_by_role("alert")).to_contain_text("Row 1 of 1, area:")


def test_an_empty_table_is_not_run(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/price/batch")
    button = page.get_by_role("button", name="Run", exact=True)
    expect(button).to_be_disabled()
    page.get_by_role("textbox", name="area, row 1").fill("90")
    expect(button).to_be_enabled()


def test_what_is_compared_begins_with_what_was_tried_and_names_what_is_missing(
    page: sync_api.Page, kinds: Served
) -> None:
    page.goto(f"{kinds.url}/apps/twins")
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()
    boxes = page.get_by_role("main").get_by_role("textbox")
    boxes.first.fill("7")
    page.get_by_role("tab", name="Compare versions").click()
    expect(boxes.first).to_have_value("7")
    run = page.get_by_role("button", name="Run", exact=True)
    run.click()
    expect(page.get_by_text("ms · version")).to_have_count(2)
    for box in boxes.all():
        box.fill("")
    run.click()
    expect(page.get_by_role("alert")).to_contain_text("Still missing: x")


def test_a_version_beside_itself_and_beside_the_other_again(
    page: sync_api.Page, kinds: Served
) -> None:
    page.goto(f"{kinds.url}/apps/twins/compare")
    answers = page.get_by_text("ms · version")
    for version in ("1", "2", "1"):
        page.get_by_label("Version", exact=True).select_option(version)
        page.get_by_role("button", name="Run", exact=True).click()
        expect(answers.first).to_contain_text(f"version {version}")
        expect(answers).to_have_count(2)
        expect(answers.last).to_contain_text("version 2")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_focused()


def test_what_both_versions_refuse_is_told_once(
    page: sync_api.Page, kinds: Served, expected_errors: list[str]
) -> None:
    expected_errors.append("400")
    page.goto(f"{kinds.url}/apps/twins/compare")
    page.get_by_role("main").get_by_role("textbox").first.fill("")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("That did not work")).to_have_count(1)
    # And at its field.
    expect(page.get_by_text("takes numbers")).to_have_count(2)
