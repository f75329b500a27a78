"""What the scheduler must hold, in virtual time, on machines with noise and stalls."""

from __future__ import annotations

import json
import random
import statistics
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.errors import BenchError
from benchmarks.simulate import main
from benchmarks.simulation.arrivals import SHAPES, Arrival, Closed, Open, recorded
from benchmarks.simulation.cells import closed, opened
from benchmarks.simulation.machine import MACHINES, Machine, from_file
from benchmarks.simulation.policies import fixed, ours, unbatched
from benchmarks.simulation.summary import summary
from benchmarks.simulation.world import Outcome, simulate
from modelport.engine.cost import CostModel, Points

FEW = [(1, 0.0), (8, 0.0), (8, 5e-4), (32, 0.0), (32, 1e-3), (128, 0.0), (128, 5e-3)]


def steady(name: str) -> Machine:
    """A built-in machine without noise."""
    return replace(MACHINES[name], noise=0.0, outliers=0.0)


@pytest.mark.parametrize("name", MACHINES)
def test_one_client_is_answered_as_without_batching(name: str) -> None:
    cell = closed(MACHINES[name], 1)
    seen, alone = cell.run(ours()), cell.run(unbatched)
    assert seen.p50_s <= 1.01 * alone.p50_s
    assert seen.rows_per_s >= 0.99 * alone.rows_per_s
    assert seen.idle == 0


@pytest.mark.parametrize(("name", "clients"), [("flat", 8), ("affine", 32), ("linear-2", 8)])
def test_nothing_is_set_and_the_throughput_is_that_of_the_best_setting(
    name: str, clients: int
) -> None:
    cell = closed(MACHINES[name], clients)
    swept = cell.sweep(FEW)
    assert cell.median(ours()).good_per_s >= 0.95 * swept.summary.good_per_s, swept.name


def test_a_wait_is_taken_where_it_gains_and_nowhere_else() -> None:
    gains, gains_not = closed(MACHINES["flat"], 8), closed(MACHINES["linear"], 8)
    assert gains.run(ours()).rows_per_s > 1.5 * gains.run(ours(regroups=False)).rows_per_s
    assert gains.run(ours()).p99_s < gains.run(ours(regroups=False)).p99_s
    assert gains_not.run(ours()).idle < 0.002


def test_all_rows_of_a_closed_loop_are_parted_evenly() -> None:
    """With batches of 6 of 32 rows, some would wait for one more batch than others."""
    seconds = {1: 2.5, 2: 3.4, 4: 5.2, 6: 7.0, 8: 9.24, 16: 19.0, 32: 38.0}  # 8 get 1 % more
    machine = Machine(
        "even",
        lambda rows, at_once: (
            0.004 * at_once * float(np.interp(rows, [*seconds], [*seconds.values()]))
        ),
        at_once=2,
        outliers=0.0,
        noise=0.01,
    )
    outcome = simulate(Closed(32), machine, ours(), 30.0, 0)
    sizes = [rows for start, rows, _ in outcome.batches if start > 10]
    assert sizes.count(8) > 0.8 * len(sizes)
    assert summary(outcome, 10).p99_s < 1.2 * summary(outcome, 10).p50_s


@pytest.mark.parametrize("shape", ["poisson", "bursts", "diurnal", "flood"])
@pytest.mark.parametrize("name", ["flat", "affine"])
def test_the_model_is_hardly_ever_idle_where_requests_know_nothing_of_answers(
    name: str, shape: str
) -> None:
    seen = opened(MACHINES[name], shape, 0.5 if shape == "diurnal" else 0.7).run(ours())
    assert seen.idle < 0.01
    assert seen.refused < 0.02


@pytest.mark.parametrize(
    ("name", "factor"),
    [("flat", 3), ("affine", 3), ("affine", 10), ("affine-2", 3), ("linear-2", 10), ("caching", 3)],
)
def test_goodput_stays_where_three_and_ten_times_as_much_comes(name: str, factor: float) -> None:
    machine = MACHINES[name]
    seen = opened(machine, "poisson", factor).run(ours())
    assert seen.good_per_s >= 0.9 * machine.capacity()
    assert seen.p99_s <= 1.02  # nearly nobody is answered after the deadline of 1 s
    assert seen.good_per_s >= 0.97 * seen.rows_per_s


