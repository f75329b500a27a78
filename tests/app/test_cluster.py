"""Servers with a common state store behind a real nginx: any of them serves any request."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.app.servers import LINEAR, Served, command, environment, eventually, serving
from tests.cluster import SERVED_BY, Cluster, cluster
from tests.postgres import PASSWORD, PostgresServer

X = {"x": [1, 2, 3]}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Cluster]:
    """Three servers that ask for keys."""
    with cluster(LINEAR, tmp_path_factory.mktemp("cluster"), postgres) as made:
        made.new_key(name="so that callers need one")
        yield made
    log = made.log()
    assert "link=" not in log
    assert PASSWORD not in log
    assert "Traceback" not in log


@pytest.fixture
def browser(three: Cluster) -> Iterator[httpx.Client]:
    """A browser on a page of the proxy's."""
    with three.client() as client:
        client.headers["origin"] = three.url
        yield client


def sign_in(browser: httpx.Client, **content: str) -> httpx.Response:
    answer = browser.post("/session", json=content)
    browser.headers["x-csrf-token"] = answer.json().get("csrf") or ""
    return answer


def statuses(client: httpx.Client, **headers: str) -> dict[str, int]:
    """How each server answers a prediction, asked in turns by the proxy."""
    answers = [client.post("/predict", json=X, headers=headers) for _ in range(6)]
    return {answer.headers[SERVED_BY]: answer.status_code for answer in answers}


def last(answer: httpx.Response) -> str:
    """Who answered in the end, of the servers that were asked."""
    return re.split(" : |, ", answer.headers[SERVED_BY])[-1]


def test_a_session_that_began_at_one_server_holds_at_all_of_them(
    three: Cluster, browser: httpx.Client
) -> None:
    key = three.new_key(name="a clerk")
    assert three.soon(200, key)
    began = sign_in(browser, key=key)
    assert began.json()["principal"] == "a clerk"
    assert began.headers["set-cookie"].startswith("__Host-modelport-session=")
    told = [browser.get("/session") for _ in range(6)]
    assert len({answer.headers[SERVED_BY] for answer in told}) == 3
    assert all(answer.json() == began.json() for answer in told)
    assert set(statuses(browser).values()) == {200}
    assert len(statuses(browser)) == 3
    assert browser.delete("/session").json()["signed_in"] is False
    assert {answer.json()["signed_in"] for answer in (browser.get("/session"),) * 3} == {False}
    assert set(statuses(browser).values()) == {401}


def test_a_link_signs_in_at_any_server_and_once_at_all_of_them(
    three: Cluster, browser: httpx.Client
) -> None:
    made = three.run("keys", "link", "--url", three.url)
    base, _, link = made.stdout.strip().partition("#link=")
    assert base == f"{three.url}/sign-in"
    assert sign_in(browser, link=link).json()["principal"] == "admin"
    keys = [browser.get("/admin/keys") for _ in range(6)]
    assert {answer.status_code for answer in keys} == {200}
    assert len({answer.headers[SERVED_BY] for answer in keys}) == 3
    assert {key["name"] for key in keys[0].json()} >= {"so that callers need one"}
    again = [httpx.post(f"{server.url}/session", json={"link": link}) for server in three.servers]
    assert {answer.status_code for answer in again} == {401}
    told = [server.sign_in for server in three.servers]
    assert told == [None] * 3, "the first key came later"
    assert not list(three.folder.glob("state*/admin-token"))


def test_a_key_of_one_server_is_in_force_at_all_within_the_time_that_is_promised(
    three: Cluster, browser: httpx.Client
) -> None:
    ops = {"authorization": f"Bearer {three.new_key('admin', 'ops')}"}
    assert three.soon(200, ops["authorization"].split()[1])
    first, second, _ = (server.url for server in three.servers)
    made = httpx.post(f"{first}/admin/keys", headers=ops, json={"role": "infer", "name": "x"})
    key, key_id = made.json()["key"], made.json()["id"]
    assert httpx.post(
        f"{first}/predict", json=X, headers={"authorization": f"Bearer {key}"}
    ).is_success
    assert three.soon(200, key)
    assert sign_in(browser, key=key).json()["signed_in"]
    gone = httpx.delete(f"{second}/admin/keys/{key_id}", headers=ops)
    assert gone.is_success, gone.text
    assert three.soon(401, key)
    assert set(statuses(browser).values()) == {401}, "its sessions end with it"


