"""What workers and an engine process say to each other, and tensors on their way between them.

A small tensor lies in its message. A large one is written to the writer's arena, and the other side
works on that very memory; once nobody there holds the array any more, the place is given back.
Deadlines are absolute: all processes of a machine have one monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from modelport.core.errors import ModelportError, Overloaded, error_from_code
from modelport.core.messages import Parameter, Priority
from modelport.core.tensors import Array, Batch, DType, from_raw, to_raw
from modelport.kit.arena import Arena, ArenaFull, Window
from modelport.repository.layout import Source
from modelport.runtimes.base import Description

__all__ = [
    "CANCELLED",
    "INLINE_BYTES",
    "RUNNING_BYTES",
    "Answer",
    "Cancel",
    "Failed",
    "FromEngine",
    "FromWorker",
    "Infer",
    "Load",
    "Loaded",
    "Marked",
    "Refused",
    "Release",
    "Tensor",
    "Tensors",
    "Unload",
    "Wasted",
    "plain",
    "sayable",
]

CANCELLED = "CANCELLED"
"""The code of a request that nobody waits for any more."""
INLINE_BYTES = 4096
"""A tensor up to this size lies in its message."""
RUNNING_BYTES = 65536
"""At the head of the engine's arena: a byte for each number of a request, 1 while it runs. It
survives the death of the engine process, and so tells what it died of."""


class Tensor(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One tensor on its way: its bytes as `to_raw` gives them, here or in the sender's arena."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    raw: bytes
    at: int
    """Where in the arena; -1 where they are in `raw`."""
    size_bytes: int


class Load(msgspec.Struct, array_like=True, tag=0):
    """Have a version ready under a number; it is loaded once, for whichever workers ask."""

    key: int
    source: Source


class Unload(msgspec.Struct, array_like=True, tag=1):
    """This worker needs it no longer."""

    key: int


class Infer(msgspec.Struct, array_like=True, tag=2, gc=False):
    """A request; it is answered once, by `Answer` or `Refused`, and its number is free then."""

    id: int
    key: int
    tensors: tuple[Tensor, ...]
    outputs: tuple[str, ...]
    rows: int
    deadline: float | None
    caller: str
    priority: Priority
    parameters: Mapping[str, Parameter]
    alone: bool
    """Whether nothing else is to run meanwhile: a process that ran it has died."""


class Cancel(msgspec.Struct, array_like=True, tag=3, gc=False):
    """Nobody waits for that request any more; it is answered all the same."""

    id: int


class Release(msgspec.Struct, array_like=True, tag=4, gc=False):
    """These places of the other side's arena are read no longer."""

    places: list[int]


class Marked(msgspec.Struct, array_like=True, tag=5):
    """What is known of a request that ran when an engine process died; told to all workers."""

    digest: bytes
    verdict: int
    """A `suspects.Verdict`."""


class Loaded(msgspec.Struct, array_like=True, tag=6):
    """A version is ready."""

    key: int
    digest: str
    description: Description
    size_bytes: int
    """What it takes in memory."""
    seconds_per_unit: float
    """What it takes to run, by its size measure."""
    place: int
    """Where on the board its backlog stands."""
    merges: bool
    """Whether its requests share batches."""


class Failed(msgspec.Struct, array_like=True, tag=7):
    """A version could not be loaded."""

    key: int
    code: str
    message: str
    in_full: str
    """For the operator."""
    detail: dict[str, Any]

    @property
    def error(self) -> ModelportError:
        """The error as it was raised; `str` of it is for the operator."""
        error = error_from_code(self.code, self.message, self.detail)
        error.args = (self.in_full,)
        return error


class Answer(msgspec.Struct, array_like=True, tag=8, gc=False):
    """The outputs of a request, when its run started and ended, and how many rows ran together."""

    id: int
    tensors: tuple[Tensor, ...]
    started: float
    ended: float
    batch_rows: int
    """As in `InferResponse`."""


class Refused(msgspec.Struct, array_like=True, tag=9, gc=False):
    """The error of a request."""

    id: int
    code: str
    message: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, id: int, error: ModelportError) -> Refused:
        """As it crosses: facts that are no plain data are left out."""
        return cls(id, error.code, sayable(error.message), plain(error.detail))


class Wasted(msgspec.Struct, array_like=True, tag=10):
    """What a version's batches had, and how much of it was padding, since that was last said."""

    key: int
    elements: int
    padding: int


