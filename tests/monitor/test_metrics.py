"""Metrics: what is counted, added up and shown."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from modelport.monitor.metrics import (
    BOUNDS_S,
    STAGES,
    Gathered,
    Histogram,
    ModelMetrics,
    Report,
    VersionPadding,
    add_reports,
    exposition,
)
from modelport.monitor.versions import VersionNow


@pytest.fixture
def metrics() -> Callable[..., ModelMetrics]:
    """Metrics of a version with two answered requests, of 3 rows, and one failed."""

    def make(model: str = "m", version: str = "1") -> ModelMetrics:
        made = ModelMetrics(model, version, "plain")
        made.answered(0.001, 0.002, 0.003, 0.004, rows=1)
        made.answered(0.1, 0.0, 0.2, 0.0, rows=2)
        made.failed("INVALID_INPUT")
        return made

    return make


def samples(report: Report, workers: int = 1, restarts: int = 0) -> dict[tuple[str, ...], float]:
    """The samples of the exposition by name and labels' values."""
    text = exposition(Gathered(report, workers, restarts)).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def test_an_observation_falls_into_the_bucket_whose_bound_it_does_not_pass() -> None:
    histogram = Histogram()
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] * 1.01, BOUNDS_S[-1], 1e9):
        histogram.observe(seconds)
    assert histogram.counts[0] == 2
    assert histogram.counts[1] == 1
    assert histogram.counts[-2:] == [1, 1]
    assert sum(histogram.counts) == 5


@given(st.lists(st.floats(0, 100)), st.lists(st.floats(0, 100)))
def test_two_histograms_add_up_to_one_that_saw_everything(
    some: list[float], others: list[float]
) -> None:
    one, other, both = Histogram(), Histogram(), Histogram()
    for seconds in some:
        one.observe(seconds)
        both.observe(seconds)
    for seconds in others:
        other.observe(seconds)
        both.observe(seconds)
    one.add(other)
    assert one.counts == both.counts
    assert one.total == pytest.approx(both.total)


def test_an_answer_counts_in_every_stage_and_their_sum(
    metrics: Callable[..., ModelMetrics],
) -> None:
    made = metrics()
    assert (made.requests, made.rows, made.errors) == (3, 3, {"INVALID_INPUT": 1})
    assert {stage: sum(h.counts) for stage, h in made.stages.items()} == dict.fromkeys(STAGES, 2)
    assert made.stages["total"].total == pytest.approx(0.31)
    assert made.stages["run"].total == pytest.approx(0.203)


def test_a_failure_counts_as_a_request_without_a_latency() -> None:
    made = ModelMetrics("m", "1", "plain")
    made.failed("A")
    made.failed("A")
    made.failed("B")
    assert made.requests == 3
    assert made.errors == {"A": 2, "B": 1}
    assert sum(made.stages["total"].counts) == 0


def test_reports_add_up_and_stay_as_they_are(metrics: Callable[..., ModelMetrics]) -> None:
    first = Report([metrics("a"), metrics("b")], {"NOT_FOUND": 1}, connections=2)
    second = Report([metrics("a")], {"NOT_FOUND": 2, "FORBIDDEN": 5}, connections=3)
    before = msgspec.json.encode([first, second])
    total = add_reports([first, second])
    assert msgspec.json.encode([first, second]) == before
    assert [m.key for m in total.models] == [("a", "1", "plain"), ("b", "1", "plain")]
    assert [m.requests for m in total.models] == [6, 3]
    assert total.models[0].errors == {"INVALID_INPUT": 2}
    assert total.models[0].stages["run"].total == pytest.approx(0.406)
    assert (total.rejected, total.connections) == ({"NOT_FOUND": 3, "FORBIDDEN": 5}, 5)


