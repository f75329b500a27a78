"""Packed bodies: unpacked by few threads at a time, within the time for the answer."""

from __future__ import annotations

import asyncio
import gzip
import threading

import pytest

from modelport.core.errors import DeadlineExceeded
from modelport.http.bodies import unpacked
from modelport.http.wire import Head, Reply

LIMIT = 100 * 1024 * 1024
LARGE = gzip.compress(bytes(LIMIT), 1)
HEAD = Head(b"POST", b"/", ((b"content-encoding", b"gzip"),))


def answer(body: bytes) -> Reply:
    return b"", b"%d" % len(body)


def test_few_bodies_are_unpacked_at_a_time() -> None:
    async def many() -> tuple[list[Reply], int]:
        handler = unpacked(HEAD, answer, LIMIT, 60)
        answers = await asyncio.gather(*(handler(LARGE) for _ in range(12)))  # type: ignore[arg-type]
        names = [thread.name for thread in threading.enumerate()]
        return answers, sum(name.startswith("modelport-inflate") for name in names)

    answers, threads = asyncio.run(many())
    assert answers == [(b"", b"%d" % LIMIT)] * 12
    assert 1 <= threads <= 4


def test_unpacking_counts_as_time_for_the_answer() -> None:
    async def late() -> Reply:
        return await unpacked(HEAD, answer, LIMIT, 0.001)(LARGE)  # type: ignore[misc]

    with pytest.raises(DeadlineExceeded, match="before the request's deadline"):
        asyncio.run(late())


def test_what_unpacking_took_is_not_given_again() -> None:
    async def slow(body: bytes) -> Reply:
        await asyncio.sleep(60)
        return b"", body

    async def late() -> Reply:
        return await unpacked(HEAD, slow, LIMIT, 0.05)(gzip.compress(b"x"))  # type: ignore[misc]

    with pytest.raises(DeadlineExceeded):
        asyncio.run(late())
