"""What `wrk` prints, and the script it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dialects import DIALECTS
from benchmarks.errors import BenchError, ToolMissing
from benchmarks.load import find_wrk, parse, write_script

_PRINTED = """\
Running 5s test @ http://127.0.0.1:8080/predict
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.51ms  410.20us   9.80ms   88.11%%
    Req/Sec    22.41k     1.20k   24.10k    70.00%%
  111500 requests in 5.00s, 16.91MB read
Requests/sec:  22300.00
Transfer/sec:      3.38MB
BENCH {"requests":111500,"duration_us":5000000,"p50_us":1490,"p99_us":3310,"errors":%s}
"""
_NO_ERRORS = '{"connect":0,"read":0,"write":0,"timeout":0,"status":0}'


def test_a_clean_load_is_read_in_seconds_and_milliseconds() -> None:
    load = parse(_PRINTED % _NO_ERRORS)
    assert (load.requests, load.seconds, load.requests_per_s) == (111500, 5.0, 22300.0)
    assert (load.p50_ms, load.p99_ms) == (1.49, 3.31)
    assert load.errors == {}


def test_only_the_errors_that_occurred_are_kept() -> None:
    load = parse(_PRINTED % '{"connect":0,"read":7,"write":0,"timeout":1,"status":3}')
    assert load.errors == {"read": 7, "timeout": 1, "status": 3}


@pytest.mark.parametrize("printed", ["", "Requests/sec: 1.00\n", _PRINTED * 2])
def test_output_without_exactly_one_result_is_refused(printed: str) -> None:
    with pytest.raises(BenchError, match="no result"):
        parse(printed)


def test_the_script_sends_the_call_s_headers_and_body(tmp_path: Path) -> None:
    script = write_script(DIALECTS["body"]("linear", b'{"x":[1,2,3]}'), tmp_path).read_text()
    assert 'wrk.headers["Content-Type"] = "application/json"' in script
    assert f'io.open("{tmp_path / "body"}", "rb")' in script
    assert (tmp_path / "body").read_bytes() == b'{"x":[1,2,3]}'


def test_a_missing_wrk_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match="Debian package `wrk`"):
        find_wrk()
