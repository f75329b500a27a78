"""The databases that a state store can lie in: SQLite in the state folder, PostgreSQL by URL.

Why a call failed is told in words of our own: callers read them, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import sqlalchemy as sa

from modelport.core.errors import ConfigError, MissingLibrary, NotReady
from modelport.kit.addresses import shown
from modelport.kit.storage import private_folder
from modelport.kit.words import nearest

__all__ = ["CALL_S", "Database"]

CALL_S = 3.0
"""Seconds that a PostgreSQL has to take a connection, and for each answer."""
_BUSY_S = 10
"""Seconds that a process waits for another one that writes to the same file."""
_SCHEMA = "modelport"
"""Where the tables lie in a PostgreSQL, so that they are nobody else's by accident."""
_EXCLUSIVE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(7305794)"}
"""What has processes that do so wait for each other, until the end of their transactions."""
_PORT = 5432
_FORM = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_OPTIONS = ("host", "sslmode", "sslrootcert")
_TLS = ("disable", "prefer", "require", "verify-ca", "verify-full")
_REFUSALS = {
    "25006": "it takes no changes: it is a standby, or was set so",
    "28000": "it does not let this user in",
    "28P01": "it refuses the user or the password",
    "3D000": "it has no database of that name: 'createdb' makes one",
    "42P01": "its tables are gone: bring them back, or restart the servers to begin without a key",
    "42501": "the user may not do that: the database, or its schema 'modelport', has to be theirs",
    "53300": "it has no connection left",
    "57P03": "it is starting or stopping",
}
"""By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class Database:
    """Connections to one database; where one is lost, another is made."""

    def __init__(self, folder: Path, url: str) -> None:
        """Nothing is asked of the database yet.

        Args:
            folder: the state folder, which is made where needed.
            url: of a PostgreSQL; empty for SQLite in that folder.

        Raises:
            ConfigError: the folder cannot be had, or the URL is none.
            MissingLibrary: the driver is not installed; names the extra.
        """
        path = private_folder(folder) / "state.db"
        self._shown = shown(url) if url else f"'{path}'"
        self._schema = _SCHEMA if url else None
        self._engine = _postgresql(url) if url else _sqlite(path)

    @contextlib.contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A connection in a transaction, both of which end with the block.

        Raises:
            NotReady: the database does not answer, or refuses.
        """
        try:
            with self._opened() as connection:
                yield connection
        except _Failure as failure:
            raise NotReady(f"the state store cannot be used now: {failure.why}") from failure

    @contextlib.contextmanager
    def prepared(self, tables: sa.MetaData) -> Iterator[sa.Connection]:
        """The same for one process at a time, where the tables are there, made if need be.

        Raises:
            ConfigError: the database cannot be used.
        """
        try:
            with self._opened() as connection:
                connection.exec_driver_sql(_EXCLUSIVE[connection.dialect.name])
                for made in self._lacking(connection, tables):
                    connection.execute(made)
                yield connection
        except _Failure as failure:
            said = failure.in_full or failure.why
            raise ConfigError(f"the state store {self._shown} cannot be used: {said}") from failure

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sa.Connection]:
        try:
            connection = self._engine.connect()
        except Exception as error:  # what a stranger on that port sends can break any parser
            raise _Failure(error) from error
        try:
            with connection, connection.begin():
                yield connection
        except (sa.exc.SQLAlchemyError, OSError) as error:
            self._engine.dispose()  # the other connections are hardly better
            raise _Failure(error) from error

    def _lacking(self, connection: sa.Connection, tables: sa.MetaData) -> Iterator[sa.Executable]:
        """The statements that make what is not there."""
        inspector = sa.inspect(connection)
        if self._schema is not None and not inspector.has_schema(self._schema):
            yield sa.schema.CreateSchema(self._schema)
        for table in tables.sorted_tables:
            if not inspector.has_table(table.name, schema=self._schema):
                yield sa.schema.CreateTable(table)
                continue
            known = inspector.get_columns(table.name, schema=self._schema)
            for column in table.columns:
                if column.name not in {each["name"] for each in known}:
                    said = sa.schema.CreateColumn(column).compile(connection)
                    name = ".".join(filter(None, (self._schema, table.name)))
                    yield sa.text(f"ALTER TABLE {name} ADD COLUMN {said}")


class _Failure(Exception):
    """A database did not do what was asked."""

    def __init__(self, error: Exception) -> None:
        said = getattr(error, "orig", None) or error
        self.why = _why(said)
        """For callers."""
        self.in_full = ""
        """What a PostgreSQL said itself, where we have no better words."""
        if "SQLSTATE" in self.why:
            self.in_full = f"it answers '{said.args[0].get('M')}' ({self.why})"
        super().__init__(self.why)


