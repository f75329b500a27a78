"""What the cache did, added up and shown."""

from __future__ import annotations

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from modelport.monitor.caching import CacheCounts, CacheReport, CacheState, add_cache_reports
from modelport.monitor.metrics import Gathered, Report, add_reports, exposition


def report(model: str = "m", hits: int = 5) -> CacheReport:
    return CacheReport(
        versions=[CacheCounts(model, "1", hits=hits, misses=2, shared=1)],
        stored=3,
        dropped=4,
        errors={"timeout": 1},
        state=CacheState(taken_bytes=100, entries=2, open=1),
    )


def test_reports_add_up_by_version_and_stay_as_they_are() -> None:
    first, second = report(), report()
    total = add_cache_reports([first, second, report("n", hits=1)])
    assert total.versions == [CacheCounts("m", "1", 10, 4, 2), CacheCounts("n", "1", 1, 2, 1)]
    assert (total.stored, total.dropped, total.errors) == (9, 12, {"timeout": 3})
    assert total.state == CacheState(300, 6, 3)
    assert first == second == report()


def test_fresh_reports_share_nothing() -> None:
    one, other = CacheReport(), CacheReport()
    one.versions.append(CacheCounts("m", "1"))
    one.errors["x"] = 1
    one.state.entries = 1
    assert other == CacheReport()


def test_the_exposition_says_what_the_cache_did() -> None:
    gathered = Gathered(add_reports([Report(cache=report()), Report(cache=report())]), 2, 0)
    gathered = msgspec.msgpack.decode(msgspec.msgpack.encode(gathered), type=Gathered)
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(exposition(gathered).decode())
        for sample in family.samples
        if "cache" in sample.name
    }
    assert found == {
        ("modelport_cache_hits_total", "m", "1"): 10,
        ("modelport_cache_misses_total", "m", "1"): 4,
        ("modelport_cache_shared_total", "m", "1"): 2,
        ("modelport_cache_errors_total", "timeout"): 2,
        ("modelport_cache_stored_total",): 6,
        ("modelport_cache_dropped_total",): 8,
        ("modelport_cache_bytes",): 200,
        ("modelport_cache_entries",): 4,
        ("modelport_cache_open",): 2,
    }
