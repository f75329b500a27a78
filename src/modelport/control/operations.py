"""What an admin may have done, over HTTP or from the command line: one function each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from modelport.control.hub import Operation
from modelport.control.messages import (
    LinkMade,
    LinkRedeemed,
    LinkShown,
    LinkWanted,
    VersionState,
)
from modelport.control.reconcile import Problem, unconfirmed
from modelport.control.state import StateStore
from modelport.core.errors import (
    InvalidInput,
    LoadError,
    ModelNotFound,
    ModelportError,
    NotReady,
    Overloaded,
)
from modelport.core.messages import Priority
from modelport.guard.auth import KeyRecord, Role

__all__ = [
    "KeyCreated",
    "KeyNamed",
    "KeyShown",
    "ModelNamed",
    "ModelStates",
    "NewKey",
    "Operations",
    "Reloaded",
]


_log = logging.getLogger(__name__)
_MOST_REDEEMERS = 16
"""How many may wait for each other to be told whether a link is good."""


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """What to make."""

    role: Role
    name: str = ""
    priority: Priority = "normal"


class KeyShown(msgspec.Struct):
    """A key without what makes it a secret."""

    id: str
    role: Role
    name: str
    created: str
    priority: Priority


class KeyCreated(msgspec.Struct):
    """A new key, for the only time with its secret."""

    key: str
    id: str
    role: Role
    name: str
    priority: Priority


class KeyNamed(msgspec.Struct, forbid_unknown_fields=True):
    """Which key."""

    id: str


class ModelNamed(msgspec.Struct):
    """Which model."""

    name: str


class ModelStates(msgspec.Struct, frozen=True):
    """What a server serves."""

    repository: str
    """The folder that it follows; empty where it serves files that were named."""
    versions: tuple[VersionState, ...]


class Reloaded(msgspec.Struct):
    """What became of a change of the models."""

    problems: list[str]
    """What could not be done, a sentence each; empty where all was."""


class Operations:
    """The operations on a state store; `changed` brings what follows to the workers."""

    def __init__(
        self,
        store: StateStore,
        changed: Callable[[], Awaitable[list[int]]],
        reload: Callable[[], Awaitable[list[Problem]]],
        states: Callable[[], ModelStates],
        hidden: set[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            store: what the operations read and write.
            changed: brings it to the workers; returns those that did not confirm it in time.
            reload: serves what lies in the repository now; returns what could not be done.
            states: what is served, and how it stands.
            hidden: models that are not served though they lie there; changed here.
            clock: seconds since the epoch.
        """
        self._store = store
        self._changed = changed
        self._reload = reload
        self._states = states
        self._hidden = hidden
        self._clock = clock
        # Anybody may show links: those who do take one thread together, and not all there are.
        self._redeeming = asyncio.Lock()
        self._redeemers = 0

    def table(self) -> dict[str, Operation]:
        """By name."""
        return {
            "keys.list": self.list_keys,
            "keys.create": self.create_key,
            "keys.revoke": self.revoke_key,
            "links.create": self.create_link,
            "links.redeem": self.redeem_link,
            "refresh": self.refresh,
            "models.reload": self.reload_models,
            "models.states": self.model_states,
            "models.load": self.load_model,
            "models.unload": self.unload_model,
        }

    async def list_keys(self, body: bytes) -> bytes:
        """All keys, without secrets."""
        records = await asyncio.to_thread(self._store.keys)
        return msgspec.json.encode([_shown(record) for record in records.values()])

    async def create_key(self, body: bytes) -> bytes:
        """Make a key; from now on, callers without one are refused."""
        wanted = _parsed(body, NewKey)
        key, made = await asyncio.to_thread(
            self._store.create_key, wanted.role, wanted.name, wanted.priority
        )
        try:
            await self._changed()
        except Exception as error:  # it is stored, and shown this once: it must not be lost
            is_strange = not isinstance(error, ModelportError)
            _log.warning("a new key is not in force yet: %s", error, exc_info=is_strange)
        return msgspec.json.encode(KeyCreated(key, made.id, made.role, made.name, made.priority))

    async def revoke_key(self, body: bytes) -> bytes:
        """Forget a key; it stops working here at once, and within two seconds elsewhere."""
        await asyncio.to_thread(self._store.revoke_key, _parsed(body, KeyNamed).id)
        return await self._confirmed()

    async def create_link(self, body: bytes) -> bytes:
        """Make a link with which somebody signs in as the admin."""
        wanted: LinkWanted = _parsed(body, LinkWanted)
        if wanted.if_needed and not await asyncio.to_thread(self._store.keys):
            return msgspec.json.encode(LinkMade(None))
        link = await asyncio.to_thread(self._store.create_link, self._clock())
        return msgspec.json.encode(LinkMade(link))

    async def redeem_link(self, body: bytes) -> bytes:
        """Whether a link is good, which it is once."""
        shown: LinkShown = _parsed(body, LinkShown)
        if self._redeemers >= _MOST_REDEEMERS:
            raise Overloaded("too many links are being tried now; try again", retry_after_s=1)
        self._redeemers += 1
        try:
            async with self._redeeming:
                good = await asyncio.to_thread(self._store.redeem_link, shown.hash, self._clock())
        finally:
            self._redeemers -= 1
        return msgspec.json.encode(LinkRedeemed(good))

    async def refresh(self, body: bytes) -> bytes:
        """Read the state store anew, because another process wrote to it."""
        return await self._confirmed()

    async def reload_models(self, body: bytes) -> bytes:
        """Serve what lies in the repository now; answers with what could not be done."""
        return msgspec.json.encode(Reloaded([each.sentence for each in await self._reload()]))

    async def model_states(self, body: bytes) -> bytes:
        """Every version that is served or cannot be, with its state over all workers."""
        return msgspec.json.encode(self._states())

    async def load_model(self, body: bytes) -> bytes:
        """Serve a model that was unloaded, or try one again that failed; an error if no version
        is served then."""
        name = _parsed(body, ModelNamed).name
        self._hidden.discard(name)
        found = await self._reload()
        _check_confirmed(found)
        problems = [each.sentence for each in found if each.model == name]
        states = [state for state in self._states().versions if state.name == name]
        if any(state.is_served for state in states):
            return b"{}"
        problems.extend(  # of what failed before and fails again, a reload says nothing
            f"version {state.version} of '{name}' could not be loaded: {state.reason}"
            for state in states
            if state.state == "FAILED"
        )
        if problems:
            raise LoadError(problems[0])
        if not states:
            raise ModelNotFound.named(name)
        return b"{}"

    async def unload_model(self, body: bytes) -> bytes:
        """Serve a model no longer, until it is loaded again or the server starts anew."""
        self._hidden.add(_parsed(body, ModelNamed).name)
        _check_confirmed(await self._reload())
        return b"{}"

    async def _confirmed(self) -> bytes:
        if missing := await self._changed():
            raise NotReady(f"the change is stored, and {unconfirmed(missing)}")
        return b"{}"


def _check_confirmed(problems: Iterable[Problem]) -> None:
    for problem in problems:
        if problem.workers:
            raise NotReady(problem.sentence)


def _shown(record: KeyRecord) -> KeyShown:
    return KeyShown(record.id, record.role, record.name, record.created, record.priority)


def _parsed(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"the body does not have the right form: {error}") from error
