"""Who operates a server, and who owns a model: what they see, and what they change."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright import sync_api

from tests.app.servers import Served, environment, eventually, serving
from tests.e2e.conftest import BUILT
from tests.e2e.kinds import write_kinds
from tests.e2e.test_pages import SCREENSHOTS, SIZES, violations
from tests.engine.cache.redis_server import free_port

expect = sync_api.expect
pytestmark = pytest.mark.e2e

Signed = Callable[[str], sync_api.Page]
ROW = {"x": [1, 2, 3]}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some models, one of which cannot be loaded."""
    folder = tmp_path_factory.mktemp("kinds")
    write_kinds(folder)
    for name in folder.iterdir():
        if name.name not in ("twins", "price", "forecast"):
            shutil.rmtree(name)
    broken = folder / "broken" / "1" / "model.onnx"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"this is no model")
    return folder


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def operated(repository: Path, state: Path) -> Iterator[Served]:
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    with serving(repository, state=state) as server:
        yield server


@pytest.fixture
def as_admin(page: sync_api.Page, operated: Served, state: Path) -> Signed:
    """Opens an address as the admin, who signs in with a link."""

    def opened(path: str) -> sync_api.Page:
        line = [sys.executable, "-m", "modelport.cli", "keys", "link"]
        made = subprocess.run(
            line, env=environment(state), capture_output=True, text=True, check=True
        )
        token = re.search(r"#link=(\S+)", made.stdout + made.stderr)
        assert token is not None, made
        page.goto(f"{operated.url}/sign-in#link={token[1]}")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        page.goto(operated.url + path)
        return page

    return opened


def used(server: Served, times: int, name: str = "twins", body: object = ROW) -> list[str]:
    """Use a model; the ids of the requests."""
    url = f"{server.url}/models/{name}/predict"
    with httpx.Client() as client:
        return [client.post(url, json=body).headers["x-request-id"] for _ in range(times)]


def answer(server: Served) -> object:
    return httpx.post(f"{server.url}/models/twins/predict", json={"x": [1, 1, 1]}).json()


def as_table(page: sync_api.Page, chart: str) -> sync_api.Locator:
    """A chart, turned into its table."""
    figure = page.get_by_test_id(chart)
    figure.get_by_role("button", name="as a table").click()
    return figure.get_by_role("table")


def test_the_overview_shows_what_the_server_does(page: sync_api.Page, operated: Served) -> None:
    page.goto(f"{operated.url}/")
    page.get_by_role("navigation").get_by_text("Overview").click()
    expect(page.get_by_test_id("link")).to_have_text("Live")
    expect(page.get_by_test_id("tile-workers")).to_contain_text("2")
    rows = page.get_by_test_id("processes").get_by_role("row")
    expect(rows).to_have_text([re.compile(name) for name in PROCESSES])
    until = time.monotonic() + 20
    tile = page.get_by_test_id("tile-requests")
    while not re.search(r"Requests/s[1-9]", tile.inner_text().replace("\n", "")):
        used(operated, 20)
        assert time.monotonic() < until
    used(operated, 20)
    busiest = page.get_by_test_id("models").get_by_role("row").nth(1)
    expect(busiest).to_contain_text("twins")
    expect(busiest).to_contain_text(re.compile("µs|ms"))
    expect(page.get_by_test_id("tile-p95")).to_contain_text(re.compile(r"\d (µs|ms)"))


PROCESSES = ["Process", "supervisor", "control", "worker 0", "worker 1"]


def test_the_charts_go_on_by_themselves_and_can_be_read(
    page: sync_api.Page, operated: Served
) -> None:
    used(operated, 50)
    page.goto(f"{operated.url}/overview")
    table = as_table(page, "chart-traffic")
    expect(table.get_by_role("columnheader")).to_have_text(["Minute", "Requests", "Errors"])
    expect(table.get_by_role("row").nth(1)).to_have_text(re.compile(r"\d\d:\d\d"))
    said = page.get_by_test_id("heat").get_by_test_id("summary")

    def answers() -> int:
        found = re.search(r"([\d,]+) answers", said.inner_text())
        return int(found[1].replace(",", "")) if found else 0

    assert eventually(lambda: answers() >= 50)
    before = answers()
    used(operated, 30)
    assert eventually(lambda: answers() >= before + 30)
    expect(as_table(page, "heat").get_by_role("row")).not_to_have_count(1)


