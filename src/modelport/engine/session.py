"""One connection of a worker to an engine process, from its beginning to its end."""

from __future__ import annotations

import asyncio
import socket
from typing import NamedTuple, Protocol

from modelport.core.errors import InvalidInput, Overloaded, error_from_code
from modelport.core.messages import InferRequest
from modelport.engine.board import BoardView
from modelport.engine.exchange import (
    CANCELLED,
    RUNNING_BYTES,
    Answer,
    Cancel,
    Failed,
    FromEngine,
    Infer,
    Load,
    Loaded,
    Marked,
    Refused,
    Release,
    Tensors,
    Unload,
    Wasted,
)
from modelport.engine.executor import Run
from modelport.engine.suspects import Verdict
from modelport.kit.arena import Arena, Window
from modelport.kit.frames import Frames, connected, swap
from modelport.repository.layout import Source

__all__ = ["Listener", "Lost", "Session", "connect"]


class Lost(Exception):
    """The connection ended before a request was answered."""

    def __init__(self, had_begun: bool) -> None:
        """
        Args:
            had_begun: whether the request ran when the other side ended.
        """
        super().__init__("the connection to the engine process ended")
        self.had_begun = had_begun


class Listener(Protocol):
    """Who hears of what is no answer to a request."""

    def on_loaded(self, message: Loaded) -> None:
        """A version is ready."""

    def on_failed(self, message: Failed) -> None:
        """A version could not be loaded."""

    def on_marked(self, digest: bytes, verdict: Verdict) -> None:
        """Another worker knows that of a request."""

    def on_wasted(self, message: Wasted) -> None:
        """Batches of a version were padded."""

    def on_lost(self) -> None:
        """The connection ended; who waits for an answer hears of it after this."""

    def on_died(self, key: int, request: InferRequest, alone: bool) -> None:
        """The connection ended while that ran, for which nobody waited any more."""


async def connect(path: str, most: int, listener: Listener) -> Session:
    """Connect to the engine process; waits for as long as it takes to start.

    Args:
        path: its socket.
        most: how many requests may be in the air.
        listener: who hears of what is no answer.

    Raises:
        OSError: it cannot be reached, or ended meanwhile.
        ValueError: what it gave is no shared memory.
    """
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    arena = Arena()
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, path)
        theirs, board = await swap(sock, [arena.fd], 2)
        session = Session(arena, Window(theirs), BoardView(board), most, listener)
        await connected(sock, session.frames)
    except BaseException:
        sock.close()
        arena.close()
        raise
    return session


class _Asked(NamedTuple):
    future: asyncio.Future[Run]
    key: int
    request: InferRequest
    alone: bool


class Session:
    """What is asked over one connection, and what came back."""

    def __init__(
        self, arena: Arena, theirs: Window, board: BoardView, most: int, listener: Listener
    ) -> None:
        """
        Args:
            arena: where requests are written.
            theirs: where answers are; its head says which requests run.
            board: says what waits.
            most: how many requests may be in the air.
            listener: who hears of what is no answer.
        """
        self.board = board
        self.lost = asyncio.Event()
        self._arena = arena
        self._running = theirs.part(0, RUNNING_BYTES)
        self._listener = listener
        self.frames = Frames(FromEngine, self._on_message, self._on_lost)
        self._tensors = Tensors(arena, theirs, self.frames.send)
        self._numbers = list(range(min(most, RUNNING_BYTES) - 1, -1, -1))
        self._air: dict[int, _Asked] = {}

    def load(self, key: int, source: Source) -> None:
        """Have a version loaded; the listener hears of it."""
        self.frames.send(Load(key, source))

    def unload(self, key: int) -> None:
        """This worker needs it no longer."""
        self.frames.send(Unload(key))

    def mark(self, digest: bytes, verdict: Verdict) -> None:
        """Let the other workers know what is thought of a request."""
        self.frames.send(Marked(digest, verdict))

    async def ask(self, key: int, request: InferRequest, rows: int, alone: bool) -> Run:
        """The answer to a request.

        Raises:
            Lost: the connection ended first.
            Overloaded: too much is in the air.
            ModelportError: as it was raised there.
        """
        if not self._numbers:
            raise Overloaded("too many requests wait already; try again later", retry_after_s=1)
        tensors = self._tensors.pack(request.inputs)
        number = self._numbers.pop()
        future: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        asked = self._air[number] = _Asked(future, key, request, alone)
        message = Infer(
            number,
            key,
            tensors,
            request.outputs,
            rows,
            request.deadline,
            request.caller,
            request.priority,
            request.parameters,
            alone,
        )
        try:
            self.frames.send(message)
        except (TypeError, ValueError, OverflowError) as error:
            del self._air[number]
            self._numbers.append(number)
            self._tensors.give(tensor.at for tensor in tensors if tensor.at >= 0)
            raise InvalidInput(
                "the request's parameters are too long, or hold what cannot be passed on"
            ) from error
        try:
            return await future
        except asyncio.CancelledError:
            # The answer may have come in this turn, and the number then be another request's.
            if self._air.get(number) is asked:
                self.frames.send(Cancel(number))
            raise

    def _on_message(self, message: FromEngine) -> None:
        match message:
            case Answer():
                self._on_answer(message)
            case Release():
                self._tensors.give(message.places)
            case Refused():
                self._on_refused(message)
            case Loaded():
                self._listener.on_loaded(message)
            case Failed():
                self._listener.on_failed(message)
            case Marked():
                self._listener.on_marked(message.digest, Verdict(message.verdict))
            case Wasted():
                self._listener.on_wasted(message)

    def _on_answer(self, answer: Answer) -> None:
        outputs = self._tensors.unpack(answer.tensors)
        future = self._settled(answer.id)
        if not future.done():
            future.set_result((outputs, answer.started, answer.ended, answer.batch_rows))

    def _on_refused(self, refused: Refused) -> None:
        future = self._settled(refused.id)
        if future.done():
            return
        if refused.code == CANCELLED:  # not by us: the version is going there
            future.set_exception(Lost(had_begun=False))
        else:
            future.set_exception(error_from_code(refused.code, refused.message, refused.detail))

    def _settled(self, number: int) -> asyncio.Future[Run]:
        self._numbers.append(number)
        return self._air.pop(number).future

    def _on_lost(self) -> None:
        self.lost.set()
        self._listener.on_lost()  # before whoever asked looks for another connection
        for number, asked in self._air.items():
            had_begun = bool(self._running[number])
            if not asked.future.done():
                asked.future.set_exception(Lost(had_begun))
            elif had_begun:
                self._listener.on_died(asked.key, asked.request, asked.alone)
        self._air.clear()
        self._arena.close()
