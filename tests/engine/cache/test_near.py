"""Answers in the process: bounded in bytes and in time."""

from __future__ import annotations

from modelport.engine.cache.near import NearStore
from tests.engine.cache.clock import Clock


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_the_least_recently_used_makes_room_and_the_bound_is_kept() -> None:
    store = NearStore(20_000, 10)
    for number in range(100):
        assert store.put(key(number), bytes(1000))
        assert store.get(key(0)) is not None  # used all the time
        assert store.taken_bytes <= 20_000
    assert len(store) == 15
    assert store.get(key(1)) is None
    assert store.get(key(99)) is not None


def test_an_entry_is_forgotten_when_its_time_is_over() -> None:
    clock = Clock()
    store = NearStore(20_000, 10, clock)
    store.put(key(1), b"one")
    clock.now = 9.9
    assert store.get(key(1)) == b"one"
    clock.now = 10.0
    assert store.get(key(1)) is None
    assert (len(store), store.taken_bytes) == (0, 0)


def test_what_would_take_an_eighth_of_all_is_not_kept() -> None:
    store = NearStore(20_000, 10)
    assert not store.put(key(1), bytes(2500))
    assert store.get(key(1)) is None
    assert store.taken_bytes == 0


def test_a_value_that_takes_the_place_of_another_counts_once() -> None:
    store = NearStore(20_000, 10)
    store.put(key(1), bytes(1000))
    store.put(key(1), bytes(10))
    assert (len(store), store.taken_bytes) == (1, 266)
