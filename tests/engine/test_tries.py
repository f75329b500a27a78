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


def test_what_gains_from_a_moment_on_is_done_from_then_on() -> None:
    tries = Tries()
    choices(tries, False, 100)
    made = choices(tries, True, 200)
    assert where(made, False) == [*range(112, 115)]


def test_a_try_goes_on_though_each_time_another_way_gains() -> None:
    """As where 24 rows run alone, and for the 8 that are left a run beside others is better."""
    tries = Tries()
    made = [choices(tries, gains, 1)[0] for gains in [False, True] * 100]
    is_tried = [
        chosen is not gains for chosen, gains in zip(made, [False, True] * 100, strict=True)
    ]
    assert where(made[8:14], False) == []
    assert where(is_tried, True) == [8, 10, 12, *range(78, 84, 2)]


def test_a_run_that_had_no_choice_is_no_try() -> None:
    tries = Tries()
    assert [tries.chosen(True) for _ in range(3)] == [True] * 3
    tries.started(False)
    for _ in range(32):  # a size is tried alone: nobody asks which way is better
        tries.started(True)
    made = choices(tries, True, 40)
    assert where(made, False) == [7, 8, 9]


def test_a_try_lasts_until_as_many_runs_said_something_but_not_for_ever() -> None:
    """What is left beside a run that took nearly all, and began before the try, says nothing."""
    for telling, expected in ((lambda n: n >= 10, 16), (lambda n: False, 32)):
        tries = Tries()
        choices(tries, False, 8)
        count = 0
        while tries.chosen(False):
            tries.started(False, telling(count))
            count += 1
        assert count == expected