def test_errors_come_by_themselves_ten_at_first(as_admin: Signed, operated: Served) -> None:
    page = as_admin("/overview")
    expect(page.get_by_test_id("link")).to_have_text("Live")
    failed = used(operated, 12, body={"x": [1, 2]})
    rows = page.get_by_test_id("errors").get_by_role("row")
    expect(rows.nth(1)).to_contain_text(failed[-1], timeout=12_000)
    expect(rows).to_have_count(11)
    page.get_by_role("button", name=re.compile("^Show all")).click()
    expect(rows.filter(has_text=failed[0])).to_have_count(1)


def test_the_pages_of_a_stopped_server_keep_what_was_known(
    as_admin: Signed, page: sync_api.Page, expected_errors: list[str], operated: Served
) -> None:
    expected_errors += ["Failed to load resource", "ERR_", "EventSource"]
    as_admin("/apps/twins/operate")
    expect(page.get_by_test_id("link")).to_have_text("Live")
    page.route("**/*", lambda route: route.abort())
    page.get_by_role("button", name="Load", exact=True).click()
    outcome = page.get_by_test_id("outcome")
    expect(outcome).to_contain_text("The server does not answer")
    expect(page.get_by_test_id("versions").get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("tab")).to_have_text(TABS)
    expect(page.get_by_role("button", name="Load", exact=True)).to_be_focused()


def test_a_line_can_be_hidden_and_the_cursor_tells_its_values(
    page: sync_api.Page, operated: Served
) -> None:
    used(operated, 50)
    page.goto(f"{operated.url}/overview")
    chart = page.get_by_test_id("chart-traffic")
    requests = chart.get_by_role("button", name=re.compile("^Requests"))
    expect(requests).to_have_attribute("aria-pressed", "true")
    requests.click()
    expect(requests).to_have_attribute("aria-pressed", "false")
    requests.click()
    box = chart.get_by_role("img", name="Requests per second").bounding_box()
    assert box is not None
    values = set()
    for part in range(50, 100):
        page.mouse.move(box["x"] + part / 100 * box["width"], box["y"] + box["height"] / 2)
        values.add(requests.inner_text())
    assert len(values) > 1


def test_a_line_of_the_costs_can_be_hidden(page: sync_api.Page, operated: Served) -> None:
    used(operated, 5)
    page.goto(f"{operated.url}/apps/twins/operate")
    chart = page.get_by_test_id("cost-seconds")
    canvas = chart.locator("canvas").first
    canvas.wait_for()
    line = chart.get_by_role("list").get_by_role("button").first

    def press(pressed: str) -> None:
        """Press the line's name, and see that something else is drawn than before."""
        before = canvas.evaluate("canvas => canvas.toDataURL()")
        line.click()
        expect(line).to_have_attribute("aria-pressed", pressed)
        page.wait_for_function(
            "([canvas, before]) => canvas.toDataURL() !== before",
            arg=[canvas.element_handle(), before],
        )

    press("false")
    press("true")


def test_a_hidden_tab_hears_nothing_and_goes_on_when_it_is_shown(
    page: sync_api.Page, operated: Served
) -> None:
    page.add_init_script(
        """window.streams = []; const Known = EventSource;
        window.EventSource = class extends Known {
            constructor(...args) { super(...args); window.streams.push(this); } };
        window.turn = (hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange")); };"""
    )
    page.goto(f"{operated.url}/overview")
    link = page.get_by_test_id("link")
    expect(link).to_have_text("Live")
    page.evaluate("turn(true)")
    expect(link).to_have_text("Paused")
    assert page.evaluate("streams.every(each => each.readyState === EventSource.CLOSED)")
    page.evaluate("turn(false)")
    expect(link).to_have_text("Live")
    states = page.evaluate("streams.map(each => each.readyState)")
    assert states.count(1) == 1  # open


