"""Medians, ratios and shares."""

from __future__ import annotations

import pytest

from benchmarks.measure import Memory
from benchmarks.report import Spread, ceiling, of_cells, of_starts, ratios, spread
from benchmarks.samples import Bare, Cell, Start


def _cell(number: int, server: str, rate: float, errors: dict[str, int] | None = None) -> Cell:
    return Cell(
        round=number,
        workload="image",
        server=server,
        connections=32,
        requests=round(rate),
        seconds=1.0,
        requests_per_s=rate,
        p50_ms=1000 / rate,
        p99_ms=2000 / rate,
        cpu_us_per_request=1e6 / rate,
        errors=errors or {},
    )


def _start(first_answer_s: float) -> Start:
    processes = [
        Memory("arbiter", rss_mib=20, pss_mib=10, cpu_s=0.1, worker=False),
        Memory("worker", rss_mib=80, pss_mib=50, cpu_s=9.0, worker=True),
        Memory("worker", rss_mib=90, pss_mib=60, cpu_s=9.0, worker=True),
    ]
    return Start(1, "image", "ours", ["serve"], {}, first_answer_s, processes)


def test_a_spread_is_the_median_with_both_ends() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_cells_of_all_rounds_are_joined() -> None:
    joined = of_cells([_cell(1, "ours", 100), _cell(2, "ours", 300), _cell(3, "ours", 200)])
    assert joined["image", "ours", 32]["requests_per_s"] == Spread(200, 100, 300)


def test_a_load_with_errors_counts_in_no_median() -> None:
    joined = of_cells([_cell(1, "ours", 100), _cell(2, "ours", 900, {"status": 1})])
    assert joined["image", "ours", 32]["requests_per_s"] == Spread(100, 100, 100)


def test_a_load_without_answers_is_not_clean() -> None:
    assert not _cell(1, "ours", 0.1).clean


def test_a_ratio_compares_servers_of_the_same_round() -> None:
    cells = [
        *(_cell(1, "ours", 200), _cell(1, "peer", 100)),
        *(_cell(2, "ours", 30), _cell(2, "peer", 10)),
        *(_cell(3, "ours", 100), _cell(3, "peer", 100)),
    ]
    by_metric = {ratio.metric: ratio for ratio in ratios(cells, "ours")}
    assert by_metric["requests_per_s"].spread == Spread(2.0, 1.0, 3.0)
    assert by_metric["p99_ms"].spread.median == pytest.approx(0.5)
    assert {ratio.peer for ratio in by_metric.values()} == {"peer"}


def test_a_round_in_which_one_side_failed_gives_no_ratio() -> None:
    assert ratios([_cell(1, "ours", 5, {"read": 1}), _cell(1, "peer", 5)], "ours") == []


def test_the_share_of_the_bare_loop_is_taken_round_by_round() -> None:
    cells = [_cell(1, "ours", 75), _cell(2, "ours", 200), _cell(2, "peer", 1)]
    loops = [Bare(1, "image", 2, 100.0), Bare(2, "image", 2, 200.0), Bare(2, "linear", 2, 1.0)]
    share = ceiling(cells, loops, "ours")
    assert list(share) == [("image", 32)]
    assert share["image", 32] == Spread(0.875, 0.75, 1.0)


def test_memory_is_summed_and_a_worker_is_the_mean_of_workers() -> None:
    seen = of_starts([_start(0.3), _start(0.5)])["image", "ours"]
    assert seen["first_answer_s"] == Spread(0.4, 0.3, 0.5)
    assert seen["pss_mib"].median == 120
    assert seen["rss_mib"].median == 190
    assert seen["worker_pss_mib"].median == 55
    assert seen["worker_rss_mib"].median == 85
