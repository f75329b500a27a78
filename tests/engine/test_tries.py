"""When the other number of runs at once is tried."""

from __future__ import annotations

from modelport.engine.tries import Tries


def choices(tries: Tries, gains: bool, count: int, *, clearly: float = 1.2) -> list[bool]:
    """Whether each run was one more at once; every one starts as it was chosen."""
    found = []
    for _ in range(count):
        beside = tries.chosen(clearly if gains else 1 / clearly)
        tries.started(not beside)
        tries.idle()
        found.append(beside)
    return found


def where(made: list[bool], chosen: bool) -> list[int]:
    return [n for n, each in enumerate(made) if each is chosen]


def test_what_gains_is_done_and_the_other_way_is_tried_ever_more_seldom() -> None:
    made = choices(Tries(), False, 700)
    assert where(made, True) == [*range(8, 14), *range(142, 148), *range(660, 666)]


def test_what_gains_from_a_moment_on_is_done_from_then_on() -> None:
    tries = Tries()
    choices(tries, False, 100)
    made = choices(tries, True, 100)
    assert where(made, False) == [*range(42, 45)]


def test_a_try_that_changes_what_is_done_is_followed_by_another_soon() -> None:
    """It may have been a moment in which the machine was slow."""
    tries = Tries()
    assert choices(tries, False, 14)[8:] == [True] * 6
    made = choices(tries, True, 200)  # they gained, and are done from now on
    assert where(made, False) == [*range(32, 35), *range(163, 166)]


def test_where_either_way_will_do_a_change_brings_no_further_tries() -> None:
    """Each try makes somebody wait, and would often end with the other way."""
    tries = Tries()
    choices(tries, False, 14)
    made = choices(tries, True, 200, clearly=1.02)
    assert where(made, False) == [*range(128, 131)]


def test_the_last_run_of_a_try_of_one_less_is_alone_until_its_end() -> None:
    """Another beside it would take a core from it, and it would say nothing."""
    tries = Tries()
    choices(tries, True, 8)
    for _ in range(3):
        assert not tries.chosen(1.2)
        tries.started(True)
    assert not tries.chosen(1.2)
    assert tries.is_on
    tries.idle()
    assert tries.chosen(1.2)
    assert not tries.is_on


def test_a_try_goes_on_though_each_time_another_way_gains() -> None:
    """As where 24 rows run alone, and for the 8 that are left a run beside others is better."""
    tries = Tries()
    made = [choices(tries, gains, 1)[0] for gains in [False, True] * 100]
    is_tried = [
        chosen is not gains for chosen, gains in zip(made, [False, True] * 100, strict=True)
    ]
    assert where(made[8:14], False) == []
    assert where(is_tried, True) == [8, 10, 12, 142, 144, 146]


def test_a_run_that_had_no_choice_is_no_try() -> None:
    tries = Tries()
    assert [tries.chosen(1.2) for _ in range(3)] == [True] * 3
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
        while tries.chosen(0.8):
            tries.started(False, telling(count))
            count += 1
        assert count == expected
