"""The API's documentation: found, read, tried as it is, and as code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright import sync_api

from tests.app.servers import LINEAR, Served, eventually, serving
from tests.e2e.test_kinds import node, shell
from tests.e2e.test_pages import violations

expect = sync_api.expect
pytestmark = pytest.mark.e2e


def operation(page: sync_api.Page, url: str, group: str, name: str) -> sync_api.Locator:
    """An operation's part of a group's page, open."""
    page.goto(f"{url}/docs/{group}#{name}")
    section = page.locator(f"section#{name}")
    expect(section.get_by_role("button", name="Send")).to_be_visible()
    return section


def send(section: sync_api.Locator) -> sync_api.Locator:
    """Press Send; the line that says the status."""
    section.get_by_role("button", name="Send").click()
    return section.get_by_test_id("answered")


def answer(section: sync_api.Locator) -> object:
    return json.loads(section.get_by_test_id("answer-text").inner_text())


# -- tried as it is

MODELS = [
    *("price", "mood", "tensors", "chain", "forecast", "embedding", "colours", "detector"),
    *("loudness", "twins"),
]


@pytest.mark.parametrize("model", MODELS)
def test_the_example_of_each_kind_of_model_is_sent_as_it_is(
    page: sync_api.Page, kinds: Served, model: str
) -> None:
    section = operation(page, kinds.url, model, f"predict_{model}")
    expect(send(section)).to_contain_text("200 OK")
    example = httpx.get(f"{kinds.url}/models/{model}").json()["example"]
    wanted = httpx.post(f"{kinds.url}/models/{model}/predict", json=example).json()
    assert answer(section) == wanted


@pytest.mark.parametrize("model", ["price", "mood", "tensors", "colours"])
@pytest.mark.parametrize(
    "name", ["any_version_predict", "oip_infer", "oip_infer_version", "oip_model_config"]
)
def test_the_addresses_that_all_models_have_are_filled_in_for_this_one(
    page: sync_api.Page, kinds: Served, model: str, name: str
) -> None:
    section = operation(page, kinds.url, model, name)
    heading = section.get_by_role("heading").first
    expect(heading).to_contain_text(f"/models/{model}")
    if "infer" in name:
        body = section.get_by_role("textbox", name="Body")
        expect(body).to_have_value(re.compile('"datatype"'))
    expect(send(section)).to_contain_text("200 OK")


def test_a_group_s_address_takes_any_model(page: sync_api.Page, kinds: Served) -> None:
    section = operation(page, kinds.url, "open-inference-protocol", "oip_infer")
    section.get_by_label("name").select_option("tensors")
    body = section.get_by_role("textbox", name="Body")
    expect(body).to_have_value(re.compile(r'"b"'))
    expect(send(section)).to_contain_text("200 OK")
    outputs = answer(section)
    assert isinstance(outputs, dict)
    assert outputs["model_name"] == "tensors"


@pytest.mark.parametrize(
    ("model", "media"),
    [
        ("mood", "text/plain"),
        ("mood", "text/csv"),
        ("price", "text/csv"),
        ("colours", "multipart/form-data"),
        ("colours", "image/*"),
        ("loudness", "audio/*"),
    ],
)
def test_each_media_type_has_an_example(
    page: sync_api.Page, kinds: Served, model: str, media: str
) -> None:
    section = operation(page, kinds.url, model, f"predict_{model}")
    section.get_by_label("Body as").select_option(media)
    expect(send(section)).to_contain_text("200 OK")


def test_an_answer_comes_as_it_is_asked_for(
    page: sync_api.Page, kinds: Served, tmp_path: Path
) -> None:
    section = operation(page, kinds.url, "price", "predict_price")
    section.get_by_label("Answer as").select_option("text/csv")
    expect(send(section)).to_contain_text("200 OK")
    expect(section.get_by_test_id("answer-text")).to_contain_text("387000")
    section.get_by_label("Answer as").select_option("application/x-npy")
    expect(send(section)).to_contain_text("200 OK")
    expect(section.get_by_text("B of application/x-npy")).to_be_visible()
    with page.expect_download() as download:
        section.get_by_role("button", name="Download").click()
    saved = tmp_path / "answer"
    download.value.save_as(saved)
    assert download.value.suggested_filename == "answer.npy"
    assert saved.read_bytes().startswith(b"\x93NUMPY")


def test_a_picture_is_uploaded(page: sync_api.Page, kinds: Served, tmp_path: Path) -> None:
    path = tmp_path / "blue.png"
    Image.new("RGB", (40, 40), "blue").save(path)
    section = operation(page, kinds.url, "colours", "predict_colours")
    for media in ("image/*", "multipart/form-data"):
        section.get_by_label("Body as").select_option(media)
        section.locator("input[type=file]").set_input_files(path)
        expect(section.get_by_text("blue.png").first).to_be_visible()
        send(section).wait_for()
        expect(section.get_by_test_id("answer-text")).to_contain_text('"prediction": "blue"')


# -- what goes wrong


def test_a_text_that_is_no_json_is_said_where_it_stops(page: sync_api.Page, kinds: Served) -> None:
    section = operation(page, kinds.url, "mood", "predict_mood")
    body = section.get_by_role("textbox", name="Body")
    body.fill('{"text":\n "good",}')
    expect(body).to_have_attribute("aria-invalid", "true")
    expect(section.get_by_text("Line 2, column 9")).to_be_visible()
    section.get_by_role("button", name="Send").click()
    expect(body).to_be_focused()
    expect(section.get_by_test_id("answered")).to_have_count(0)
    section.get_by_role("button", name="Back to the example").click()
    expect(send(section)).to_contain_text("200 OK")


def test_an_error_is_shown_with_its_status_in_the_server_s_words(
    page: sync_api.Page, kinds: Served, expected_errors: list[str]
) -> None:
    expected_errors.append("400")
    section = operation(page, kinds.url, "price", "predict_price")
    body = section.get_by_role("textbox", name="Body")
    body.fill('{"area": 5, "rooms": 1, "age": null, "city": "Oslo"}')
    body.press("Control+Enter")
    expect(section.get_by_test_id("answered")).to_contain_text("400")
    expect(section.get_by_role("alert")).to_contain_text("'area'")
    expect(section.get_by_test_id("answer-text")).to_contain_text('"code": "INVALID_INPUT"')
    section.get_by_role("tab", name="Headers").click()
    expect(section.get_by_test_id("answer-text")).to_contain_text("x-request-id")


def test_what_is_missing_is_said_at_its_control(page: sync_api.Page, kinds: Served) -> None:
    section = operation(page, kinds.url, "access-keys", "revoke_key")
    section.get_by_role("button", name="Send").click()
    wanted = section.get_by_label("id")
    expect(wanted).to_be_focused()
    expect(wanted).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    program = Path(__file__).with_name("slow.py")
    with serving(f"{program}:slow", state=tmp_path_factory.mktemp("state")) as server:
        yield server


def test_a_request_is_cancelled_on_the_server_too(
    page: sync_api.Page, slow: Served, tmp_path: Path
) -> None:
    marker = tmp_path / "stopped"
    section = operation(page, slow.url, "slow", "predict_slow")
    section.get_by_role("textbox", name="Body").fill(
        json.dumps({"seconds": 30, "marker": str(marker)})
    )
    section.get_by_role("button", name="Send").click()
    expect(section.get_by_text("Waiting for the answer")).to_be_visible()
    section.get_by_role("button", name="Cancel").click()
    expect(section.get_by_text("Cancelled: ")).to_be_visible()
    assert eventually(marker.exists)


# -- who may


def test_what_takes_something_away_asks_once_and_a_typed_key_is_used(
    page: sync_api.Page,
    demo: Path,
    tmp_path: Path,
    expected_errors: list[str],
) -> None:
    expected_errors.append("401")
    state = tmp_path / "state"
    state.mkdir()
    with serving(demo, state=state) as server:
        token = (state / "admin-token").read_text().strip()
        section = operation(page, server.url, "linear", "oip_repository_unload")
        expect(section.get_by_text("needs the permission “admin”")).to_be_visible()
        section.get_by_role("button", name="Send").click()
        asked = page.get_by_role("dialog")
        expect(asked).to_contain_text("POST /v2/repository/models/linear/unload")
        assert violations(page) == []
        asked.get_by_role("button", name="Do not send").click()
        expect(asked).to_have_count(0)
        expect(section.get_by_test_id("answered")).to_have_count(0)
        section.get_by_role("button", name="Send").click()
        asked.get_by_role("button", name="Send it").click()
        expect(section.get_by_test_id("answered")).to_contain_text("401")
        section.get_by_role("button", name="Use a key").click()
        section.get_by_label("Key for this page").first.fill(token)
        expect(section.get_by_test_id("snippet-curl")).not_to_contain_text(token)
        section.get_by_role("button", name="Send").click()
        asked.get_by_role("button", name="Send it").click()
        expect(section.get_by_test_id("answered")).to_contain_text("200")
        known = httpx.get(f"{server.url}/models").json()
        assert [each["state"] for each in known if each["name"] == "linear"] == ["UNLOADED"]


def test_the_document_is_for_callers_who_may_read(
    page: sync_api.Page, demo: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with serving(demo, state=state) as server:
        token = (state / "admin-token").read_text().strip()
        made = httpx.post(
            f"{server.url}/admin/keys",
            headers={"authorization": f"Bearer {token}"},
            json={"role": "infer", "name": "a clerk"},
        )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/docs/linear#predict_linear")
        expect(page).to_have_url(re.compile("/sign-in"))
        assert not any("openapi" in url for url in asked)
        page.get_by_label("Key").fill(made.json()["key"])
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{server.url}/docs/linear#predict_linear")
        section = page.locator("section#predict_linear")
        expect(section.get_by_text("Sent as a clerk")).to_be_visible()
        expect(send(section)).to_contain_text("200 OK")
        expect(section.get_by_test_id("snippet-curl")).to_contain_text("$MODELPORT_API_KEY")


# -- found


def test_operations_are_searched_by_keyboard(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/docs")
    expect(page.get_by_role("heading", level=1)).to_have_text("API documentation")
    page.keyboard.press("Control+k")
    page.keyboard.type("city")
    expect(page.get_by_role("status")).to_have_text("1 operation")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{kinds.url}/docs/price#predict_price")
    section = page.locator("section#predict_price")
    expect(section.get_by_role("button", name="Send")).to_be_visible()
    expect(section.get_by_role("button").first).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.press("Control+a")
    page.keyboard.type("tensors that a model takes")
    expect(page.get_by_role("status").first).to_have_text("2 operations")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{kinds.url}/docs/open-inference-protocol#oip_model")
    expect(page.locator("section#oip_model").get_by_role("button").first).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.press("Control+a")
    page.keyboard.type("nowhere")
    expect(page.get_by_text("No operation matches")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Contents")).to_be_visible()


def test_an_operation_is_opened_by_keyboard_and_its_address_kept(
    page: sync_api.Page, kinds: Served
) -> None:
    page.goto(f"{kinds.url}/docs/server-health")
    section = page.locator("section#live")
    opener = section.get_by_role("button").first
    expect(opener).to_have_attribute("aria-expanded", "false")
    opener.focus()
    page.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(page).to_have_url(re.compile("#live$"))
    expect(send(section)).to_contain_text("200 OK")
    assert answer(section) == {"live": True}
    page.reload()
    expect(section.get_by_role("button", name="Send")).to_be_in_viewport()


def test_the_contents_are_a_drawer_on_a_phone(page: sync_api.Page, kinds: Served) -> None:
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(f"{kinds.url}/docs")
    expect(page.get_by_role("link", name="price", exact=True)).to_have_count(1)  # the list's
    page.get_by_role("button", name="Contents").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("searchbox")).to_be_visible()
    page.wait_for_timeout(300)  # it slides in
    assert violations(page) == []
    drawer.get_by_role("link", name="price", exact=True).click()
    expect(page).to_have_url(f"{kinds.url}/docs/price")
    expect(drawer).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_way_leads_from_a_model_s_page_and_back(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/price")
    page.get_by_role("link", name="API of this model").click()
    expect(page).to_have_url(f"{kinds.url}/docs/price")
    expect(page.get_by_role("heading", level=1)).to_have_text("price")
    page.get_by_role("link", name="Open its page").click()
    expect(page).to_have_url(f"{kinds.url}/apps/price")


def test_a_name_that_nothing_has_is_said(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/docs/nothing-here")
    expect(page.get_by_role("alert")).to_contain_text("no model and no group")


# -- read


def test_fields_are_shown_with_types_ranges_units_and_choices(
    page: sync_api.Page, kinds: Served
) -> None:
    section = operation(page, kinds.url, "price", "predict_price")
    area = section.get_by_role("listitem").filter(has_text="area").last
    expect(area).to_contain_text("number")
    expect(area).to_contain_text("required")
    expect(area).to_contain_text("10 … 1000 · Unit: m²")
    age = section.get_by_role("listitem").filter(has_text="years").last
    expect(age).to_contain_text("or null")
    city = section.get_by_role("listitem").filter(has_text='"Oslo"').last
    expect(city).to_contain_text('"Rome"')
    section.get_by_role("button", name="records").click()
    expect(section.get_by_text("10 … 1000 · Unit: m²")).to_have_count(2)
    section.get_by_role("button", name="429").click()
    expect(section.get_by_text("Retry-After")).to_be_visible()


def test_only_what_is_open_is_made(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/docs/open-inference-protocol")
    expect(page.locator("section")).to_have_count(12)
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
    assert page.locator("*").count() < 600


def test_errors_stand_in_one_table(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/docs")
    table = page.get_by_role("group", name="Errors")
    row = table.get_by_role("row").filter(has_text="LIMIT_EXCEEDED")
    expect(row).to_contain_text("429")
    expect(row).to_contain_text("Retry-After")


def test_it_speaks_chinese(page: sync_api.Page, kinds: Served) -> None:
    page.goto(f"{kinds.url}/docs/price")
    page.get_by_role("button", name="中文").click()
    section = page.locator("section#predict_price")
    section.get_by_role("button", name="发送", exact=True).click()
    expect(section.get_by_test_id("answered")).to_contain_text("200 OK")
    expect(section.get_by_text("单位：m²")).to_be_visible()


def test_it_works_where_no_model_is_left(page: sync_api.Page, tmp_path: Path) -> None:
    models, state = tmp_path / "models", tmp_path / "state"
    (models / "linear" / "1").mkdir(parents=True)
    state.mkdir()
    shutil.copy(LINEAR, models / "linear" / "1" / "model.onnx")
    with serving(models, state=state) as server:
        shutil.rmtree(models / "linear")
        token = (state / "admin-token").read_text().strip()

        def is_empty() -> bool:
            headers = {"authorization": f"Bearer {token}"}
            httpx.post(f"{server.url}/admin/models/reload", headers=headers)
            return httpx.get(f"{server.url}/models").json() == []

        assert eventually(is_empty)
        page.goto(f"{server.url}/docs")
        expect(page.get_by_text("No model is served yet")).to_be_visible()
        section = operation(page, server.url, "model-catalogue", "models")
        expect(send(section)).to_contain_text("200 OK")
        assert answer(section) == []


def test_a_model_that_failed_says_why_and_one_that_waits_is_loaded(
    page: sync_api.Page, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    for name in ("linear", "broken"):
        (models / name / "1").mkdir(parents=True)
    shutil.copy(LINEAR, models / "linear" / "1" / "model.onnx")
    (models / "broken" / "1" / "model.onnx").write_bytes(b"this is no model")
    with serving(models, "--lazy", state=tmp_path / "state", workers=1) as server:
        page.goto(f"{server.url}/docs/linear")
        expect(page.get_by_role("alert")).to_contain_text("loaded at its first request")
        page.get_by_role("button", name="Load it now").click()
        section = page.locator("section#predict_linear")
        expect(section).to_be_visible()
        httpx.post(f"{server.url}/models/broken/predict", json={})
        page.goto(f"{server.url}/docs/broken")
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        expect(page.locator("section#oip_repository_load")).to_be_visible()


# -- as code


@pytest.mark.parametrize(
    ("group", "name", "media"),
    [
        ("price", "predict_price", "application/json"),
        ("price", "predict_price", "text/csv"),
        ("tensors", "oip_infer", ""),
        ("twins", "any_version_predict", ""),
        ("colours", "predict_colours", "multipart/form-data"),
        ("colours", "predict_colours", "image/*"),
        ("model-catalogue", "models", ""),
        ("model-repository", "oip_repository_index", ""),
        ("server-health", "metrics", ""),
    ],
)
def test_the_code_that_is_shown_is_right_when_it_is_run(
    page: sync_api.Page, kinds: Served, group: str, name: str, media: str, tmp_path: Path
) -> None:
    section = operation(page, kinds.url, group, name)
    if media:
        section.get_by_label("Body as").select_option(media)
    if name == "oip_infer":
        body = section.get_by_role("textbox", name="Body")
        expect(body).to_have_value(re.compile('"datatype"'))
    expect(send(section)).to_contain_text("200 OK")
    Image.new("RGB", (8, 8), "green").save(tmp_path / "example.png")
    told = {}
    for tab, kind in (("curl", "curl"), ("Python", "python"), ("JavaScript", "javascript")):
        section.get_by_role("tab", name=tab).click()
        code = section.get_by_test_id(f"snippet-{kind}").inner_text()
        told[kind] = run(kind, code, tmp_path)
    if name == "metrics":
        assert all("# TYPE modelport" in text for text in told.values())
        return
    assert "Error" not in told["javascript"]
    curl = json.loads(told["curl"])
    if "prediction" in curl:
        assert "prediction" in told["python"]
        assert "prediction" in told["javascript"]
    if name in ("predict_price", "any_version_predict"):
        assert curl == answer(section)
    if name == "predict_colours":
        assert curl["prediction"] == "green"


def run(kind: str, code: str, folder: Path) -> str:
    if kind == "curl":
        return shell(f"cd {folder} && {code}")
    file = folder / ("code.py" if kind == "python" else "code.mjs")
    file.write_text(code)
    program = sys.executable if kind == "python" else node()
    done = subprocess.run(
        [program, file], capture_output=True, text=True, check=True, timeout=60, cwd=folder
    )
    assert done.stdout.strip()
    return done.stdout