def test_a_lost_server_is_said_and_found_again(
    page: sync_api.Page, repository: Path, tmp_path: Path, expected_errors: list[str]
) -> None:
    expected_errors += ["Failed to load resource", "ERR_", "EventSource"]
    port = free_port()
    with serving(repository, "--port", str(port), state=tmp_path, workers=1) as server:
        page.goto(server.url)
        page.get_by_role("navigation").get_by_text("Overview").click()
        expect(page.get_by_test_id("link")).to_have_text("Live")
        assert server.stop(signal.SIGTERM) == 0
        expect(page.get_by_test_id("link")).to_contain_text("Connection lost")
        expect(page.get_by_role("alert")).to_contain_text("What is shown is of")
        page.get_by_role("navigation").get_by_text("Models").click()
        page.get_by_role("navigation").get_by_text("Overview").click()
        said = page.get_by_role("alert").get_by_text("This page goes on as soon as it does")
        expect(said).to_be_visible()
        expect(page.get_by_test_id("tile-requests")).to_have_count(0)
    with serving(repository, "--port", str(port), state=tmp_path, workers=1):
        expect(page.get_by_test_id("link")).to_have_text("Live", timeout=30_000)
        expect(page.get_by_role("alert")).to_have_count(0)


def test_the_owner_sees_versions_cost_and_errors(as_admin: Signed, operated: Served) -> None:
    used(operated, 20)
    [failed] = used(operated, 1, body={"x": [1, 2]})
    page = as_admin("/apps/twins/operate")
    versions = page.get_by_test_id("versions").get_by_role("row")
    expect(versions.nth(1)).to_contain_text("ONNX Runtime")
    expect(versions.nth(1)).to_contain_text("in each worker")
    expect(versions.nth(1)).to_contain_text("KiB")
    error = page.get_by_test_id("errors").get_by_role("row").nth(1)
    expect(error).to_contain_text(failed)
    expect(error).to_contain_text("'x' takes one row as [3]")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    error.get_by_role("button", name="Copy the request's id").click()
    assert page.evaluate("navigator.clipboard.readText()") == failed
    expect(as_table(page, "cost-seconds").get_by_role("row").nth(1)).to_contain_text("µs")
    traffic = page.get_by_test_id("charts").get_by_test_id("chart-traffic")
    expect(traffic.get_by_test_id("summary")).to_contain_text(re.compile(r"most \d"))


def test_an_alias_is_promoted_rolled_back_and_removed(as_admin: Signed, operated: Served) -> None:
    assert answer(operated) == {"prediction": [3.0, 3.0, 3.0]}
    page = as_admin("/apps/twins/operate")

    def confirmed(button: str, choice: str | None = None) -> str:
        dialog = page.get_by_role("dialog")
        if choice is not None:
            dialog.get_by_label("To version").select_option(choice)
        told = dialog.inner_text()
        dialog.get_by_role("button", name=button, exact=True).click()
        return told

    new = page.get_by_role("button", name="New alias…")
    new.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(new).to_be_focused()
    new.click()
    told = confirmed("Promote", "1")
    assert "“production” is a new alias, and points to version 1" in told
    assert "Requests that name no version are answered by version 1" in told
    outcome = page.get_by_test_id("outcome")
    expect(outcome).to_contain_text("“production” points to version 1 now")
    below = page.get_by_role("heading", name="Aliases").bounding_box()
    told_at = outcome.bounding_box()
    assert below
    assert told_at
    assert told_at["y"] > below["y"]
    expect(new).to_be_focused()
    assert answer(operated) == {"prediction": [2.0, 2.0, 2.0]}
    row = page.get_by_test_id("aliases").get_by_role("row").nth(1)
    expect(row.get_by_role("cell").nth(1)).to_have_text("1")
    expect(page.get_by_test_id("versions").get_by_role("row").nth(2)).to_contain_text("production")

    page.get_by_role("button", name="Promote “production”…").click()
    assert "points to version 1 now, and to version 2 from then on" in confirmed("Promote")
    expect(row.get_by_role("cell").nth(1)).to_have_text("2")
    expect(page.get_by_role("button", name="Promote “production”…")).to_be_focused()
    assert answer(operated) == {"prediction": [3.0, 3.0, 3.0]}

    page.get_by_role("button", name="Roll back “production”…").click()
    assert "points to version 2 now, and to version 1 from then on" in confirmed("Roll back")
    expect(row.get_by_role("cell").nth(1)).to_have_text("1")
    assert answer(operated) == {"prediction": [2.0, 2.0, 2.0]}

    page.get_by_role("button", name="Remove “production”…").click()
    assert "go to the latest version then" in confirmed("Remove")
    expect(page.get_by_text("There are no aliases yet.")).to_be_visible()
    expect(new).to_be_focused()
    assert answer(operated) == {"prediction": [3.0, 3.0, 3.0]}


