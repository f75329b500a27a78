"""One inference, whatever the protocol: decode, run, encode; what takes long in a thread.

A protocol is a `Codec`. Bodies and answers of ordinary size are decoded and encoded where they
arrive, on the event loop: a hand-over costs more than they take. A long one would keep every other
client waiting, a health check too, so that it goes to a thread; the model runs as it always does.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from modelport.core.errors import DeadlineExceeded, Overloaded
from modelport.core.messages import InferRequest, InferResponse
from modelport.core.signature import Signature
from modelport.core.tensors import Batch
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import Version
from modelport.engine.opening import Described, LoadedModel
from modelport.http.bodies import NOT_JSON, not_json, packing, unpacking
from modelport.http.terms import Terms
from modelport.http.wire import Handler, Head, Reply
from modelport.monitor.metrics import ModelMetrics

__all__ = ["ARRAY_BYTES", "TEXT_BYTES", "Codec", "inference", "packed", "unpacked"]

TEXT_BYTES = 64 * 1024
"""A JSON or CSV body up to this size is decoded on the event loop; it takes 1 to 7 ms."""
ARRAY_BYTES = 1024 * 1024
"""The same for a body of numbers in binary, which are looked at in bulk."""
_ELEMENTS = 16 * 1024
"""An answer up to this many written elements is encoded on the event loop."""

_SAYS_PRIORITY = b'"priority"'

_THREADS = ThreadPoolExecutor(4, "modelport-codec")
"""Few, and of their own: a thread goes on after its client has left, and a small packed body may
unpack to the largest that is taken. No thread starts before it is needed."""

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Codec(Generic[A]):
    """What a protocol makes of bodies and answers; `A` is what the answer depends on."""

    decode: Callable[[bytes], tuple[Batch, A]]
    """Raises `InvalidInput`, and what `NOT_JSON` lists."""
    encode: Callable[[InferResponse, A], Reply]
    written: Callable[[InferResponse, A], int]
    """How many elements `encode` would write one by one."""
    long_bytes: int = TEXT_BYTES
    """A body of more bytes is decoded in a thread."""
    long_elements: int = _ELEMENTS
    """An answer of more elements is encoded in a thread."""
    checks_limits: bool = False
    """Whether `decode` refuses values outside their ranges and choices."""
    refine: Callable[[InferRequest, A], None] | None = None
    """Adds to the request what the body says of the run, where a protocol has words for that."""


def unpacked(head: Head, codec: Codec[A], limit: int) -> Codec[A]:
    """The codec for bodies in the head's `Content-Encoding`, which are unpacked in a thread.

    Raises:
        UnsupportedMedia: an encoding that is not understood.
    """
    unpack = unpacking(head, limit)
    if unpack is None:
        return codec
    return replace(codec, decode=lambda body: _decoded(codec, unpack(body)), long_bytes=-1)


def packed(head: Head, codec: Codec[A]) -> Codec[A]:
    """The codec with its answers packed, in a thread, where the client asks for one encoding."""
    pack = packing(head)
    if pack is None:
        return codec
    name, squeeze = pack

    def encode(response: InferResponse, asked: A) -> Reply:
        prefix, body = codec.encode(response, asked)
        return prefix + b"content-encoding: " + name + b"\r\n", squeeze(body)

    return replace(codec, encode=encode, long_elements=-1)


def inference(
    engine: Engine,
    version: Version,
    codec_of: Callable[[Described], Codec[A]],
    metrics: ModelMetrics,
    terms: Terms,
    again: Callable[[], Handler],
) -> Handler:
    """The handler that runs a version; its time counts from when it is called.

    It holds what describes the version, and not the model: one that is not in memory when a
    request comes is loaded for it, and one that nobody asks for can go.

    Args:
        engine: what runs it.
        version: what is run.
        codec_of: makes the protocol's codec, once it is known what the version takes.
        metrics: where the requests are counted.
        terms: for whom it is run, and within what.
        again: the handler of whatever the caller means, where that is this version no longer.

    Raises:
        NotReady: the version is being loaded, or failed.
    """
    version.check_served()
    if version.described is None:
        return _unknown(engine, version, codec_of, metrics, terms, again)
    codec = codec_of(version.described)
    clock, infer = time.monotonic, engine.infer
    decode, encode, refine = codec.decode, codec.encode, codec.refine
    is_checked = codec.checks_limits
    long_bytes, long_elements, written = codec.long_bytes, codec.long_elements, codec.written
    row = _row_elements(version.described.view.signature)
    at_length = _AtLength(engine, version, codec, metrics, terms)
    timeout_s, caller, priority = terms.timeout_s, terms.principal.name, terms.priority

    def handle(body: bytes) -> Reply | Awaitable[Reply]:
        arrived = clock()
        deadline = arrived + timeout_s
        loaded = version.resident
        if loaded is None:
            return again()(body) if version.is_retired else at_length.held(body, arrived, deadline)
        door = version.door
        if door is not None:
            try:
                door(caller, priority)
            except Overloaded:
                # The scheduler judges a body that asks for another turn, once that is decoded.
                if refine is None or body.find(_SAYS_PRIORITY, 0, TEXT_BYTES) < 0:
                    raise
        if len(body) > long_bytes:
            return at_length.whole(loaded, body, arrived, deadline)
        try:
            inputs, asked = decode(body)
        except NOT_JSON as error:
            raise not_json(error, body) from error
        request = InferRequest(
            inputs=inputs,
            is_checked=is_checked,
            deadline=deadline,
            caller=caller,
            priority=priority,
        )
        if refine is not None:
            refine(request, asked)
        decode_s = clock() - arrived
        response = infer(version, loaded, request)
        if type(response) is not InferResponse:
            return at_length.rest(response, request, asked, decode_s)  # type: ignore[arg-type]  # awaitable
        if response.rows * row > long_elements and written(response, asked) > long_elements:
            return at_length.encoded(response, request, asked, decode_s)
        started = clock()
        reply = encode(response, asked)
        encode_s = clock() - started
        metrics.answered(
            decode_s,
            response.queue_s,
            response.run_s,
            encode_s,
            response.rows,
            response.batch_rows,
        )
        return reply

    return handle


def _unknown(
    engine: Engine,
    version: Version,
    codec_of: Callable[[Described], Codec[A]],
    metrics: ModelMetrics,
    terms: Terms,
    again: Callable[[], Handler],
) -> Handler:
    """The handler for a version that was never in memory: only then it is known what it takes."""
    known: Handler | None = None

    def handle(body: bytes) -> Reply | Awaitable[Reply]:
        nonlocal known
        if known is None and version.is_served and version.described is None:
            return first(body)
        if known is None and version.is_retired:
            return again()(body)
        if known is None:
            known = inference(engine, version, codec_of, metrics, terms, again)
        return known(body)

    async def first(body: bytes) -> Reply:
        arrived = time.monotonic()
        deadline = arrived + terms.timeout_s
        async with engine.hold(version, deadline) as loaded:
            at_length = _AtLength(engine, version, codec_of(loaded.described), metrics, terms)
            return await at_length.whole(loaded, body, arrived, deadline)

    return handle


class _AtLength(Generic[A]):
    """The same steps for what is not answered at once."""

    def __init__(
        self,
        engine: Engine,
        version: Version,
        codec: Codec[A],
        metrics: ModelMetrics,
        terms: Terms,
    ) -> None:
        self._engine = engine
        self._version = version
        self._codec = codec
        self._metrics = metrics
        self._terms = terms

    async def held(self, body: bytes, arrived: float, deadline: float) -> Reply:
        """All of it, from loading the model."""
        async with self._engine.hold(self._version, deadline) as loaded:
            return await self.whole(loaded, body, arrived, deadline)

    async def whole(
        self, loaded: LoadedModel, body: bytes, arrived: float, deadline: float
    ) -> Reply:
        """All of it, from a body that takes long to decode."""
        inputs, asked = await _in_thread(deadline, _decoded, self._codec, body)
        request = InferRequest(
            inputs=inputs,
            is_checked=self._codec.checks_limits,
            deadline=deadline,
            caller=self._terms.principal.name,
            priority=self._terms.priority,
        )
        if self._codec.refine is not None:
            self._codec.refine(request, asked)
        decode_s = time.monotonic() - arrived
        answer = self._engine.infer(self._version, loaded, request)
        if isinstance(answer, InferResponse):
            return await self.encoded(answer, request, asked, decode_s)
        return await self.rest(answer, request, asked, decode_s)

    async def rest(
        self, answer: Awaitable[InferResponse], request: InferRequest, asked: A, decode_s: float
    ) -> Reply:
        """What follows when the model is asked."""
        return await self.encoded(await answer, request, asked, decode_s)

    async def encoded(
        self, response: InferResponse, request: InferRequest, asked: A, decode_s: float
    ) -> Reply:
        """What follows when the model has answered."""
        started = time.monotonic()
        encode = self._codec.encode
        if self._codec.written(response, asked) > self._codec.long_elements:
            reply = await _in_thread(request.deadline, encode, response, asked)
        else:
            reply = encode(response, asked)
        encode_s = time.monotonic() - started
        self._metrics.answered(
            decode_s,
            response.queue_s,
            response.run_s,
            encode_s,
            response.rows,
            response.batch_rows,
        )
        return reply


def _decoded(codec: Codec[A], body: bytes) -> tuple[Batch, A]:
    try:
        return codec.decode(body)
    except NOT_JSON as error:
        raise not_json(error, body) from error


async def _in_thread(deadline: float | None, work: Callable[..., R], *arguments: Any) -> R:
    """Do it off the event loop; dropped, or left to itself, when the deadline passes.

    Raises:
        DeadlineExceeded: it was not done in time.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            return await loop.run_in_executor(_THREADS, work, *arguments)
    except TimeoutError as error:
        raise DeadlineExceeded("there was no answer before the request's deadline") from error


def _row_elements(signature: Signature) -> float:
    """How many elements the outputs have for one row; infinity where that is not known."""
    rows = [[math.inf if n is None else n for n in s.row_shape] for s in signature.outputs]
    return sum(math.prod(row) for row in rows)
