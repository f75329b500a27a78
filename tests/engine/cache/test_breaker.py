"""The circuit breaker, on a clock that the tests turn."""

from __future__ import annotations

import pytest

from modelport.engine.cache.breaker import Breaker
from tests.engine.cache.clock import Clock


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(failures=3, first_pause_s=1, longest_pause_s=4, proved_by=5, clock=clock)
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_after_three_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(failures=3)
    for _ in range(10):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert not breaker.is_open
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    assert breaker.is_open


def test_one_probe_at_a_time_after_pauses_that_double_up_to_the_longest() -> None:
    clock = Clock()
    breaker = opened(clock)
    begun = []
    for tick in range(200):
        clock.now = tick / 10
        if breaker.begin_probe():
            begun.append(clock.now)
            assert not breaker.begin_probe()
            breaker.end_probe(succeeded=False)
    assert begun == [1.0, 3.0, 7.0, 11.0, 15.0, 19.0]


def test_a_probe_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 1.0
    assert breaker.begin_probe()
    breaker.end_probe(succeeded=True)
    assert not breaker.is_open
    assert not breaker.begin_probe()


@pytest.mark.parametrize(("successes", "next_pause_s"), [(4, 2.0), (5, 1.0)])
def test_pauses_start_over_only_when_what_healed_has_proved_itself(
    successes: int, next_pause_s: float
) -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 1.0
    breaker.begin_probe()
    breaker.end_probe(succeeded=True)
    for _ in range(successes):
        breaker.succeeded()
    for _ in range(3):
        breaker.failed()
    clock.now += next_pause_s - 0.01
    assert not breaker.is_due
    clock.now += 0.01
    assert breaker.is_due


def test_calls_that_were_made_before_it_opened_change_nothing() -> None:
    clock = Clock()
    breaker = opened(clock)
    breaker.succeeded()
    assert breaker.is_open
    clock.now = 0.5
    assert not breaker.failed()
    clock.now = 1.0
    assert breaker.is_due
