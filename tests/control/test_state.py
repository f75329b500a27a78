"""The state store in both databases: keys and links; and its files for this user alone."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from modelport.control.state import StateStore, admin_token, session_secret
from modelport.core.errors import ConfigError, NotFound, NotReady
from modelport.guard.auth import new_key, recognise
from modelport.guard.links import link_hash
from modelport.kit.storage import private_folder
from tests.postgres import PostgresServer

PROGRAM = """
import sys
from pathlib import Path
from modelport.control.state import StateStore, admin_token, session_secret
folder, url = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
store = StateStore(folder, url)
store.prepare()
store.create_key("infer", "from a process")
print(store.read().admin.id, admin_token(folder).id, session_secret(folder), flush=True)
"""


class Place:
    """Where a state store lies, and what the database itself says of it."""

    def __init__(self, folder: Path, server: PostgresServer | None) -> None:
        self.folder = folder
        self._server = server
        self.url = "" if server is None else server.new_database()

    def sql(self, statement: str) -> list[tuple[str, ...]]:
        """The rows that a statement gives; its tables are `{keys}`, `{links}` and `{facts}`."""
        schema = "modelport." if self._server is not None else ""
        for table in ("keys", "links", "facts"):
            statement = statement.replace(f"{{{table}}}", f"{schema}{table}")
        if self._server is not None:
            said = self._server.sql(statement, self.url.rpartition("/")[2])
            return [tuple(line.split("|")) for line in said.splitlines()]
        with closing(sqlite3.connect(self.folder / "state.db")) as opened, opened:
            return [tuple(map(str, row)) for row in opened.execute(statement).fetchall()]

    def content(self) -> bytes:
        """All that the database holds, as it would be read by somebody who may only read."""
        if self._server is not None:
            rows = [self.sql(f"SELECT * FROM {{{table}}}") for table in ("keys", "links", "facts")]
            return repr(rows).encode()
        return b"".join(path.read_bytes() for path in self.folder.glob("state.db*"))


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for a store, with nothing in it."""
    is_common = request.param == "PostgreSQL"
    server = request.getfixturevalue("postgres") if is_common else None
    folder = tmp_path / "state"
    folder.mkdir()
    return Place(folder, server)


@pytest.fixture
def store(place: Place) -> Iterator[Callable[[], StateStore]]:
    """Open the store; all are closed in the end."""
    made: list[StateStore] = []

    def make() -> StateStore:
        made.append(StateStore(place.folder, place.url))
        made[-1].prepare()
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


def test_the_database_holds_no_secret(store: Callable[[], StateStore], place: Place) -> None:
    one = store()
    key, record = one.create_key("admin", "x")
    one.close()
    assert record.hash.encode() in place.content()
    assert key.split("_", 2)[2].encode() not in place.content()


def test_the_database_holds_a_link_s_hash_alone_and_not_for_long(
    store: Callable[[], StateStore], place: Place
) -> None:
    one = store()
    link, _ = one.create_link(0.0), one.create_link(1e9)
    assert link.encode() not in place.content()
    assert [float(ends) for (ends,) in place.sql("SELECT ends FROM {links}")] == [1e9 + 900]


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


OLDER = (
    "CREATE TABLE {keys} (id VARCHAR NOT NULL PRIMARY KEY, role VARCHAR NOT NULL,"
    " hash VARCHAR NOT NULL, name VARCHAR NOT NULL, created VARCHAR NOT NULL)"
)


def test_a_store_of_an_older_version_is_taken_over_with_its_keys(
    store: Callable[[], StateStore], place: Place
) -> None:
    key, record = new_key("infer", "old", "2026-01-01")
    if place.url:
        place.sql("CREATE SCHEMA modelport AUTHORIZATION modelport")
    place.sql(OLDER)
    if place.url:
        place.sql("ALTER TABLE {keys} OWNER TO modelport")
    place.sql(
        f"INSERT INTO {{keys}} VALUES ('{record.id}', '{record.role}', '{record.hash}',"
        f" '{record.name}', '{record.created}')"
    )
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


