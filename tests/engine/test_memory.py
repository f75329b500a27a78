"""Which models are in memory, as decisions alone."""

from __future__ import annotations

import pytest

from modelport.core.errors import Overloaded
from modelport.engine.lifecycle import Version
from modelport.engine.memory import Memory
from modelport.repository.layout import Source

MIB = 1024**2


def version(name: str, size_mib: float, last_used: float = 0.0, in_flight: int = 0) -> Version:
    made = Version(Source(name=name, version="1", path="", toml=""))
    made.size_bytes, made.last_used, made.in_flight = int(size_mib * MIB), last_used, in_flight
    return made


def memory(budget_mib: float, *pinned: str) -> Memory:
    return Memory(budget_bytes=int(budget_mib * MIB), pinned=frozenset(pinned))


def names(versions: list[Version]) -> list[str]:
    return [version.name for version in versions]


def test_without_a_budget_everything_fits_and_nobody_goes() -> None:
    resident = [version("a", 10_000)]
    huge = version("b", 10_000)
    assert not Memory().is_bounded
    assert Memory().fits(huge, resident)
    assert Memory().victims(huge, resident) == []
    assert Memory().never_fits(huge) is None


def test_where_there_is_room_nobody_goes() -> None:
    resident = [version("a", 4), version("b", 4)]
    assert memory(10).fits(version("c", 2), resident)
    assert memory(10).victims(version("c", 2), resident) == []
    assert not memory(10).fits(version("c", 3), resident)


def test_the_least_recently_used_go_and_no_more_than_needed() -> None:
    resident = [version("a", 4, 3.0), version("b", 4, 1.0), version("c", 2, 2.0)]
    assert names(memory(10).victims(version("d", 1), resident)) == ["b"]
    assert names(memory(10).victims(version("d", 5), resident)) == ["b", "c"]
    assert names(memory(10).victims(version("d", 10), resident)) == ["b", "c", "a"]


def test_a_version_that_is_in_memory_already_is_counted_once() -> None:
    new, old = version("new", 8), version("old", 4)
    assert names(memory(10).victims(new, [new, old])) == ["old"]
    assert memory(8).victims(new, [new]) == []


def test_pinned_and_busy_ones_stay() -> None:
    resident = [version("a", 4, 1.0), version("b", 4, 2.0, in_flight=1), version("c", 2, 3.0)]
    assert names(memory(10, "a").victims(version("d", 2), resident)) == ["c"]
    with pytest.raises(Overloaded) as caught:
        memory(10, "a").victims(version("d", 3), resident)
    assert caught.value.message == (
        "model 'd' takes 3.0 MiB, and of the 10.0 MiB that models have in each worker 4.0 MiB are"
        " pinned and 4.0 MiB in use; try again later"
    )
    assert caught.value.retry_after_s == 1


def test_what_pinned_ones_leave_no_room_for_is_not_tried_again_soon() -> None:
    with pytest.raises(Overloaded) as caught:
        memory(10, "a").victims(version("d", 7), [version("a", 4)])
    assert caught.value.retry_after_s == 30


def test_what_leaves_already_is_waited_for_and_not_taken_from_others_twice() -> None:
    resident = [version("a", 4, in_flight=1)]
    assert memory(10).victims(version("b", 6), resident, leaving_bytes=5 * MIB) == []
    assert not memory(10).fits(version("b", 6), resident, leaving_bytes=5 * MIB)
    with pytest.raises(Overloaded, match=r"9\.0 MiB in use"):
        memory(10).victims(version("b", 7), resident, leaving_bytes=5 * MIB)


def test_a_version_larger_than_the_budget_never_fits() -> None:
    assert memory(10).never_fits(version("a", 10)) is None
    refusal = memory(10).never_fits(version("a", 10.5))
    assert refusal is not None
    assert refusal.message == (
        "version 1 of 'a' takes 10.5 MiB, and models have 10.0 MiB in each worker"
    )
    assert refusal.retry_after_s == 30


def test_lazy_leaves_all_but_the_pinned_for_their_first_request() -> None:
    lazy = Memory(lazy=True, pinned=frozenset({"a"}))
    assert not lazy.waits(version("a", 1))
    assert lazy.waits(version("b", 1))
    assert not Memory().waits(version("b", 1))
