"""Probation: what puts a version on it, and what ends it."""

from __future__ import annotations

from modelport.engine.executor import HAND_OVER_S
from modelport.engine.probation import SLOW_S, Probation


def proofs(probation: Probation) -> int:
    """How many short runs it takes until it ends."""
    count = 0
    while probation.is_on:
        assert probation.stays_below_s == 0
        probation.ran(0.0001)
        count += 1
    assert probation.stays_below_s == HAND_OVER_S
    return count


def test_a_few_milliseconds_now_and_then_are_nothing() -> None:
    probation = Probation()
    for _ in range(100):
        probation.ran(0.9 * SLOW_S)
    assert not probation.is_on
    assert probation.stays_below_s == HAND_OVER_S


def test_the_longer_a_slow_run_was_the_more_short_ones_make_up_for_it() -> None:
    probation = Probation()
    assert proofs(probation) == 0
    for seconds, count in ((0.005, 50), (0.1, 1000), (2.0, 20_000)):
        probation.ran(seconds)
        assert proofs(probation) == count


def test_slow_runs_do_not_add_up_but_the_longest_counts() -> None:
    probation = Probation()
    probation.ran(0.1)
    for _ in range(900):
        probation.ran(0.0001)
    probation.ran(0.005)
    assert proofs(probation) == 100
    probation.ran(0.005)
    probation.ran(0.1)
    assert proofs(probation) == 1000


def test_what_is_neither_short_nor_slow_proves_nothing() -> None:
    probation = Probation()
    probation.ran(0.005)
    for _ in range(100):
        probation.ran(HAND_OVER_S)
    assert proofs(probation) == 50
