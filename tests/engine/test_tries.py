"""When the other number of runs at once is tried."""

from __future__ import annotations

from modelport.engine.tries import Tries


def batches(tries: Tries, gains: bool, first: int, count: int) -> list[bool]:
    """The choice at each batch, of which every run starts as it was chosen."""
    found = []
    for n in range(first, first + count):
        beside = tries.chosen(gains, n)
        tries.started(not beside, n + 1)
        found.append(beside)
    return found


def test_what_gains_is_done_and_the_other_way_is_tried_ever_more_seldom() -> None:
    tries = Tries()
    made = batches(tries, False, 0, 400)
    beside = [n for n, chosen in enumerate(made) if chosen]
    assert beside == [*range(8, 14), *range(78, 84), *range(212, 218)]


def test_it_is_tried_often_again_when_something_else_gains() -> None:
    tries = Tries()
    batches(tries, False, 0, 100)
    made = batches(tries, True, 212, 100)
    alone = [212 + n for n, chosen in enumerate(made) if not chosen]
    assert alone == [*range(212, 218), *range(282, 288)]


def test_a_run_that_had_no_choice_is_no_try() -> None:
    tries = Tries()
    assert [tries.chosen(True, n) for n in range(3)] == [True] * 3
    tries.started(False, 3)
    for n in range(8, 40):  # a size is tried alone: nobody asks which way is better
        tries.started(True, n)
    assert batches(tries, False, 40, 7) == [True] * 6 + [False]
