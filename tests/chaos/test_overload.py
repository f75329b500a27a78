"""More requests than the machine can answer: what it can is answered, the rest refused at once."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import httpx
import pytest

from benchmarks import load, open_loop
from benchmarks.calls import Call
from tests.app.servers import Served, child_pids, serving
from tests.chaos.heavy import TOKENS, write_heavy

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

BODY = json.dumps({"ids": list(range(TOKENS))}).encode()
HEADERS = {"Content-Type": "application/json"}
SECONDS = 10.0


def peak(url: str, folder: Path) -> float:
    """Requests/s that a closed loop of 64 connections gets."""
    call = Call("/predict", HEADERS, BODY, lambda answer: [])
    folder.mkdir()
    return load.run(f"{url}/predict", load.write_script(call, folder), 64, 5).requests_per_s


def resident_mib(served: Served) -> float:
    """Of all the server's processes."""
    total = 0
    for pid in child_pids(served.process.pid):
        text = Path(f"/proc/{pid}/status").read_text()
        total += next(int(li.split()[1]) for li in text.splitlines() if li.startswith("VmRSS"))
    return total / 1024


def seconds_of_one(client: httpx.Client, url: str) -> float:
    began = time.monotonic()
    assert client.post(f"{url}/predict", content=BODY, headers=HEADERS).status_code == 200
    return time.monotonic() - began


def test_under_3_and_10_times_the_load_what_can_be_answered_is(tmp_path: Path) -> None:
    with (
        serving(write_heavy(tmp_path / "models"), state=tmp_path / "state") as served,
        httpx.Client(timeout=20) as client,
    ):
        capacity = peak(served.url, tmp_path / "load")
        calm = sorted(seconds_of_one(client, served.url) for _ in range(50))[48]
        request = open_loop.request_bytes(f"{served.url}/predict", BODY, HEADERS)
        told: list[str] = []
        for times in (3, 10):
            before = resident_mib(served)
            plan = open_loop.Plan(times * capacity, SECONDS, connections=6000, timeout_s=10)
            seen = open_loop.run(f"{served.url}/predict", request, plan)
            ended = time.monotonic()
            while seconds_of_one(client, served.url) > 2 * calm + 0.02:
                assert time.monotonic() - ended < 10
            back_s = time.monotonic() - ended
            grown = resident_mib(served) - before
            told.append(
                f"{times} times {capacity:.0f}/s: goodput {seen.goodput / capacity:.2f} of it,"
                f" refusals p99 {seen.refused.p99_ms:.1f} ms, {grown:+.0f} MiB, calm after"
                f" {back_s:.2f} s; the generator took {seen.cpu_s / seen.wall_s:.2f} of a core"
            )
            assert set(seen.statuses) == {200, 503}, seen.statuses
            assert seen.failures == {}
            assert seen.goodput > 0.5 * capacity  # how near it comes is for the benchmark
            assert seen.refused.p99_ms < 250
            assert grown < 100
    sys.stderr.write("\n" + "\n".join(told) + "\n")


def test_a_refusal_says_when_there_is_room(tmp_path: Path) -> None:
    with serving(write_heavy(tmp_path / "models"), state=tmp_path / "state") as served:
        capacity = peak(served.url, tmp_path / "load")
        url = f"{served.url}/predict"
        request = open_loop.request_bytes(url, BODY, HEADERS | {"X-Request-Timeout": "0.2"})
        plan = open_loop.Plan(5 * capacity, 4.0, connections=3000, timeout_s=10)
        seen = open_loop.run(url, request, plan)
        assert set(seen.statuses) <= {200, 503, 504}
        assert seen.good.max_ms < 1000  # nobody is answered long after they wanted it
        assert seen.statuses[200] > capacity
