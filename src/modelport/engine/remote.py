"""A worker's side: models that run in the engine process, and what is done when it dies.

A request that was in the air then is sent once more to the process that takes its place, where that
is safe: what had not begun to run always, what had begun only where the model does nothing but
compute. What had begun runs alone (`suspects`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections import Counter
from dataclasses import replace

from modelport.core.errors import NotReady
from modelport.core.messages import InferRequest
from modelport.core.tensors import Batch
from modelport.engine.cache.digest import digest_of
from modelport.engine.exchange import Failed, Loaded, Wasted
from modelport.engine.executor import Run
from modelport.engine.limits import Backlog, Limits
from modelport.engine.merging import Waste
from modelport.engine.placement import Opened
from modelport.engine.session import Lost, Session, connect
from modelport.engine.suspects import Suspects, Verdict
from modelport.repository.layout import Source

__all__ = ["EngineLink", "RemoteModel"]

_log = logging.getLogger(__name__)
_AWAY_S = 5.0
"""How long a request waits for an engine process that is being replaced."""
_SENDS = 3
_LOADS = 4
"""The supervisor gives up what ends two processes while it is loaded, and then says why."""
_AGAIN_S = 2.0


class RemoteModel:
    """A model that runs in the engine process."""

    def __init__(self, link: EngineLink, key: int, loaded: Loaded) -> None:
        self.key = key
        self.digest = loaded.digest
        self.description = replace(loaded.description, execution="remote")
        self.execution = loaded.description.execution
        """That of the model where it runs."""
        self.size_bytes = loaded.size_bytes
        """What it takes there."""
        self.seconds_per_unit = loaded.seconds_per_unit
        """What a run takes there, by the size of the request."""
        self.merges = loaded.merges
        """Whether its requests share batches there."""
        self._link = link
        self._in_air: Counter[tuple[str, str]] = Counter()
        """This worker's requests, by their caller and priority."""

    @property
    def backlog(self) -> Backlog:
        """All that waits for it and runs, of all workers."""
        return self._link.backlog(self.key)

    def check_room(self, caller: str, priority: str) -> None:
        """Refuse a request that would be refused there, before it is decoded and sent.

        Raises:
            Overloaded: too much waits for the model, and enough of that is the caller's own.
        """
        backlog = self.backlog
        if backlog.jobs:
            own = self._in_air[caller, priority] * self._link.workers
            backlog.check(own, self._link.limits)

    async def run(self, request: InferRequest, rows: int) -> Run:
        """The answer to one request.

        Args:
            request: what is asked; its inputs fit the signature.
            rows: how many rows it has.

        Raises:
            NotReady: the engine process is away, or died of other requests while it ran this one.
            InvalidInput: the engine process died of this request.
            ModelportError: as it was raised there.
        """
        flow = request.caller, request.priority
        self._in_air[flow] += 1
        try:
            return await self._link.infer(self, request, rows)
        finally:
            self._in_air[flow] -= 1
            if not self._in_air[flow]:
                del self._in_air[flow]

    async def predict(self, batch: Batch) -> Batch:
        """The outputs for inputs that fit the signature; raises as `run`."""
        rows = self.description.signature.check(batch)
        outputs, *_ = await self.run(InferRequest(inputs=batch), rows)
        return outputs

    def digest_of(self, request: InferRequest) -> bytes:
        """What tells a request from others; empty where nothing does."""
        return digest_of(self.digest.encode(), request) or b""

    def count_waste(self, waste: Waste) -> None:
        """Count there what of its batches is padding, as far as this worker is told."""
        self._link.count_waste(self.key, waste)

    def close(self) -> None:
        """Tell the engine process that this worker needs it no longer; called in any thread."""
        self._link.release(self.key)


