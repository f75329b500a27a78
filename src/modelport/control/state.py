"""The state store: SQLite by default, another database by URL; and what is kept in files of its
own, the admin token and the secret of sessions.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from modelport.core.errors import ConfigError, NotFound
from modelport.core.messages import Priority
from modelport.guard.auth import KeyRecord, Role, new_key, record_of
from modelport.guard.links import LINK_S, new_link
from modelport.kit.storage import private_folder

__all__ = ["StateStore", "admin_token", "session_secret"]

T = TypeVar("T")

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_NAME = 200
_KEYS = sa.Table(
    "keys",
    sa.MetaData(),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("priority", sa.String, nullable=False, server_default="normal"),
)
_LINKS = sa.Table(
    "links",
    sa.MetaData(),
    sa.Column("hash", sa.String, primary_key=True),
    sa.Column("ends", sa.Float, nullable=False),
)


class StateStore:
    """What outlives the server."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder that is this user's alone, making both where needed."""
        path = private_folder(folder) / "state.db"
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})
        try:
            with self._engine.begin() as connection:
                # In one statement: another process may be making the table at the same time. The
                # journal stays SQLite's own: a change to WAL waits for nobody, and fails instead.
                for table in (_KEYS, _LINKS):
                    connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            self._take_over()
        except sa.exc.DatabaseError as error:
            self.close()
            raise ConfigError(f"the state store '{path}' cannot be used: {error.orig}") from error

    def _take_over(self) -> None:
        """Give a table of an older version the columns that it lacks."""
        for column in _KEYS.columns:
            if column.name in self._columns():
                continue
            try:
                with self._engine.begin() as connection:
                    said = sa.schema.CreateColumn(column).compile(connection)
                    connection.execute(sa.text(f"ALTER TABLE {_KEYS.name} ADD COLUMN {said}"))
            except sa.exc.OperationalError:
                if column.name not in self._columns():  # else another process was first
                    raise

    def _columns(self) -> set[str]:
        return {column["name"] for column in sa.inspect(self._engine).get_columns(_KEYS.name)}

    def keys(self) -> dict[str, KeyRecord]:
        """Every key, by id, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_KEYS).order_by(_KEYS.c.created)).mappings()
            return {row["id"]: KeyRecord(**row) for row in rows}

    def create_key(
        self, role: Role, name: str, priority: Priority = "normal"
    ) -> tuple[str, KeyRecord]:
        """A new key, shown once, and its record.

        Raises:
            ConfigError: the name is too long.
        """
        if len(name) > _LONGEST_NAME:
            raise ConfigError(
                f"a key's name has at most {_LONGEST_NAME} characters, and this one {len(name)}"
            )
        created = datetime.now(UTC).isoformat(timespec="seconds")
        key, record = new_key(role, name, created, priority)
        with self._engine.begin() as connection:
            connection.execute(sa.insert(_KEYS).values(msgspec.structs.asdict(record)))
        return key, record

    def revoke_key(self, key_id: str) -> None:
        """Forget a key.

        Raises:
            NotFound: there is none of that id.
        """
        with self._engine.begin() as connection:
            found = connection.execute(sa.delete(_KEYS).where(_KEYS.c.id == key_id))
        if not found.rowcount:
            raise NotFound(f"there is no key with the id {key_id[:40]!r}")

    def create_link(self, now: float) -> str:
        """A new link to sign in with, shown once, and good for a time from now on."""
        link, kept = new_link()
        with self._engine.begin() as connection:
            connection.execute(sa.delete(_LINKS).where(_LINKS.c.ends <= now))
            connection.execute(sa.insert(_LINKS).values(hash=kept, ends=now + LINK_S))
        return link

    def redeem_link(self, link_hash: str, now: float) -> bool:
        """Whether the link of that hash is good; it is so for one call, of any process."""
        wanted = sa.delete(_LINKS).where(_LINKS.c.hash == link_hash, _LINKS.c.ends > now)
        with self._engine.begin() as connection:
            return bool(connection.execute(wanted).rowcount)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def admin_token(folder: Path) -> KeyRecord:
    """The record of the admin token; the first call writes the token to `folder/admin-token`.

    Raises:
        ConfigError: the file can be neither read nor written.
    """
    return _kept(
        folder,
        "admin-token",
        lambda text: record_of(text, "admin", "admin token"),
        lambda: new_key("admin")[0],
    )


def session_secret(folder: Path) -> str:
    """What sessions are signed with; the first call writes it to `folder/session-secret`.

    Raises:
        ConfigError: the file can be neither read nor written.
    """
    return _kept(
        folder,
        "session-secret",
        lambda text: text if _SECRET.fullmatch(text) else None,
        lambda: secrets.token_urlsafe(32),
    )


def _kept(folder: Path, name: str, read: Callable[[str], T | None], make: Callable[[], str]) -> T:
    """What a file for this user alone says, which is made where it says nothing that is right."""
    path = private_folder(folder) / name
    try:
        known = _read(path, read)
        if known is None:
            _write(path, read, make())
            known = _read(path, read)
    except OSError as error:
        raise ConfigError(f"'{path}' can be neither read nor written: {error.strerror}") from error
    assert known is not None  # just written, whole
    return known


def _read(path: Path, read: Callable[[str], T | None]) -> T | None:
    try:
        return read(path.read_bytes().decode("ascii", errors="replace").strip())
    except FileNotFoundError:
        return None


def _write(path: Path, read: Callable[[str], object], text: str) -> None:
    """Write it where there is none, whole: a reader sees all of it or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(text + "\n")
    try:
        os.link(draft, path)  # two servers that start at once agree on the first
    except FileExistsError:
        if _read(path, read) is None:  # what was there is of no use
            draft.replace(path)
    draft.unlink(missing_ok=True)
