"""Keys from the command line: written to the state store, then told to the servers here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from modelport.app.servers import running_servers, tell_servers
from modelport.app.spec import state_folder
from modelport.control.state import StateStore
from modelport.core.errors import ConfigError
from modelport.core.messages import Priority
from modelport.core.settings import State
from modelport.guard.auth import KeyRecord, Role

__all__ = ["all_keys", "create_key", "opened", "revoke_key"]


def create_key(state: State, role: Role, name: str, priority: Priority) -> tuple[str, KeyRecord]:
    """A new key, shown once, and its record; `tell_servers` makes it known."""
    with opened(state) as store:
        return store.create_key(role, name, priority)


def all_keys(state: State) -> list[KeyRecord]:
    """Every key, oldest first."""
    with opened(state) as store:
        return list(store.keys().values())


def revoke_key(state: State, key_id: str) -> None:
    """Forget a key, in the store and in every server that runs here.

    Raises:
        NotFound: there is none of that id.
        NotReady: a server did not confirm it, and may still accept the key.
    """
    with opened(state) as store:
        store.revoke_key(key_id)
    tell_servers()


@contextlib.contextmanager
def opened(state: State) -> Iterator[StateStore]:
    """The store, ready for use.

    Raises:
        ConfigError: it cannot be used, or the servers that run here have another one.
        MissingLibrary: it needs a library; names the extra.
    """
    if not state.state_url:
        _check_not_elsewhere()
    store = StateStore(state_folder(), state.state_url)
    try:
        store.prepare()
        yield store
    finally:
        store.close()


def _check_not_elsewhere() -> None:
    """Refuse what would be written where no server reads it."""
    running = list(running_servers())
    if running and all(server.store for server in running):
        raise ConfigError(
            f"the server on {running[0].url} has its keys in {running[0].store}: give its"
            " 'state_url' here as well, in MODELPORT_STATE_URL or with --config"
        )
