"""When a size beside the best is tried again."""

from __future__ import annotations

from collections.abc import Sequence

from modelport.engine.looks import Looks


def looked(
    looks: Looks, best: int, count: int, smaller: Sequence[int] = (), most: int = 64
) -> dict[int, int]:
    """The sizes that so many batches were to try, by the number of the batch."""
    made = (looks.due(best, smaller, most) for _ in range(count))
    return {n: size for n, size in enumerate(made, 1) if size}


def test_a_larger_and_a_smaller_size_are_tried_in_turn() -> None:
    assert looked(Looks(), 16, 32, [12, 8]) == {8: 24, 16: 8, 24: 24, 32: 12}


def test_where_nothing_smaller_is_as_good_larger_ones_are_tried_alone() -> None:
    assert looked(Looks(), 16, 24) == {8: 24, 16: 24, 24: 24}


def test_where_there_are_too_few_rows_smaller_sizes_are_tried_alone() -> None:
    assert looked(Looks(), 16, 24, [12, 8], most=20) == {8: 8, 16: 12, 24: 8}


def test_a_look_waits_for_a_batch_that_has_the_choice() -> None:
    looks = Looks()
    assert looked(looks, 16, 20, most=16) == {}
    assert looked(looks, 16, 20, most=32) == {1: 24, 9: 24, 17: 24}


def test_of_the_smallest_sizes_any_up_to_eight_may_be_better() -> None:
    assert list(looked(Looks(), 2, 40).values()) == [4, 6, 8, 4, 6]
    assert set(looked(Looks(), 1, 40).values()) == {2, 4}
    assert set(looked(Looks(), 8, 40).values()) == {12}


def test_as_long_as_nothing_proves_better_looks_are_ever_more_seldom() -> None:
    found = sorted(looked(Looks(), 16, 4000, [12]))
    assert found[:11] == [8, 16, 24, 32, 40, 48, 56, 64, 80, 112, 176]
    assert found[-1] - found[-2] == 512


def test_what_proves_better_is_soon_looked_at_again() -> None:
    looks = Looks()
    looked(looks, 16, 176, [12])
    assert looks.size == 24
    looks.saw(is_better=True)
    assert looked(looks, 16, 16, [12]) == {8: 24, 16: 24}
    looks.saw(is_better=False)  # it was chance
    assert looked(looks, 16, 16, [12]) == {8: 12}


def test_another_best_size_is_looked_beside_soon() -> None:
    looks = Looks()
    looked(looks, 16, 4000, [12])
    assert min(looked(looks, 12, 200, [8])) == 8
