"""Whether those who were answered come back at once."""

from __future__ import annotations

import random

import pytest

from modelport.engine.returns import Due, Returns


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
    due = returns.due(now)
    assert due is not None
    rows, comes_s, until_s = due
    assert rows == 8
    assert comes_s == pytest.approx(1.3e-3, rel=0.05)
    assert comes_s < until_s < 2 * comes_s
    returns.arrived(now + 1e-3)
    due = returns.due(now + 1e-3)
    assert due is not None
    assert due.rows == 6  # one is back


def test_nobody_is_expected_who_is_back_or_does_not_come() -> None:
    returns = Returns()
    now = closed(returns, 40, 1)
    returns.answered(1, 1, now)
    assert returns.due(now + 1.0) == Due()
    returns.arrived(now + 1e-3)
    assert returns.due(now + 1e-3) == Due()


def test_nothing_is_expected_before_it_was_seen_often() -> None:
    returns = Returns()
    assert returns.due(0.0) is None
    now = closed(returns, 5, 4)
    returns.answered(4, 4, now)
    assert returns.due(now) is None


def test_requests_that_know_nothing_of_answers_are_not_expected() -> None:
    chance, returns, expected = random.Random(3), Returns(), 0
    now = 0.0
    for _ in range(500):
        now += 10e-3
        returns.answered(5, 5, now)
        expected += returns.due(now) is not None
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
    assert returns.due(now) is None


def test_a_straggler_is_forgiven_and_still_expected() -> None:
    returns, now, late = Returns(), 0.0, 0
    for turn in range(40):
        returns.answered(20, 20, now)
        came, late = 20 + late, turn % 2  # every other time one comes after the next batch
        for number in range(came - late):
            returns.arrived(now + 1e-3 + number * 1e-5)
        now += 20e-3
    returns.answered(20, 20, now)
    due = returns.due(now)
    assert due is not None
    assert due.rows == 20 + late


def test_only_those_are_expected_who_fit_what_was_answered() -> None:
    returns = Returns()
    now = closed(returns, 40, 4)
    returns.answered(4, 4, now)
    assert returns.due(now, "other") is None
    returns.arrived(now, "other")
    due = returns.due(now)
    assert due is not None
    assert due.rows == 4
    for _ in range(3):
        returns.answered(1, 1, now)
        returns.arrived(now + 1e-3, "other")
        now += 20e-3
    returns.answered(1, 1, now)
    assert returns.due(now) is None
