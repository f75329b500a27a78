"""Keys from the command line: written to the state store, then told to the servers that run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from modelport.app.control import Running
from modelport.app.link import ask_control
from modelport.app.spec import state_folder
from modelport.control.state import StateStore
from modelport.guard.auth import KeyRecord, Role

__all__ = ["all_keys", "create_key", "revoke_key"]


def create_key(role: Role, name: str) -> tuple[str, KeyRecord]:
    """A new key, shown once, and its record; every running server knows it when this returns."""
    with _store() as store:
        made = store.create_key(role, name)
    _tell_servers()
    return made


def all_keys() -> list[KeyRecord]:
    """Every key, oldest first."""
    with _store() as store:
        return list(store.keys().values())


def revoke_key(key_id: str) -> None:
    """Forget a key, in the store and in every running server.

    Raises:
        NotFound: there is none of that id.
    """
    with _store() as store:
        store.revoke_key(key_id)
    _tell_servers()


@contextlib.contextmanager
def _store() -> Iterator[StateStore]:
    store = StateStore(state_folder())
    try:
        yield store
    finally:
        store.close()


def _tell_servers() -> None:
    """Have each running server of this user read the store; one that is gone is forgotten."""
    for path in (state_folder() / "servers").glob("*.json"):
        if not _told(path):
            path.unlink(missing_ok=True)


def _told(path: Path) -> bool:
    try:
        running = msgspec.json.decode(path.read_bytes(), type=Running)
        asyncio.run(ask_control(running.control, "refresh"))
    except (OSError, msgspec.DecodeError):
        return False
    return True
