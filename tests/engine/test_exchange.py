"""Tensors on their way between two processes, here both ends in one."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelport.core.errors import InvalidInput, Overloaded
from modelport.core.tensors import DType, bytes_tensor
from modelport.engine.exchange import (
    INLINE_BYTES,
    Failed,
    Refused,
    Release,
    Tensor,
    Tensors,
    plain,
)
from modelport.kit.arena import Arena, Window

MIB = 1024 * 1024


class Way:
    """One direction: what one side packs, the other unpacks."""

    def __init__(self, size: int = 4 * MIB) -> None:
        self.arena = Arena(size)
        other = Arena(MIB)
        self.told: list[int] = []
        self.writer = Tensors(self.arena, Window(os.dup(other.fd)), lambda release: None)
        self.reader = Tensors(other, Window(os.dup(self.arena.fd)), self._on_release)

    def _on_release(self, release: Release) -> None:
        self.told += release.places
        self.writer.give(release.places)

    def carried(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch as it comes out, through the bytes of a message."""
        packed = msgspec.msgpack.encode(self.writer.pack(batch))
        return self.reader.unpack(msgspec.msgpack.decode(packed, type=tuple[Tensor, ...]))


def in_loop(work: Callable[[Way], Awaitable[None]], size: int = 4 * MIB) -> None:
    async def run() -> None:
        way = Way(size)
        await work(way)
        gc.collect()
        await asyncio.sleep(0)
        assert way.arena.taken_bytes == 0, "everything was given back"

    asyncio.run(run())


@pytest.fixture(scope="module")
def shared_way() -> Iterator[tuple[asyncio.Runner, Way]]:
    with asyncio.Runner() as runner:

        async def make() -> Way:
            return Way()

        yield runner, runner.run(make())


SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=20)
NUMBERS = st.sampled_from([t for t in DType if t is not DType.BYTES])


@given(st.data())
def test_numbers_arrive_bit_for_bit(
    shared_way: tuple[asyncio.Runner, Way], data: st.DataObject
) -> None:
    runner, way = shared_way
    dtype, shape = data.draw(NUMBERS), data.draw(SHAPES)
    raw = np.random.default_rng(data.draw(st.integers(0, 2**32))).bytes(8 * 160_000)
    count = int(np.prod(shape))
    flat = np.frombuffer(raw, dtype.numpy, count)
    sent = (flat % 2 == 0 if dtype is DType.BOOL else flat).reshape(shape)
    if data.draw(st.booleans()):
        sent = sent.T

    async def carry() -> None:
        got = way.carried({"x": sent})["x"]
        assert got.dtype == sent.dtype
        assert got.shape == sent.shape
        assert got.tobytes() == sent.tobytes()

    runner.run(carry())
    assert way.arena.taken_bytes == 0


@pytest.mark.parametrize("size", [0, 10, INLINE_BYTES])
def test_texts_arrive_as_they_are(size: int) -> None:
    texts = bytes_tensor([b"", b"\xff\0", b"x" * size, "ä".encode()], (2, 2))

    async def work(way: Way) -> None:
        got = way.carried({"t": texts})["t"]
        assert got.tolist() == texts.tolist()

    in_loop(work)


def test_a_large_tensor_is_not_copied_by_its_reader() -> None:
    async def work(way: Way) -> None:
        got = way.carried({"x": np.zeros(2000)})["x"]
        at = next(iter(way.arena._taken))
        way.arena.memory[at : at + 8] = np.float64(7).tobytes()
        assert got[0] == 7
        assert not got.flags.writeable

    in_loop(work)


def test_a_place_is_given_back_when_the_last_view_of_it_is_gone() -> None:
    async def work(way: Way) -> None:
        got = way.carried({"x": np.arange(2000.0), "y": np.arange(3000.0)})
        part = got["x"][5:10].reshape(5, 1)
        del got
        await asyncio.sleep(0)
        assert len(way.told) == 1
        assert part.ravel().tolist() == [5, 6, 7, 8, 9]
        del part
        await asyncio.sleep(0)
        assert len(way.told) == 2

    in_loop(work)


def test_the_last_view_may_go_in_another_thread() -> None:
    async def work(way: Way) -> None:
        held = [way.carried({"x": np.arange(2000.0)})]
        thread = threading.Thread(target=held.clear)
        thread.start()
        await asyncio.to_thread(thread.join)
        await asyncio.sleep(0.01)
        assert len(way.told) == 1

    in_loop(work)


def test_what_has_no_room_is_refused_and_leaves_nothing_behind() -> None:
    async def work(way: Way) -> None:
        batch = {"a": np.zeros(5000), "b": np.zeros(MIB)}
        with pytest.raises(Overloaded, match="no room"):
            way.writer.pack(batch)

    in_loop(work)


def test_what_has_no_type_is_refused_and_leaves_nothing_behind() -> None:
    async def work(way: Way) -> None:
        with pytest.raises(InvalidInput):
            way.writer.pack({"a": np.zeros(5000), "b": np.zeros(3, np.complex64)})

    in_loop(work)


def test_a_place_outside_the_arena_is_not_read() -> None:
    async def work(way: Way) -> None:
        beyond = Tensor("x", DType.FP64, (1000,), b"", 4 * MIB - 64, 8000)
        with pytest.raises(ValueError, match="8000 bytes at"):
            way.reader.unpack([beyond])
        short = Tensor("x", DType.FP64, (1000,), b"", 0, 800)
        with pytest.raises(InvalidInput, match="takes 8000 bytes"):
            way.reader.unpack([short])

    in_loop(work)


def test_an_error_crosses_with_the_facts_that_are_plain() -> None:
    error = InvalidInput("bad \udcff", tensor="x", got=[1, 2], odd=object(), most=2**64)
    crossed = msgspec.msgpack.decode(msgspec.msgpack.encode(Refused.of(3, error)), type=Refused)
    assert (crossed.code, crossed.message) == ("INVALID_INPUT", "bad \\udcff")
    assert crossed.detail == plain(error.detail) == {"tensor": "x", "got": [1, 2]}


def test_the_error_of_a_load_keeps_what_is_for_the_operator() -> None:
    error = Failed(1, "CORRUPT_MODEL", "damaged", "damaged: /srv/x", {}).error
    assert (type(error).__name__, error.message, str(error)) == (
        "CorruptModel",
        "damaged",
        "damaged: /srv/x",
    )
