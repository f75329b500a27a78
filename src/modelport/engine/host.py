"""The engine process' side: versions that are loaded once, and run for all workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial

from modelport.core.errors import Internal, ModelFailed, ModelportError, NotReady
from modelport.core.messages import InferRequest
from modelport.engine.board import Board
from modelport.engine.exchange import (
    CANCELLED,
    RUNNING_BYTES,
    Answer,
    Cancel,
    Failed,
    FromWorker,
    Infer,
    Load,
    Loaded,
    Marked,
    Refused,
    Release,
    Tensors,
    Unload,
    Wasted,
    plain,
    sayable,
)
from modelport.engine.executor import Run
from modelport.engine.lanes import Lanes
from modelport.engine.lifecycle import Version
from modelport.engine.opening import LoadedModel, Settings
from modelport.engine.residency import Told, load_measured
from modelport.engine.running import RunningRequest, watch_runs
from modelport.engine.solo import Solo
from modelport.engine.suspects import Suspects, Verdict
from modelport.kit.arena import Arena, Window
from modelport.kit.frames import Frames, accepted, swap
from modelport.kit.memory import trim
from modelport.repository.layout import Source

__all__ = ["Host"]

_log = logging.getLogger(__name__)


class _Held:
    """A version that some workers need."""

    def __init__(self, version: Version, place: int) -> None:
        self.version = version
        self.place = place
        self.users: set[tuple[_Link, int]] = set()
        self.loading: asyncio.Task[None] | None = None
        self.is_told = True
        """Whether the board says what waits for it."""
        self._elements = self._padding = 0

    def wasted(self, key: int) -> Wasted | None:
        """What its batches had since this was last asked; None where they are not padded."""
        waste = self.version.waste  # counted in threads, and so not changed here
        elements, padding = waste.elements - self._elements, waste.padding - self._padding
        self._elements += elements
        self._padding += padding
        return Wasted(key, elements, padding) if elements else None


class Host:
    """The versions of one engine process."""

    def __init__(
        self,
        settings: Settings,
        lanes: Lanes,
        told: Told = lambda version: None,
        fatal: Mapping[tuple[str, str], Source] | None = None,
    ) -> None:
        """
        Args:
            settings: what loading needs to know.
            lanes: runs requests.
            told: hears of each version before it is loaded, and then that none is.
            fatal: versions whose loading ends the process, each with that as its problem.
        """
        self._settings = settings
        self._lanes = lanes
        self._told = told
        self._fatal = fatal or {}
        self._board = Board()
        self._models: dict[Source, _Held] = {}
        self._links: set[_Link] = set()
        self._changing = asyncio.Lock()
        self._solo = Solo()
        self._suspects = Suspects()
        self.running: set[RunningRequest] = set()
        """What runs now, whether or not anybody still waits for it."""
        self.left = asyncio.Event()
        """Set while no worker is connected."""
        self.left.set()
        self._tidying: set[asyncio.Future[None]] = set()

    @property
    def versions(self) -> list[Version]:
        """Those that some worker needs."""
        return [held.version for held in self._models.values()]

    async def serve(self, sock: socket.socket) -> None:
        """Take a worker's connection; returns once it is set up.

        Args:
            sock: as accepted, non-blocking.
        """
        arena = Arena(head_bytes=RUNNING_BYTES)
        try:
            (theirs,) = await swap(sock, [arena.fd, self._board.fd], 1)
            link = _Link(self, arena, Window(theirs))
        except BaseException as error:
            arena.close()
            sock.close()
            if not isinstance(error, ConnectionError | ValueError):
                raise
            _log.warning("a worker's connection broke before it was used: %s", error)
            return
        self._links.add(link)
        self.left.clear()
        await accepted(sock, link.frames)
        for digest, verdict in self._suspects.items:
            link.frames.send(Marked(digest, verdict))

    def keep_costs(self) -> None:
        """Write down what was learnt of the runs; writes files, and may be called in a thread."""
        for version in self.versions:
            version.keep_cost(self._settings)

    async def drained(self) -> None:
        """Wait until every worker has left, and what was learnt of their models is written down."""
        await self.left.wait()
        await asyncio.gather(*self._tidying)

    def close(self) -> None:
        """Leave the workers, drop what waits, and give memory back."""
        for link in self._links:
            link.frames.close()
        self._lanes.close()
        for version in self.versions:
            version.close()

    # -- what workers ask for

    def need(self, link: _Link, key: int, source: Source) -> _Held:
        """Load a version, if it is not loaded, and tell that worker when it is."""
        held = self._models.get(source)
        if held is None:
            version = Version(self._fatal.get((source.name, source.version), source))
            held = self._models[source] = _Held(version, self._board.take())
            held.loading = asyncio.create_task(self._load(source, held))
        held.users.add((link, key))
        if held.loading is None:
            link.frames.send(_told(held, key))
        return held

    def leave(self, link: _Link, key: int, held: _Held) -> None:
        """That worker needs the version no longer; it goes with the last that did."""
        held.users.discard((link, key))
        if not held.users and held.loading is None:
            self._unload(held)

    def disconnected(self, link: _Link) -> None:
        """That worker is gone."""
        self._links.discard(link)
        if not self._links:
            self.left.set()

    def tell_others(self, link: _Link, marked: Marked) -> None:
        """Hand on what one worker knows; to those that connect later, too."""
        self._suspects.mark(marked.digest, Verdict(marked.verdict))
        for other in self._links - {link}:
            other.frames.send(marked)

    async def run(
        self, held: _Held, request: InferRequest, alone: bool, watcher: RunningRequest
    ) -> Run:
        """One request's run; raises as `Lanes.run`.

        Args:
            held: what runs.
            request: what is asked; its inputs fit the signature.
            alone: whether nothing else may run meanwhile.
            watcher: is told of each run that it is part of.
        """
        await self._solo.enter(alone)
        try:
            loaded = self._loaded(held)
            self._tell_soon(held)
            return await self._lanes.run(held.version, loaded, request, watcher.rows, watcher)
        finally:
            self._solo.leave(alone)
            self._tell_soon(held)

    async def watch(self, end: Callable[[str], None]) -> None:
        """Look for runs that hang; ends when cancelled.

        Args:
            end: ends the process; takes the reason.
        """
        await watch_runs(self.running, self._settings.load_s, end)

    def _loaded(self, held: _Held) -> LoadedModel:
        loaded = held.version.resident
        if loaded is None:
            raise held.version.not_ready()
        return loaded

    def _tell_soon(self, held: _Held) -> None:
        """Have the board say what waits, once what came in this turn of the loop waits."""
        if held.is_told:
            held.is_told = False
            asyncio.get_running_loop().call_soon(self._tell, held)

    def _tell(self, held: _Held) -> None:
        held.is_told = True
        self._board.write(held.place, self._lanes.backlog(held.version))

    # -- in and out

    async def _load(self, source: Source, held: _Held) -> None:
        version = held.version
        async with self._changing:
            self._told(version)
            await asyncio.to_thread(load_measured, version, self._settings)
            self._told(None)
        held.loading = None
        for link, key in held.users:
            link.frames.send(_told(held, key))
        if version.resident is None:
            self._forget(held)  # whoever asks anew has it tried anew
        elif not held.users:
            self._unload(held)

    def _unload(self, held: _Held) -> None:
        self._forget(held)
        self._lanes.drop(held.version)
        loop = asyncio.get_running_loop()
        self._in_thread(held.version.keep_cost, self._settings)
        tidy = partial(self._in_thread, trim)

        def unloaded() -> None:  # in whatever thread held it last
            with contextlib.suppress(RuntimeError):  # the loop has ended, and all with it
                loop.call_soon_threadsafe(tidy)

        held.version.retire(unloaded)

    def _in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        future = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        self._tidying.add(future)
        future.add_done_callback(self._tidying.discard)

    def _forget(self, held: _Held) -> None:
        for source, known in list(self._models.items()):
            if known is held:
                del self._models[source]
                self._board.give(held.place)


def _told(held: _Held, key: int) -> Loaded | Failed:
    version, loaded = held.version, held.version.resident
    if loaded is not None:
        size, seconds = version.size_bytes, version.seconds_per_unit
        merges = version.merges
        return Loaded(key, loaded.digest, loaded.description, size, seconds, held.place, merges)
    error = version.not_ready()
    reason = sayable(version.reason or error.message)
    whole = sayable(version.whole_reason or "") or reason
    return Failed(key, version.code or Internal.code, reason, whole, plain(error.detail))


def _given_up(number: int) -> Refused:
    return Refused(number, CANCELLED, "nobody waited for it any more", {})


class _Link:
    """One worker's connection."""

    def __init__(self, host: Host, arena: Arena, theirs: Window) -> None:
        """
        Args:
            host: what it asks.
            arena: where answers are written; its head says which requests run.
            theirs: where requests are.
        """
        self._host = host
        self._arena = arena
        self.frames = Frames(FromWorker, self._on_message, self._on_lost)
        self._tensors = Tensors(arena, theirs, self.frames.send)
        self._models: dict[int, _Held] = {}
        self._air: dict[int, asyncio.Task[None]] = {}

    def _on_message(self, message: FromWorker) -> None:
        match message:
            case Infer():
                self._on_infer(message)
            case Release():
                self._tensors.give(message.places)
            case Cancel():
                if message.id in self._air:
                    # A task that is cancelled before its first step would not answer.
                    loop = asyncio.get_running_loop()
                    loop.call_soon(self._air[message.id].cancel)
            case Load():
                self._models[message.key] = self._host.need(self, message.key, message.source)
            case Unload():
                held = self._models.pop(message.key)
                self._host.leave(self, message.key, held)
            case Marked():
                self._host.tell_others(self, message)

    def _on_lost(self) -> None:
        for task in self._air.values():
            task.cancel()
        for key, held in self._models.items():
            self._host.leave(self, key, held)
        self._host.disconnected(self)
        self._arena.close()

    def _on_infer(self, message: Infer) -> None:
        if not 0 <= message.id < RUNNING_BYTES:
            raise ValueError(f"a request of the number {message.id}")
        request = InferRequest(
            inputs=self._tensors.unpack(message.tensors),
            outputs=message.outputs,
            deadline=message.deadline,
            caller=message.caller,
            priority=message.priority,
            parameters=message.parameters,
        )
        work = self._answer(message, self._models.get(message.key), request)
        self._air[message.id] = asyncio.get_running_loop().create_task(work)

    async def _answer(self, asked: Infer, held: _Held | None, request: InferRequest) -> None:
        watcher: RunningRequest | None = None
        try:
            if held is None:
                raise NotReady("the model is not loaded here", retry_after_s=1)
            mark = partial(self._arena.memory.__setitem__, asked.id)
            watcher = RunningRequest(held.version, request, asked.rows, self._host.running, mark)
            run = await self._host.run(held, request, asked.alone, watcher)
            outputs, started, ended, batch_rows = run
            chosen = {name: outputs[name] for name in asked.outputs or outputs}
            tensors = self._tensors.pack(chosen)
            if (wasted := held.wasted(asked.key)) is not None:  # whoever is answered is told
                self.frames.send(wasted)
            self._finish(Answer(asked.id, tensors, started, ended, batch_rows))
        except asyncio.CancelledError:
            # Its run may go on. Until that ends, its number stands for it.
            finish = partial(self._finish, _given_up(asked.id))
            loop = asyncio.get_running_loop()
            if watcher is None:
                finish()
            else:
                watcher.when_ended(partial(loop.call_soon_threadsafe, finish))
        except ModelportError as error:
            self._finish(self._refused(asked, held, error))
        except Exception as error:
            _log.exception("a request could not be run")
            internal = Internal(f"{type(error).__name__} in the engine process")
            self._finish(Refused.of(asked.id, internal))

    def _finish(self, reply: Answer | Refused) -> None:
        if self._air.pop(reply.id, None) is None:
            return
        try:
            self.frames.send(reply)
        except (ValueError, OverflowError, TypeError):
            _log.exception("a reply cannot be passed on")
            if isinstance(reply, Answer):
                self._tensors.give(tensor.at for tensor in reply.tensors if tensor.at >= 0)
            internal = Internal("the reply is too long, or holds what cannot be passed on")
            self.frames.send(Refused.of(reply.id, internal))

    def _refused(self, asked: Infer, held: _Held | None, error: ModelportError) -> Refused:
        if isinstance(error, ModelFailed) and held is not None:
            name, number = held.version.name, held.version.version
            _log.error("model '%s' version %s raised", name, number, exc_info=error.__cause__)
        return Refused.of(asked.id, error)
