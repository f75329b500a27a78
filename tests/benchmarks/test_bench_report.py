"""Medians, ratios and shares."""

from __future__ import annotations

import pytest

from benchmarks.measure import Memory
from benchmarks.open_plan import Latency, OpenLoad
from benchmarks.report import (
    Limit,
    Spread,
    best_peers,
    ceiling,
    limits,
    of_cells,
    of_opens,
    of_starts,
    ratios,
    spread,
)
from benchmarks.samples import Bare, Cell, Open, Start


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


def _bare(number: int, rate: float, batch: int = 1, workload: str = "image") -> Bare:
    return Bare(number, workload, 2, 1, batch, rate)


def _open(factor: float, good: int, refused: int = 0) -> Open:
    load = OpenLoad(
        rate=100 * factor,
        seconds=2.0,
        connections=8,
        timeout_s=5.0,
        arrivals=round(200 * factor),
        statuses={200: good, 503: refused},
        failures={"timeout": round(200 * factor) - good - refused},
        good=Latency(good, 5, 6, 7, 8, 9),
        refused=Latency(refused, 1, 2, 3, 4, 5),
        good_per_second=[good],
        good_while_due=good,
        late_p99_ms=0.1,
        cpu_s=0.5,
        wall_s=2.5,
    )
    return Open(1, "image", "ours", 100.0, factor, load, 3.0)


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


def test_the_best_peer_of_a_cell_is_the_one_with_the_highest_median() -> None:
    cells = [
        *(_cell(1, "ours", 300), _cell(1, "steady", 200), _cell(1, "lucky", 900)),
        *(_cell(2, "ours", 300), _cell(2, "steady", 300), _cell(2, "lucky", 100)),
        *(_cell(3, "ours", 300), _cell(3, "steady", 150), _cell(3, "lucky", 100)),
        _cell(1, "ceiling", 9999),
    ]
    [best] = best_peers(cells, "ours", {"steady", "lucky"})
    assert (best.workload, best.connections, best.peer) == ("image", 32, "steady")
    assert best.rounds == 3
    assert best.ratios["requests_per_s"] == Spread(1.5, 1.0, 2.0)
    assert best.ratios["p99_ms"].median == pytest.approx(1 / 1.5)
    assert best.theirs["requests_per_s"].median == 200


def test_where_one_side_was_not_measured_there_is_no_best_peer() -> None:
    assert best_peers([_cell(1, "ours", 1)], "ours", {"peer"}) == []
    assert best_peers([_cell(1, "peer", 1)], "ours", {"peer"}) == []


def test_the_limit_is_the_best_size_of_batch_by_its_median() -> None:
    loops = [_bare(1, 100), _bare(2, 100), _bare(1, 900, batch=8), _bare(2, 50, batch=8)]
    loops += [_bare(3, 100), _bare(3, 60, batch=8)]
    assert limits(loops) == {"image": Limit(2, 1, 1, Spread(100, 100, 100))}


def test_the_share_of_the_bare_loop_is_taken_round_by_round() -> None:
    cells = [_cell(1, "ours", 75), _cell(2, "ours", 200), _cell(2, "peer", 1)]
    loops = [_bare(1, 100.0), _bare(2, 200.0), _bare(1, 9.0, batch=2)]
    loops.append(_bare(2, 1.0, workload="linear"))
    share = ceiling(cells, loops, "ours")
    assert list(share) == [("image", 32)]
    assert share["image", 32] == Spread(0.875, 0.75, 1.0)


def test_goodput_is_a_share_of_the_most_that_this_life_of_the_server_gave() -> None:
    seen = of_opens([_open(1.0, good=200), _open(3.0, good=240, refused=300)])
    assert seen["image", "ours", 3.0]["goodput"].median == 1.0  # 120/s, more than in closed loop
    assert seen["image", "ours", 1.0]["goodput"].median == pytest.approx(100 / 120)
    assert seen["image", "ours", 3.0]["refused"].median == 0.5
    assert seen["image", "ours", 3.0]["failed"].median == pytest.approx(0.1)
    assert seen["image", "ours", 3.0]["generator_cpu"].median == pytest.approx(0.2)


def test_memory_is_summed_and_a_worker_is_the_mean_of_workers() -> None:
    seen = of_starts([_start(0.3), _start(0.5)])["image", "ours"]
    assert seen["first_answer_s"] == Spread(0.4, 0.3, 0.5)
    assert seen["pss_mib"].median == 120
    assert seen["rss_mib"].median == 190
    assert seen["worker_pss_mib"].median == 55
    assert seen["worker_rss_mib"].median == 85
