"""The state store: keys, the admin token, and files for this user alone."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelport.control.state import StateStore, admin_token, session_secret
from modelport.core.errors import ConfigError, NotFound
from modelport.guard.auth import new_key, recognise
from modelport.guard.links import link_hash
from modelport.kit.storage import private_folder

PROGRAM = """
import sys
from pathlib import Path
from modelport.control.state import StateStore, admin_token, session_secret
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
store = StateStore(folder)
store.create_key("infer", "from a process")
print(admin_token(folder).id, session_secret(folder), flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Callable[[], StateStore]]:
    """Open the store; all are closed in the end."""
    made: list[StateStore] = []

    def make() -> StateStore:
        made.append(StateStore(tmp_path / "state"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_outlives_the_store_that_made_it(store: Callable[[], StateStore]) -> None:
    key, record = store().create_key("infer", "phone")
    found = store().keys()
    assert found == {record.id: record}
    assert recognise(key, found) == record
    assert (record.role, record.name) == ("infer", "phone")
    assert record.created.endswith("+00:00")


def test_the_database_holds_no_secret(store: Callable[[], StateStore], tmp_path: Path) -> None:
    one = store()
    key, _ = one.create_key("admin", "x")
    one.close()
    secret = key.split("_", 2)[2].encode()
    files = [path for path in (tmp_path / "state").iterdir() if path.is_file()]
    assert files
    assert all(secret not in path.read_bytes() for path in files)


def test_the_database_holds_a_link_s_hash_alone_and_not_for_long(
    store: Callable[[], StateStore], tmp_path: Path
) -> None:
    one = store()
    link, _ = one.create_link(0.0), one.create_link(1e9)
    path = tmp_path / "state" / "state.db"
    assert link.encode() not in path.read_bytes()
    with contextlib.closing(sqlite3.connect(path)) as opened:
        assert opened.execute("SELECT ends FROM links").fetchall() == [(1e9 + 900,)]


def test_of_processes_that_show_a_link_at_once_one_is_let_in(
    store: Callable[[], StateStore],
) -> None:
    stores = [store() for _ in range(8)]
    link = link_hash(stores[0].create_link(0.0))
    assert link is not None
    with ThreadPoolExecutor(8) as pool:
        good = list(pool.map(lambda one: one.redeem_link(link, 1.0), stores))
    assert sum(good) == 1


def test_a_key_keeps_its_priority(store: Callable[[], StateStore]) -> None:
    _, record = store().create_key("infer", "batch jobs", "low")
    assert record.priority == "low"
    assert store().keys()[record.id].priority == "low"


def test_a_store_of_an_older_version_is_taken_over_with_its_keys(
    store: Callable[[], StateStore], tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    key, record = new_key("infer", "old", "2026-01-01")
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "state.db")) as old:
        old.execute(
            "CREATE TABLE keys (id VARCHAR NOT NULL PRIMARY KEY, role VARCHAR NOT NULL,"
            " hash VARCHAR NOT NULL, name VARCHAR NOT NULL, created VARCHAR NOT NULL)"
        )
        old.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?)",
            (record.id, record.role, record.hash, record.name, record.created),
        )
        old.commit()
    found = store().keys()
    assert found == {record.id: record}
    assert recognise(key, found) == record
    assert record.priority == "normal"
    one = store()
    _, made = one.create_key("infer", "new", "high")
    assert {key.name: key.priority for key in one.keys().values()} == {
        "old": "normal",
        made.name: "high",
    }


def test_processes_that_take_over_an_older_store_at_once_agree(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as old:
        old.execute("CREATE TABLE keys (id VARCHAR PRIMARY KEY, role, hash, name, created)")
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(StateStore, [tmp_path] * 8))
    for one in stores:
        one.create_key("infer", "x", "low")
        one.close()


def test_a_revoked_key_is_gone_and_cannot_be_revoked_again(
    store: Callable[[], StateStore],
) -> None:
    one = store()
    _, record = one.create_key("infer", "a")
    _, other = one.create_key("infer", "b")
    one.revoke_key(record.id)
    assert set(one.keys()) == {other.id}
    with pytest.raises(NotFound, match=f"there is no key with the id '{record.id}'"):
        one.revoke_key(record.id)


def test_a_name_is_data_and_not_sql(store: Callable[[], StateStore]) -> None:
    one = store()
    name = "x'); DROP TABLE keys; --"
    _, record = one.create_key("infer", name)
    assert one.keys()[record.id].name == name
    with pytest.raises(NotFound):
        one.revoke_key("' OR '1'='1")
    assert len(one.keys()) == 1


def test_everything_in_the_state_folder_is_for_this_user_alone(
    store: Callable[[], StateStore], tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    store().create_key("infer", "x")
    admin_token(folder)
    assert mode(folder) == 0o700
    files = {path.name: mode(path) for path in folder.iterdir()}
    assert {"state.db", "admin-token"} <= set(files)
    assert set(files.values()) == {0o600}


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    assert private_folder(folder) == folder
    assert mode(folder) == 0o700


def test_a_folder_that_users_share_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigError, match="is shared by users: name one below it"):
        private_folder(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    with pytest.raises(ConfigError, match="cannot be made private: File exists"):
        private_folder(tmp_path / "state")


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(ConfigError, match=r"state\.db' cannot be used: file is not a database"):
        StateStore(tmp_path)


def test_the_admin_token_is_made_once(tmp_path: Path) -> None:
    record = admin_token(tmp_path)
    token = (tmp_path / "admin-token").read_text().strip()
    assert recognise(token, {record.id: record}) == record
    assert (record.role, record.name) == ("admin", "admin token")
    assert admin_token(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["admin-token"]


@pytest.mark.parametrize("content", [b"", b"\n", b"not a token", b"\xff\xfe", b"mp_1_2"])
def test_a_damaged_token_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "admin-token"
    path.write_bytes(content)
    path.chmod(0o644)
    record = admin_token(tmp_path)
    assert recognise(path.read_text().strip(), {record.id: record})
    assert mode(path) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin-token"]


def test_a_token_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "admin-token").mkdir()
    with pytest.raises(ConfigError, match="can be neither read nor written: Is a directory"):
        admin_token(tmp_path)


def test_the_secret_of_sessions_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    secret = session_secret(tmp_path)
    assert len(secret) == 43
    assert session_secret(tmp_path) == secret == (tmp_path / "session-secret").read_text().strip()
    assert mode(tmp_path / "session-secret") == 0o600
    assert session_secret(tmp_path / "other") != secret


@pytest.mark.parametrize("content", [b"", b"too short", b"\xff" * 43])
def test_a_damaged_secret_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "session-secret"
    path.write_bytes(content)
    path.chmod(0o644)
    assert session_secret(tmp_path).encode() != content
    assert mode(path) == 0o600


def test_processes_that_start_at_once_agree_on_one_token_and_lose_no_key(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * 4
    assert set(said) == {f"{admin_token(folder).id} {session_secret(folder)}\n"}
    store = StateStore(folder)
    assert len(store.keys()) == 4
    store.close()
