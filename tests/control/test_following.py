"""What is known of a store: its changes are noticed, and it holds while the store is away."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from modelport.control.following import LOOK_S, Following
from modelport.control.state import StateStore
from modelport.core.errors import ConfigError, NotReady
from tests.postgres import PostgresServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the driver's
    pytest.mark.usefixtures("closed"),
]
SOON_S = 2.0 + 2.0
"""As is promised, and for a machine that does other things as well."""


class Follower:
    """A `Following` at work, and how often it told of a change."""

    def __init__(self, folder: Path, url: str = "", store: StateStore | None = None) -> None:
        self.store = store or StateStore(folder, url)
        self.following = Following(self.store, folder / "known.json")
        self.told = 0

    async def changed(self) -> None:
        self.told += 1

    def names(self) -> set[str]:
        return {key.name for key in self.following.known.keys.values()}

    async def follows(self, then: Callable[[], Awaitable[None]]) -> None:
        """Follow for as long as something else goes on."""
        await self.following.start()
        task = asyncio.create_task(self.following.follow(self.changed))
        try:
            await then()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.store.close()


async def eventually(true: Callable[[], bool], within_s: float = SOON_S) -> bool:
    until = time.monotonic() + within_s
    while not true() and time.monotonic() < until:  # noqa: ASYNC110  # nobody tells of it
        await asyncio.sleep(0.02)
    return true()


def write(folder: Path, url: str, name: str) -> str:
    """Make a key as another process does; its id."""
    store = StateStore(folder, url)
    store.prepare()
    _, record = store.create_key("infer", name)
    store.close()
    return record.id


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "SQLite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def test_a_change_by_another_process_is_noticed_soon_and_told_once(
    url: str, tmp_path: Path
) -> None:
    one = Follower(tmp_path, url)

    async def main() -> None:
        assert one.names() == set()
        key_id = await asyncio.to_thread(write, tmp_path, url, "a")
        assert await eventually(lambda: one.told == 1)
        assert one.names() == {"a"}
        await asyncio.sleep(1.5 * LOOK_S)
        assert one.told == 1
        await asyncio.to_thread(one.store.revoke_key, key_id)
        assert await eventually(lambda: one.told == 2)
        assert one.names() == set()

    asyncio.run(one.follows(main))


def test_what_was_read_holds_while_the_store_is_away_and_is_read_again(
    postgres: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.new_database()
    write(tmp_path, url, "a")
    one = Follower(tmp_path, url)

    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name != "asyncio"]

    async def main() -> None:
        await asyncio.to_thread(postgres.stop)
        try:
            assert await eventually(lambda: len(logged()) == 1)
            await asyncio.sleep(2 * LOOK_S)
            assert one.names() == {"a"}
        finally:
            await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(write, tmp_path, url, "b")
        assert await eventually(lambda: one.names() == {"a", "b"})
        assert await eventually(lambda: len(logged()) == 2)

    with caplog.at_level(logging.WARNING):
        asyncio.run(one.follows(main))
    went, came = logged()
    assert went.startswith("the state store cannot be used now: ")
    assert went.endswith(": the keys hold that were read last")
    assert came == "the state store answers again"


def test_a_control_process_that_starts_while_the_store_is_away_knows_what_the_last_one_did(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.new_database()
    write(tmp_path, url, "a")

    async def nothing() -> None:
        pass

    asyncio.run(Follower(tmp_path, url).follows(nothing))
    assert (tmp_path / "known.json").stat().st_mode & 0o777 == 0o600
    postgres.stop()
    one = Follower(tmp_path, url)

    async def main() -> None:
        assert one.names() == {"a"}
        with pytest.raises(NotReady):
            await asyncio.to_thread(one.store.keys)
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(write, tmp_path, url, "b")
        assert await eventually(lambda: one.names() == {"a", "b"})

    asyncio.run(one.follows(main))


async def replaced(server: PostgresServer, folder: Path, url: str) -> None:
    """Have another process make an empty store in the place of one that is gone."""
    drop = "DROP SCHEMA modelport CASCADE"
    await asyncio.to_thread(server.sql, drop, url.rpartition("/")[2])
    other = StateStore(folder, url)
    await asyncio.to_thread(other.prepare)
    assert await asyncio.to_thread(other.keys) == {}
    other.close()


def test_a_store_that_is_emptied_takes_no_key_from_a_server_that_runs(
    postgres: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.new_database()
    database = url.rpartition("/")[2]
    write(tmp_path, url, "a")
    one = Follower(tmp_path, url)

    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name != "asyncio"]

    async def main() -> None:
        move = "ALTER SCHEMA modelport RENAME TO former"
        await asyncio.to_thread(postgres.sql, move, database)
        assert await eventually(lambda: len(logged()) == 1)
        await asyncio.sleep(2 * LOOK_S)
        assert not postgres.sql("SELECT 1 FROM pg_namespace WHERE nspname='modelport'", database)
        await asyncio.to_thread(write, tmp_path, url, "a stranger's")
        assert await eventually(lambda: len(logged()) == 2)
        with pytest.raises(NotReady, match="or restart the server to take this one"):
            await one.following.read()
        await replaced(postgres, tmp_path, url)
        await asyncio.sleep(2 * LOOK_S)
        assert (one.names(), one.told) == ({"a"}, 0)
        back = "DROP SCHEMA modelport CASCADE; ALTER SCHEMA former RENAME TO modelport"
        await asyncio.to_thread(postgres.sql, back, database)
        await asyncio.to_thread(write, tmp_path, url, "b")
        assert await eventually(lambda: one.names() == {"a", "b"})
        assert await eventually(lambda: len(logged()) == 3)

    with caplog.at_level(logging.WARNING):
        asyncio.run(one.follows(main))
    gone, other, came = logged()
    assert "its tables are gone" in gone
    assert other.startswith("the state store is another one than this server began with")
    assert other.endswith(": the keys hold that were read last")
    assert came == "the state store answers again"


@pytest.fixture
def emptied(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Callable[[], None]:
    """Take every row out of the store."""
    server: PostgresServer | None = request.getfixturevalue("postgres") if url else None

    def empty() -> None:
        if server is not None:
            server.sql("TRUNCATE modelport.facts, modelport.keys", url.rpartition("/")[2])
            return
        with closing(sqlite3.connect(tmp_path / "state.db")) as opened, opened:
            opened.execute("DELETE FROM facts")
            opened.execute("DELETE FROM keys")

    return empty


def test_the_keys_hold_when_a_store_s_rows_are_gone(
    url: str, emptied: Callable[[], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, url, "a")
    one = Follower(tmp_path, url)

    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name != "asyncio"]

    async def main() -> None:
        await asyncio.to_thread(emptied)
        assert await eventually(lambda: len(logged()) == 1)
        await asyncio.sleep(2 * LOOK_S)
        assert (one.names(), one.told) == ({"a"}, 0)
        with pytest.raises(NotReady, match="rows of it are gone"):
            await one.following.read()

    with caplog.at_level(logging.WARNING):
        asyncio.run(one.follows(main))
    (gone,) = logged()
    assert "rows of it are gone" in gone
    assert gone.endswith(": the keys hold that were read last")


class Faulty(StateStore):
    """A store that fails as nobody expects."""

    fault = ""
    looks = 0

    def mark(self) -> str:
        self.looks += 1
        if self.fault:
            raise RuntimeError(self.fault)
        return super().mark()


def test_a_fault_that_nobody_expects_is_told_once_until_it_is_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Faulty(tmp_path)
    one = Follower(tmp_path, store=store)

    async def looks() -> None:
        until = store.looks + 2
        assert await eventually(lambda: store.looks == until)

    async def main() -> None:
        for fault in ("one", "other", "", "other"):
            store.fault = fault
            await looks()

    with caplog.at_level(logging.WARNING):
        asyncio.run(one.follows(main))
    records = [record for record in caplog.records if record.name != "asyncio"]
    assert [str(record.exc_info and record.exc_info[1]) for record in records] == [
        *("one", "other", "other")
    ]
    assert {record.getMessage() for record in records} == {"a look at the state store failed"}


def test_a_control_process_that_starts_after_the_store_was_emptied_keeps_the_keys(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.new_database()
    write(tmp_path, url, "a")
    one, later = Follower(tmp_path, url), Follower(tmp_path, url)

    async def first() -> None:
        await replaced(postgres, tmp_path, url)

    async def second() -> None:
        await asyncio.sleep(2 * LOOK_S)
        assert later.names() == {"a"}

    asyncio.run(one.follows(first))
    asyncio.run(later.follows(second))
    (tmp_path / "known.json").unlink()  # as for a server that starts anew
    anew = Follower(tmp_path, url)

    async def third() -> None:
        assert anew.names() == set()

    asyncio.run(anew.follows(third))


def test_a_store_that_was_never_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database" * 100)
    one = Follower(tmp_path)
    with pytest.raises(ConfigError, match="cannot be used: file is not a database"):
        asyncio.run(one.following.start())
    one.store.close()
