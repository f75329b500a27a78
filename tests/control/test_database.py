"""What a database is asked for and refuses: each told with what would be right, and no password."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelport.control.database import CALL_S
from modelport.control.state import StateStore
from modelport.core.errors import MissingLibrary, ModelportError, NotReady
from tests.ports import free_port
from tests.postgres import PASSWORD, PostgresServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the driver's
    pytest.mark.usefixtures("closed"),
]

FORM = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


def refusal(folder: Path, url: str) -> str:
    """Why a store cannot be used, which names no password."""
    with pytest.raises(ModelportError) as caught:
        prepared(folder, url)
    error: BaseException | None = caught.value
    while error is not None:
        for secret in ("pa55", "s3cret", PASSWORD):
            assert secret not in f"{error} {error!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return str(caught.value)


def prepared(folder: Path, url: str) -> None:
    store = StateStore(folder, url)
    try:
        store.prepare()
    finally:
        store.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://me:s3cret@host/db", f"'state_url' is the address of a PostgreSQL: {FORM}"),
        ("s3cret", "where it is empty, state is kept in the state folder"),
        ("sqlite:///s3cret.db", f"'state_url' is the address of a PostgreSQL: {FORM}"),
        ("postgresql://me:s3cret@host:port/db", f"'state_url' is {FORM}, in which '%2F' stands"),
        ("postgresql://me:s3cret@[host/db", f"'state_url' is {FORM}, in which '%2F' stands"),
        ("postgresql://me:a@s3cret#b@host/db", f"'state_url' is {FORM}, in which '%2F' stands"),
        ("postgresql://me:a/s3cret@host/db", f"'state_url' is {FORM}, in which '%2F' stands"),
        ("postgresql://me:a?s3cret@host/db", f"'state_url' is {FORM}, in which '%2F' stands"),
        ("postgresql://:s3cret@host/db", "names a user, a host and a database"),
        ("postgresql://me:s3cret@/db", "names a user, a host and a database"),
        ("postgresql://me:s3cret@host", "names a user, a host and a database"),
        ("postgresql://me:s3cret@h/d?ssl_mode=x", "no option 'ssl_mode'; did you mean 'sslmode'?"),
        (
            "postgres://me:s3cret@h/d?sslmode=maybe",
            "is one of disable, prefer, require, verify-ca, verify-full, and 'maybe' came",
        ),
        (
            "postgresql://me:s3cret@h/d?sslmode=verify-full&sslrootcert=/nowhere",
            "'/nowhere' that 'state_url' names as 'sslrootcert' cannot be read: No such file",
        ),
    ],
)
def test_an_address_that_is_none_is_told_with_what_one_is(
    tmp_path: Path, url: str, told: str
) -> None:
    assert told in refusal(tmp_path, url)


def test_without_the_driver_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pg8000", None)  # as if it were not installed
    with pytest.raises(MissingLibrary) as caught:
        StateStore(tmp_path, "postgresql://me:s3cret@host/db")
    told = "the state store postgresql://host/db needs a library: pip install"
    assert caught.value.message == f"{told} 'modelport[postgresql]'"


def test_what_the_server_refuses_is_told(postgres: PostgresServer, tmp_path: Path) -> None:
    name = postgres.new_database().rpartition("/")[2]
    where = f"the state store postgresql://127.0.0.1:{postgres.port}/{name} cannot be used: "
    for url, told in [
        (postgres.url(name, password="s3cret"), "it refuses the user or the password"),
        (postgres.url(name, user="nobody"), "it refuses the user or the password"),
        (postgres.url(name, "guest", "guest"), "the user may not do that: the database, or its"),
    ]:
        assert refusal(tmp_path, url).startswith(where + told)
    assert "it has no database of that name: 'createdb'" in refusal(tmp_path, postgres.url("none"))
    postgres.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "takes no changes" in refusal(tmp_path, postgres.url(name))


def test_what_is_told_in_no_words_of_ours_is_told_in_those_of_the_server(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.new_database()
    postgres.sql("CREATE SCHEMA modelport AUTHORIZATION modelport", url.rpartition("/")[2])
    view = "CREATE VIEW modelport.facts AS SELECT 1 AS name"
    postgres.sql(f"{view}; ALTER VIEW modelport.facts OWNER TO modelport", url.rpartition("/")[2])
    told = refusal(tmp_path, url)
    assert "SQLSTATE" in told
    assert "it answers '" in told


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pg8000")
    port = free_port()
    url = f"postgresql://me:s3cret@127.0.0.1:{port}/db"
    assert f"127.0.0.1:{port}/db cannot be used: it cannot be reached (" in refusal(tmp_path, url)
    url = f"postgresql://me:s3cret@/db?host={tmp_path}"
    assert "it cannot be reached (No such file or directory)" in refusal(tmp_path, url)
    url = "postgresql://me:s3cret@no-such-host.invalid/db"
    assert "it cannot be reached (" in refusal(tmp_path, url)


@contextmanager
def stranger(says: bytes) -> Iterator[str]:
    """The URL of a server that is no PostgreSQL: it says something, or nothing, and waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    held.append(listener.accept()[0])
                    held[-1].sendall(says)
            except OSError:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"postgresql://me:s3cret@127.0.0.1:{listener.getsockname()[1]}/db"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in held:
            each.close()


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b"\x00" * 64, b"S" * 9])
def test_a_stranger_in_its_place_is_told(tmp_path: Path, says: bytes) -> None:
    pytest.importorskip("pg8000")
    with stranger(says) as url:
        assert "cannot be used: " in refusal(tmp_path, url)


