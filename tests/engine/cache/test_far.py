"""The store on a server: right answers or none, soon, whatever happens to the server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from modelport.engine.cache.breaker import Breaker
from modelport.engine.cache.entry import seal
from modelport.engine.cache.far import FarStore
from modelport.engine.cache.redis_link import CALL_S, CONNECT_S, LinkBusy, LinkFailed, RedisLink
from tests.engine.cache.clock import Clock
from tests.engine.cache.redis_server import Fault, Proxy, RedisServer, redis_server

HEALS_S = 10.0


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Memory:
    """A link to a dict, which fails as it is told and counts its calls."""

    def __init__(self) -> None:
        self.values: dict[bytes, object] = {}
        self.fails_get = False
        self.fails_put = False
        self.waits: asyncio.Event | None = None
        self.calls = 0

    async def get(self, key: bytes) -> object:
        self.calls += 1
        if self.fails_get:
            raise LinkFailed("timeout")
        return self.values.get(key)

    async def put(self, key: bytes, value: bytes, ttl_s: float) -> None:
        if self.waits is not None:
            await self.waits.wait()
        if self.fails_put:
            raise LinkFailed("OutOfMemoryError")
        self.values[key] = value

    async def close(self) -> None:
        pass


async def written(store: FarStore) -> None:
    if store._writer is not None:
        async with asyncio.timeout(5):
            await store._writer


def test_a_value_that_is_cut_changed_or_anothers_is_a_miss() -> None:
    async def main() -> None:
        memory = Memory()
        store = FarStore(memory, 60, "test", reads=Breaker(failures=1000))
        store.put(key(1), b"payload")
        await written(store)
        ((place, entry),) = memory.values.items()
        assert bytes(await store.get(key(1)) or b"") == b"payload"
        assert isinstance(entry, bytes)
        foreign = seal(key(2), b"payload")
        for wrong in (b"", entry[:-1], entry[:5], entry + b"x", foreign, b"OK", 7, [b"x"], "text"):
            memory.values[place] = wrong
            assert await store.get(key(1)) is None
        assert store.errors == {"corrupt": 9}
        await store.close()

    asyncio.run(main())


def test_a_large_value_comes_back_and_one_that_is_too_large_is_not_stored() -> None:
    async def main() -> None:
        memory = Memory()
        store = FarStore(memory, 60, "test")
        store.put(key(1), bytes(500_000))
        store.put(key(2), bytes(1_100_000))
        await written(store)
        assert bytes(await store.get(key(1)) or b"") == bytes(500_000)
        assert (store.stored, len(memory.values)) == (1, 1)
        await store.close()

    asyncio.run(main())


def test_while_it_does_not_answer_nobody_asks_and_a_probe_closes_the_circuit() -> None:
    async def main() -> None:
        memory, clock = Memory(), Clock()
        store = FarStore(memory, 60, "test", reads=Breaker(first_pause_s=1, clock=clock))
        store.put(key(1), b"payload")
        await written(store)
        memory.fails_get = True
        for _ in range(100):
            assert await store.get(key(1)) is None
        assert (memory.calls, store.is_open) == (3, True)
        clock.now = 1.0
        for _ in range(100):
            assert await store.get(key(1)) is None
        await asyncio.sleep(0.01)
        assert (memory.calls, store.is_open) == (4, True)  # one probe for all of them
        memory.fails_get = False
        clock.now = 3.0
        assert await store.get(key(1)) is None
        await asyncio.sleep(0.01)
        assert not store.is_open
        assert bytes(await store.get(key(1)) or b"") == b"payload"
        await store.close()

    asyncio.run(main())


def test_calls_that_wait_for_each_other_do_not_open_the_circuit() -> None:
    class Busy(Memory):
        async def get(self, key: bytes) -> object:
            raise LinkBusy("busy")

    async def main() -> None:
        store = FarStore(Busy(), 60, "test")
        for _ in range(10):
            assert await store.get(key(1)) is None
        assert not store.is_open
        assert store.errors == {"busy": 10}

    asyncio.run(main())


def test_a_probe_that_ends_with_the_store_leaves_nothing_behind() -> None:
    class Hanging(Memory):
        async def get(self, key: bytes) -> object:
            if b"probe" in key:
                await asyncio.Event().wait()
            raise LinkFailed("timeout")

    async def main() -> None:
        clock = Clock()
        store = FarStore(Hanging(), 60, "test", reads=Breaker(failures=1, clock=clock))
        await store.get(key(1))
        clock.now = 10
        await store.get(key(1))
        await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await store.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_server_that_takes_no_answers_is_read_all_the_same() -> None:
    async def main() -> None:
        memory, clock = Memory(), Clock()
        store = FarStore(memory, 60, "test", writes=Breaker(first_pause_s=1, clock=clock))
        store.put(key(1), b"payload")
        await written(store)
        memory.fails_put = True
        for number in range(10):
            store.put(key(2), b"payload %d" % number)
            await written(store)
        assert store.errors == {"OutOfMemoryError": 3}
        assert store.dropped == 10
        assert not store.is_open
        assert bytes(await store.get(key(1)) or b"") == b"payload"
        clock.now = 1.0
        for number in (5, 6):  # the first is a probe, and the second not made
            store.put(key(number), b"payload")
        await written(store)
        assert store.errors == {"OutOfMemoryError": 4}
        assert store.dropped == 12
        memory.fails_put = False
        clock.now = 3.0
        for number in (3, 4):
            store.put(key(number), b"payload")
        await written(store)
        assert store.stored == 3
        await store.close()

    asyncio.run(main())


def test_writes_that_cannot_keep_up_are_dropped_and_nobody_waits_for_them() -> None:
    async def main() -> None:
        memory = Memory()
        memory.waits = asyncio.Event()
        store = FarStore(memory, 60, "test")
        started = time.monotonic()
        for number in range(1000):
            store.put(key(number), bytes(100_000))
        assert time.monotonic() - started < 0.5
        await asyncio.sleep(0)
        assert 800 < store.dropped < 1000  # 16 MiB wait at most
        await store.close()
        assert not memory.values

    asyncio.run(main())


# -- with a real Redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


async def asked_s(store: FarStore, span_s: float) -> list[float]:
    """Ask for what is there and for what is not, for a while; how long each took, sorted."""
    took_s: list[float] = []
    until, number = time.monotonic() + span_s, 0
    while time.monotonic() < until:
        number += 1
        started = time.monotonic()
        found = await store.get(key(number % 10))
        took_s.append(time.monotonic() - started)
        assert found is None or bytes(found) == b"payload %d" % (number % 10)
        store.put(key(number % 10), b"payload %d" % (number % 10))
        await asyncio.sleep(0.001)
    return sorted(took_s)


def most_s(took_s: list[float]) -> float:
    """What 98 of 100 took at most: the machine may stop for a moment, too."""
    return took_s[len(took_s) * 98 // 100]


async def heals_s(store: FarStore) -> float:
    """How long it takes until it finds what it stores."""
    started = time.monotonic()
    async with asyncio.timeout(HEALS_S):
        while True:
            store.put(key(3), b"payload 3")
            await asyncio.sleep(0.01)
            if await store.get(key(3)) is not None:
                return time.monotonic() - started


def with_store(redis: RedisServer, test: Callable[[FarStore, Proxy], Awaitable[None]]) -> None:
    async def main() -> None:
        proxy = Proxy(redis.port)
        await proxy.set("none")
        store = FarStore(RedisLink(proxy.url), 60, "test")
        try:
            await asked_s(store, 0.3)
            assert store.stored > 0
            await test(store, proxy)
        finally:
            await store.close()
            await proxy.close()

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["refuses", "deaf", "swallows", "delays", "resets", "truncates"])
def test_whatever_stands_between_costs_little_and_is_over_when_it_heals(
    redis: RedisServer, fault: Fault
) -> None:
    async def test(store: FarStore, proxy: Proxy) -> None:
        await proxy.set(fault)
        assert (await asked_s(store, 1.0))[-1] < CALL_S + CONNECT_S + 0.3
        assert store.is_open
        assert most_s(await asked_s(store, 1.0)) < 0.02  # probes do not keep anybody waiting
        await proxy.set("none")
        assert await heals_s(store) < HEALS_S

    with_store(redis, test)


@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_a_server_that_dies_or_hangs_is_done_without_until_it_is_back(
    redis: RedisServer, fault: str
) -> None:
    async def test(store: FarStore, proxy: Proxy) -> None:
        if fault == "killed":
            redis.stop()
        else:
            os.kill(redis.pid, signal.SIGSTOP)
        assert (await asked_s(store, 1.0))[-1] < CALL_S + CONNECT_S + 0.3
        assert most_s(await asked_s(store, 1.0)) < 0.02
        if fault == "killed":
            await asyncio.to_thread(redis.start)
        else:
            os.kill(redis.pid, signal.SIGCONT)
        assert await heals_s(store) < HEALS_S

    with_store(redis, test)


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_server_that_is_full_or_read_only_is_still_read(redis: RedisServer, fault: str) -> None:
    broken, mended = {
        "full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        "read-only": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    }[fault]

    async def test(store: FarStore, proxy: Proxy) -> None:
        assert redis.ask(*broken).startswith(b"+OK")
        assert most_s(await asked_s(store, 1.0)) < 0.02
        assert await store.get(key(1)) is not None
        stored = store.stored
        assert store.dropped > 0
        assert redis.ask(*mended).startswith(b"+OK")
        await asked_s(store, 1.5)
        assert store.stored > stored

    with_store(redis, test)


def test_a_server_that_was_flushed_or_asks_for_a_password_gives_misses(redis: RedisServer) -> None:
    async def test(store: FarStore, proxy: Proxy) -> None:
        redis.ask("FLUSHALL")
        assert await store.get(key(1)) is None
        assert await heals_s(store) < 1
        redis.ask("CONFIG", "SET", "requirepass", "x")
        await proxy.set("refuses")  # connections that are open may go on
        await proxy.set("none")
        assert (await asked_s(store, 0.5))[-1] < CALL_S + CONNECT_S + 0.3
        assert store.is_open
        assert await store.get(key(3)) is None

    with_store(redis, test)
