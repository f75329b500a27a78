"""What the settings of memory mean for one process."""

from __future__ import annotations

from modelport.app.budget import memory_of, trial_bytes
from modelport.core.settings import Memory


def test_each_worker_has_an_equal_part_of_the_budget() -> None:
    memory = memory_of(Memory(model_memory_bytes=1000, lazy=True, pin=("a", "b")), 4)
    assert (memory.budget_bytes, memory.lazy) == (250, True)
    assert memory.pinned == {"a", "b"}


def test_no_budget_is_no_bound_and_a_tiny_one_is_one() -> None:
    assert not memory_of(Memory(), 4).is_bounded
    assert memory_of(Memory(model_memory_bytes=3), 4).is_bounded


def test_a_trial_may_take_what_is_set_else_a_workers_part_of_what_is_left() -> None:
    assert trial_bytes(Memory(trial_memory_bytes=77), 4) == 77
    left = trial_bytes(Memory(), 4)
    assert left is None or left > 0
