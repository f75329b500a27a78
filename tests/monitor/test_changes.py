"""What happened between two reports of a process."""

from __future__ import annotations

import copy

from modelport.monitor.caching import CacheCounts, CacheReport
from modelport.monitor.changes import Changes, VersionChanges, changes_between
from modelport.monitor.metrics import ModelMetrics, Report


def answered(metrics: ModelMetrics, times: int, run_s: float = 0.004) -> None:
    for _ in range(times):
        metrics.answered(0.0, 0.0, run_s, 0.0, rows=2)


def test_what_was_counted_before_does_not_count_again() -> None:
    metrics = ModelMetrics("m", "1", "plain")
    answered(metrics, 3)
    before = Report([metrics], {"NOT_FOUND": 1})
    after = copy.deepcopy(before)
    answered(after.models[0], 2)
    after.models[0].failed("INVALID_INPUT")
    after.rejected = {"NOT_FOUND": 2, "FORBIDDEN": 3}
    changes = changes_between(before, after)
    done = changes.versions["m", "1"]
    assert (done.requests, done.errors, done.rows) == (3, 1, 4)
    assert sum(done.latency) == done.latency[5] == 2
    assert changes.rejected == 4


def test_a_version_at_rest_is_not_told() -> None:
    metrics = ModelMetrics("m", "1", "plain")
    answered(metrics, 3)
    report = Report([metrics, ModelMetrics("idle", "1", "plain")])
    assert changes_between(report, copy.deepcopy(report)) == Changes()


def test_the_protocols_of_a_version_are_counted_together() -> None:
    plain, oip = ModelMetrics("m", "1", "plain"), ModelMetrics("m", "1", "oip")
    answered(plain, 1)
    answered(oip, 2)
    assert changes_between(Report(), Report([plain, oip])).versions["m", "1"].requests == 3


def test_what_was_counted_anew_is_never_less_than_nothing() -> None:
    long, short = ModelMetrics("m", "1", "plain"), ModelMetrics("m", "1", "plain")
    answered(long, 9, run_s=1.0)
    answered(short, 2)
    before = Report([long], {"NOT_FOUND": 5})
    changes = changes_between(before, Report([short], {"NOT_FOUND": 2}))
    assert changes.versions["m", "1"].requests == 2
    assert min(changes.versions["m", "1"].latency) == 0
    assert changes.rejected == 2


def test_look_ups_in_the_cache_count_for_their_version() -> None:
    before = Report(cache=CacheReport(versions=[CacheCounts("m", "1", hits=5, misses=5)]))
    counts = CacheCounts("m", "1", hits=8, misses=6, shared=1)
    after = Report(cache=CacheReport(versions=[counts]))
    assert changes_between(before, after).versions["m", "1"] == VersionChanges(found=4, looked_up=5)


def test_the_changes_of_several_processes_add_up() -> None:
    one = Changes({("a", "1"): VersionChanges(requests=1, rows=1)}, rejected=1)
    one.add(Changes({("a", "1"): VersionChanges(requests=2), ("b", "1"): VersionChanges(rows=4)}))
    assert one.total() == VersionChanges(requests=3, rows=5)
    assert one.rejected == 1
