"""`[app]` of a `model.toml` in the browser: what it shows, sends and opens; and one app alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from tests.app.servers import Served, command, environment, serving
from tests.e2e.conftest import BUILT
from tests.e2e.kinds import MOOD, PRICE, write_kinds
from tests.e2e.test_pages import SCREENSHOTS, SIZES, violations

expect = sync_api.expect
pytestmark = pytest.mark.e2e

WORTH = (
    PRICE.replace("[[examples]]", '[[examples]]\nname = "A flat in Rome"')
    + """
[[examples]]
input = { area = 300, rooms = 8, age = 5, city = "Lima" }
[app]
title = "What is my house worth?"
description = "Two numbers are enough."
inputs = ["rooms", "area"]
colour = "#7b2d8b"
public = true
[app.fixed]
city = "Lima"
"""
)
"""Of the fields area, rooms, age and city: two shown, one missing, one fixed."""
ASKED = {"area": 120, "rooms": 4, "age": None, "city": "Lima"}
ANSWER = 3000 * 120 + 8000 * 4 - 500 * 20 + 10000 * 2


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of all kinds, of which one has an `[app]`; besides, a yellow one."""
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    folder = tmp_path_factory.mktemp("models")
    write_kinds(folder)
    (folder / "price" / "model.toml").write_text(WORTH)
    (folder / "mood" / "model.toml").write_text(MOOD + '[app]\ncolour = "yellow"\n')
    return folder


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(models, state=tmp_path_factory.mktemp("state"), workers=1) as server:
        yield server


