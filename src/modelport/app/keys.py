"""Keys from the command line: written to the state store, then told to the servers that run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from modelport.app.servers import tell_servers
from modelport.app.spec import state_folder
from modelport.control.state import StateStore
from modelport.core.messages import Priority
from modelport.guard.auth import KeyRecord, Role

__all__ = ["all_keys", "create_key", "revoke_key"]


def create_key(role: Role, name: str, priority: Priority) -> tuple[str, KeyRecord]:
    """A new key, shown once, and its record; `tell_servers` makes it known."""
    with _store() as store:
        return store.create_key(role, name, priority)


def all_keys() -> list[KeyRecord]:
    """Every key, oldest first."""
    with _store() as store:
        return list(store.keys().values())


def revoke_key(key_id: str) -> None:
    """Forget a key, in the store and in every running server.

    Raises:
        NotFound: there is none of that id.
        NotReady: a server did not confirm it, and may still accept the key.
    """
    with _store() as store:
        store.revoke_key(key_id)
    tell_servers()


@contextlib.contextmanager
def _store() -> Iterator[StateStore]:
    store = StateStore(state_folder())
    try:
        yield store
    finally:
        store.close()
