"""Whether a batch waits for those who always come back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from modelport.engine.cost import Curve
from modelport.engine.regrouping import regrouped
from modelport.engine.returns import Due
from tests.engine.scheduling import SIZES, flat, linear

SOON = Due(7, 0.001, 0.0015)


def curve(seconds: Callable[[int], float], most: int = 128) -> Curve:
    made = Curve()
    for size in SIZES:
        for _ in range(5 if size <= most else 0):
            made.learn(size, seconds(size))
    return made


def affine(rows: int) -> float:
    return 0.002 + 0.0025 * rows


def full(rows: int) -> float:
    """No more than 64 rows fit well."""
    return 0.01 if rows <= 64 else 0.01 + 0.0004 * (rows - 64)


def choice(made: Curve, have: int, best: int, due: Due, **limits: Any) -> tuple[int, float]:
    return regrouped(
        made, have, best, due, **{"limit": 1024, "within_s": math.inf, "slack_s": math.inf} | limits
    )


def test_a_batch_waits_where_a_run_costs_the_same_and_not_where_rows_cost_alike() -> None:
    assert choice(curve(flat), 1, 8, SOON) == (8, 0.0015)
    assert choice(curve(linear), 1, 1, SOON) == (1, 0.0)


def test_a_gain_that_the_wait_eats_up_is_none() -> None:
    late = Due(7, 0.0019, 0.0028)
    assert choice(curve(affine), 1, 8, SOON._replace(comes_s=1e-4, until_s=2e-4))[1] > 0
    assert choice(curve(affine), 1, 8, late)[1] == 0


def test_nobody_waits_for_more_than_half_of_a_run() -> None:
    assert choice(curve(flat), 4, 8, Due(4, 0.0049, 0.007))[1] > 0
    assert choice(curve(flat), 4, 8, Due(4, 0.0051, 0.007))[1] == 0


def test_all_who_are_here_run_together_where_the_best_size_would_leave_few() -> None:
    assert choice(curve(affine), 8, 6, Due()) == (8, 0.0)
    assert choice(curve(affine), 8, 6, Due(), limit=6) == (6, 0.0)
    assert choice(curve(affine), 8, 6, Due(), within_s=affine(6)) == (6, 0.0)


def test_nearly_all_and_few_become_two_even_batches_where_those_take_less() -> None:
    assert choice(curve(full), 127, 128, Due(1, 0.02, 0.03)) == (64, 0.0)
    assert choice(curve(flat), 127, 128, Due(1, 0.02, 0.03)) == (128, 0.0)


def test_a_wait_for_as_many_as_are_best_is_shorter_than_one_for_all() -> None:
    size, wait_s = choice(curve(full), 1, 64, Due(127, 0.004, 0.006))
    assert size == 64
    assert wait_s > 0


@pytest.mark.parametrize(("slack_s", "waits"), [(0.012, True), (0.011, False)])
def test_a_wait_is_within_what_those_who_wait_can_spare(slack_s: float, waits: bool) -> None:
    assert (choice(curve(flat), 1, 8, SOON, slack_s=slack_s)[1] > 0) is waits


def test_a_size_that_is_to_be_tried_is_waited_for() -> None:
    assert choice(curve(linear, most=2), 2, 3, Due(1, 0.001, 0.0015)) == (3, 0.0015)
