"""What a run takes, as it is learnt."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.engine.cost import CostModel, Curve, Point, grid, row_class


def curve(**seconds: float) -> Curve:
    """A curve that has seen `n8=0.1`, a run of 8 rows in 0.1 s, often."""
    made = Curve()
    for name, value in seconds.items():
        for _ in range(10):
            made.learn(int(name[1:]), value)
    return made


@given(st.integers(1, 100_000))
def test_the_grid_is_at_most_a_quarter_away(rows: int) -> None:
    assert max(grid(rows) / rows, rows / grid(rows)) <= 1.25
    assert grid(grid(rows)) == grid(rows)


def test_nothing_is_predicted_where_nothing_was_measured() -> None:
    assert (Curve().seconds(5), Curve().best(100), Curve().largest) == (0.0, 1, 0)
    assert Curve().rows_per_s(5) == math.inf
    assert CostModel().seconds(5) == 0.0


def test_between_two_sizes_lies_a_line_and_beyond_them_no_gain() -> None:
    made = curve(n1=0.1, n8=0.17)
    assert made.seconds(1) == pytest.approx(0.1)
    assert made.seconds(4) == pytest.approx(0.13)
    assert made.seconds(16) == pytest.approx(0.34)
    assert curve(n8=0.2).seconds(2) == pytest.approx(0.2)  # below, not less than what is known


def test_the_smallest_size_with_nearly_all_of_the_throughput_is_best() -> None:
    made = curve(n1=0.010, n2=0.015, n4=0.025, n8=0.0405, n16=0.0805, n32=0.17)
    assert made.best(1000) == 8
    assert made.best(4) == 4
    assert made.best(1000, within_s=0.03) == 4
    assert made.best(1000, within_s=0.001) == 1


def test_a_single_slow_run_moves_little_and_a_slower_machine_is_noticed() -> None:
    made = curve(n1=0.01)
    for _ in range(10):
        made.learn(1, 0.01)
    made.learn(1, 5.0)
    assert made.seconds(1) < 0.0115
    for _ in range(100):
        made.learn(1, 0.02)
    assert made.seconds(1) == pytest.approx(0.02, rel=0.02)


def test_the_first_run_which_pays_for_what_is_set_up_once_is_soon_forgotten() -> None:
    made = Curve()
    for seconds in (3.0, 0.01, 0.01):
        made.learn(1, seconds)
    assert made.seconds(1) == pytest.approx(0.01)


def test_a_size_off_the_grid_teaches_the_nearest_one_on_it() -> None:
    made = Curve()
    made.learn(5, 0.05)
    assert [(p.rows, p.seconds) for p in made.points] == [(6, pytest.approx(0.06))]
    made = curve(n4=0.04, n8=0.06)
    for _ in range(100):
        made.learn(5, 0.05)
    assert made.seconds(5) == pytest.approx(0.05, rel=0.05)


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(1e-6, 10)), min_size=1, max_size=60))
def test_predictions_stay_within_what_was_measured(runs: list[tuple[int, float]]) -> None:
    made = Curve()
    for rows, seconds in runs:
        made.learn(rows, seconds)
    for rows in (1, 2, 5, 100, 300):
        assert 0 < made.seconds(rows) < math.inf
    assert 1 <= made.best(64) <= 64
    assert sorted(p.rows for p in made.points) == [p.rows for p in made.points]


def test_rows_of_another_size_are_predicted_from_the_nearest_known() -> None:
    cost = CostModel()
    cost.learn(1, 0.01, row_class=5)
    assert cost.seconds(1, 5) == pytest.approx(0.01)
    assert cost.seconds(1, 7) == pytest.approx(0.04)
    assert cost.seconds(2, 4) == pytest.approx(0.01)


def test_runs_at_once_are_known_apart() -> None:
    cost = CostModel()
    cost.learn(4, 0.01)
    assert cost.seconds(4, at_once=2) == pytest.approx(0.01)
    cost.learn(4, 0.02, at_once=2)
    assert cost.seconds(4, at_once=2) == pytest.approx(0.02)
    assert cost.seconds(4) == pytest.approx(0.01)
    assert not cost.curve(at_once=3)


def test_what_was_learnt_can_be_kept() -> None:
    cost = CostModel()
    for rows in (1, 2, 8):
        cost.learn(rows, 0.01 * rows, row_class=3, at_once=2)
    assert cost.is_changed
    again = CostModel(cost.data())
    assert again.data() == cost.data()
    assert again.seconds(8, 3, 2) == pytest.approx(0.08)
    assert not again.is_changed


def test_the_class_of_a_row_is_an_octave_of_its_elements() -> None:
    assert [row_class(n, 1) for n in (0, 1, 2, 3, 4, 5, 32, 33)] == [0, 0, 1, 2, 2, 3, 5, 6]
    assert row_class(64, 2) == 5


def sure(seconds: Callable[[int], float], *sizes: int) -> Curve:
    made = Curve()
    for size in sizes:
        for _ in range(5):
            made.learn(size, seconds(size))
    return made


def test_larger_batches_are_tried_as_long_as_they_get_more_and_no_further() -> None:
    def caching(rows: int) -> float:
        return 1 + rows + 4 * max(rows - 8, 0)

    assert sure(caching, 1, 2, 4).untried(4) == 6
    assert sure(caching, 1, 2, 4, 6, 8).untried(8) == 12
    assert sure(caching, 1, 2, 4, 6, 8, 12).untried(8) == 0
    assert sure(float, 1, 2).untried(1) == 0  # twice the rows take twice the time


def test_where_twice_the_rows_got_no_more_the_best_is_not_passed_unless_it_is_small() -> None:
    assert sure(float, 6, 8, 12).untried(12) == 0
    assert sure(float, 4, 6, 8).untried(8) == 12
    assert sure(lambda rows: 1.0, 6, 8, 12).untried(12) == 16


def test_a_little_more_of_a_few_runs_is_no_reason_to_try_still_larger_batches() -> None:
    """The machine may have been faster at that moment; of the smallest the gains are larger."""

    def grown(runs: int) -> Curve:
        return Curve([Point(8, 0.08, 20), Point(16, 0.16 / 1.05, runs)])

    assert grown(3).untried(16) == 0
    assert grown(20).untried(16) == 24


def test_the_best_size_stays_so_until_another_gets_clearly_more() -> None:
    """Sizes that are level would take turns."""
    made = Curve([Point(6, 0.06, 20), Point(8, 0.08, 20)])
    assert made.best() == 6
    for gain, best in ((1.01, 6), (1.04, 8), (0.995, 8), (0.97, 6)):
        for _ in range(100):
            made.learn(6, 0.06)
            made.learn(8, 0.08 / gain)
        assert made.best() == best, gain


def test_a_size_that_ran_only_once_is_tried_again_before_the_next() -> None:
    made = sure(lambda rows: 1.0, 1, 2)
    made.learn(4, 1.0)
    assert made.untried(2) == 4
    assert made.untried(4) == 0


def test_smaller_sizes_are_tried_again_where_they_are_nearly_as_good() -> None:
    made = sure(lambda rows: 2 + rows, 8, 12, 16, 24, 32, 64)
    assert made.nearly(64) == [32, 24, 16]
    assert made.nearly(12) == [8]
    assert sure(lambda rows: 8 + rows, 8, 32).nearly(32) == []
    assert sure(lambda rows: 2 + rows, 8).nearly(8) == []


def test_what_more_rows_promise_is_on_the_line_through_the_best_size_and_its_half() -> None:
    made = sure(lambda rows: 4 + rows, 4, 8)
    assert made.promised(8, 32) == pytest.approx(32 / 36)
    assert sure(lambda rows: 4 + rows, 1).promised(1, 32) == math.inf
    assert sure(lambda rows: 100.0 / rows, 4, 8).promised(8, 32) == pytest.approx(32 / 12.5)


def test_only_what_was_measured_often_is_proven() -> None:
    made = sure(lambda rows: 4 + rows, 4, 8)
    made.learn(16, 4.0)
    assert made.proven(16) == pytest.approx(8 / 12)
    assert made.proven(4) == pytest.approx(4 / 8)
    assert made.proven(2) == 0


def test_of_sizes_that_are_as_good_the_smallest_is_known() -> None:
    made = sure(lambda rows: 2 + 2.5 * rows, 1, 4, 16, 32, 64, 128)
    assert made.least(128) == 32  # 16 get 4 % less
    assert made.least(16) == 16
    made.learn(24, 24.0)
    assert made.least(128) == 32  # that was once


def test_rows_are_parted_evenly_by_a_size_that_is_as_good() -> None:
    made = sure(lambda rows: 0.2 + rows, 4, 6, 8, 12, 16)
    assert made.evenly(6, 32, 16) == 8
    assert made.evenly(6, 32, 7) == 4
    assert made.evenly(6, 30, 16) == 6
    assert made.evenly(6, 28, 16) == 4
    assert made.evenly(6, 31, 16) == 6  # nothing parts that
    assert made.evenly(12, 16, 16) == 16
    assert sure(lambda rows: 10 + rows, 4, 6, 8).evenly(6, 28, 16) == 6  # 4 gets a fifth less
    assert sure(lambda rows: 0.2 + rows, 6).evenly(6, 32, 16) == 6


def test_beyond_what_is_known_a_line_is_a_guess() -> None:
    made = sure(lambda rows: 4 + rows, 8, 16)
    assert made.guess(32) == pytest.approx(36)
    assert made.guess(12) == pytest.approx(16)
    assert sure(lambda rows: 4 + rows, 8).guess(16) == pytest.approx(24)


def test_a_stall_says_nothing_and_a_slower_machine_is_slower_for_all_sizes() -> None:
    made = curve(n1=5, n4=8, n8=12)
    made.learn(8, 100.0)
    made.learn(8, 100.0)
    made.learn(8, 12.0)
    assert made.seconds(8) == pytest.approx(12)
    for _ in range(3):
        made.learn(8, 24.0)
    assert made.seconds(8) == pytest.approx(24)
    assert made.seconds(1) == pytest.approx(10)
    assert [p.seconds for p in made.points] == [pytest.approx(s) for s in (10, 16, 24)]


def test_sizes_that_ran_at_different_moments_are_compared_at_one_pace() -> None:
    cost = CostModel()
    for _ in range(20):
        cost.learn(4, 0.4)
        cost.learn(4, 0.5, at_once=2)
    for n in range(60):
        cost.learn(4, 0.4 * (1 + n / 60), at_once=1)  # ever slower, and none of the others runs
    assert cost.seconds(4) == pytest.approx(0.8, rel=0.05)
    assert cost.seconds(4, at_once=2) == pytest.approx(1.0, rel=0.1)


def test_a_row_alone_does_not_tell_how_fast_the_machine_is_with_many() -> None:
    """Else, after a while with a single client, what it took said of two runs at once that they
    take longer, and of no run of many rows."""
    cost = CostModel()
    for _ in range(20):
        cost.learn(1, 0.3)
        cost.learn(8, 0.8)
        cost.learn(8, 1.2, at_once=2)
    for _ in range(200):
        cost.learn(1, 0.4)
    assert cost.seconds(1) == pytest.approx(0.4, rel=0.01)
    assert cost.seconds(8) == pytest.approx(0.8)
    assert cost.seconds(8, at_once=2) == pytest.approx(1.2)
    for _ in range(3):
        cost.learn(1, 0.8)
    assert cost.seconds(1) == pytest.approx(0.8)
    assert cost.seconds(8) == pytest.approx(0.8)


def test_what_is_tried_again_after_long_is_soon_learnt_anew() -> None:
    cost = CostModel()
    for _ in range(20):
        cost.learn(4, 0.4)
        cost.learn(8, 1.1)
    for _ in range(200):
        cost.learn(4, 0.4)
    for _ in range(6):
        cost.learn(8, 0.8)
    assert cost.seconds(8) / cost.seconds(4) == pytest.approx(2.0, rel=0.15)


def test_sizes_that_were_learnt_wrongly_beside_each_other_are_learnt_anew() -> None:
    made = curve(n1=0.001, n8=0.006)
    for _ in range(200):
        made.learn(1, 0.001)
        made.learn(8, 0.0018)
    assert made.seconds(8) == pytest.approx(0.0018, rel=0.1)
    assert made.seconds(1) == pytest.approx(0.001, rel=0.1)


def test_sizes_that_are_never_run_are_not_scaled_without_end() -> None:
    curve = Curve()
    for size in (1, 2, 8):
        for _ in range(5):
            curve.learn(size, size * 1e-5)
    for _ in range(50):
        for size in (1, 2):
            for seconds in 4 * [1e-5] + 3 * [1e-2]:
                curve.learn(size, size * seconds)
    assert curve.seconds(8) < 1


@pytest.mark.parametrize("seed", range(20))
def test_however_often_a_machine_stalls_no_prediction_is_far_from_what_was_measured(
    seed: int,
) -> None:
    chance, made, longest_s = random.Random(seed), CostModel(), 0.0
    stalled = 0
    for _ in range(4000):
        rows = chance.choice([1, 1, 1, 2, 3, 5, 6, 8, 11, 16, 16])
        stalled = stalled - 1 if stalled else (chance.random() < 0.1) * chance.randint(1, 5)
        took = (20e-6 + 1e-6 * rows) * chance.lognormvariate(0, 0.3)
        took += chance.uniform(0, 0.1) if stalled else 0
        longest_s = max(longest_s, took)
        made.learn(rows, took, at_once=chance.choice([1, 1, 2]))
        for at_once in (1, 2):
            assert made.seconds(16, at_once=at_once) <= 16 * longest_s
