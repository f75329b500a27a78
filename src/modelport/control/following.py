"""What the state store says, as it was read last, and how its changes are noticed.

Other servers and commands write to the store as well. It is looked at every second rather than
asked to tell of changes: that needs nothing of a database but a row, goes through any proxy of
connections, and notices by itself when the database is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from modelport.control.state import Known, StateStore
from modelport.core.errors import ConfigError, NotReady
from modelport.kit.storage import write_whole

__all__ = ["LOOK_S", "Following"]

_log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Seconds between two looks at the store."""
_REPLACED = (
    "the state store is another one than this server began with: it was emptied or replaced; bring"
    " the former back, or restart the server to take this one"
)


class Following:
    """What is known of a store; it holds for as long as the store does not answer."""

    known: Known
    """The latest; there once `start` has returned."""

    def __init__(self, store: StateStore, kept: Path) -> None:
        """
        Args:
            store: what is read.
            kept: the file that the control process after this one of the same server finds this
                in, where the store does not answer then.
        """
        self._store = store
        self._kept = kept
        self._reading = asyncio.Lock()
        self._is_known = False
        self._told = ""
        """Why the store is of no use, in the words logged last; empty while it is."""
        self._fault = ""
        """What went wrong that nobody expected, as it was logged last; empty once it goes well."""

    async def start(self) -> None:
        """Read the store, or take what the control process before this one knew.

        Raises:
            ConfigError: there is neither.
            NotReady: the same.
        """
        with contextlib.suppress(FileNotFoundError):
            self.known = msgspec.json.decode(self._kept.read_bytes(), type=Known)
            self._is_known = True
        try:
            await self.read()
        except (ConfigError, NotReady) as error:
            if not self._is_known:
                raise
            self._goes(error)

    async def read(self) -> None:
        """Read the store anew.

        Raises:
            ConfigError: it cannot be used.
            NotReady: it does not answer, or rows of it are gone; or it is one that servers have in
                common (`state_url`), and another one than before: its keys are not taken, as
                where it has none nobody would be asked for a key. Of a store in the state folder
                nothing tells it from others, and what it holds is taken.
        """
        async with self._reading:  # or an older answer might come after a newer one
            if not self._is_known:  # once for a server: what is gone later is not made anew
                await asyncio.to_thread(self._store.prepare)
            known = await asyncio.to_thread(self._store.read)
            if self._is_known and self._store.is_common and known.admin.id != self.known.admin.id:
                raise NotReady(_REPLACED)
            self.known, self._is_known = known, True
            await asyncio.to_thread(self._keep, known)

    async def follow(self, changed: Callable[[], Awaitable[object]]) -> None:
        """Call `changed` after each change by somebody else; ends when cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if await self._mark() != self.known.mark:
                    await self.read()
                    await changed()
            except (ConfigError, NotReady) as error:
                self._goes(error)
            except Exception as error:  # the next look may go better, and the keys hold meanwhile
                self._breaks(error)
            else:
                self._comes()

    async def _mark(self) -> str:
        return await asyncio.to_thread(self._store.mark)

    def _goes(self, error: ConfigError | NotReady) -> None:
        why = error.message
        if not self._told or (why == _REPLACED != self._told):
            _log.warning("%s: the keys hold that were read last", why)
            self._told = why

    def _breaks(self, error: Exception) -> None:
        """Tell of what nobody expected, once until it is something else."""
        if (what := repr(error)) != self._fault:
            _log.error("a look at the state store failed", exc_info=error)
            self._fault = what

    def _comes(self) -> None:
        if self._told:
            _log.warning("the state store answers again")
        self._told = self._fault = ""

    def _keep(self, known: Known) -> None:
        try:
            write_whole(self._kept, msgspec.json.encode(known))
        except OSError as error:  # nothing is served worse without it
            _log.warning("what the state store said is not kept: %s", error.strerror)