def _why(said: BaseException) -> str:
    if isinstance(said, sqlite3.Error):
        return str(said)
    if isinstance(said, sa.exc.TimeoutError):
        return "all connections to it are in use"
    told = said.args[0] if said.args else None
    if isinstance(told, dict):
        code = told.get("C")
        return _REFUSALS.get(str(code), f"it answers with SQLSTATE {code}")
    if "refuses SSL" in str(told):
        return "it does not speak TLS, which 'sslmode' asks for"
    return _broken(said)


def _broken(said: BaseException | None) -> str:
    """Why there is no conversation, as the system says it."""
    while said is not None and not isinstance(said, OSError):
        said = said.__cause__
    if isinstance(said, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({said.verify_message})"
    if isinstance(said, TimeoutError):
        return f"it does not answer within {CALL_S:g} s"
    if said is not None:
        return f"it cannot be reached ({said.strerror or 'the connection broke'})"
    return "the connection broke, or what answers there is no PostgreSQL"


def _sqlite(path: Path) -> sa.Engine:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    # The journal stays SQLite's own: a change to WAL waits for nobody, and fails instead.
    return sa.create_engine(
        sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": _BUSY_S}
    )


def _postgresql(url: str) -> sa.Engine:
    if url.partition("://")[0] not in ("postgresql", "postgres"):
        raise ConfigError(
            f"'state_url' is the address of a PostgreSQL: {_FORM}; where it is empty, state is kept"
            " in the state folder"
        )
    try:
        arguments = _arguments(url)
    except ValueError:  # not chained: it may quote the address, and the password in it
        raise ConfigError(
            f"'state_url' is {_FORM}, in which '%2F' stands for a '/' of the password, and so on"
        ) from None
    try:
        engine = sa.create_engine(
            "postgresql+pg8000://",
            connect_args=arguments,
            pool_size=2,
            pool_timeout=CALL_S,
            hide_parameters=True,
        )
    except ImportError as error:
        raise MissingLibrary(
            f"the state store {shown(url)} needs a library: pip install 'modelport[postgresql]'"
        ) from error
    sa.event.listen(engine, "checkout", _check)
    # That a connection broke is told by who needed it: once, and without its traces.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    return engine.execution_options(schema_translate_map={None: _SCHEMA})


def _check(connection: Any, *_: object) -> None:
    """Have a connection replaced that is not what it was when it was last used.

    The pool's own check knows the driver's errors alone, and a lost connection can be the system's.
    """
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
    except Exception as error:  # whatever went wrong with it, another connection is made
        raise sa.exc.InvalidatePoolError from error


def _arguments(url: str) -> dict[str, Any]:
    """What the driver takes.

    Raises:
        ConfigError: the address lacks something, or has what is not known.
        ValueError: it is none.
    """
    parts = urlsplit(url)
    if "@" in f"{parts.path}{parts.query}" or parts.fragment:
        raise ValueError("what comes before it was not all of the password")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError(f"'state_url' has no option '{name}'{nearest(name, _OPTIONS)}")
    port = parts.port or _PORT
    database = unquote(parts.path.removeprefix("/"))
    host = options.get("host") or parts.hostname
    if not (parts.username and host and database):
        raise ConfigError(f"'state_url' names a user, a host and a database: {_FORM}")
    is_socket = host.startswith("/")
    return {
        "user": unquote(parts.username),
        "password": None if parts.password is None else unquote(parts.password),
        "database": database,
        "application_name": "modelport",
        "timeout": CALL_S,
        "ssl_context": False if is_socket else _tls(options),
        **({"unix_sock": f"{host}/.s.PGSQL.{port}"} if is_socket else {"host": host, "port": port}),
    }


def _tls(options: dict[str, str]) -> ssl.SSLContext | bool | None:
    """What the driver takes for what `sslmode` means to PostgreSQL's own clients.

    Source: https://www.postgresql.org/docs/current/libpq-ssl.html
    """
    mode, roots = options.get("sslmode", "prefer"), options.get("sslrootcert")
    if mode == "require" and roots is not None:
        mode = "verify-ca"
    if mode not in _TLS:
        raise ConfigError(
            f"'sslmode' of 'state_url' is one of {', '.join(_TLS)}, and {mode[:40]!r} came"
        )
    if mode in ("disable", "prefer", "require"):
        return {"disable": False, "prefer": None, "require": True}[mode]
    try:
        context = ssl.create_default_context(cafile=roots)
    except OSError as error:
        raise ConfigError(
            f"the certificates '{roots}' that 'state_url' names as 'sslrootcert' cannot be read:"
            f" {error.strerror or 'they are none'}"
        ) from None
    context.check_hostname = mode == "verify-full"
    return context
