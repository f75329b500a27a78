"""The last hour, on a clock that the tests turn."""

from __future__ import annotations

import msgspec

from modelport.monitor.changes import Changes, VersionChanges
from modelport.monitor.history import STEP_S, History
from modelport.monitor.metrics import BOUNDS_S
from modelport.monitor.recording import Recording, Standing

KEY = ("m", "1")
START = 1_000_000.0


class Clock:
    """Looks at a recording, each so long after the one before."""

    def __init__(self) -> None:
        self.recording = Recording()
        self.now = START

    def look(self, after_s: float = STEP_S, standing: Standing | None = None, **done: int) -> None:
        since, self.now = self.now, self.now + after_s
        versions = {KEY: VersionChanges(**done)} if done else {}
        self.recording.add(since, self.now, Changes(versions), standing or Standing())

    def told(self, since: float = 0.0) -> History:
        return self.recording.told("m", since)


def test_what_happens_within_a_step_is_added_up() -> None:
    clock = Clock()
    for _ in range(5):
        clock.look(1.0, requests=2, errors=1, rows=8)
    clock.look(1.0, requests=1)
    first, second = clock.told().versions[0].points
    assert (first.at, first.requests, first.errors, first.rows) == (START, 10, 5, 40)
    assert (second.at, second.requests) == (START + STEP_S, 1)
    assert len(first.latency) == len(BOUNDS_S) + 1


def test_a_look_counts_in_the_step_that_has_most_of_it() -> None:
    clock = Clock()
    clock.look(STEP_S + 0.2, requests=7)  # a bit late: all but the last moment is of the first
    assert clock.told().versions[0].points[0].at == START


def test_only_steps_in_which_something_happened_have_a_point() -> None:
    clock = Clock()
    clock.look(requests=1)
    for _ in range(10):
        clock.look()
    clock.look(standing=Standing(waiting={KEY: 3}))
    assert [p.at for p in clock.told().versions[0].points] == [START, START + 11 * STEP_S]
    assert clock.told().versions[0].points[1].waiting == 3
    assert len(clock.told().server) == 12


def test_what_waits_is_the_most_of_a_step() -> None:
    clock = Clock()
    for jobs in (2, 9, 0):
        clock.look(1.0, standing=Standing(waiting={KEY: jobs}))
    assert clock.told().versions[0].points[0].waiting == 9
    assert clock.told().server[0].waiting == 9


def test_memory_is_told_where_it_changes() -> None:
    clock = Clock()
    for size in (10, 10, 30, 30, 0):
        clock.look(standing=Standing(resident={KEY: size}))
    memory = [(p.at - START, p.resident_bytes) for p in clock.told().versions[0].memory]
    assert memory == [(0.0, 10), (2 * STEP_S, 30), (4 * STEP_S, 0)]
    later = clock.told(since=START + 3 * STEP_S).versions[0].memory
    assert [(p.at - START, p.resident_bytes) for p in later] == [(15.0, 30), (20.0, 0)]


def test_a_version_that_is_no_longer_named_takes_no_memory() -> None:
    clock = Clock()
    clock.look(standing=Standing(resident={KEY: 10}))
    clock.look(standing=Standing())
    assert clock.told().versions[0].memory[-1].resident_bytes == 0


def test_an_hour_is_kept_and_no_more() -> None:
    clock = Clock()
    for _ in range(2000):
        clock.look(requests=1, standing=Standing(resident={KEY: 5}))
    (version,) = clock.told().versions
    assert len(version.points) == len(clock.told().server) == 720
    assert version.points[-1].at - version.points[0].at == 719 * STEP_S
    assert version.memory[0].at == version.points[0].at
    assert len(version.memory) == 1


def test_what_is_older_is_let_go_of() -> None:
    clock = Clock()
    clock.look(requests=1, standing=Standing(resident={KEY: 5}))
    clock.look(standing=Standing(resident={KEY: 0}))
    for _ in range(900):
        clock.look()
    assert clock.told().versions == []
    assert len(clock.recording._server.steps) <= 720 + 61


def test_the_cpu_of_a_step_is_its_average_over_time() -> None:
    clock = Clock()
    clock.look(1.0, standing=Standing(cpu=2.0, memory_bytes=7, connections=3))
    clock.look(3.0, standing=Standing(cpu=1.0, memory_bytes=8, connections=4))
    (point,) = clock.told().server
    assert (point.cpu, point.memory_bytes, point.connections) == (1.25, 8, 4)


def test_the_last_minute_forgets_what_is_older() -> None:
    clock = Clock()
    clock.look(found=1, looked_up=2)
    assert clock.recording.minute(KEY).hit_rate == 0.5
    for _ in range(11):
        clock.look()
    assert clock.recording.minute().looked_up == 2
    clock.look()
    assert clock.recording.minute().hit_rate is None
    assert sum(clock.recording.minute(("other", "1")).latency) == 0


def test_one_model_is_told_without_the_others() -> None:
    clock = Clock()
    versions = {(name, "1"): VersionChanges(requests=1) for name in ("a", "b")}
    clock.recording.add(START, START + 1, Changes(versions), Standing())
    assert [v.name for v in clock.recording.told("b").versions] == ["b"]
    assert len(clock.recording.told("b").server) == 1


def test_of_the_whole_server_all_are_told_as_one_however_many_there_are() -> None:
    clock = Clock()
    for _ in range(3):
        versions = {(f"m{n}", "1"): VersionChanges(requests=n, rows=1) for n in range(50)}
        waiting = {("m1", "1"): 2, ("m2", "1"): 3}
        standing = Standing(waiting=waiting, resident=dict.fromkeys(versions, 5))
        clock.recording.add(clock.now, clock.now + STEP_S, Changes(versions), standing)
        clock.now += STEP_S
    told = clock.recording.told()
    assert (told.versions, len(told.server)) == ([], 3)
    figures = [(p.at - START, p.requests, p.rows, p.waiting) for p in told.traffic]
    assert figures == [(n * STEP_S, sum(range(50)), 50, 5) for n in range(3)]
    assert len(clock.recording.told(since=START + STEP_S).traffic) == 2
    assert clock.recording.told("m7").traffic == []


def test_a_copy_stays_as_it_is_while_the_recording_goes_on() -> None:
    clock = Clock()
    clock.look(requests=1, standing=Standing(resident={KEY: 5}))
    model, server = clock.recording.copy("m"), clock.recording.copy()
    before = model.told("m"), server.told()
    clock.look(1.0, requests=1, standing=Standing(resident={KEY: 6}))
    clock.look(requests=1)
    assert (model.told("m"), server.told()) == before
    assert before[0] == msgspec.structs.replace(before[1], versions=before[0].versions, traffic=[])
    assert [p.requests for p in before[0].versions[0].points] == [1]
    assert clock.recording.copy("m").told("m") == clock.told()


def test_a_clock_that_is_set_back_begins_anew() -> None:
    clock = Clock()
    clock.look(requests=1)
    clock.now = START - 3600
    clock.look(requests=2)
    (point,) = clock.told().versions[0].points
    assert (point.at, point.requests) == (START - 3600, 2)


def test_a_count_beyond_what_a_cell_holds_stays_at_its_most() -> None:
    clock = Clock()
    clock.look(1.0, rows=2**40)
    clock.look(1.0, rows=5)
    assert clock.told().versions[0].points[0].rows == 2**32 - 1