def test_a_key_is_made_listed_and_revoked_on_a_machine_without_a_server(three: Cluster) -> None:
    key = three.new_key(name="from afar")
    assert three.soon(200, key)
    assert "from afar" in three.run("keys", "list").stdout
    assert three.run("keys", "revoke", key.split("_")[1]).returncode == 0
    assert three.soon(401, key)
    assert "from afar" not in three.run("keys", "list").stdout
    assert not (three.folder / "elsewhere" / "state.db").exists()


def test_while_the_store_is_away_all_is_served_and_what_writes_is_refused(
    three: Cluster, browser: httpx.Client
) -> None:
    key, token = three.new_key(), three.new_key("admin")
    ops = {"authorization": f"Bearer {token}"}
    assert three.soon(200, token)
    assert three.soon(200, key)
    link = three.run("keys", "link", "--url", three.url).stdout.strip().partition("=")[2]
    pid = three.servers[0].children()["control"][0]
    three.database.stop()
    try:
        assert sign_in(browser, key=key).status_code == 200
        assert set(statuses(browser).values()) == {200}
        refused = browser.post("/session", json={"link": link})
        assert refused.status_code == 503
        assert refused.json()["error"].startswith("the state store cannot be used now: it cannot")
        assert " : " in refused.headers[SERVED_BY], "a second server is asked"
        for server in three.servers:
            made = httpx.post(f"{server.url}/admin/keys", headers=ops, json={"role": "infer"})
            assert (made.status_code, made.json()["code"]) == (503, "NOT_READY")
        made = browser.post("/admin/keys", headers=ops, json={"role": "infer"})
        assert (made.status_code, made.json()["code"]) == (503, "NOT_READY")
        assert " : " not in made.headers[SERVED_BY], "what changes something is asked for once"
        os.kill(pid, signal.SIGKILL)  # what takes its place cannot read the store
        assert eventually(lambda: three.servers[0].children()["control"] not in ([], [pid]))
        assert eventually(lambda: "the keys hold that were read last" in three.log())
        time.sleep(1)
        assert three.soon(200, key)
        told = three.run("keys", "list")
        assert told.returncode == 2
        assert "cannot be used: it cannot be reached (Connection refused)" in told.stderr
        assert PASSWORD not in told.stderr
    finally:
        three.database.start()
    later = three.new_key(name="later")
    assert three.soon(200, later)
    assert browser.post("/session", json={"link": link}).json()["role"] == "admin"


def test_a_server_that_is_killed_costs_nobody_else_anything(
    three: Cluster, browser: httpx.Client
) -> None:
    key = three.new_key()
    assert three.soon(200, key)
    assert sign_in(browser, key=key).status_code == 200
    three.kill(1)
    try:
        answers = [browser.post("/predict", json=X) for _ in range(12)]
    finally:
        three.start(1)
    assert {answer.status_code for answer in answers} == {200}
    assert len({last(answer) for answer in answers}) == 2
    assert three.soon(200, key)


