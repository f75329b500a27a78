"""Frames: whole messages over a unix socket, and what damaged ones do."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.kit.ipc import Channel


class Ping(msgspec.Struct, tag=True):
    number: int
    body: bytes = b""


class Pong(msgspec.Struct, tag=True):
    text: str


Both = Ping | Pong
Dialogue = Callable[
    [Channel[Both], Channel[Both], asyncio.StreamWriter], Coroutine[Any, Any, object]
]


def connected(folder: Path, dialogue: Dialogue) -> Any:
    """Run a dialogue on both ends of one real connection; the third is the bare writer."""

    async def main() -> object:
        path = folder / "s"
        path.unlink(missing_ok=True)
        accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        accepted = asyncio.Queue()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await accepted.put((reader, writer))

        server = await asyncio.start_unix_server(accept, path)
        reader, writer = await asyncio.open_unix_connection(path)
        there = await accepted.get()
        left: Channel[Both] = Channel(reader, writer, Both)
        right: Channel[Both] = Channel(*there, Both)
        try:
            async with asyncio.timeout(20):
                return await dialogue(left, right, writer)
        finally:
            left.close()
            right.close()
            server.close()
            await asyncio.gather(
                writer.wait_closed(), there[1].wait_closed(), return_exceptions=True
            )

    return asyncio.run(main())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.builds(Ping, st.integers(-(2**63), 2**63 - 1), st.binary()), max_size=5))
def test_messages_arrive_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, messages: list[Ping]
) -> None:
    async def dialogue(left: Channel[Both], right: Channel[Both], _: object) -> list[object]:
        for message in messages:
            await left.send(message)
        return [await right.receive() for _ in messages]

    assert connected(tmp_path_factory.mktemp("s"), dialogue) == messages


def test_both_ends_talk_at_once_with_large_messages(tmp_path: Path) -> None:
    large = bytes(3_000_000)

    async def dialogue(left: Channel[Both], right: Channel[Both], _: object) -> list[object]:
        async with asyncio.TaskGroup() as group:
            group.create_task(left.send(Ping(1, large)))
            group.create_task(right.send(Pong("x" * 3_000_000)))
            got = [group.create_task(right.receive()), group.create_task(left.receive())]
        return [task.result() for task in got]

    assert connected(tmp_path, dialogue) == [Ping(1, large), Pong("x" * 3_000_000)]


def test_the_end_of_the_connection_is_none(tmp_path: Path) -> None:
    async def dialogue(left: Channel[Both], right: Channel[Both], _: object) -> object:
        await left.send(Ping(1))
        left.close()
        return [await right.receive(), await right.receive()]

    assert connected(tmp_path, dialogue) == [Ping(1), None]


def test_a_message_cut_off_by_the_end_is_none(tmp_path: Path) -> None:
    async def dialogue(
        left: Channel[Both], right: Channel[Both], writer: asyncio.StreamWriter
    ) -> object:
        writer.write(struct.pack(">I", 100) + b"half")
        left.close()
        return await right.receive()

    assert connected(tmp_path, dialogue) is None


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack(">I", 2**32 - 1),
        struct.pack(">I", 1) + b"\xc1",
        struct.pack(">I", 0),
        struct.pack(">I", 1) + b"\x2a",
    ],
    ids=["too long", "not MessagePack", "empty", "another type"],
)
def test_what_is_no_message_is_an_error(tmp_path: Path, frame: bytes) -> None:
    async def dialogue(
        left: Channel[Both], right: Channel[Both], writer: asyncio.StreamWriter
    ) -> None:
        writer.write(frame)
        with pytest.raises(msgspec.DecodeError):
            await right.receive()

    connected(tmp_path, dialogue)


def test_a_message_that_the_other_end_would_refuse_is_not_sent(tmp_path: Path) -> None:
    async def dialogue(left: Channel[Both], right: Channel[Both], _: object) -> object:
        with pytest.raises(ValueError, match="a frame has 67108864 bytes at most, and this one"):
            await left.send(Ping(1, bytes(64 * 1024 * 1024)))
        await left.send(Ping(2))
        return await right.receive()

    assert connected(tmp_path, dialogue) == Ping(2)
