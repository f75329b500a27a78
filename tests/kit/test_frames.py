from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from modelport.kit.frames import Frames, accepted, connected, swap


class Said(msgspec.Struct, array_like=True, tag=True):
    words: str


class End:
    """One end, and what it heard."""

    def __init__(self, fails: bool = False) -> None:
        self.heard: list[str] = []
        self.lost = asyncio.Event()
        self.fails = fails
        self.frames = Frames(Said, self._on_message, self.lost.set)

    def _on_message(self, message: Said) -> None:
        if self.fails:
            raise ValueError("not understood")
        self.heard.append(message.words)


def talk(work: Callable[[End, End, socket.socket], Awaitable[Any]], **kinds: bool) -> None:
    """Both ends of a connection, and the socket below the first."""

    async def run() -> None:
        one, other = socket.socketpair()
        for sock in (one, other):
            sock.setblocking(False)
        ends = End(), End(**kinds)
        raw = socket.socket(fileno=os.dup(one.fileno()))
        await connected(one, ends[0].frames)
        await accepted(other, ends[1].frames)
        async with asyncio.timeout(10):
            await work(*ends, raw)
        raw.close()
        for end in ends:
            end.frames.close()
            await end.lost.wait()

    asyncio.run(run())


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # it is about several things
        await asyncio.sleep(0.001)


def test_messages_arrive_whole_and_in_order() -> None:
    words = [f"{n}" * (n % 7) * (9000 if n % 50 == 0 else 1) for n in range(1, 300)]

    async def work(one: End, other: End, _: socket.socket) -> None:
        for each in words:
            one.frames.send(Said(each))
        other.frames.send(Said("back"))
        await until(lambda: len(other.heard) == len(words) and bool(one.heard))
        assert other.heard == words
        assert one.heard == ["back"]

    talk(work)


def test_a_message_that_comes_byte_by_byte_is_heard_once_it_is_whole() -> None:
    async def work(one: End, other: End, raw: socket.socket) -> None:
        frame = msgspec.msgpack.encode(Said("slow"))
        for byte in len(frame).to_bytes(4) + frame:
            assert other.heard == []
            raw.send(bytes([byte]))
            await asyncio.sleep(0.002)
        await until(lambda: other.heard == ["slow"])

    talk(work)


@pytest.mark.parametrize("sent", [b"\0\0\0\1\xc1", b"\xff\xff\xff\xff"], ids=["other", "large"])
def test_what_is_not_understood_ends_the_connection(sent: bytes) -> None:
    async def work(one: End, other: End, raw: socket.socket) -> None:
        raw.send(sent)
        await other.lost.wait()
        await one.lost.wait()

    talk(work)


def test_an_error_of_who_hears_ends_the_connection() -> None:
    async def work(one: End, other: End, _: socket.socket) -> None:
        one.frames.send(Said("x"))
        await one.lost.wait()
        assert other.lost.is_set()

    talk(work, fails=True)


def test_nothing_is_sent_where_there_is_no_connection() -> None:
    async def work(one: End, other: End, raw: socket.socket) -> None:
        raw.close()
        one.frames.close()
        await one.lost.wait()
        one.frames.send(Said("x"))
        one.frames.close()
        await other.lost.wait()
        assert other.heard == []

    talk(work)


def test_descriptors_are_swapped_before_anything_is_said() -> None:
    async def run() -> None:
        one, other = socket.socketpair()
        for sock in (one, other):
            sock.setblocking(False)
        fds = [os.memfd_create(name) for name in ("a", "b", "c")]
        theirs, ours = await asyncio.gather(swap(one, fds[:1], 2), swap(other, fds[1:], 1))
        assert [os.fstat(fd).st_ino for fd in theirs] == [os.fstat(fd).st_ino for fd in fds[1:]]
        assert [os.fstat(fd).st_ino for fd in ours] == [os.fstat(fds[0]).st_ino]
        assert not any(os.get_inheritable(fd) for fd in (*theirs, *ours))
        for fd in (*fds, *theirs, *ours):
            os.close(fd)
        one.close()
        other.close()

    asyncio.run(run())


def test_an_end_that_is_gone_gives_no_descriptors() -> None:
    async def run() -> None:
        one, other = socket.socketpair()
        one.setblocking(False)
        other.close()
        with pytest.raises(ConnectionError):
            await swap(one, [], 1)
        one.close()
        one, other = socket.socketpair()
        one.setblocking(False)
        asyncio.get_running_loop().call_later(0.01, other.close)
        with pytest.raises(ConnectionError):
            await swap(one, [], 1)
        one.close()

    asyncio.run(run())
