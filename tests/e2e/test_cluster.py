"""One browser in front of three servers: nginx sends each request to the next one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api

from tests.app.servers import eventually
from tests.cluster import SERVED_BY, Cluster, cluster
from tests.e2e.conftest import BUILT
from tests.postgres import PostgresServer

expect = sync_api.expect
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def three(
    demo: Path, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Cluster]:
    """Three servers with the demo's models, which ask for keys."""
    if not BUILT.is_file():
        pytest.skip("the web application is not built")
    with cluster(demo, tmp_path_factory.mktemp("cluster"), postgres) as made:
        made.new_key(name="so that callers need one")
        yield made


@pytest.fixture
def context(browser: sync_api.Browser) -> Iterator[sync_api.BrowserContext]:
    """A browser that has been nowhere yet, and takes the proxy's certificate."""
    context = browser.new_context(locale="en-US", ignore_https_errors=True)
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def answers(page: sync_api.Page, three: Cluster) -> list[tuple[str, int, str]]:
    """Path, status, and the server that answered, of each request of the page."""
    seen: list[tuple[str, int, str]] = []

    def note(response: sync_api.Response) -> None:
        server = re.split(" : |, ", response.headers.get(SERVED_BY, ""))[-1]
        seen.append((response.url.removeprefix(three.url), response.status, server))

    page.on("response", note)
    return seen


def predicts(page: sync_api.Page, three: Cluster) -> None:
    """Open the model's page from its card, and have it answer an example."""
    page.goto(f"{three.url}/")
    page.get_by_role("link", name=re.compile("linear", re.IGNORECASE)).first.click()
    expect(page).to_have_url(re.compile("/apps/linear"))
    page.get_by_text("Example 1").click()
    page.get_by_test_id("took").wait_for()


def test_one_session_is_served_by_three_servers_until_it_is_signed_out(
    page: sync_api.Page, three: Cluster, answers: list[tuple[str, int, str]]
) -> None:
    key = three.new_key(name="a clerk")
    assert three.soon(200, key)
    page.goto(f"{three.url}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("a clerk")).to_be_visible()
    cookie = next(c for c in page.context.cookies() if "modelport" in c["name"])
    assert (cookie["name"], cookie["secure"]) == ("__Host-modelport-session", True)
    for turn in range(4):
        predicts(page, three)
        for _ in range(turn):  # or the same request of each page might go to the same server
            page.request.get(f"{three.url}/session")
    asked = [(path, server) for path, status, server in answers if status == 200]
    assert {server for _, server in asked} == {f"127.0.0.1:{port}" for port in three.ports}
    predictions = {server for path, server in asked if path.endswith("/predict")}
    assert len(predictions) >= 2, "predictions go in turns as well"
    assert not [answer for answer in answers if answer[1] >= 400]
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    told = [page.request.get(f"{three.url}/models") for _ in range(9)]
    assert {answer.status for answer in told} == {401}
    assert len({answer.headers[SERVED_BY] for answer in told}) == 3


def test_a_link_signs_in_as_the_admin_of_all(page: sync_api.Page, three: Cluster) -> None:
    made = three.run("keys", "link", "--url", three.url)
    page.goto(made.stdout.strip())
    expect(page).not_to_have_url(re.compile("sign-in"))
    told = [page.request.get(f"{three.url}/admin/keys") for _ in range(9)]
    assert {answer.status for answer in told} == {200}
    assert len({answer.headers[SERVED_BY] for answer in told}) == 3
    predicts(page, three)


def test_a_server_and_the_store_go_and_come_while_the_page_is_open(
    page: sync_api.Page, three: Cluster, answers: list[tuple[str, int, str]]
) -> None:
    key = three.new_key(name="a clerk")
    assert three.soon(200, key)
    page.goto(f"{three.url}/sign-in")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("a clerk")).to_be_visible()
    three.kill(2)
    three.database.stop()
    try:
        predicts(page, three)
        predicts(page, three)
    finally:
        three.database.start()
    three.start(2)
    answers.clear()

    def all_three() -> bool:
        page.reload()
        page.get_by_test_id("took").wait_for()
        return len({server for _, status, server in answers if status == 200}) == 3

    assert eventually(all_three, 30)
    assert not [answer for answer in answers if answer[1] >= 400]


def test_a_key_that_is_revoked_ends_the_session_at_all_of_them(
    page: sync_api.Page, three: Cluster, expected_errors: list[str]
) -> None:
    expected_errors.append("401")
    key = three.new_key(name="gone soon")
    assert three.soon(200, key)
    page.goto(f"{three.url}/sign-in")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("gone soon")).to_be_visible()
    assert three.run("keys", "revoke", key.split("_")[1]).returncode == 0
    assert three.soon(401, key)
    told = [page.request.get(f"{three.url}/models") for _ in range(9)]
    assert {answer.status for answer in told} == {401}
    page.goto(f"{three.url}/apps/linear")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