class _Handle:
    """A version that this worker needs, over all connections."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.first: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()
        self.loads = 0
        self.digest = ""
        """That of its files, once it was loaded."""
        self.place = 0
        self.ready = asyncio.Event()
        """Set while it is loaded there, or could not be."""
        self.error: NotReady | None = None
        self.waste = Waste()


class EngineLink:
    """The connection to the engine process, made when it is first needed and whenever it broke."""

    def __init__(self, path: str, limits: Limits | None = None, workers: int = 1) -> None:
        """
        Args:
            path: the engine process' socket.
            limits: the bounds of each version's queue there.
            workers: how many have such a connection.
        """
        self._path = path
        self.limits = limits or Limits()
        self.workers = workers
        self._most = self.limits.queue_jobs
        self._loop = asyncio.get_running_loop()
        self._keys = itertools.count()
        self._handles: dict[int, _Handle] = {}
        self._session: Session | None = None
        self._wanted = asyncio.Event()
        self._suspects = Suspects()

    async def run(self) -> None:
        """Keep the connection; ends when cancelled."""
        await self._wanted.wait()
        try:
            await self._keep()
        finally:
            if self._session is not None:
                self._session.frames.close()

    async def _keep(self) -> None:
        while True:
            try:
                session = await connect(self._path, self._most, self)
            except (OSError, ValueError) as error:
                _log.warning("the engine process cannot be reached: %s", error)
                await asyncio.sleep(_AGAIN_S)
                continue
            if session.lost.is_set():
                continue
            self._session = session
            for digest, verdict in self._suspects.items:
                session.mark(digest, verdict)
            for key, handle in self._handles.items():
                self._load(key, handle)
            await session.lost.wait()

    def open(self, source: Source) -> Opened:
        """Have a version loaded there; waits, and so is called in a thread.

        Raises:
            ModelportError: as it was raised there.
        """
        return asyncio.run_coroutine_threadsafe(self._open(source), self._loop).result()

    async def _open(self, source: Source) -> Opened:
        key = next(self._keys)
        handle = self._handles[key] = _Handle(source)
        self._wanted.set()
        self._load(key, handle)
        try:
            loaded = await handle.first
        except BaseException:
            self._release(key)
            raise
        model = RemoteModel(self, key, loaded)
        return Opened(model, loaded.description, loaded.digest)

    def release(self, key: int) -> None:
        """A model is needed no longer; called in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all with it
            self._loop.call_soon_threadsafe(self._release, key)

    def _release(self, key: int) -> None:
        if self._handles.pop(key, None) is not None and self._session is not None:
            self._session.unload(key)

    def backlog(self, key: int) -> Backlog:
        """What the board says of a model; nothing where it is not there."""
        handle = self._handles.get(key)
        if self._session is None or handle is None:
            return Backlog()
        return self._session.board.read(handle.place)

    # -- loading

    def _load(self, key: int, handle: _Handle) -> None:
        if self._session is not None and self._handles.get(key) is handle:
            handle.loads += 1
            self._session.load(key, handle.source)

    def on_loaded(self, message: Loaded) -> None:
        """Called by the session."""
        handle = self._handles.get(message.key)
        if handle is None:
            return
        handle.error = None
        if not handle.first.done():
            handle.digest = message.digest
            handle.first.set_result(message)
        elif handle.digest != message.digest:
            handle.error = NotReady(
                f"the files of model '{handle.source.name}' have changed since it was first loaded;"
                " publish them as another version"
            )
        handle.place = message.place
        handle.ready.set()

    def on_failed(self, message: Failed) -> None:
        """Called by the session."""
        handle = self._handles.get(message.key)
        if handle is None:
            return
        if not handle.first.done():
            handle.first.set_exception(message.error)
            return
        name = handle.source.name
        handle.error = NotReady(f"model '{name}' could not be loaded again: {message.message}")
        handle.ready.set()
        self._loop.call_later(_AGAIN_S, self._load, message.key, handle)

    def count_waste(self, key: int, waste: Waste) -> None:
        """As `RemoteModel.count_waste`; called in any thread."""
        if (handle := self._handles.get(key)) is not None:
            handle.waste = waste

    def on_wasted(self, message: Wasted) -> None:
        """Called by the session."""
        handle = self._handles.get(message.key)
        if handle is not None:
            handle.waste.elements += message.elements
            handle.waste.padding += message.padding

    def on_marked(self, digest: bytes, verdict: Verdict) -> None:
        """Called by the session, with what another worker knows."""
        self._suspects.mark(digest, verdict)

    def on_lost(self) -> None:
        """Called by the session."""
        self._session = None
        for handle in self._handles.values():
            handle.ready.clear()
            if handle.loads >= _LOADS and not handle.first.done():
                name = handle.source.name
                handle.first.set_exception(
                    NotReady(f"the process ended that was to load model '{name}'")
                )

    def on_died(self, key: int, request: InferRequest, alone: bool) -> None:
        """Called by the session."""
        handle = self._handles.get(key)
        if handle is not None:
            digest = digest_of(handle.digest.encode(), request) or b""
            self._mark(digest, Verdict.GUILTY if alone else Verdict.SUSPECT)

    # -- requests

    async def infer(self, model: RemoteModel, request: InferRequest, rows: int) -> Run:
        """As `RemoteModel.run`."""
        suspects = self._suspects
        digest, alone = b"", False
        if suspects:
            digest = model.digest_of(request)
            alone = suspects.must_be_alone(digest)
        for _ in range(_SENDS):
            session = await self._ready(model, request.deadline)
            try:
                run = await session.ask(model.key, request, rows, alone)
            except Lost as lost:
                if not lost.had_begun:
                    continue
                digest = digest or model.digest_of(request)
                self._mark(digest, Verdict.GUILTY if alone else Verdict.SUSPECT)
                alone = suspects.must_be_alone(digest)
                if model.execution != "compute":
                    break
                continue
            if alone:
                self._mark(digest, Verdict.CLEARED)
            return run
        raise NotReady("the process that ran the model ended; try again", retry_after_s=1)

    def _mark(self, digest: bytes, verdict: Verdict) -> None:
        self._suspects.mark(digest, verdict)
        if self._session is not None:
            self._session.mark(digest, verdict)

    async def _ready(self, model: RemoteModel, deadline: float | None) -> Session:
        """The connection, once the model is loaded at its other end."""
        handle = self._handles.get(model.key)
        if handle is None:
            raise NotReady("the model was closed", retry_after_s=1)
        if not handle.ready.is_set():
            now = time.monotonic()
            left = _AWAY_S if deadline is None else min(_AWAY_S, deadline - now)
            try:
                async with asyncio.timeout(left):
                    await handle.ready.wait()
            except TimeoutError:
                raise NotReady(
                    "the process that runs the model is being replaced; try again",
                    retry_after_s=1,
                ) from None
        if handle.error is not None:
            raise handle.error
        assert self._session is not None  # or nothing would be ready
        return self._session