def test_the_memory_of_a_version_adds_up_over_processes() -> None:
    taken = VersionNow(model="a", version="1", resident_bytes=100, evictions=2)
    gone = VersionNow(model="b", version="1", evictions=1)
    first = Report(versions=[taken, gone])
    second = Report(
        versions=[VersionNow(model="a", version="1", resident_bytes=50, evictions=1, waiting=3)]
    )
    found = samples(add_reports([first, second]))
    assert found["modelport_model_memory_bytes", "model=a", "version=1"] == 150
    assert found["modelport_model_memory_bytes", "model=b", "version=1"] == 0
    assert found["modelport_model_evictions_total", "model=a", "version=1"] == 3
    assert found["modelport_waiting", "model=a", "version=1"] == 3


def test_fresh_reports_share_nothing() -> None:
    one, other = Report(), Report()
    one.models.append(ModelMetrics("m", "1", "plain"))
    one.rejected["X"] = 1
    assert (other.models, other.rejected) == ([], {})
    assert ModelMetrics("m", "1", "p").errors is not ModelMetrics("m", "1", "p").errors


def test_a_report_comes_back_from_its_wire_form(metrics: Callable[..., ModelMetrics]) -> None:
    report = Report([metrics()], {"X": 1}, 4)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=Report) == report


def test_the_exposition_says_what_was_counted(metrics: Callable[..., ModelMetrics]) -> None:
    found = samples(Report([metrics()], {"FORBIDDEN": 7}, connections=5), workers=2, restarts=3)
    who = ("model=m", "protocol=plain")
    assert found["modelport_requests_total", *who, "version=1"] == 3
    assert found["modelport_rows_total", *who, "version=1"] == 3
    errors = ("modelport_errors_total", "code=INVALID_INPUT", *who, "version=1")
    assert found[errors] == 1
    assert found["modelport_rejected_total", "code=FORBIDDEN"] == 7
    assert found["modelport_connections",] == 5
    assert found["modelport_workers",] == 2
    assert found["modelport_worker_restarts_total",] == 3
    run = (*who, "stage=run", "version=1")
    assert found["modelport_latency_seconds_count", *run] == 2
    assert found["modelport_latency_seconds_sum", *run] == pytest.approx(0.203)


def test_buckets_are_cumulative_and_end_with_everything(
    metrics: Callable[..., ModelMetrics],
) -> None:
    found = samples(Report([metrics()]))
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    rest = ("model=m", "protocol=plain", "stage=run", "version=1")
    counts = [found["modelport_latency_seconds_bucket", f"le={b}", *rest] for b in bounds]
    assert counts == sorted(counts)
    assert counts[bounds.index("0.0025")] == 0
    assert counts[bounds.index("0.005")] == 1
    assert counts[bounds.index("0.1")] == 1
    assert counts[bounds.index("0.25")] == 2
    assert counts[-1] == 2


def test_odd_names_survive_the_text_format(metrics: Callable[..., ModelMetrics]) -> None:
    name = 'a "b"\\c\nd'
    found = samples(Report([metrics(name)]))
    assert found["modelport_requests_total", f"model={name}", "protocol=plain", "version=1"] == 3


def test_a_server_that_did_nothing_shows_its_workers() -> None:
    found = samples(Report(), workers=4)
    assert found["modelport_workers",] == 4
    assert found["modelport_connections",] == 0


def test_a_batch_of_several_requests_counts_once() -> None:
    made = ModelMetrics("m", "1", "plain")
    for rows, batch_rows in ((1, 4), (3, 4), (2, 0), (5, 5)):
        made.answered(0, 0, 0, 0, rows=rows, batch_rows=batch_rows)
    assert (made.rows, made.batches) == (11, 3)
    made.add(made)
    found = samples(Report([made]))
    assert found["modelport_batches_total", "model=m", "protocol=plain", "version=1"] == 6


def test_what_was_padding_adds_up_over_processes() -> None:
    first = Report(padding=[VersionPadding("a", "1", 100, 10)])
    second = Report(padding=[VersionPadding("a", "1", 50, 5), VersionPadding("b", "2", 8, 0)])
    found = samples(add_reports([first, second]))
    assert found["modelport_batch_elements_total", "model=a", "version=1"] == 150
    assert found["modelport_padding_elements_total", "model=a", "version=1"] == 15
    assert found["modelport_padding_elements_total", "model=b", "version=2"] == 0