@pytest.fixture(scope="module")
def locked(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server that asks for keys, but for the one app that its operator opens; and a key."""
    state = tmp_path_factory.mktemp("state")
    line = command("keys", "create", "--role", "infer", "--json")
    made = subprocess.run(line, check=True, env=environment(state), capture_output=True, text=True)
    with serving(models, "--public-apps", "price", state=state, workers=1) as server:
        yield server, json.loads(made.stdout)["key"]


@pytest.fixture(scope="module")
def alone(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("state")
    with serving(models / "price", "--app-only", state=state, workers=1) as server:
        yield server


def asked(page: sync_api.Page, press: str) -> Any:
    """What is sent when a button, or an example, is pressed."""
    with page.expect_request(re.compile("/predict$")) as sent:
        page.get_by_text(press, exact=True).click()
    return sent.value.post_data_json


def test_the_page_has_its_own_words_and_order(page: sync_api.Page, server: Served) -> None:
    page.goto(server.url)
    card = page.get_by_test_id("card-price")
    expect(card).to_contain_text("What is my house worth?")
    card.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What is my house worth?")
    expect(page).to_have_title("What is my house worth? · Modelport")
    expect(page.get_by_text("Two numbers are enough.")).to_be_visible()
    form = page.get_by_role("form", name="Input")
    labels = form.locator("label").filter(has_text=re.compile("area|rooms|age|city"))
    expect(labels).to_have_text([re.compile("^rooms"), re.compile("^area")])
    expect(form.get_by_role("textbox")).to_have_count(2)


def test_a_request_has_what_is_fixed_and_what_is_missing(
    page: sync_api.Page, server: Served
) -> None:
    page.goto(f"{server.url}/apps/price")
    page.get_by_role("textbox", name="area").fill("120")
    page.get_by_role("textbox", name="rooms").fill("4")
    assert asked(page, "Run") == ASKED
    expect(page.get_by_test_id("answer")).to_contain_text(f"{ANSWER:,}")


def test_examples_are_called_by_their_names_and_fill_in_what_is_shown(
    page: sync_api.Page, server: Served
) -> None:
    page.goto(f"{server.url}/apps/price")
    expect(page.get_by_role("group", name="Examples")).to_contain_text("A flat in RomeExample 2")
    assert asked(page, "A flat in Rome") == ASKED
    assert asked(page, "Example 2") == {**ASKED, "area": 300, "rooms": 8}


def test_a_link_gives_only_what_is_shown(page: sync_api.Page, server: Served) -> None:
    page.goto(f"{server.url}/apps/price")
    page.get_by_text("A flat in Rome").click()
    page.wait_for_url(re.compile("#in="))
    with page.context.expect_page() as opened:
        page.evaluate("open(location.href)")
    other = opened.value
    expect(other.get_by_test_id("answer")).to_contain_text(f"{ANSWER:,}")
    # One that somebody made by hand, with a value under a fixed name and under a hidden one.
    made = page.evaluate(
        """async () => {
            const row = JSON.stringify({area: 120, rooms: 4, age: 90, city: "Rome"});
            const packed = new Blob([row]).stream()
                .pipeThrough(new CompressionStream("deflate-raw"));
            const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
            return btoa(String.fromCharCode(...bytes));
        }"""
    )
    third = page.context.new_page()
    with third.expect_request(re.compile("/predict$")) as sent:
        third.goto(f"{server.url}/apps/price#in={made}")
    assert sent.value.post_data_json == ASKED


def test_the_code_is_the_whole_request_and_right(page: sync_api.Page, server: Served) -> None:
    page.goto(f"{server.url}/apps/price")
    page.get_by_text("A flat in Rome").click()
    page.get_by_test_id("took").wait_for()
    page.get_by_role("tab", name="Use from code").click()
    text = page.get_by_test_id("snippet-curl").inner_text()
    assert '"city": "Lima"' in text
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"prediction": ANSWER}


def test_rows_of_a_file_get_the_fixed_values(
    page: sync_api.Page, server: Served, tmp_path: Path
) -> None:
    page.goto(f"{server.url}/apps/price/batch")
    with page.expect_download() as template:
        page.get_by_role("button", name="Download a template").click()
    assert template.value.path().read_text().splitlines() == ["rooms,area", "4,120"]
    table = tmp_path / "houses.csv"
    table.write_text("id,area,rooms,city\n1,120,4,Rome\n2,120,5,Oslo\n")
    page.locator("input[type=file]").first.set_input_files(table)
    page.get_by_test_id("batch-done").wait_for()
    with page.expect_download() as answers:
        page.get_by_role("button", name="Download the answers").click()
    assert answers.value.path().read_text().splitlines() == [
        "id,area,rooms,city,prediction",
        f"1,120,4,Rome,{ANSWER}.0",
        f"2,120,5,Oslo,{ANSWER + 8000}.0",
    ]


def test_an_edited_table_asks_for_what_is_shown(page: sync_api.Page, server: Served) -> None:
    page.goto(f"{server.url}/apps/price/batch")
    table = page.get_by_role("table").last
    expect(table).to_contain_text("rooms")
    expect(table).not_to_contain_text("city")
    for name, value in (("rooms", "4"), ("area", "120")):
        page.get_by_role("textbox", name=re.compile(name)).fill(value)
    assert asked(page, "Run") == {name: [value] for name, value in ASKED.items()}
    expect(page.get_by_text(re.compile(f"{ANSWER:,}"))).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "example"), [("price", "A flat in Rome"), ("mood", "Example 1")])
def test_a_page_in_its_own_colour_passes_the_rules(
    page: sync_api.Page, server: Served, name: str, example: str, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{server.url}/apps/{name}")
    page.get_by_text(example, exact=True).click()
    page.get_by_test_id("took").wait_for()
    shoot(page, f"app-{name}-{size}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.get_by_role("tab", name="Use from code").click()
    page.get_by_test_id("snippet-curl").wait_for()
    assert violations(page) == []


def shoot(page: sync_api.Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def test_the_colour_ends_with_the_page(page: sync_api.Page, server: Served) -> None:
    colour = "getComputedStyle(document.documentElement).getPropertyValue('{}').trim()"
    own = colour.format("--mantine-color-anchor")
    page.goto(f"{server.url}/")
    page.get_by_test_id("card-price").wait_for()
    before = page.evaluate(own)
    page.get_by_test_id("card-price").click()
    page.get_by_role("button", name="Run").wait_for()
    assert page.evaluate(own) != before
    page.get_by_role("link", name="All models", exact=True).click()
    page.get_by_test_id("card-price").wait_for()
    assert page.evaluate(own) == before


# -- without a key


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_who_has_no_key_sees_what_is_open(
    page: sync_api.Page, locked: tuple[Served, str], size: str, scheme: Any
) -> None:
    server, _ = locked
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(server.url)
    expect(page.get_by_text("These need no key.")).to_be_visible()
    expect(page.locator("[data-testid^=card-]")).to_have_count(1)
    expect(page.get_by_role("link", name="API")).to_have_count(0)
    shoot(page, f"open-home-{size}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.get_by_test_id("card-price").click()
    assert asked(page, "A flat in Rome") == ASKED
    expect(page.get_by_test_id("answer")).to_contain_text(f"{ANSWER:,}")
    shoot(page, f"open-app-{size}-{scheme}")
    assert violations(page) == []


def test_other_apps_still_ask_for_a_key(
    page: sync_api.Page, locked: tuple[Served, str], models: Path
) -> None:
    server, key = locked
    page.goto(f"{server.url}/apps/mood")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto(f"{server.url}/apps/price")
    page.get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(f"{server.url}/sign-in?next=%2Fapps%2Fprice")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{server.url}/apps/price")
    page.goto(server.url)
    expect(page.locator("[data-testid^=card-]")).to_have_count(len(list(models.iterdir())))
    expect(page.get_by_text("These need no key.")).to_have_count(0)


# -- one app alone


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_one_app_is_all_that_is_shown(
    page: sync_api.Page, alone: Served, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(alone.url)
    assert asked(page, "A flat in Rome") == ASKED
    page.get_by_test_id("took").wait_for()
    expect(page).to_have_title("What is my house worth?")
    banner = page.get_by_role("banner")
    expect(banner).to_contain_text("What is my house worth?")
    expect(banner.get_by_role("link")).to_have_count(0)
    expect(page.get_by_role("link", name="All models")).to_have_count(0)
    shoot(page, f"alone-{size}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.get_by_role("tab", name="About").click()
    expect(page).to_have_url(f"{alone.url}/about")
    page.reload()
    expect(page.get_by_text("Input tensors")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("tab", name="Try it").click()
    expect(page).to_have_url(f"{alone.url}/")


def test_its_usual_address_leads_to_it_with_what_a_link_says(
    page: sync_api.Page, alone: Served
) -> None:
    page.goto(alone.url)
    page.get_by_text("A flat in Rome").click()
    page.wait_for_url(re.compile("#in="))
    fragment = page.url.partition("#")[2]
    other = page.context.new_page()
    other.goto(f"{alone.url}/apps/price#{fragment}")
    expect(other.get_by_test_id("answer")).to_contain_text(f"{ANSWER:,}")
    assert other.url == f"{alone.url}/#{fragment}"


@pytest.mark.parametrize("path", ["/docs", "/overview", "/apps/mood"])
def test_other_pages_are_not_there(page: sync_api.Page, alone: Served, path: str) -> None:
    assert page.request.get(alone.url + path).status == 404


def test_one_app_that_needs_a_key_asks_for_it(
    page: sync_api.Page, models: Path, tmp_path: Path
) -> None:
    line = command("keys", "create", "--role", "infer", "--json")
    made = subprocess.run(
        line, check=True, env=environment(tmp_path), capture_output=True, text=True
    )
    with serving(models / "price", "--app-only", state=tmp_path, workers=1) as server:
        page.goto(server.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        expect(page.get_by_role("banner")).to_contain_text("price")
        expect(page.get_by_role("banner").get_by_role("link")).to_have_count(0)
        shoot(page, "alone-sign-in")
        page.get_by_label("Key").fill(json.loads(made.stdout)["key"])
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{server.url}/")
        expect(page).to_have_title("What is my house worth?")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
