"""Signing in to real servers: the link of a start, and what servers with one secret share."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.app.servers import LINEAR, Served, command, environment, eventually, serving

X = {"x": [1, 2, 3]}
SECRET = "a secret of thirty-two characters"


def run(state: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), capture_output=True, text=True, env=environment(state), timeout=60
    )


def new_key(state: Path, role: str = "infer", name: str = "shop") -> str:
    made = run(state, "keys", "create", "--role", role, "--name", name)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


class Browser(httpx.Client):
    """A browser on a page of its server's own: it keeps the cookie, and sends what it was told."""

    def signs_in(self, **content: str) -> httpx.Response:
        answer = self.post("/session", json=content, headers={"origin": str(self.base_url)})
        self.headers["x-csrf-token"] = answer.json().get("csrf") or ""
        return answer

    def predicts(self, url: str = "") -> int:
        """On connections of its own, so that each worker is asked."""
        origin = url or str(self.base_url)
        headers = {**self.headers, "origin": origin, "connection": "close"}
        return self.post(f"{url}/predict", json=X, headers=headers).status_code


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a key, so that callers need one."""
    folder = tmp_path_factory.mktemp("state")
    new_key(folder)
    return folder


@pytest.fixture(scope="module")
def served(state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("log") / "log"
    with serving(LINEAR, state=state, log=log) as server:
        yield server
    assert "link=" not in log.read_text()


@pytest.fixture
def browser(served: Served) -> Iterator[Browser]:
    with Browser(base_url=served.url) as one:
        yield one


def link_of(address: str, url: str) -> str:
    base, _, link = address.partition("#link=")
    assert base == f"{url}/sign-in"
    return link


def test_the_link_of_a_start_signs_in_as_the_admin_and_once(
    served: Served, browser: Browser, state: Path
) -> None:
    assert served.sign_in is not None
    link = link_of(served.sign_in, served.url)
    assert browser.signs_in(link=link).json()["role"] == "admin"
    assert {browser.predicts() for _ in range(8)} == {200}
    assert browser.get("/admin/keys").json()[0]["name"] == "shop"
    again = [httpx.post(f"{served.url}/session", json={"link": link}) for _ in range(8)]
    assert {answer.status_code for answer in again} == {401}
    assert (state / "session-secret").stat().st_mode & 0o777 == 0o600


def test_another_link_is_made_from_the_command_line(
    served: Served, browser: Browser, state: Path
) -> None:
    made = run(state, "keys", "link")
    assert browser.signs_in(link=link_of(made.stdout.strip(), served.url)).status_code == 200
    (address,) = json.loads(
        run(state, "keys", "link", "--url", "https://models.example/", "--json").stdout
    )
    link = link_of(address, "https://models.example")
    with closing(sqlite3.connect(state / "state.db")) as store, store:
        store.execute("UPDATE links SET ends = ends - 900")
    late = browser.signs_in(link=link)
    assert late.status_code == 401
    assert "'modelport keys link' makes another" in late.json()["error"]


def test_a_session_ends_in_every_worker_when_its_key_is_revoked(
    browser: Browser, state: Path
) -> None:
    key = new_key(state, name="gone tomorrow")
    assert eventually(lambda: browser.signs_in(key=key).status_code == 200)
    assert {browser.predicts() for _ in range(8)} == {200}
    assert run(state, "keys", "revoke", key.split("_")[1]).returncode == 0
    assert {browser.predicts() for _ in range(8)} == {401}
    assert not browser.get("/session").json()["signed_in"]


def test_servers_with_the_same_keys_and_secret_serve_one_browser(
    state: Path, browser: Browser, tmp_path: Path
) -> None:
    config = tmp_path / "modelport.toml"
    key = new_key(state, name="everywhere")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(state / "state.db", tmp_path / folder)
    config.write_text(f'[security]\nsession_secret = "{SECRET}"\n')
    with (
        serving(LINEAR, "--config", str(config), state=tmp_path / "a", workers=1) as a,
        serving(LINEAR, "--config", str(config), state=tmp_path / "b", workers=1) as b,
        Browser(base_url=a.url) as shared,
    ):
        assert shared.signs_in(key=key).status_code == 200
        assert [shared.predicts(url) for url in (a.url, b.url, a.url, b.url)] == [200] * 4
        assert shared.predicts(str(browser.base_url)) == 401, "it has a secret of its own"
        assert SECRET not in run(tmp_path / "a", "keys", "list").stdout
        assert not (tmp_path / "a" / "session-secret").exists()


def test_where_no_key_is_needed_there_is_no_link_until_one_asks(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path, workers=1) as served:
        assert served.sign_in is None
        with Browser(base_url=served.url) as browser:
            told = browser.get("/session").json()
            assert (told["principal"], told["needs_key"]) == ("local", False)
            made = run(tmp_path, "keys", "link").stdout.strip()
            assert browser.signs_in(link=link_of(made, served.url)).json()["role"] == "admin"
            assert browser.get("/admin/keys").status_code == 200


def test_the_banner_has_the_link(state: Path) -> None:
    line = command("serve", str(LINEAR), "--port", "0", "--workers", "1")
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, text=True, env=environment(state), start_new_session=True
    ) as process:
        assert process.stdout is not None
        told = next(line for line in process.stdout if "sign in" in line)
        process.terminate()
        process.stdout.read()
    assert "/sign-in#link=" in told
    assert told.rstrip().endswith("(once, within 15 minutes)")


def test_a_secret_that_is_short_is_refused_without_being_told(tmp_path: Path) -> None:
    env = environment(tmp_path) | {"MODELPORT_SESSION_SECRET": "hunter2"}
    ended = subprocess.run(
        command("serve", str(LINEAR), "--port", "0"), capture_output=True, text=True, env=env
    )
    assert ended.returncode == 2
    assert "'session_secret' has at least 32 characters, and 7 came" in ended.stderr
    assert "hunter2" not in ended.stderr + ended.stdout