def test_servers_are_replaced_one_by_one_without_a_failed_request(three: Cluster) -> None:
    key = three.new_key()
    assert three.soon(200, key)
    over = threading.Event()
    answers: list[int] = []

    def ask() -> None:
        with three.client() as client:
            client.headers["authorization"] = f"Bearer {key}"
            while not over.is_set():
                answers.append(client.post("/predict", json=X).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for index in (0, 1):
            three.servers[index].stop()
            three.start(index)
    finally:
        over.set()
        asking.join()
    assert len(answers) > 100
    assert set(answers) == {200}


def refused(tmp_path: Path, *args: str, **env: str) -> str:
    """Why a command ends with the exit code of a wrong setting."""
    done = subprocess.run(
        command(*args),
        capture_output=True,
        text=True,
        env=environment(tmp_path) | env,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "s3cret" not in done.stderr + done.stdout
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_server_does_not_start_with_half_of_what_is_common(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    line = ("serve", str(LINEAR), "--port", "0")
    url = {"MODELPORT_STATE_URL": postgres.new_database()}
    secret = {"MODELPORT_SESSION_SECRET": "a secret of thirty-two characters"}
    assert "need a common 'session_secret'" in refused(tmp_path, *line, **url)
    wrong = {"MODELPORT_STATE_URL": postgres.url("state0", password="s3cret")}
    assert "it refuses the user or the password" in refused(tmp_path, *line, **secret, **wrong)
    wrong = {"MODELPORT_STATE_URL": "mysql://me:s3cret@host/db"}
    assert "'state_url' is the address of a Postgre" in refused(tmp_path, *line, **secret, **wrong)
    told = refused(tmp_path, *line, "--host", "0.0.0.0", **secret, **url)
    assert "no key exists" in told


def test_a_command_without_the_url_of_the_server_that_runs_here_is_refused(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    config = tmp_path / "common.toml"
    url, secret = postgres.new_database(), "a secret of thirty-two characters"
    config.write_text(
        f'[state]\nstate_url = "{url}"\n[security]\nsession_secret = "{secret}"\n', "utf-8"
    )
    state = tmp_path / "state"
    with serving(LINEAR, "--config", str(config), state=state, workers=1) as served:
        told = refused(state, "keys", "create", "--role", "infer")
        assert f"the server on {served.url} has its keys in postgresql://127.0.0.1:" in told
        assert_made_with(config, state, served)


def test_only_control_holds_what_opens_the_store(postgres: PostgresServer, tmp_path: Path) -> None:
    url, secret = postgres.new_database(), "a secret of thirty-two characters"
    env = {"MODELPORT_STATE_URL": url, "MODELPORT_SESSION_SECRET": secret}
    password = quote(PASSWORD, safe="").encode()
    with serving(
        LINEAR, "--placement", "shared", state=tmp_path / "state", workers=1, env=env
    ) as served:
        children = served.children()
        assert all(children.values())
        for module, (pid, *_) in children.items():
            inherited = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"MODELPORT_STATE_DIR=" in inherited
            assert password not in inherited, module
            assert secret.encode() not in inherited, module
            assert (password in memory(pid)) is (module == "control"), module


def memory(pid: int) -> bytes:
    """What a process has written to its memory."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as all_of_it:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, rights, *_ = line.split()
            start, end = (int(each, 16) for each in where.split("-"))
            if rights.startswith("rw"):
                with contextlib.suppress(OSError):
                    all_of_it.seek(start)
                    found.append(all_of_it.read(end - start))
    return b"".join(found)


def test_a_key_is_made_after_the_machine_lost_power_under_a_server(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    env = {
        "MODELPORT_STATE_URL": postgres.new_database(),
        "MODELPORT_SESSION_SECRET": "a secret of thirty-two characters",
    }
    with serving(LINEAR, state=tmp_path, workers=1, env=env) as served:
        (word,) = (tmp_path / "servers").iterdir()
        said = word.read_bytes()
        assert "has its keys in postgresql:" in refused(tmp_path, "keys", "create", "--role=infer")
        served.stop()
    word.write_bytes(said)
    word.with_name(f"{os.getpid()}.json").write_bytes(said)  # a number that is another's by now
    word.with_name("1.json").write_bytes(said[:9])  # it was being written
    line = command("keys", "create", "--role", "infer")
    made = subprocess.run(line, capture_output=True, env=environment(tmp_path), timeout=60)
    assert made.returncode == 0, made.stderr
    assert not list(word.parent.iterdir())


def assert_made_with(config: Path, state: Path, served: Served) -> None:
    """With the server's file, a key is made where the server finds it at once."""
    line = command("keys", "create", "--role", "infer", "--config", str(config))
    made = subprocess.run(
        line, capture_output=True, text=True, env=environment(state), timeout=60, check=True
    )
    headers = {"authorization": f"Bearer {made.stdout.strip()}"}
    assert httpx.post(f"{served.url}/predict", json=X, headers=headers).status_code == 200
    assert httpx.post(f"{served.url}/predict", json=X).status_code == 401
