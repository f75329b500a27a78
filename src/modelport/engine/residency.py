"""Bringing models into memory when they are needed, and out of it when others need the room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from modelport.core.errors import DeadlineExceeded, ModelportError, NotReady, Overloaded
from modelport.engine.lifecycle import State, Version
from modelport.engine.memory import Memory
from modelport.engine.opening import LoadedModel, Settings
from modelport.engine.placement import Placing
from modelport.engine.remote import RemoteModel
from modelport.kit.memory import collect, mib, resident_bytes, trim
from modelport.repository.integrity import size_bytes
from modelport.runtimes.base import prepare

__all__ = ["Residency", "Told", "load_measured"]

_log = logging.getLogger(__name__)
_HANGING_S = 30

Told = Callable[[Version | None], None]
"""Told of each version before it is loaded, and then that none is."""


class Residency:
    """The versions that are in memory; all changes of that are made one after the other."""

    def __init__(
        self, memory: Memory, settings: Settings, told: Told, dropped: Callable[[Version], None]
    ) -> None:
        """
        Args:
            memory: how much there is.
            settings: what loading needs to know.
            told: hears of each load.
            dropped: told of each version that leaves, before its model is given back.
        """
        self._memory = memory
        self._settings = settings
        self._told = told
        self._dropped = dropped
        self._changing = asyncio.Lock()
        self._resident: set[Version] = set()
        self._leaving_bytes = 0
        """What was let go of, and is not given back yet."""
        self._loading: dict[Version, asyncio.Task[LoadedModel]] = {}
        self._tidying: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        """Set when there may be more room than before."""

    @contextlib.asynccontextmanager
    async def hold(self, version: Version, deadline: float | None) -> AsyncIterator[LoadedModel]:
        """The model, loaded now where it is not in memory; it stays there inside the block.

        Raises:
            NotReady: it cannot be loaded; says why.
            Overloaded: there is no room for it now.
            DeadlineExceeded: it was not loaded in time; the load goes on.
        """
        version.in_flight += 1
        try:
            yield await self._in_time(version, deadline)
        finally:
            self.let_go(version)

    def let_go(self, version: Version) -> None:
        """One request less is in flight."""
        version.in_flight -= 1
        if not version.in_flight:
            self._freed.set()

    async def load(self, versions: Iterable[Version], *, again: bool) -> None:
        """Load what is new and has room; leave the rest for its first request.

        Args:
            versions: all that are served.
            again: whether to try those that failed once more.
        """
        versions = list(versions)
        for name in sorted(self._memory.pinned - {version.name for version in versions}):
            _log.warning("there is no model '%s' here to pin", name)
        async with self._changing:
            waiting = 0
            for version in sorted(versions, key=lambda v: v.name not in self._memory.pinned):
                failed = again and version.state is State.FAILED
                if failed:
                    version.renew()
                if version.state is State.LOADING:
                    waiting += await self._load_or_leave(version, failed)
        if waiting and not self._memory.lazy:
            _log.warning(
                "%d versions are left for their first request: models have %s in each worker",
                waiting,
                mib(self._memory.budget_bytes),
            )

    def retire(self, version: Version) -> None:
        """Give a version back that is served no longer, once its last request is answered."""
        if version not in self._resident:
            self._dropped(version)
            version.retire(lambda: None)
            return

        def unloaded(size: int, before: int | None) -> None:
            self._dropped(version)  # not sooner: what waits for it is answered
            self._tidy(size, before)

        self._resident.discard(version)
        version.retire(self._leaves(version, unloaded))

    def close(self) -> None:
        """Wait for no load any more."""
        for task in self._loading.values():
            task.cancel()

    # -- at the start, and when what is served changes

    async def _load_or_leave(self, version: Version, failed: bool) -> bool:
        """Whether a version was left for its first request; one that failed before is not, as it
        counts as served only once it was loaded."""
        has_problem = version.source.problem is not None
        if not has_problem and not await self._is_possible(version):
            return False
        waits = self._memory.waits(version) and not has_problem and not failed
        if waits or not self._memory.fits(version, self._resident, self._leaving_bytes):
            version.stand_by()
            return True
        loaded = await self._load(version) is not None
        if (
            not loaded
            or version.is_retired
            or self._memory.fits(version, self._resident, self._leaving_bytes)
        ):
            return False
        await self._evict([version])
        return True

    async def _is_possible(self, version: Version) -> bool:
        """Whether its library is there, and memory for its files; else it fails, and says why.

        The library is imported now, and not at the first request: that is answered sooner, and
        what the model takes can be told from what the library takes.
        """
        if not (self._memory.is_bounded or self._memory.lazy):
            return True
        try:
            await asyncio.to_thread(_prepare, version, self._settings.placing)
        except (ModelportError, OSError):
            await self._load(version)  # fails the same way, and says so as it always does
            return False
        if (refusal := self._memory.never_fits(version)) is not None:
            version.refuse(refusal)
            return False
        return True

    # -- when a request needs it

    async def _in_time(self, version: Version, deadline: float | None) -> LoadedModel:
        if version.resident is not None:
            return version.resident
        task = self._loading.get(version)
        if task is None:
            task = self._loading[version] = asyncio.create_task(self._bring(version))
            task.add_done_callback(lambda done: self._brought(version, done))
        try:
            async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
                return await asyncio.shield(task)
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"model '{version.name}' was not loaded before the request's deadline; it is being"
                " loaded, and a later request finds it there"
            ) from error

    def _brought(self, version: Version, done: asyncio.Task[LoadedModel]) -> None:
        del self._loading[version]
        if not done.cancelled():
            done.exception()  # who still waits raises it; there may be nobody

    async def _bring(self, version: Version) -> LoadedModel:
        """Load a version, as soon as there is room."""
        until = time.monotonic() + self._memory.wait_s
        while True:
            async with self._changing:
                self._freed.clear()
                if version.resident is not None:
                    return version.resident
                if version.state is not State.STANDBY:
                    raise version.not_ready()
                try:
                    if await self._has_room(version):
                        return await self._load_for_request(version)
                    refused = Overloaded(
                        f"model '{version.name}' waits for memory that others are giving back;"
                        " try again in a moment",
                        retry_after_s=1,
                    )
                except Overloaded as error:
                    if (error.retry_after_s or 0) > self._memory.wait_s:
                        raise  # no run that ends would make room
                    refused = error.with_traceback(None)  # whose frames may hold a model
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await self._freed.wait()
            except TimeoutError:
                raise refused from None

    async def _load_for_request(self, version: Version) -> LoadedModel:
        loaded = await self._load(version)
        if loaded is None:
            raise version.not_ready()
        if version.is_retired:
            return loaded
        try:
            await self._has_room(version)  # only now it is known what it takes
        except Overloaded:
            del loaded
            await self._evict([version])
            raise
        return loaded

    async def _has_room(self, version: Version) -> bool:
        """Whether a version has room, once those have gone that may.

        Raises:
            Overloaded: those that may go are not enough.
        """
        victims = self._memory.victims(version, self._resident, self._leaving_bytes)
        if victims:
            await self._evict(victims)
        return self._memory.fits(version, self._resident, self._leaving_bytes)

    # -- in and out

    async def _load(self, version: Version) -> LoadedModel | None:
        """Load a version that may be loaded; None where it failed, or proved too large."""
        for _ in range(2):
            self._told(version)
            load = asyncio.create_task(asyncio.to_thread(load_measured, version, self._settings))
            try:
                async with asyncio.timeout(self._settings.load_s):
                    await asyncio.shield(load)
            except TimeoutError:
                version.give_up(
                    NotReady(
                        f"version {version.version} of '{version.name}' was not loaded within"
                        f" {self._settings.load_s:g} s",
                        retry_after_s=_HANGING_S,
                    )
                )
                return None
            finally:
                self._told(None)
            loaded = version.resident
            if loaded is None:
                return None
            self._resident.add(version)
            if version.is_retired:  # while it was being loaded
                self.retire(version)
                return loaded
            refusal = self._memory.never_fits(version)
            if refusal is None:
                return loaded
            # The first model of a format pays for what its library takes for itself: once more.
            del loaded
            await self._evict([version])
        assert refusal is not None  # or it would have been returned
        version.refuse(refusal)
        return None

    async def _evict(self, versions: list[Version]) -> None:
        held: list[LoadedModel] = []
        for version in versions:
            self._dropped(version)
            self._resident.discard(version)
            held.append(version.evict(self._leaves(version)))
        expected = sum(version.size_bytes for version in versions)
        await asyncio.to_thread(_give_back, held, expected)

    def _leaves(
        self, version: Version, then: Callable[[int, int | None], None] | None = None
    ) -> Callable[[], None]:
        """What to call, from any thread, when a model that leaves is given back.

        Args:
            version: whose model it is.
            then: called after that with its size, and with what was resident when it left.
        """
        size, before = version.size_bytes, resident_bytes()
        self._leaving_bytes += size

        def gone() -> None:
            self._leaving_bytes -= size
            self._freed.set()

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nobody waits where nothing runs
            return gone

        def on_loop() -> None:
            gone()
            if then is not None:
                then(size, before)

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and all with it
                loop.call_soon_threadsafe(on_loop)

        return tell

    def _tidy(self, size: int, before: int | None) -> None:
        task = asyncio.create_task(asyncio.to_thread(_return_memory, size, before))
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)


def load_measured(version: Version, settings: Settings) -> None:
    """Load a version, and note what it takes: how this process grew, at least its files' size."""
    trim()  # or the model would be put where nothing more becomes resident
    before = resident_bytes()
    version.load(settings)
    if version.resident is not None and isinstance(version.resident.model, RemoteModel):
        trim()  # what an own copy took that was measured first
        assert settings.placing is not None  # or it would be here
        version.size_bytes = version.resident.model.size_bytes // settings.placing.workers
    elif version.resident is not None:
        trim()  # what reading the file took
        grown = (resident_bytes() or 0) - (before or 0)
        version.size_bytes = max(grown, size_bytes(Path(version.source.path)))


def _prepare(version: Version, placing: Placing | None) -> None:
    path = Path(version.source.path)
    version.size_bytes = size_bytes(path)
    if placing is not None and placing.before(version.source):
        version.size_bytes //= placing.workers  # each has a part of the one copy
    else:
        prepare(path)


def _give_back(held: list[LoadedModel], size: int) -> None:
    """Drop models, closing those that nobody else holds, and return their memory to the system."""
    before = resident_bytes()
    models = [weakref.ref(loaded) for loaded in held]
    held.clear()
    if all(model() is None for model in models):
        _return_memory(size, before)


def _return_memory(size: int, before: int | None) -> None:
    """Return to the system what was freed of models that took `size` bytes."""
    trim()
    if before is not None and before - (resident_bytes() or 0) < size / 2:
        # Cycles may hold it, such as a program's own. A collection stops the whole process for a
        # moment, and is left out where it is not needed.
        collect()
        trim()