@pytest.mark.parametrize("older", [OLDER, None])
def test_processes_that_make_or_take_over_a_store_at_once_agree(
    place: Place, older: str | None
) -> None:
    if older is not None:
        if place.url:
            place.sql("CREATE SCHEMA modelport AUTHORIZATION modelport")
        place.sql(older)
        if place.url:
            place.sql("ALTER TABLE {keys} OWNER TO modelport")
    stores = [StateStore(place.folder, place.url) for _ in range(8)]
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(StateStore.prepare, stores))
        assert len({one.read().admin.id for one in stores}) == 1
        for one in stores:
            one.create_key("infer", "x", "low")
        assert len(stores[0].keys()) == 8
    finally:
        for one in stores:
            one.close()


def test_what_changes_the_keys_changes_the_mark(store: Callable[[], StateStore]) -> None:
    one, other = store(), store()
    marks = [one.mark()]
    _, record = one.create_key("infer", "x")
    marks.append(other.mark())
    one.create_link(0.0)
    assert other.read().mark == other.mark() == marks[1]
    with pytest.raises(NotFound):
        other.revoke_key("000000000000")
    assert one.mark() == marks[1]
    other.revoke_key(record.id)
    marks.append(one.mark())
    assert len(set(marks)) == 3


def test_a_store_whose_rows_are_gone_takes_no_change_until_it_is_prepared_again(
    store: Callable[[], StateStore], place: Place
) -> None:
    one = store()
    _, record = one.create_key("infer", "x")
    place.sql("DELETE FROM {facts}")
    calls: list[Callable[[], object]] = [
        *(one.read, one.mark),
        *(lambda: one.create_key("infer", "y"), lambda: one.revoke_key(record.id)),
    ]
    for call in calls:
        with pytest.raises(NotReady, match="rows of it are gone: bring them back, or restart"):
            call()
    assert one.keys() == {record.id: record}
    assert store().read().keys == {record.id: record}
    one.revoke_key(record.id)
    assert one.keys() == {}


def test_the_admin_is_none_of_the_keys(store: Callable[[], StateStore], place: Place) -> None:
    known = store().read()
    assert known.keys == store().keys() == {}
    assert store().read() == known
    assert known.admin.role == "admin"
    files = {path.name for path in place.folder.iterdir()}
    if place.url:
        assert "admin-token" not in files
        assert known.admin.name == "admin"
    else:
        token = (place.folder / "admin-token").read_text().strip()
        assert recognise(token, {known.admin.id: known.admin}) == known.admin


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
    for no_id in ("' OR '1'='1", "\0", "", "é" * 1000):
        with pytest.raises(NotFound):
            one.revoke_key(no_id)
    assert len(one.keys()) == 1


def test_a_name_that_no_list_could_show_is_refused(store: Callable[[], StateStore]) -> None:
    one = store()
    for name, told in [("x" * 201, "at most 200"), ("a\0b", "no character of the code 0")]:
        with pytest.raises(ConfigError, match=told):
            one.create_key("infer", name)
    _, record = one.create_key("infer", "数据 é 🎉\n")
    assert one.keys() == {record.id: record}


def test_everything_in_the_state_folder_is_for_this_user_alone(
    store: Callable[[], StateStore], place: Place
) -> None:
    store().create_key("infer", "x")
    admin_token(place.folder)
    assert mode(place.folder) == 0o700
    files = {path.name: mode(path) for path in place.folder.iterdir()}
    assert set(files) == {"admin-token"} | (set() if place.url else {"state.db"})
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
    store = StateStore(tmp_path)
    with pytest.raises(ConfigError, match=r"state\.db' cannot be used: file is not a database"):
        store.prepare()
    store.close()


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
    with pytest.raises(ConfigError, match="neither read nor written: Is a directory") as caught:
        admin_token(tmp_path)
    assert str(tmp_path) not in caught.value.message


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


def test_processes_that_start_at_once_agree_on_one_token_and_lose_no_key(place: Place) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(place.folder), place.url],
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
    store = StateStore(place.folder, place.url)
    admin = store.read().admin
    own = f"{admin_token(place.folder).id} {session_secret(place.folder)}"
    assert set(said) == {f"{admin.id} {own}\n"}
    assert len(store.keys()) == 4
    store.close()
