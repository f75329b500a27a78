"""More requests than a model can answer: what it can is answered, the rest refused at once.

The model takes its time without a core, so that what it can is the same at each moment on any
machine; how far the goodput of one that computes is from its peak is for the benchmark, where
generator, server and model share the cores.
"""

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

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

PROGRAM = """
import time
from typing import Annotated
import numpy as np
from numpy.typing import NDArray

def answer(ids: Annotated[NDArray[np.int64], (None, 32)]) -> Annotated[NDArray[np.int64], (None,)]:
    time.sleep(0.004 + 0.003 * len(ids))
    return ids.sum(axis=1)
"""
BODY = json.dumps({"ids": list(range(32))}).encode()
HEADERS = {"Content-Type": "application/json"}
SECONDS = 10.0
LATE_MS = 50.0
"""The p99 of how late the generator may be for its run to count."""


@pytest.fixture
def slow_model(tmp_path: Path) -> Path:
    """A model that takes 3 ms for a row, and 4 ms for a batch."""
    program = tmp_path / "slow.py"
    program.write_text(PROGRAM)
    return Path(f"{program}:answer")


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


def while_in_time(url: str, request: bytes, plan: open_loop.Plan) -> open_loop.OpenLoad:
    """A run in which the generator kept its plan, of three at most.

    Where the whole machine stood still, what came due meanwhile comes in one heap afterwards, and
    how soon that is refused says nothing of a load that is spread over time.
    """
    for _ in range(3):
        seen = open_loop.run(url, request, plan)
        if seen.late_p99_ms < LATE_MS:
            break
    return seen


@pytest.mark.parametrize("placement", ["inline", "shared"])
def test_under_3_and_10_times_the_load_what_can_be_answered_is(
    tmp_path: Path, slow_model: Path, placement: str
) -> None:
    with (
        serving(slow_model, "--placement", placement, state=tmp_path / "state") as served,
        httpx.Client(timeout=20) as client,
    ):
        capacity = peak(served.url, tmp_path / "load")
        calm = sorted(seconds_of_one(client, served.url) for _ in range(50))[48]
        request = open_loop.request_bytes(f"{served.url}/predict", BODY, HEADERS)
        told: list[str] = []
        for times in (3, 10):
            before = resident_mib(served)
            plan = open_loop.Plan(times * capacity, SECONDS, connections=6000, timeout_s=10)
            seen = while_in_time(f"{served.url}/predict", request, plan)
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
            assert seen.goodput > (0.9 if times == 3 else 0.75) * capacity
            # A stall of the whole machine makes the generator late, too: that is not the server's.
            assert seen.refused.p99_ms < 50 + seen.late_p99_ms
            assert grown < 100
    sys.stderr.write("\n" + "\n".join(told) + "\n")


def test_what_would_come_too_late_is_refused_and_the_rest_answered(
    tmp_path: Path, slow_model: Path
) -> None:
    with serving(slow_model, state=tmp_path / "state") as served:
        capacity = peak(served.url, tmp_path / "load")
        url = f"{served.url}/predict"
        request = open_loop.request_bytes(url, BODY, HEADERS | {"X-Request-Timeout": "0.2"})
        plan = open_loop.Plan(5 * capacity, 4.0, connections=3000, timeout_s=10)
        seen = open_loop.run(url, request, plan)
        assert set(seen.statuses) <= {200, 503, 504}
        assert seen.good.max_ms < 1000  # nobody is answered long after they wanted it
        sys.stderr.write(f"\ngoodput {seen.goodput / capacity:.2f} of the peak; {seen.statuses}\n")
        assert seen.goodput > 0.75 * capacity