FromWorker: TypeAlias = Load | Unload | Infer | Cancel | Release | Marked
FromEngine: TypeAlias = Loaded | Failed | Answer | Refused | Release | Marked | Wasted


def plain(detail: Mapping[str, object]) -> dict[str, Any]:
    """An error's facts, but for those that no message can carry."""
    kept: dict[str, Any] = {}
    for name, value in detail.items():
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            fact = msgspec.to_builtins(value)
            msgspec.msgpack.encode(fact)  # which no integer beyond 64 bits can be
            kept[name] = fact
    return kept


def sayable(text: str) -> str:
    """The text, with what UTF-8 cannot say (the odd bytes of a file's name) as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


class Tensors:
    """Both ways of one connection: ours go out through our arena, theirs come in through theirs.

    Belongs to the event loop on which it was made, but for arrays that came in: whoever holds one
    last may be any thread.
    """

    def __init__(self, ours: Arena, theirs: Window, send: Callable[[Release], None]) -> None:
        """
        Args:
            ours: where we write.
            theirs: where the other side writes.
            send: tells the other side that places are free.
        """
        self._ours = ours
        self._theirs = theirs
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._done: list[int] = []

    def pack(self, batch: Batch) -> tuple[Tensor, ...]:
        """The tensors as they go out; the other side gives back their places.

        Raises:
            Overloaded: what goes out already leaves no room.
            InvalidInput: there is no tensor type for an array.
        """
        packed: list[Tensor] = []
        try:
            for name, tensor in batch.items():
                packed.append(self._pack(name, tensor))
        except BaseException as error:
            self.give(tensor.at for tensor in packed if tensor.at >= 0)
            if isinstance(error, ArenaFull):
                raise Overloaded(
                    "the tensors of other requests leave no room for these; try again later",
                    retry_after_s=1,
                ) from error
            raise
        return tuple(packed)

    def _pack(self, name: str, tensor: Array) -> Tensor:
        dtype = DType.of(tensor.dtype)
        if dtype is not DType.BYTES and tensor.nbytes > INLINE_BYTES:
            at = self._ours.take(tensor.nbytes)
            little = dtype.numpy.newbyteorder("<")
            place = np.frombuffer(self._ours.memory, little, tensor.size, at)
            np.copyto(place.reshape(tensor.shape), tensor)
            return Tensor(name, dtype, tensor.shape, b"", at, tensor.nbytes)
        raw = to_raw(tensor)
        if len(raw) <= INLINE_BYTES:
            return Tensor(name, dtype, tensor.shape, raw, -1, len(raw))
        at = self._ours.take(len(raw))
        self._ours.memory[at : at + len(raw)] = raw
        return Tensor(name, dtype, tensor.shape, b"", at, len(raw))

    def unpack(self, tensors: Sequence[Tensor]) -> dict[str, Array]:
        """The arrays that came in; numbers share the memory of the message or the arena, read-only.

        Raises:
            ValueError: a place lies outside the arena.
            InvalidInput: type, shape and length do not go together.
        """
        return {tensor.name: self._unpack(tensor) for tensor in tensors}

    def _unpack(self, tensor: Tensor) -> Array:
        name, dtype, shape = tensor.name, tensor.dtype, tensor.shape
        if tensor.at < 0:
            if not tensor.raw and dtype is not DType.BYTES:  # numpy wants something to share
                return np.empty(shape, dtype.numpy)
            return from_raw(name, tensor.raw, dtype, shape)
        array = from_raw(name, self._theirs.part(tensor.at, tensor.size_bytes), dtype, shape)
        if dtype is DType.BYTES:
            self._read(tensor.at)
        else:
            # The array that `from_raw` has reshaped, which every view of it holds.
            weakref.finalize(array.base, self._read, tensor.at).atexit = False
        return array

    def give(self, places: Any) -> None:
        """Places of ours are free."""
        for at in places:
            self._ours.give(at)

    def _read(self, at: int) -> None:
        """A place of theirs is read no longer; called in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all with it
            if threading.get_ident() == self._thread:
                self._note(at)
            else:
                self._loop.call_soon_threadsafe(self._note, at)

    def _note(self, at: int) -> None:
        if not self._done:
            self._loop.call_soon(self._tell)
        self._done.append(at)

    def _tell(self) -> None:
        done, self._done = self._done, []
        self._send(Release(done))