def test_an_alias_that_is_not_in_force_says_so(as_admin: Signed, operated: Served) -> None:
    page = as_admin("/apps/broken/operate")
    page.get_by_role("button", name="New alias…").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote", exact=True).click()
    row = page.get_by_test_id("aliases").get_by_role("row").nth(1)
    expect(row).to_contain_text("not in force: requests to it are refused")
    page.get_by_test_id("aliases").screenshot(path=SCREENSHOTS / "alias-not-in-force.png")
    page.get_by_role("button", name="Remove “production”…").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("There are no aliases yet.")).to_be_visible()


def test_what_the_server_refuses_is_told_in_its_words(
    as_admin: Signed, expected_errors: list[str]
) -> None:
    expected_errors.append("400")
    page = as_admin("/apps/twins/operate")
    page.get_by_role("button", name="New alias…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the alias").fill("latest")
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_test_id("outcome").get_by_role("alert")).to_contain_text("latest")


def test_nothing_happens_where_it_is_not_confirmed(as_admin: Signed, operated: Served) -> None:
    page = as_admin("/apps/forecast/operate")
    page.get_by_role("button", name="Unload").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert httpx.get(f"{operated.url}/models/forecast").json()["state"] == "READY"


def test_a_model_is_unloaded_and_loaded_again(as_admin: Signed, operated: Served) -> None:
    page = as_admin("/apps/forecast/operate")
    page.get_by_role("button", name="Unload").click()
    page.get_by_role("dialog").get_by_role("button", name="Unload").click()
    expect(page.get_by_test_id("outcome")).to_contain_text("“forecast” is unloaded.")
    expect(page.get_by_text("This model is not served: unloaded by an admin")).to_be_visible()
    expect(page.get_by_test_id("versions").get_by_role("row").nth(1)).to_contain_text("unloaded")
    expect(page.get_by_role("tab")).to_have_text(["Operate"])
    assert httpx.post(f"{operated.url}/models/forecast/predict", json={}).status_code == 404
    page.goto(f"{operated.url}/")
    card = page.get_by_test_id("card-forecast")
    expect(card).to_contain_text("unloaded")
    card.click()
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.get_by_test_id("outcome")).to_contain_text("“forecast” is loaded.")
    expect(page.get_by_role("tab")).to_have_text(TABS)
    expect(page.get_by_test_id("versions").get_by_role("row").nth(1)).to_contain_text("ready")


TABS = ["Try it", "Many rows", "Compare versions", "About", "Operate"]


def test_a_model_that_failed_has_this_page_too(
    as_admin: Signed, operated: Served, expected_errors: list[str]
) -> None:
    expected_errors.append("Failed to load resource")
    page = as_admin("/")
    page.get_by_test_id("card-broken").click()
    expect(page.get_by_text("This model is not served: 'model.onnx' is not")).to_be_visible()
    expect(page.get_by_test_id("versions").get_by_role("row").nth(1)).to_contain_text("failed")
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.get_by_test_id("outcome").get_by_role("alert")).to_contain_text("not a usable ONNX")


