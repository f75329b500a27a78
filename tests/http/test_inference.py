"""One inference: what is long goes to a thread, and all of it is time for the answer."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import DeadlineExceeded, InvalidInput
from modelport.core.messages import InferRequest, InferResponse
from modelport.core.tensors import Batch
from modelport.engine.facade import Engine
from modelport.engine.limits import Limits
from modelport.engine.opening import Settings
from modelport.guard.policy import Principal
from modelport.http.inference import Codec, inference, packed, unpacked
from modelport.http.terms import Terms
from modelport.http.wire import Handler, Head, Reply
from modelport.monitor.metrics import ModelMetrics
from tests.http.serving import LINEAR

ASKER = Principal("0123", "infer")
LIMIT = 100 * 1024 * 1024
LARGE = gzip.compress(bytes(LIMIT), 1)
GZIP = Head(b"POST", b"/", ((b"content-encoding", b"gzip"), (b"accept-encoding", b"gzip")))


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine([LINEAR], Settings(), limits=Limits(queue_jobs=8))
    asyncio.run(engine.load())
    return engine


class Traced:
    """A codec that says where it was called: one row for any body, and the body as the answer."""

    def __init__(self) -> None:
        self.decoded_in: list[str] = []
        self.encoded_in: list[str] = []
        self.requests: list[InferRequest] = []
        self.decode_s = 0.0
        self.elements = 1

    @property
    def codec(self) -> Codec[int]:
        return Codec(
            decode=self._decode,
            encode=self._encode,
            written=lambda response, asked: self.elements,
            refine=lambda request, asked: self.requests.append(request),
            long_bytes=10,
            long_elements=0 if self.elements > 1 else 1,
        )

    def _decode(self, body: bytes) -> tuple[Batch, int]:
        self.decoded_in.append(threading.current_thread().name)
        time.sleep(self.decode_s)
        return {"x": np.ones((1, 3))}, len(body)

    def _encode(self, response: InferResponse, asked: int) -> Reply:
        self.encoded_in.append(threading.current_thread().name)
        return b"", b"%d" % asked


@pytest.fixture
def handler(engine: Engine) -> Callable[..., Handler]:
    def make(codec: Codec[Any], timeout_s: float = 60.0) -> Handler:
        metrics = ModelMetrics("linear", "1", "test")
        version = engine.find("linear")
        terms = Terms(principal=ASKER, timeout_s=timeout_s)
        return inference(engine, version, lambda known: codec, metrics, terms, lambda: make(codec))

    return make


async def answered(handler: Handler, body: bytes) -> Reply:
    answer = handler(body)
    return answer if isinstance(answer, tuple) else await answer


def test_a_short_body_is_answered_where_it_arrives(handler: Callable[..., Handler]) -> None:
    traced = Traced()
    assert handler(traced.codec)(b"x" * 10) == (b"", b"10")
    assert traced.decoded_in == traced.encoded_in == [threading.current_thread().name]
    assert traced.requests[0].caller == ASKER.name


def test_a_long_body_is_decoded_in_a_thread(handler: Callable[..., Handler]) -> None:
    traced = Traced()
    assert asyncio.run(answered(handler(traced.codec), b"x" * 11)) == (b"", b"11")
    assert traced.decoded_in[0].startswith("modelport-codec")
    assert traced.encoded_in == [threading.current_thread().name]
    assert traced.requests[0].caller == ASKER.name


def test_a_long_answer_is_encoded_in_a_thread(handler: Callable[..., Handler]) -> None:
    traced = Traced()
    traced.elements = 2
    assert asyncio.run(answered(handler(traced.codec), b"x")) == (b"", b"1")
    assert traced.decoded_in == [threading.current_thread().name]
    assert traced.encoded_in[0].startswith("modelport-codec")


def test_others_are_served_while_a_long_body_is_decoded(handler: Callable[..., Handler]) -> None:
    traced = Traced()
    traced.decode_s = 0.3

    async def main() -> int:
        task = asyncio.create_task(answered(handler(traced.codec), b"x" * 11))
        turns = 0
        while not task.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    assert asyncio.run(main()) > 5


@pytest.mark.parametrize("long", [False, True])
def test_the_time_for_the_answer_counts_from_before_the_decoding(
    handler: Callable[..., Handler], long: bool
) -> None:
    traced = Traced()
    traced.decode_s = 0.2
    body = b"x" * 11 if long else b"x"
    started = time.monotonic()
    asyncio.run(answered(handler(traced.codec, 5.0), body))
    (request,) = traced.requests
    assert request.deadline is not None
    assert started + 5.0 <= request.deadline < started + 5.15


def test_a_long_decoding_ends_with_the_deadline(handler: Callable[..., Handler]) -> None:
    traced = Traced()
    traced.decode_s = 0.5

    async def late() -> float:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await answered(handler(traced.codec, 0.05), b"x" * 11)
        return time.monotonic() - started

    assert asyncio.run(late()) < 0.4


def test_a_short_body_that_was_decoded_too_late_does_not_run(
    handler: Callable[..., Handler],
) -> None:
    traced = Traced()
    with pytest.raises(DeadlineExceeded):
        handler(traced.codec, 1e-9)(b"x")
    assert traced.encoded_in == []


def test_a_long_body_that_is_no_json_is_told_so(handler: Callable[..., Handler]) -> None:
    def decode(body: bytes) -> tuple[Batch, int]:
        raise UnicodeDecodeError("utf-8", body, 0, 1, "invalid start byte")

    codec = replace(Traced().codec, decode=decode)
    with pytest.raises(InvalidInput, match="not UTF-8"):
        asyncio.run(answered(handler(codec), b"x" * 11))


def test_packed_bodies_and_answers_are_handled_in_threads(handler: Callable[..., Handler]) -> None:
    traced = Traced()
    codec = packed(GZIP, unpacked(GZIP, traced.codec, LIMIT))
    prefix, body = asyncio.run(answered(handler(codec), gzip.compress(b"x")))
    assert (prefix, gzip.decompress(body)) == (b"content-encoding: gzip\r\n", b"1")
    assert all(name.startswith("modelport-codec") for name in traced.decoded_in + traced.encoded_in)


def test_few_bodies_are_unpacked_at_a_time(handler: Callable[..., Handler]) -> None:
    async def many() -> tuple[list[Reply], int]:
        handle = handler(unpacked(GZIP, Traced().codec, LIMIT))
        answers = await asyncio.gather(*(answered(handle, LARGE) for _ in range(12)))
        names = [thread.name for thread in threading.enumerate()]
        return answers, sum(name.startswith("modelport-codec") for name in names)

    answers, threads = asyncio.run(many())
    assert answers == [(b"", b"%d" % LIMIT)] * 12
    assert 1 <= threads <= 4


def test_unpacking_counts_as_time_for_the_answer(handler: Callable[..., Handler]) -> None:
    codec = unpacked(GZIP, Traced().codec, LIMIT)
    with pytest.raises(DeadlineExceeded, match="before the request's deadline"):
        asyncio.run(answered(handler(codec, 0.001), LARGE))
