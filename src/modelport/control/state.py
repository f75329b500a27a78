"""The state store: SQLite by default, another database by URL; and the admin token's file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from modelport.core.errors import ConfigError, NotFound
from modelport.guard.auth import KeyRecord, Role, new_key, recognise, record_of

__all__ = ["StateStore", "admin_token", "private_folder"]

_TABLES = sa.MetaData()
_KEYS = sa.Table(
    "keys",
    _TABLES,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("created", sa.String, nullable=False),
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
                connection.execute(sa.text("PRAGMA journal_mode=WAL"))
            _TABLES.create_all(self._engine)
        except sa.exc.DatabaseError as error:
            raise ConfigError(
                f"the state store '{path}' cannot be used: {error.__cause__}"
            ) from error

    def keys(self) -> dict[str, KeyRecord]:
        """Every key, by id, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_KEYS).order_by(_KEYS.c.created)).mappings()
            return {row["id"]: KeyRecord(**row) for row in rows}

    def create_key(self, role: Role, name: str) -> tuple[str, KeyRecord]:
        """A new key, shown once, and its record."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        key, record = new_key(role, name, created)
        with self._engine.begin() as connection:
            connection.execute(
                sa.insert(_KEYS).values(
                    id=record.id, role=role, hash=record.hash, name=name, created=created
                )
            )
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

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def private_folder(folder: Path) -> Path:
    """The folder, made if it is not there, readable by this user alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def admin_token(folder: Path) -> KeyRecord:
    """The record of the admin token; the first call writes the token to `folder/admin-token`."""
    path = private_folder(folder) / "admin-token"
    for fresh in _fresh_tokens():
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            text = ""
        record = record_of(text, "admin", "admin token")
        if record is not None and recognise(text, {record.id: record}):
            return record
        # Written whole under another name first: a reader sees a complete token or none.
        draft = path.with_name(f".admin-token.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
            file.write(fresh + "\n")
        if text:
            draft.replace(path)  # what was there is no token
        else:
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # two servers that start at once agree on the first
            draft.unlink()
    raise ConfigError(f"the admin token '{path}' can be neither read nor written")


def _fresh_tokens() -> Iterator[str]:
    for _ in range(3):
        yield new_key("admin")[0]
