"""What is sent in one turn of an event loop leaves together, in order, and is not held for long."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from modelport.kit.outbox import Outbox


class Wire:
    """A client's transport that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.sent.append(data)

    def is_closing(self) -> bool:
        return self.is_closed


class World:
    """An outbox in its loop, on a clock that stands still until it is turned."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 0.0
        self.loop = loop
        self.outbox = Outbox(lambda: self.now)
        self.wires = [Wire() for _ in range(3)]

    def send(self, number: int, data: bytes) -> None:
        wire: Any = self.wires[number]
        self.outbox.send(self.loop, wire, data)

    @property
    def sent(self) -> list[list[bytes]]:
        return [wire.sent for wire in self.wires]

    async def busy_turn(self) -> None:
        """A turn with two answers, so that the next one is expected to have several."""
        self.send(0, b"-")
        self.send(1, b"-")
        await asyncio.sleep(0)
        for wire in self.wires:
            wire.sent.clear()


def in_a_loop(scene: Callable[[World], Any]) -> None:
    async def main() -> None:
        await scene(World(asyncio.get_running_loop()))

    asyncio.run(main())


def test_what_is_sent_in_one_turn_leaves_at_its_end_in_order() -> None:
    async def scene(world: World) -> None:
        await world.busy_turn()
        for number, data in [(0, b"a"), (1, b"b"), (0, b"c")]:
            world.send(number, data)
        assert world.sent == [[], [], []]
        await asyncio.sleep(0)
        assert world.sent == [[b"a", b"c"], [b"b"], []]

    in_a_loop(scene)


def test_a_lone_answer_leaves_at_once() -> None:
    async def scene(world: World) -> None:
        for _ in range(3):
            world.send(0, b"a")
            assert world.sent[0][-1:] == [b"a"]
            world.wires[0].sent.clear()
            await asyncio.sleep(0)
            assert world.sent[0] == []

    in_a_loop(scene)


def test_after_a_turn_with_one_answer_the_next_is_not_held() -> None:
    async def scene(world: World) -> None:
        await world.busy_turn()
        world.send(0, b"a")
        await asyncio.sleep(0)
        world.send(1, b"b")
        assert world.sent == [[b"a"], [b"b"], []]

    in_a_loop(scene)


@pytest.mark.parametrize(("seconds", "leaves"), [(0.0004, False), (0.0006, True)])
def test_nothing_is_held_for_long(seconds: float, leaves: bool) -> None:
    async def scene(world: World) -> None:
        await world.busy_turn()
        world.send(0, b"a")
        world.now += seconds
        world.send(1, b"b")
        assert world.sent == ([[b"a"], [b"b"], []] if leaves else [[], [], []])
        world.send(2, b"c")
        assert world.sent[2] == []  # it is held from its own time on
        await asyncio.sleep(0)
        assert world.sent == [[b"a"], [b"b"], [b"c"]]

    in_a_loop(scene)


def test_much_is_sent_at_once_after_what_is_held() -> None:
    async def scene(world: World) -> None:
        await world.busy_turn()
        world.send(0, b"a")
        world.send(0, b"b" * 5000)
        assert world.sent[0] == [b"a", b"b" * 5000]

    in_a_loop(scene)


def test_whoever_flushes_comes_after_what_is_held() -> None:
    async def scene(world: World) -> None:
        await world.busy_turn()
        world.send(0, b"a")
        world.outbox.flush()
        assert world.sent[0] == [b"a"]
        await asyncio.sleep(0)
        assert world.sent[0] == [b"a"]

    in_a_loop(scene)


def test_a_client_that_left_takes_nothing_from_the_others() -> None:
    async def scene(world: World) -> None:
        await world.busy_turn()
        for number in range(3):
            world.send(number, b"a")
        world.wires[1].is_closed = True
        await asyncio.sleep(0)
        assert world.sent == [[b"a"], [], [b"a"]]

    in_a_loop(scene)
