"""Whose turn it is."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.engine.queue import Job, Queue


def job(name: Any, rows: int = 1, cost_s: float | None = None, **facts: Any) -> Job[Any]:
    """A job whose rows take a second each, if not told otherwise."""
    made: Job[Any] = Job(name, rows=rows, **facts)
    made.cost_s = rows if cost_s is None else cost_s
    return made


def filled(*jobs: Job[Any]) -> Queue[Any]:
    queue: Queue[Any] = Queue()
    for one in jobs:
        queue.push(one)
    return queue


def taken(queue: Queue[Any], count: int = 10_000) -> list[Any]:
    """Who is taken, in turn."""
    names: list[Any] = []
    while len(names) < count and (first := queue.first()) is not None:
        queue.take(first)
        names.append(first.payload)
    return names


def test_one_caller_is_served_in_the_order_of_arrival() -> None:
    assert taken(filled(*(job(n) for n in range(50)))) == list(range(50))


def test_a_caller_who_sends_little_does_not_wait_behind_one_who_sends_much() -> None:
    queue = filled(*(job(("much", n), caller="much") for n in range(100)))
    queue.push(job("little", caller="little"))
    assert taken(queue).index("little") <= 1


def test_callers_share_by_the_work_that_they_ask_for_and_not_by_requests() -> None:
    large = [job("large", 4, caller="a") for _ in range(100)]
    small = [job("small", 1, caller="b") for _ in range(400)]
    counts = Counter(taken(filled(*large, *small), 250))
    assert counts["small"] == pytest.approx(4 * counts["large"], rel=0.05)


def test_long_rows_are_more_work_than_short_ones() -> None:
    long = [job("long", row_class=7, caller="a") for _ in range(100)]
    short = [job("short", row_class=5, caller="b") for _ in range(400)]
    counts = Counter(taken(filled(*long, *short), 250))
    assert counts["short"] == pytest.approx(4 * counts["long"], rel=0.05)


def test_a_machine_that_wavers_changes_nobodys_turn() -> None:
    chance = random.Random(0)
    queue: Queue[int] = Queue()
    callers = [str(n) for n in range(64)]
    taken_of: Counter[str] = Counter()
    for caller in callers:
        queue.push(job(caller, cost_s=chance.choice((0.5, 1.0, 2.0)), caller=caller))
    for _ in range(40 * 64):
        first = queue.first()
        assert first is not None
        queue.take(first)
        caller = first.flow[1]
        taken_of[caller] += 1
        queue.push(job(caller, cost_s=chance.choice((0.5, 1.0, 2.0)), caller=caller))
        assert max(taken_of.values()) - min(taken_of[c] for c in callers) <= 1


def test_priorities_share_by_their_weights_and_none_starves() -> None:
    jobs = [job(p, priority=p) for p in ("low", "normal", "high") for _ in range(1000)]
    counts = Counter(taken(filled(*jobs), 210))
    assert counts == {"high": 160, "normal": 40, "low": 10}


def test_who_was_idle_has_saved_nothing_up() -> None:
    queue = filled(*(job("a", caller="a") for _ in range(200)))
    taken(queue, 100)
    for _ in range(100):
        queue.push(job("b", caller="b"))
    assert abs(Counter(taken(queue, 100))["b"] - 50) <= 1


def test_work_that_was_dropped_is_not_charged() -> None:
    queue = filled(*(job("b", caller="b") for _ in range(10)))
    dropped = [job("a", 50, caller="a") for _ in range(5)]
    for one in dropped:
        queue.push(one)
    for one in dropped:
        queue.drop(one)
    queue.push(job("a", caller="a"))
    assert "a" in taken(queue, 2)


def test_a_caller_who_drops_a_large_job_does_not_overtake_itself() -> None:
    large, *small = [job(0, 10), job(1), job(2)]
    queue = filled(large, *small)
    queue.drop(large)
    queue.push(job(3))
    assert taken(queue) == [1, 2, 3]


def test_what_a_dropped_job_was_charged_is_given_back_though_others_of_its_caller_wait() -> None:
    queue = filled(*(job(("b", n), caller="b") for n in range(40)))
    large = job("large", 20, caller="a")
    for one in (large, job(("a", 0), caller="a")):
        queue.push(one)
    queue.drop(large)
    for number in range(1, 21):
        queue.push(job(("a", number), caller="a"))
    counts = Counter(name for name, _ in taken(queue, 42))
    assert counts["a"] == pytest.approx(21, abs=1)


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_jobs_of_one_caller_and_priority_keep_their_order_whoever_leaves(seed: int) -> None:
    chance = random.Random(seed)
    queue: Queue[int] = Queue()
    waiting: list[Job[int]] = []
    last: dict[tuple[str, str], int] = {}
    for number in range(200):
        action = chance.random()
        if action < 0.5:
            one = job(number, chance.choice((1, 2, 9)), caller=chance.choice("ab"))
            queue.push(one)
            waiting.append(one)
        elif waiting and action < 0.7:
            queue.drop(waiting.pop(chance.randrange(len(waiting))))
        elif waiting:
            first = queue.first()
            assert first is not None
            queue.take(first)
            waiting.remove(first)
            assert first.payload > last.get(first.flow, -1)
            last[first.flow] = first.payload


def test_the_wait_of_a_caller_is_that_of_its_share() -> None:
    queue = filled(*(job(n, caller="a") for n in range(10)))
    assert queue.wait_s(("normal", "a")) == 10
    assert queue.wait_s(("normal", "b")) == 1  # for one of the other's
    queue.push(job("x", caller="b"))
    assert queue.wait_s(("normal", "b")) == 2  # its own second, at half the speed
    assert queue.wait_s(("normal", "a")) == 11


def test_a_new_caller_waits_for_one_job_of_each_that_waits_already() -> None:
    queue = filled(*(job(n, caller=str(n % 200)) for n in range(400)))
    wait = queue.wait_s(("normal", "new"))
    assert wait == 200
    queue.push(job("new", caller="new"))
    assert taken(queue).index("new") == pytest.approx(wait, abs=1)


def test_jobs_of_one_kind_are_found_in_their_turns() -> None:
    queue = filled(job(1, kind="a"), job(2, kind="b"), job(3, kind="a"))
    first = queue.first()
    assert first is not None
    queue.take(first)
    following = queue.first_of("a")
    assert following is not None
    assert following.payload == 3
    queue.take(following)
    assert queue.first_of("a") is None
    assert queue.first_of("c") is None
    assert taken(queue) == [2]


@settings(max_examples=200)
@given(st.integers(0, 2**32))
def test_nothing_is_lost_or_taken_twice_and_the_sums_are_right(seed: int) -> None:
    chance = random.Random(seed)
    queue: Queue[int] = Queue()
    waiting: dict[int, Job[int]] = {}
    taken_or_dropped: set[int] = set()
    for number in range(600):
        action = chance.random()
        if action < 0.5:
            one = job(
                number,
                rows=chance.randint(1, 5),
                cost_s=chance.choice((0.0, 0.1, 3.0)),
                kind=chance.randint(0, 3),
                caller=str(chance.randint(0, 5)),
                priority=chance.choice(("low", "normal", "high")),
            )
            queue.push(one)
            waiting[number] = one
        elif waiting and action < 0.75:
            first = queue.first()
            assert first is not None
            queue.take(first)
            assert waiting.pop(first.payload) is first
            taken_or_dropped.add(first.payload)
        elif waiting:
            dropped = waiting.pop(chance.choice(list(waiting)))
            queue.drop(dropped)
            taken_or_dropped.add(dropped.payload)
        assert queue.jobs == len(waiting)
        assert queue.rows == sum(one.rows for one in waiting.values())
        assert queue.kinds == len({one.kind for one in waiting.values()})
        assert queue.cost_s == pytest.approx(sum(o.cost_s for o in waiting.values()), abs=1e-6)
        assert {one.payload for one in queue} == set(waiting)
        assert len(queue._all) <= 2 * queue.jobs + 66  # what is gone takes no memory for long
    assert set(taken(queue)) == set(waiting)
    assert not taken_or_dropped & set(waiting)


def test_callers_who_have_left_are_forgotten() -> None:
    queue = filled(*(job("stays", 1_000_000, caller="stays") for _ in range(100)))
    for number in range(5000):
        one = job(number, caller=str(number))
        queue.push(one)
        queue.drop(one)
    assert len(queue._flows) < 3000