def test_one_that_says_nothing_is_given_up_in_time(tmp_path: Path) -> None:
    pytest.importorskip("pg8000")
    began = time.monotonic()
    with stranger(b"") as url:
        assert f"it does not answer within {CALL_S:g} s" in refusal(tmp_path, url)
    assert time.monotonic() - began < 2 * CALL_S


def test_the_connection_is_as_safe_as_sslmode_asks(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.new_database()
    named, roots = url.replace("127.0.0.1", "localhost"), f"sslrootcert={postgres.certificate}"
    for option, is_safe in [("", True), ("?sslmode=require", True), ("?sslmode=disable", False)]:
        store = StateStore(tmp_path, url + option)
        store.prepare()
        held = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        told = postgres.sql(f"{held} WHERE datname = '{url.rpartition('/')[2]}'")
        store.close()
        assert told == ("t" if is_safe else "f")
    prepared(tmp_path, f"{named}?sslmode=verify-full&{roots}")
    prepared(tmp_path, f"{url}?sslmode=verify-ca&{roots}")
    prepared(tmp_path, f"{url}?sslmode=require&{roots}")


def test_a_certificate_that_does_not_hold_is_told(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.new_database()
    roots = f"sslrootcert={postgres.certificate}"
    for option in ("sslmode=verify-full", "sslmode=verify-ca", f"sslmode=verify-full&{roots}"):
        assert "its certificate is not trusted (" in refusal(tmp_path, f"{url}?{option}")


def test_a_server_without_tls_is_told_where_it_is_asked_for(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.new_database()
    try:
        postgres.restart("ssl=off")
        assert "it does not speak TLS, which 'sslmode'" in refusal(
            tmp_path, f"{url}?sslmode=require"
        )
        prepared(tmp_path, url)
    finally:
        postgres.restart()


def test_it_is_reached_over_its_socket_as_well(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    store = StateStore(tmp_path, url.replace("127.0.0.1", "") + f"?host={postgres.folder}")
    store.prepare()
    _, record = store.create_key("infer", "x")
    told = postgres.sql(
        f"SELECT application_name, client_addr IS NULL FROM pg_stat_activity WHERE datname='{name}'"
    )
    store.close()
    assert told == "modelport|t"
    again = StateStore(tmp_path, url)
    assert again.keys() == {record.id: record}
    again.close()


def test_connections_are_made_again_after_a_restart(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    store = StateStore(tmp_path, postgres.new_database())
    store.prepare()
    _, record = store.create_key("infer", "x")
    postgres.restart()
    assert store.keys() == {record.id: record}, "no call fails of a connection that is old"
    postgres.stop()
    try:
        for call in (store.keys, store.mark, lambda: store.create_key("infer", "y")):
            with pytest.raises(NotReady, match="the state store cannot be used now: it cannot be"):
                call()
    finally:
        postgres.start()
    store.create_key("infer", "z")
    assert [key.name for key in store.keys().values()] == ["x", "z"]
    store.close()


def test_a_server_that_hangs_is_given_up_in_time(postgres: PostgresServer, tmp_path: Path) -> None:
    store = StateStore(tmp_path, postgres.new_database())
    store.prepare()
    began = time.monotonic()
    with postgres.frozen(), pytest.raises(NotReady, match=f"does not answer within {CALL_S:g} s"):
        store.keys()
    assert time.monotonic() - began < 2 * CALL_S + 1
    assert store.keys() == {}
    store.close()


def test_one_module_imports_the_driver() -> None:
    source = Path(__file__).parents[2] / "src" / "modelport"
    naming = [path.name for path in source.rglob("*.py") if "pg8000" in path.read_text()]
    assert naming == ["database.py"]