def test_who_may_not_manage_sees_figures_and_no_buttons(
    page: sync_api.Page, operated: Served
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{operated.url}/apps/twins/operate")
    expect(page.get_by_test_id("needs-admin")).to_contain_text("modelport keys link")
    expect(page.get_by_test_id("link")).to_have_text("Live")
    expect(page.get_by_test_id("versions")).to_contain_text("ready")
    for name in ("Load", "Unload", "Reload the repository", "New alias…", "Look again"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    page.goto(f"{operated.url}/overview")
    expect(page.get_by_test_id("link")).to_have_text("Live")
    expect(page.get_by_text("Recent errors")).to_have_count(0)
    assert not [url for url in asked if "/errors" in url or "/admin/" in url]
    for path in ("/server/errors", "/models/twins/errors", "/admin/models/twins"):
        assert page.request.get(operated.url + path).status == 401


def test_the_overview_has_the_errors_for_an_admin(as_admin: Signed, operated: Served) -> None:
    [failed] = used(operated, 1, "price", {"area": 1})
    page = as_admin("/overview")
    first = page.get_by_test_id("errors").get_by_role("row").nth(1)
    expect(first).to_contain_text(failed)
    expect(first).to_contain_text("price 1")


def test_cards_tell_traffic_and_an_example(page: sync_api.Page, operated: Served) -> None:
    used(operated, 50)
    page.goto(operated.url)
    expect(page.get_by_test_id("card-twins").get_by_test_id("traffic")).to_contain_text(
        re.compile("95 % within")
    )
    card = page.get_by_test_id("card-price")
    expect(card).to_contain_text("area 120 m², rooms 4, age 30 years, city Rome")
    expect(card).to_contain_text("387,000 EUR")


def test_both_pages_are_in_chinese_too(page: sync_api.Page, operated: Served) -> None:
    page.goto(f"{operated.url}/overview")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("概览")
    expect(page.get_by_test_id("link")).to_have_text("实时")
    page.goto(f"{operated.url}/apps/twins/operate")
    expect(page.get_by_role("tab", name="运维")).to_be_visible()
    expect(page.get_by_role("heading", name="运行耗时", exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_what_an_admin_sees_passes_the_rules(
    as_admin: Signed, page: sync_api.Page, operated: Served, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
    used(operated, 20)
    used(operated, 2, body={"x": [1, 2]})
    as_admin("/overview")
    for name, path in PAGES.items():
        page.goto(operated.url + path)
        page.get_by_test_id("errors").or_(page.get_by_text("No request failed")).first.wait_for()
        expect(page.get_by_test_id("link")).to_have_text("Live")
        looked_at(page, f"{name}-admin-{size}-{scheme}", width)
    page.goto(f"{operated.url}/apps/twins/operate")
    page.get_by_role("button", name="New alias…").click()
    page.get_by_role("dialog").wait_for()
    looked_at(page, f"promote-{size}-{scheme}", width)
    page.get_by_role("button", name="Cancel").click()
    as_table(page, "chart-latency")
    as_table(page, "cost-rows_per_s")
    looked_at(page, f"tables-{size}-{scheme}", width)


PAGES = {
    "overview": "/overview",
    "operate": "/apps/twins/operate",
    "failed": "/apps/broken",
}


def looked_at(page: sync_api.Page, name: str, width: int) -> None:
    """A picture of a page that is no wider than the window, and in which axe finds nothing."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []


def test_nothing_moves_while_figures_come(page: sync_api.Page, operated: Served) -> None:
    page.goto(f"{operated.url}/overview")
    expect(page.get_by_test_id("link")).to_have_text("Live")
    page.get_by_test_id("errors").or_(page.get_by_test_id("processes")).first.wait_for()
    page.wait_for_timeout(500)
    page.evaluate(
        """() => { window.moved = 0; new PerformanceObserver(list => {
            for (const entry of list.getEntries()) window.moved += entry.value;
        }).observe({type: 'layout-shift', buffered: false}); }"""
    )
    used(operated, 200)
    page.wait_for_timeout(3000)
    assert page.evaluate("window.moved") < 0.02
