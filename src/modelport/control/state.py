"""The state store: keys and links, in a database; and what is kept in files of its own, the admin
token and the secret of sessions.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from modelport.control.database import Database
from modelport.core.errors import ConfigError, NotFound, NotReady
from modelport.core.messages import Priority
from modelport.guard.auth import KeyRecord, Role, new_key, record_of
from modelport.guard.links import LINK_S, new_link
from modelport.kit.storage import private_folder

__all__ = ["Known", "StateStore", "admin_token", "session_secret"]

T = TypeVar("T")

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_NAME = 200
_TABLES = sa.MetaData()
_KEYS = sa.Table(
    "keys",
    _TABLES,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("created", sa.String, nullable=False),
    sa.Column("priority", sa.String, nullable=False, server_default="normal"),
)
_LINKS = sa.Table(
    "links",
    _TABLES,
    sa.Column("hash", sa.String, primary_key=True),
    sa.Column("ends", sa.Float, nullable=False),
)
_FACTS = sa.Table(
    "facts",
    _TABLES,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)
_MARK, _ADMIN = "mark", "admin"
_GONE = (
    "the state store cannot be used now: rows of it are gone: bring them back, or restart the"
    " servers to begin with what is left"
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a store said when it was read."""

    mark: str
    """Another one after each change of the keys."""
    keys: Mapping[str, KeyRecord]
    """Every key that somebody made, by id, oldest first."""
    admin: KeyRecord
    """Whom a link signs in as; it is none of the keys."""


class StateStore:
    """What outlives the server, and what servers share that have it in common."""

    def __init__(self, folder: Path, url: str = "") -> None:
        """Nothing is asked of the database yet.

        Args:
            folder: of this user alone; made where needed.
            url: of a database that servers have in common; empty for one in the folder.

        Raises:
            ConfigError: the folder cannot be had, or the URL is none.
            MissingLibrary: the database needs a library; names the extra.
        """
        self._folder = folder
        self.is_common = bool(url)
        """Whether the admin's record tells it from others: that of a folder is the folder's."""
        self._database = Database(folder, url)

    def prepare(self) -> None:
        """Make what is not there, and give tables of an older version the columns that they lack.

        Raises:
            ConfigError: the database cannot be used.
        """
        with self._database.prepared(_TABLES) as connection:
            known = _facts(connection)
            if _MARK not in known:
                connection.execute(sa.insert(_FACTS).values(name=_MARK, value=_new_mark()))
            if _ADMIN not in known and self.is_common:
                # Nobody has the token of this one: no server's folder opens the others.
                admin = msgspec.structs.replace(new_key("admin")[1], name="admin")
                told = msgspec.json.encode(admin).decode()
                connection.execute(sa.insert(_FACTS).values(name=_ADMIN, value=told))

    def read(self) -> Known:
        """What servers act on.

        Raises:
            NotReady: the store does not answer, or rows of it are gone.
            ConfigError: the file of the admin token can be neither read nor written.
        """
        with self._database.begin() as connection:
            # The mark first: what is written meanwhile has another, and is read the next time.
            facts, keys = _facts(connection), _keys(connection)
        mark = _fact(facts, _MARK)
        if self.is_common:
            admin = msgspec.json.decode(_fact(facts, _ADMIN), type=KeyRecord)
        else:
            admin = admin_token(self._folder)
        return Known(mark=mark, keys=keys, admin=admin)

    def mark(self) -> str:
        """That of what `read` would give now; raises as it does."""
        with self._database.begin() as connection:
            return _fact(_facts(connection), _MARK)

    def keys(self) -> dict[str, KeyRecord]:
        """Every key, by id, oldest first."""
        with self._database.begin() as connection:
            return _keys(connection)

    def create_key(
        self, role: Role, name: str, priority: Priority = "normal"
    ) -> tuple[str, KeyRecord]:
        """A new key, shown once, and its record.

        Raises:
            ConfigError: the name is too long, or none.
            NotReady: the store does not answer, or rows of it are gone.
        """
        if len(name) > _LONGEST_NAME:
            raise ConfigError(
                f"a key's name has at most {_LONGEST_NAME} characters, and this one {len(name)}"
            )
        if "\0" in name:
            raise ConfigError("a key's name has no character of the code 0")
        created = datetime.now(UTC).isoformat(timespec="microseconds")  # keys are in its order
        key, record = new_key(role, name, created, priority)
        with self._changing() as connection:
            connection.execute(sa.insert(_KEYS).values(msgspec.structs.asdict(record)))
        return key, record

    def revoke_key(self, key_id: str) -> None:
        """Forget a key.

        Raises:
            NotFound: there is none of that id.
            NotReady: the store does not answer, or rows of it are gone.
        """
        with self._changing() as connection:
            wanted = key_id.replace("\0", "?")  # which a PostgreSQL refuses to look for
            if not connection.execute(sa.delete(_KEYS).where(_KEYS.c.id == wanted)).rowcount:
                raise NotFound(f"there is no key with the id {key_id[:40]!r}")

    def create_link(self, now: float) -> str:
        """A new link to sign in with, shown once, and good for a time from now on."""
        link, kept = new_link()
        with self._database.begin() as connection:
            connection.execute(sa.delete(_LINKS).where(_LINKS.c.ends <= now))
            connection.execute(sa.insert(_LINKS).values(hash=kept, ends=now + LINK_S))
        return link

    def redeem_link(self, link_hash: str, now: float) -> bool:
        """Whether the link of that hash is good; it is so for one call, of any process."""
        wanted = sa.delete(_LINKS).where(_LINKS.c.hash == link_hash, _LINKS.c.ends > now)
        with self._database.begin() as connection:
            return bool(connection.execute(wanted).rowcount)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        """A transaction that changes the keys."""
        with self._database.begin() as connection:
            marked = sa.update(_FACTS).where(_FACTS.c.name == _MARK)
            if not connection.execute(marked.values(value=_new_mark())).rowcount:
                raise NotReady(_GONE)  # nobody would notice the change
            yield connection


def _facts(connection: sa.Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(sa.select(_FACTS))}


def _fact(facts: Mapping[str, str], name: str) -> str:
    if name not in facts:
        raise NotReady(_GONE)
    return facts[name]


def _keys(connection: sa.Connection) -> dict[str, KeyRecord]:
    order = sa.select(_KEYS).order_by(_KEYS.c.created, _KEYS.c.id)
    return {row["id"]: KeyRecord(**row) for row in connection.execute(order).mappings()}


def _new_mark() -> str:
    return secrets.token_hex(8)


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
    except OSError as error:  # callers may be told, and no path is for them
        raise ConfigError(
            f"the file '{name}' of the state folder can be neither read nor written:"
            f" {error.strerror}"
        ) from error
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
