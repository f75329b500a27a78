from __future__ import annotations

import mmap
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.kit.arena import ALIGNMENT, Arena, ArenaFull, Window

MIB = 1024 * 1024


def resident_blocks(arena: Arena) -> int:
    """The bytes that the file really takes."""
    return os.fstat(arena.fd).st_blocks * 512


@given(st.lists(st.one_of(st.integers(0, 5000), st.integers(-40, -1)), max_size=80))
def test_stretches_never_overlap_and_all_come_back(steps: list[int]) -> None:
    arena = Arena(64 * 1024, head_bytes=100)
    taken: dict[int, int] = {}
    for step in steps:
        if step >= 0:
            try:
                at = arena.take(step)
            except ArenaFull:
                assert sum(taken.values()) + step > 16 * 1024, "it was far from full"
                continue
            length = max(1, step)
            assert at % ALIGNMENT == 0
            assert at >= 100
            assert at + length <= 64 * 1024
            assert all(at + length <= a or a + n <= at for a, n in taken.items())
            taken[at] = length
        elif taken:
            at = list(taken)[step % len(taken)]
            arena.give(at)
            del taken[at]
    for at in list(taken):
        arena.give(at)
    assert arena.taken_bytes == 0
    assert arena.take(64 * 1024 - 128) == 128, "it is in one piece again"
    arena.close()


def test_the_lowest_stretch_that_is_long_enough_is_taken() -> None:
    arena = Arena(MIB)
    places = [arena.take(1000) for _ in range(4)]
    arena.give(places[0])
    arena.give(places[2])
    assert arena.take(2000) == places[3] + 1024
    assert arena.take(1000) == places[0]
    assert arena.take(64) == places[2]
    arena.close()


def test_a_place_is_given_back_once() -> None:
    arena = Arena(MIB)
    at = arena.take(10)
    arena.give(at)
    with pytest.raises(KeyError):
        arena.give(at)
    arena.close()


def test_what_is_full_says_so() -> None:
    arena = Arena(mmap.PAGESIZE)
    arena.take(mmap.PAGESIZE)
    with pytest.raises(ArenaFull, match="4096 bytes are taken, and 1 were wanted"):
        arena.take(1)
    arena.close()


def test_only_what_was_written_takes_memory_and_much_of_it_goes_back() -> None:
    arena = Arena(1024 * MIB, kept_bytes=MIB)
    assert resident_blocks(arena) == 0
    at = arena.take(8 * MIB)
    arena.memory[at : at + 8 * MIB] = b"\1" * (8 * MIB)
    assert resident_blocks(arena) == 8 * MIB
    arena.give(at)
    assert resident_blocks(arena) == MIB
    assert arena.memory[at : at + 3] == b"\1\1\1"
    arena.close()


def test_the_other_side_reads_what_was_written_and_writes_nothing() -> None:
    arena = Arena(MIB)
    window = Window(os.dup(arena.fd))
    at = arena.take(5)
    arena.memory[at : at + 5] = b"hello"
    assert bytes(window.part(at, 5)) == b"hello"
    assert window.part(at, 5).readonly
    arena.close()
    assert bytes(window.part(at, 5)) == b"hello"


@pytest.mark.parametrize(("at", "size"), [(-1, 1), (0, MIB + 1), (MIB, 1), (0, -1)])
def test_what_lies_outside_is_not_read(at: int, size: int) -> None:
    arena = Arena(MIB)
    window = Window(os.dup(arena.fd))
    with pytest.raises(ValueError, match=f"{size} bytes at {at} of {MIB}"):
        window.part(at, size)
    arena.close()


def test_memory_that_could_be_cut_off_is_not_taken() -> None:
    fd = os.memfd_create("test")
    os.ftruncate(fd, 4096)
    with pytest.raises(ValueError, match="not sealed"):
        Window(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_an_arena_cannot_be_cut_off() -> None:
    arena = Arena(MIB)
    with pytest.raises(PermissionError):
        os.ftruncate(arena.fd, 0)
    arena.close()
