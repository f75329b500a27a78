"""When the other number of runs at once is tried."""

from __future__ import annotations

from modelport.engine.tries import Tries


def choices(tries: Tries, gains: bool, count: int) -> list[bool]:
    """Whether each run was one more at once; every one starts as it was chosen."""
    found = []
    for _ in range(count):
        beside = tries.chosen(gains)
        tries.started(not beside)
        found.append(beside)
    return found


def where(made: list[bool], chosen: bool) -> list[int]:
    return [n for n, each in enumerate(made) if each is chosen]


def test_what_gains_is_done_and_the_other_way_is_tried_ever_more_seldom() -> None:
    made = choices(Tries(), False, 400)
    assert where(made, True) == [*range(8, 14), *range(78, 84), *range(212, 218)]


def test_what_does_not_gain_any_more_is_not_tried_at_once() -> None:
    """It was the way until now: what is known of it is of this moment."""
    tries = Tries()
    choices(tries, False, 100)
    made = choices(tries, True, 200)
    assert where(made, False) == [*range(128, 131)]


def test_where_both_are_alike_and_what_gains_is_never_the_same_the_tries_stay_seldom() -> None:
    tries = Tries()
    choices(tries, False, 1000)
    made = [choices(tries, gains, 1)[0] is gains for gains in [True, False] * 200]
    assert all(made)


def test_a_run_that_had_no_choice_is_no_try() -> None:
    tries = Tries()
    assert [tries.chosen(True) for _ in range(3)] == [True] * 3
    tries.started(False)
    for _ in range(32):  # a size is tried alone: nobody asks which way is better
        tries.started(True)
    made = choices(tries, True, 40)
    assert where(made, False) == [*range(31, 34)]
