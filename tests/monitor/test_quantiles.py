"""Quantiles from the counts of a histogram."""

from __future__ import annotations

import pytest

from modelport.monitor.metrics import BOUNDS_S, Histogram
from modelport.monitor.quantiles import quantile


def counts(**by_index: int) -> list[int]:
    made = Histogram().counts
    for index, count in by_index.items():
        made[int(index[1:])] = count
    return made


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile(counts(), 0.95) is None


def test_within_a_bucket_all_times_are_equally_likely() -> None:
    # The bucket of index 6 is from 5 to 10 ms.
    assert quantile(counts(_6=100), 0.5) == pytest.approx(0.0075)
    assert quantile(counts(_0=4), 0.25) == pytest.approx(BOUNDS_S[0] / 4)


def test_a_quantile_lies_in_the_bucket_in_which_that_part_ends() -> None:
    both = counts(_3=90, _9=10)
    assert quantile(both, 0.9) == pytest.approx(BOUNDS_S[3])
    assert quantile(both, 0.95) == pytest.approx((BOUNDS_S[8] + BOUNDS_S[9]) / 2)


def test_beyond_the_last_bound_is_the_last_bound() -> None:
    assert quantile(counts(_18=5), 0.5) == BOUNDS_S[-1]
