"""Whether those who were answered come back at once."""

from __future__ import annotations

import random

import pytest

from modelport.engine.returns import Returns


def closed(returns: Returns, batches: int, jobs: int, start: float = 0.0) -> float:
    """Clients that come back 1 ms after their answer, a tenth of one apart; gives the time."""
    now = start
    for _ in range(batches):
        returns.answered(jobs, 2 * jobs, now)
        for number in range(jobs):
            returns.arrived(now + 1e-3 + number * 1e-4)
        now += 20e-3
    return now


def test_clients_who_always_come_back_are_expected_with_all_their_rows() -> None:
    returns = Returns()
    now = closed(returns, 40, 4)
    returns.answered(4, 8, now)
    rows, comes_s, until_s = returns.due(now)
    assert rows == 8
    assert comes_s == pytest.approx(1.3e-3, rel=0.05)
    assert comes_s < until_s < 2 * comes_s
    returns.arrived(now + 1e-3)
    assert returns.due(now + 1e-3)[0] == 6  # one is back


def test_nobody_is_expected_who_is_back_or_does_not_come() -> None:
    returns = Returns()
    now = closed(returns, 40, 1)
    returns.answered(1, 1, now)
    assert returns.due(now + 1.0) == (0.0, 0.0, 0.0)
    returns.arrived(now + 1e-3)
    assert returns.due(now + 1e-3) == (0.0, 0.0, 0.0)


def test_nothing_is_expected_before_it_was_seen_often() -> None:
    returns = Returns()
    assert returns.due(0.0) == (0.0, 0.0, 0.0)
    now = closed(returns, 5, 4)
    returns.answered(4, 4, now)
    assert returns.due(now) == (0.0, 0.0, 0.0)


def test_requests_that_know_nothing_of_answers_are_not_expected() -> None:
    chance, returns, expected = random.Random(3), Returns(), 0
    now = 0.0
    for _ in range(500):
        now += 10e-3
        returns.answered(5, 5, now)
        expected += returns.due(now)[0] > 0
        at = now
        while (at := at + chance.expovariate(500)) < now + 10e-3:
            returns.arrived(at)
    assert expected < 5


def test_clients_who_left_are_soon_not_expected() -> None:
    returns = Returns()
    now = closed(returns, 40, 4)
    for _ in range(3):
        returns.answered(4, 4, now)
        now += 20e-3
    returns.answered(4, 4, now)
    assert returns.due(now) == (0.0, 0.0, 0.0)


def test_only_those_are_expected_who_fit_what_was_answered() -> None:
    returns = Returns()
    now = closed(returns, 40, 4)
    returns.answered(4, 4, now)
    assert returns.due(now, "other") == (0.0, 0.0, 0.0)
    returns.arrived(now, "other")
    assert returns.due(now)[0] == 4
    for _ in range(3):
        returns.answered(1, 1, now)
        returns.arrived(now + 1e-3, "other")
        now += 20e-3
    returns.answered(1, 1, now)
    assert returns.due(now) == (0.0, 0.0, 0.0)
