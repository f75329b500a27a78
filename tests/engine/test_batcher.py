"""When a version runs, and with what."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from modelport.core.errors import DeadlineExceeded, Overloaded
from modelport.engine.batcher import Batcher, BatchRun
from modelport.engine.queue import Job
from tests.engine.scheduling import (
    SIZES,
    Late,
    affine,
    batcher,
    flat,
    known,
    learn,
    linear,
    names,
    put,
    started,
)


def test_a_request_runs_at_once_where_the_model_is_idle() -> None:
    scheduler = batcher()
    put(scheduler, 1)
    assert names(started(scheduler)) == [0]
    assert scheduler.next(0.0) is None
    assert scheduler.wake_at is None


def test_what_arrives_while_a_batch_runs_is_the_next_one() -> None:
    scheduler = batcher()
    put(scheduler, 1)
    first = started(scheduler)
    put(scheduler, 9, 0.001)
    assert scheduler.next(0.001) is None
    scheduler.finished(first, 0.005)
    assert names(started(scheduler, 0.005)) == list(range(9))


def test_rows_are_counted_and_not_requests() -> None:
    scheduler = batcher(rows=16)
    put(scheduler, 10, rows=5)
    assert started(scheduler).rows == 15


def test_a_job_with_more_rows_than_the_limit_runs_alone() -> None:
    scheduler = batcher(rows=16)
    put(scheduler, 1, rows=40)
    put(scheduler, 3)
    run = started(scheduler)
    assert (run.rows, len(run.jobs)) == (40, 1)
    scheduler.finished(run, 1.0)
    assert started(scheduler, 1.0).rows == 3


def test_jobs_of_different_kinds_do_not_share_a_batch() -> None:
    scheduler = batcher()
    put(scheduler, 3, kind="a")
    put(scheduler, 3, kind="b")
    assert {job.kind for job in started(scheduler).jobs} == {"a"}


def test_jobs_that_do_not_merge_run_one_by_one() -> None:
    scheduler = batcher(merges=False)
    put(scheduler, 3, rows=2)
    for number in range(3):
        run = started(scheduler)
        assert names(run) == [number]
        scheduler.finished(run, 0.0)


def test_larger_batches_are_not_made_where_they_gain_nothing() -> None:
    scheduler = batcher(known(linear))
    put(scheduler, 100)
    sizes = []
    for turn in range(32):
        run = started(scheduler, turn)
        sizes.append(run.rows)
        scheduler.finished(run, turn + linear(run.rows))
    assert sizes.count(1) >= 28  # now and then a larger one is tried


def test_a_batch_ends_where_it_would_miss_the_deadline_of_a_member() -> None:
    scheduler = batcher(known(affine))
    put(scheduler, 1, deadline=0.0145)
    put(scheduler, 50)
    run = started(scheduler)
    assert 8 <= run.rows <= 10  # 4 ms and 1 ms for each
    assert affine(run.rows) <= 0.0145


def test_who_is_late_is_dropped_and_told_and_the_others_run() -> None:
    late = Late()
    scheduler = batcher(late=late)
    put(scheduler, 2, deadline=0.1)
    put(scheduler, 2, deadline=9.0)
    assert len(started(scheduler, 0.2).jobs) == 2
    assert [(name, type(error)) for name, error in late] == [
        (0, DeadlineExceeded),
        (1, DeadlineExceeded),
    ]


def test_who_left_is_not_run() -> None:
    scheduler = batcher()
    jobs = put(scheduler, 3)
    scheduler.cancel(jobs[1])
    run = started(scheduler)
    assert names(run) == [0, 2]
    scheduler.cancel(jobs[0])  # it runs already: nothing happens
    scheduler.finished(run, 1.0)
    assert scheduler.next(1.0) is None


def test_an_objective_bounds_the_run_and_not_by_what_waited_already() -> None:
    """Else a burst makes the batches small, and everybody late for good."""
    for waited in (0.0, 0.3):
        scheduler = batcher(known(affine), objective_s=0.05)
        put(scheduler, 100)
        run = started(scheduler, waited)
        assert 12 <= run.rows <= 16  # 20 ms: two of them are within four fifths of 50 ms


def test_an_objective_that_cannot_be_kept_does_not_cost_the_throughput() -> None:
    scheduler = batcher(known(flat), objective_s=0.001)
    put(scheduler, 100)
    assert started(scheduler).rows >= 96


def closed_loop(
    scheduler: Batcher[Any],
    clients: int,
    turns: int = 60,
    seconds: Callable[[int], float] = flat,
) -> tuple[list[int], float]:
    """Clients who come back 0.1 ms after their answer, 10 µs apart.

    Gives the sizes of the batches, and the end of the last one.
    """
    now, sizes = 0.0, []
    due = [number * 1e-5 for number in range(clients)]
    run: BatchRun[Any] | None = None
    while len(sizes) < turns:
        ends = math.inf if run is None else run.started + seconds(run.rows)
        wakes = math.inf if scheduler.wake_at is None or run else scheduler.wake_at
        now = max(now, min(min(due, default=math.inf), ends, wakes))
        if run is not None and now >= ends:
            scheduler.finished(run, now)
            due += [now + 1e-4 + number * 1e-5 for number in range(len(run.jobs))]
            sizes.append(run.rows)
            run = None
            if len(sizes) == turns:
                break
        for moment in [moment for moment in due if moment <= now]:
            due.remove(moment)
            scheduler.submit(Job("client"), now)
        if run is None:
            run = scheduler.next(now)
    return sizes, now


@pytest.mark.parametrize("clients", [1, 2, 7, 32])
def test_clients_of_a_closed_loop_share_one_batch_where_a_run_costs_the_same(clients: int) -> None:
    assert closed_loop(batcher(known(flat)), clients)[0][-20:] == [clients] * 20


def test_clients_run_in_two_batches_of_like_size_where_one_with_all_would_take_longer() -> None:
    def full(rows: int) -> float:
        return 0.01 if rows <= 64 else 0.01 + 0.0004 * (rows - 64)

    sizes, _ = closed_loop(batcher(known(full)), 100, seconds=full)
    assert max(sizes[-20:]) <= 64
    assert sum(sizes[-20:]) == 10 * 100


def test_all_clients_run_together_where_that_is_better_than_two_batches_of_the_best_size() -> None:
    def full(rows: int) -> float:
        return 0.01 if rows <= 64 else 0.01 * rows / 64

    sizes, _ = closed_loop(batcher(known(full)), 100, seconds=full)
    assert sizes[-20:].count(100) >= 16


def test_clients_are_not_waited_for_where_that_gains_nothing() -> None:
    scheduler = batcher(known(linear))
    _, ended = closed_loop(scheduler, 8, seconds=linear)
    if not scheduler.queue.jobs:
        put(scheduler, 1, ended + 1e-4)
    started(scheduler, ended + 1e-4)


def test_nobody_is_waited_for_where_that_is_switched_off() -> None:
    sizes, _ = closed_loop(batcher(known(flat), regroups=False), 8)
    assert max(sizes[-20:]) < 8


def test_a_wait_ends_though_those_who_were_expected_do_not_come() -> None:
    scheduler = batcher(known(flat))
    _, ended = closed_loop(scheduler, 8)
    put(scheduler, 1, ended + 1e-4)
    assert scheduler.next(ended + 1e-4) is None
    assert scheduler.wake_at is not None
    assert scheduler.wake_at < ended + 5e-4
    assert started(scheduler, scheduler.wake_at).rows == 1


def test_nobody_is_waited_for_at_the_cost_of_a_deadline_or_an_objective() -> None:
    for facts, limits in (({"deadline": 0.0101}, {}), ({}, {"objective_s": 0.0125})):
        scheduler = batcher(known(flat), **limits)
        _, ended = closed_loop(scheduler, 8)
        due = {name: ended + seconds for name, seconds in facts.items()}
        put(scheduler, 1, ended + 1e-4, **due)
        assert started(scheduler, ended + 1e-4).rows < 8


def test_two_runs_at_once_are_taken_where_they_gain_and_not_where_they_do_not() -> None:
    for factor, expected in ((1.3, True), (2.0, True), (2.2, False)):
        cost = known(linear)
        learn(cost, lambda rows, by=factor: by * linear(rows), at_once=2)
        scheduler = batcher(cost, at_once=2)
        put(scheduler, 1)
        started(scheduler)
        put(scheduler, 1)
        assert (scheduler.next(0.0) is not None) is expected


def test_beside_another_run_nothing_beyond_its_share_is_tried() -> None:
    """What it took more than that would be missing in the next, and so on for good."""
    cost = known(affine)
    learn(cost, lambda rows: 1.5 * affine(rows), SIZES[:8], at_once=2)
    scheduler = batcher(cost, at_once=2)
    put(scheduler, 8)
    assert started(scheduler).rows == 8
    put(scheduler, 24)
    assert 8 <= started(scheduler).rows <= 16


def test_a_second_run_waits_until_it_is_known_how_large_one_should_be() -> None:
    scheduler = batcher(known(flat, (1,)), at_once=2)
    put(scheduler, 8)
    assert started(scheduler).rows == 2
    assert scheduler.next(0.0) is None


def test_a_second_run_waits_for_larger_sizes_that_were_tried_less_often_than_tells() -> None:
    """Else one slow run of a size, taken for a slope, speaks for two at once for good."""
    cost = known(affine, (1, 2, 3, 4, 6))
    cost.learn(8, 1.5 * affine(8))
    learn(cost, lambda rows: 2.3 * affine(rows), at_once=2)
    scheduler = batcher(cost, at_once=2)
    put(scheduler, 1)
    started(scheduler)
    put(scheduler, 64)
    assert scheduler.next(0.0) is None


@pytest.mark.parametrize(("slower", "waits"), [(1.1, False), (1.9, True)])
def test_a_larger_size_is_tried_alone_where_it_may_get_more_than_two_runs_at_once(
    slower: float, waits: bool
) -> None:
    """All who wait would wait for it. With all 65 rows a run may get 941 rows/s; two get 1,454 with
    16 rows each, or 842."""
    cost = known(affine, SIZES[:8])
    learn(cost, lambda rows: slower * affine(rows), SIZES[:8], at_once=2)
    scheduler = batcher(cost, at_once=2)
    put(scheduler, 1)
    started(scheduler)
    put(scheduler, 64)
    assert (scheduler.next(0.0) is None) is waits


def test_a_size_that_proves_better_is_soon_tried_again() -> None:
    cost = known(linear, (1, 2, 4, 6, 8, 12, 16))
    scheduler, now, tried = batcher(cost), 0.0, []
    for turn in range(400):
        put(scheduler, 4 * 8, now)
        while (run := scheduler.next(now)) is not None:
            if run.rows == 2 and turn > 300:
                tried.append(turn)
            now += linear(run.rows) * (0.9 if run.rows == 2 and turn > 300 else 1.0)
            scheduler.finished(run, now)
    assert tried, "it was never tried"
    assert cost.curve().best() == 2


def test_two_runs_at_once_are_tried_without_larger_sizes_alone_between_them() -> None:
    """Beside a run alone, which takes all cores, the try would say nothing."""
    scheduler = batcher(known(affine, SIZES[:8]), at_once=2)
    put(scheduler, 1)
    first, now = started(scheduler), 0.0
    for _ in range(100):
        put(scheduler, 1, now)
        second = scheduler.next(now)
        if second is not None:
            break
        now += affine(1)
        scheduler.finished(first, now)
        first = started(scheduler, now)
    assert second is not None, "two at once were never tried"
    put(scheduler, 64, now)
    assert scheduler.cost.curve().untried(16) == 24
    scheduler.finished(first, now + affine(1))
    assert scheduler.next(now + affine(1)) is not None


def test_what_is_left_beside_a_run_with_nearly_all_does_not_end_a_try_of_two_at_once() -> None:
    """30 rows ran alone, the other two went round beside them, and the try was over."""
    scheduler = batcher(known(affine, SIZES[:10]), at_once=2, rows=32)
    now = 0.0

    def round_of(rows: int) -> BatchRun[Any]:
        put(scheduler, rows, now)
        return started(scheduler, now)

    large = round_of(30)
    for _ in range(8):  # runs that have the choice: two more wait while one is in the air
        put(scheduler, 2, now)
        if scheduler.next(now) is not None:
            break
        now += affine(30)
        scheduler.finished(large, now)
        large = round_of(28)
    small = [run for run in scheduler._running if run is not large]
    assert len(small) == 1, "two at once were never tried"
    for _ in range(20):
        now += 10 * affine(2)
        scheduler.finished(small.pop(), now)
        small.append(round_of(2))
    scheduler.finished(large, now)
    put(scheduler, 30, now)
    assert started(scheduler, now).rows <= 16  # its share: the try goes on


def test_a_full_queue_says_when_there_is_room() -> None:
    scheduler = batcher(known(linear), queue_s=2.0, queue_jobs=1024)
    put(scheduler, 1)
    run = started(scheduler)
    with pytest.raises(Overloaded) as caught:
        put(scheduler, 1000)
    assert scheduler.queue.cost_s == pytest.approx(2.0, abs=0.02)
    assert caught.value.retry_after_s == pytest.approx(0.06, abs=0.02)
    scheduler.finished(run, 0.01)


def test_one_caller_cannot_take_the_last_of_the_room() -> None:
    scheduler = batcher(known(flat), queue_jobs=1024)
    put(scheduler, 1)
    started(scheduler)
    with pytest.raises(Overloaded):
        put(scheduler, 1024, caller="much")
    assert 950 < scheduler.queue.jobs < 970
    put(scheduler, 40, caller="other")
    put(scheduler, 1, caller="third")


def test_what_cannot_be_answered_before_its_deadline_is_refused() -> None:
    scheduler = batcher(known(linear))
    put(scheduler, 1)
    started(scheduler)
    put(scheduler, 50)
    with pytest.raises(Overloaded, match="deadline") as caught:
        scheduler.submit(Job("x", deadline=0.2), 0.0)
    assert caught.value.retry_after_s is not None
    scheduler.submit(Job("y", deadline=5.0), 0.0)


def test_an_idle_model_refuses_nobody() -> None:
    scheduler = batcher(known(linear), queue_jobs=1)
    put(scheduler, 1, rows=100_000, deadline=0.001)
    assert started(scheduler).rows == 100_000