def at_once(outcome: Outcome, after: float) -> float:
    """Runs at once, in the mean."""
    busy = sum(seconds for started, _, seconds in outcome.batches if started >= after)
    return busy / (outcome.seconds - after)


@pytest.mark.parametrize(("name", "wanted"), [("linear-2", 2.0), ("flat-2", 1.0)])
def test_it_finds_out_whether_two_runs_at_once_are_worth_it(name: str, wanted: float) -> None:
    cell = closed(MACHINES[name], 8)
    outcome = simulate(cell.load, cell.machine, ours(), cell.seconds)
    assert at_once(outcome, cell.warm_s) == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["linear-2", "affine-2", "caching"])
def test_a_machine_that_wavers_deceives_nobody(name: str, seed: int) -> None:
    chance = random.Random(seed)
    factors = [chance.choice((0.7, 1.0, 1.0, 1.5)) for _ in range(500)]
    steady = MACHINES[name]
    machine = replace(steady, noise=0.06, speed=lambda now: factors[int(now / 1.5) % len(factors)])
    cell = closed(machine, 128)
    seen = cell.run(ours())
    moments = [cell.warm_s + (cell.seconds - cell.warm_s) * n / 1000 for n in range(1000)]
    possible = steady.capacity() * statistics.fmean(1 / machine.speed(now) for now in moments)
    assert seen.rows_per_s > 0.88 * possible


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("name", ["affine", "caching", "linear-2"])
def test_a_machine_that_becomes_slower_or_faster_is_followed(name: str, factor: float) -> None:
    cell = closed(MACHINES[name], 32)
    middle, end = cell.warm_s, cell.warm_s + factor * (cell.seconds - cell.warm_s)
    changes = replace(cell.machine, speed=lambda now: 1.0 if now < middle else factor)
    outcome = simulate(cell.load, changes, ours(), end)
    after = summary(outcome, middle + 0.2 * (end - middle))
    assert factor * after.rows_per_s >= 0.93 * cell.run(ours()).rows_per_s


@pytest.mark.parametrize("name", ["flat", "affine", "affine-2", "linear", "caching"])
def test_trying_other_sizes_costs_little_from_the_first_request_on(name: str) -> None:
    cell = closed(MACHINES[name], 32)
    cold = summary(simulate(cell.load, cell.machine, ours(), cell.seconds), 0.0)
    assert cold.rows_per_s >= 0.9 * cell.sweep(FEW).summary.rows_per_s


def test_a_flood_of_one_caller_refuses_and_delays_no_other() -> None:
    cell = opened(MACHINES["affine"], "flood", 3.0)
    outcome = simulate(cell.load, cell.machine, ours(), cell.seconds)
    others = [r for r in outcome.records if r.arrival.caller != "flood"]
    flood = [r for r in outcome.records if r.arrival.caller == "flood"]
    assert not [r for r in others if r.refused is not None]
    assert sum(r.refused is not None for r in flood) > 0.3 * len(flood)
    late = [r for r in others if r.latency_s > 1.0 and r.arrival.at < cell.seconds - 1.0]
    assert len(late) < 0.01 * len(others)


def test_no_priority_starves_and_callers_of_one_get_the_same() -> None:
    machine, seconds = MACHINES["affine"], 20.0
    chance = random.Random(4)
    arrivals: list[Arrival] = []
    for caller, priority in (("a", "high"), ("b", "normal"), ("c", "normal"), ("d", "low")):
        at = 0.0
        while (at := at + chance.expovariate(machine.capacity())) < seconds:
            arrivals.append(Arrival(at, 1, caller, priority))
    outcome = simulate(Open(sorted(arrivals)), machine, ours(), seconds)
    got = dict.fromkeys("abcd", 0)
    for record in outcome.records:
        got[record.arrival.caller] += record.ended is not None
    assert got["a"] / got["b"] == pytest.approx(4, rel=0.2)
    assert got["c"] / got["b"] == pytest.approx(1, rel=0.1)
    assert got["b"] / got["d"] == pytest.approx(4, rel=0.3)


