"""A real browser in front of a real server with the demo models.

Each test fails where the page logged an error, or asked another host for anything.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api

from tests.app.servers import Served, serving
from tests.e2e.kinds import write_kinds

CHROMIUM = shutil.which("chromium")
_OURS = ("http://127.0.0.1:", "https://127.0.0.1:", "data:", "blob:")
ROOT = Path(__file__).parents[2]
BUILT = ROOT / "src/modelport/http/static/app/index.html"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's models."""
    folder = tmp_path_factory.mktemp("demo")
    program = ROOT / "examples/demo/train.py"
    subprocess.run([sys.executable, program, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="session")
def served(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with them."""
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    with serving(demo, state=tmp_path_factory.mktemp("state")) as server:
        yield server


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a model of each kind."""
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    folder = tmp_path_factory.mktemp("kinds")
    write_kinds(folder)
    with serving(folder, state=tmp_path_factory.mktemp("state")) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[sync_api.Browser]:
    """Debian's Chromium, without a window."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as started:
        # Root, as a container has it, needs no sandbox: the pages are this server's own. In place
        # of devices there are a picture that moves and a sound, for pages that are let use them.
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--use-fake-device-for-media-stream"]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: sync_api.Browser) -> Iterator[sync_api.BrowserContext]:
    """A browser that has been nowhere yet, in English."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def expected_errors() -> list[str]:
    """Parts of console errors that a test brings about; each test adds its own."""
    return []


@pytest.fixture
def page(context: sync_api.BrowserContext, expected_errors: list[str]) -> Iterator[sync_api.Page]:
    """An empty page, watched with all that are opened beside it."""
    errors: list[str] = []
    strangers: list[str] = []

    def log(message: sync_api.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    def asked(request: sync_api.Request) -> None:
        if not request.url.startswith(_OURS):
            strangers.append(request.url)

    context.on("console", log)
    context.on("weberror", lambda failure: errors.append(str(failure.error)))
    context.on("request", asked)
    yield context.new_page()
    left = [text for text in errors if not any(part in text for part in expected_errors)]
    assert left == []
    assert strangers == []
