"""How versions stand over several processes."""

from __future__ import annotations

import pytest

from modelport.monitor.versions import VersionNow, add_versions


def now(**facts: object) -> VersionNow:
    return VersionNow(model="m", version="1", **facts)  # type: ignore[arg-type]  # any fields


@pytest.mark.parametrize(
    ("states", "told"),
    [
        (("READY", "READY"), "READY"),
        (("STANDBY", "READY"), "READY"),
        (("READY", "LOADING"), "LOADING"),
        (("LOADING", "FAILED"), "FAILED"),
    ],
)
def test_a_version_stands_as_where_it_stands_worst(states: list[str], told: str) -> None:
    assert add_versions(now(state=state) for state in states)[0].state == told


def test_copies_and_queues_of_workers_add_up() -> None:
    (both,) = add_versions([now(copies=1, waiting=2, resident_bytes=5)] * 2)
    assert (both.copies, both.queue, both.resident_bytes) == (2, 4, 10)


def test_what_is_in_the_engine_process_counts_once() -> None:
    shared = now(copies=1, is_shared=True, waiting_elsewhere=7, resident_bytes=5)
    (both,) = add_versions([shared, shared])
    assert (both.copies, both.queue, both.resident_bytes) == (1, 7, 10)