@pytest.mark.parametrize("name", ["flat", "affine", "linear-2"])
@pytest.mark.parametrize("deadline_s", [None, 0.5])
def test_who_comes_again_when_told_is_let_in(name: str, deadline_s: float | None) -> None:
    """A flood that ends, and the last who was refused comes again."""
    machine = steady(name)
    rate = 4 * machine.capacity()
    arrivals = [Arrival(n / rate) for n in range(round(rate))]
    first = simulate(Open(arrivals, deadline_s), machine, ours(), 1.0)
    last = next(r for r in reversed(first.records) if r.refused is not None)
    assert last.refused is not None
    again = Arrival(last.arrival.at + last.refused)
    kept = [a for a in arrivals if a.at <= last.arrival.at]
    second = simulate(Open([*kept, again], deadline_s), machine, ours(), again.at + 10)
    assert second.records[-1].arrival == again
    assert second.records[-1].ended is not None
    assert last.refused < 2.5


def test_what_waits_is_bounded_in_seconds() -> None:
    for name in ("affine", "linear"):
        machine = MACHINES[name]
        rate = 5 * machine.capacity()
        arrivals = [Arrival(n / rate) for n in range(round(8 * rate))]
        seen = summary(simulate(Open(arrivals), machine, ours(), 8.0), 4.0)
        assert seen.p99_s < 3  # and what runs when it comes, and the run that it is in
        assert seen.refused == pytest.approx(0.8, abs=0.05)


def test_an_objective_is_kept_where_it_can_be() -> None:
    cell = opened(MACHINES["affine"], "poisson", 0.8)
    assert cell.run(ours(0.15)).p99_s <= 0.15


def test_an_objective_under_load_costs_what_its_shorter_runs_do_and_no_more() -> None:
    machine = MACHINES["affine"]
    seen = closed(machine, 128).run(ours(0.05))  # runs of 20 ms at most: two are in four fifths
    assert seen.rows_per_s > 0.95 * 6 / machine.seconds(6, 1)


def test_arrivals_come_at_the_rate_that_was_asked_for() -> None:
    for name, shape in SHAPES.items():
        arrivals = shape(100.0, 5000, random.Random(1))
        rows = sum(a.rows for a in arrivals)
        assert rows / arrivals[-1].at == pytest.approx(100, rel=0.1), name
        assert arrivals == sorted(arrivals)


def test_the_same_seed_gives_the_same_and_a_closed_loop_loses_no_client() -> None:
    machine = MACHINES["affine"]
    one, other = (simulate(Closed(5), machine, fixed(4, 1e-3), 2.0, seed=7) for _ in range(2))
    assert [r.latency_s for r in one.records] == [r.latency_s for r in other.records]
    assert sum(r.ended is None for r in one.records) <= 5
    assert {r.client for r in one.records[-50:]} == set(range(5))


def test_recorded_arrivals_are_read_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "arrivals.txt"
    file.write_text("# seconds rows caller priority\n0.5 2 ann high\n0.1\n")
    assert recorded(file) == [Arrival(0.1), Arrival(0.5, 2, "ann", "high")]
    for line in ("x", "1 0", "1 1 ann urgent", "1 2 3 4 5"):
        file.write_text(f"0.1\n{line}\n")
        with pytest.raises(BenchError, match="line 2"):
            recorded(file)
    file.write_text("")
    with pytest.raises(BenchError, match="no arrivals"):
        recorded(file)


def test_a_machine_is_what_was_learnt(tmp_path: Path) -> None:
    cost = CostModel()
    cost.learn(1, 0.01)
    cost.learn(8, 0.02)
    cost.learn(1, 0.015, at_once=2)
    curves = msgspec.to_builtins(cost.data())
    file = tmp_path / "kept.json"
    for content in (curves, {"model": "m", "curves": curves}):
        file.write_text(json.dumps(content))
        machine = from_file(file)
        assert machine.seconds(8, 1) == pytest.approx(0.02)
        assert machine.seconds(1, 2) == pytest.approx(0.015)
        assert machine.at_once == 2
    for wrong in (b"[]", b"{}", msgspec.json.encode([Points(0, 1, [])]), b"?"):
        file.write_bytes(wrong)
        with pytest.raises(BenchError, match="no curves"):
            from_file(file)


def test_the_program_prints_a_table_and_a_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "arrivals.txt"
    file.write_text("".join(f"{n / 100}\n" for n in range(100)))
    assert main(["--machine", "linear", "--arrivals", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "### linear, arrivals.txt" in shown
    assert "| Modelport |" in shown
    assert "█" in shown
    assert main(["--arrivals", str(file), "--cost", str(file)]) == 2
    assert "no curves" in capsys.readouterr().err
