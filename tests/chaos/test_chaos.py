"""What the server promises when things go wrong around it, on real processes under load."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.app.servers import LINEAR, Served, serving
from tests.chaos.load import Load, latency_p99

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

DEADLINES_S = 6.0
CONFIG = f"""
[http]
head_s = {DEADLINES_S}
body_s = {DEADLINES_S}
write_s = {DEADLINES_S}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "modelport.toml"
    path.write_text(CONFIG)
    return path


def slow_clients(url: str, count: int, kind: str) -> subprocess.Popen[str]:
    """Slow clients, all of them connected."""
    port = url.rpartition(":")[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.slow", port, str(count), kind],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("kind", ["sends", "ignores"])
def test_500_slow_clients_cost_the_others_nothing_and_are_closed_at_their_deadline(
    tmp_path: Path, config: Path, kind: str
) -> None:
    without: list[float] = []
    beside: list[float] = []
    lived: list[float] = []
    with serving(LINEAR, "--config", str(config), state=tmp_path / "state") as served:
        asyncio.run(latency_p99(served.url, 1.0))
        for _ in range(3):
            without.append(asyncio.run(latency_p99(served.url, 2.0)))
            slow = slow_clients(served.url, 500, kind)
            beside.append(asyncio.run(latency_p99(served.url, 2.0)))
            out, _ = slow.communicate(timeout=90)
            lived += json.loads(out)
            assert httpx.post(f"{served.url}/predict", json={"x": [1, 2, 3]}).status_code == 200
    ratio = statistics.median(beside) / statistics.median(without)
    sys.stderr.write(
        f"\n500 clients that are slow ({kind}): p99 {statistics.median(beside) * 1e3:.2f} ms beside"
        f" them, {statistics.median(without) * 1e3:.2f} ms without: {ratio:.2f} times;"
        f" closed after {min(lived):.1f} to {max(lived):.1f} s\n"
    )
    assert ratio < 2
    assert len(lived) == 1500
    assert max(lived) < DEADLINES_S * 2 + 4


async def _kill_one_worker(served: Served) -> Load:
    load = Load(served.url, 64, reconnect=True)
    await asyncio.sleep(1.0)
    assert len({outcome.worker for outcome in load.outcomes}) == 2
    os.kill(served.children()["worker"][0], signal.SIGKILL)
    await asyncio.sleep(3.0)
    await load.stop()
    return load


def test_a_killed_worker_costs_only_the_connections_that_it_held(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        load = asyncio.run(_kill_one_worker(served))
    lost = [outcome for outcome in load.outcomes if outcome.lost]
    kept = [outcome for outcome in load.outcomes if not outcome.lost]
    sys.stderr.write(f"\n{len(lost)} of 64 connections were lost, {load.answered} answers\n")
    assert len({outcome.worker for outcome in lost}) == 1
    assert {outcome.worker for outcome in kept}.isdisjoint({outcome.worker for outcome in lost})
    assert [outcome.wrong for outcome in load.outcomes if outcome.wrong] == []


def test_the_place_of_a_killed_worker_is_taken_within_2_s(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:

        def workers() -> set[str]:
            ids = {_asked(served.url) for _ in range(24)}
            return {text.partition("-")[0] for text in ids}

        old = workers()
        assert len(old) == 2
        os.kill(served.children()["worker"][1], signal.SIGKILL)
        died = time.monotonic()
        while len(new := workers() - old) == 0:
            assert time.monotonic() - died < 10
        took = time.monotonic() - died
        sys.stderr.write(f"\nanother worker answered {took:.2f} s after the first was killed\n")
        assert len(new) == 1
        assert took < 2


def _asked(url: str) -> str:
    return httpx.get(f"{url}/v2/health/ready", timeout=5).headers["x-request-id"]


async def _stop_under_load(served: Served) -> tuple[Load, int]:
    load = Load(served.url, 64, reconnect=True)
    await asyncio.sleep(1.0)
    served.process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(served.process.wait, 60)
    await load.stop()
    return load, code


@pytest.mark.parametrize("again", range(3))
def test_while_it_is_told_to_stop_no_accepted_request_fails(tmp_path: Path, again: int) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        load, code = asyncio.run(_stop_under_load(served))
    assert code == 0
    assert load.answered > 1000
    assert [outcome.lost for outcome in load.outcomes if outcome.lost] == []
    assert [outcome.wrong for outcome in load.outcomes if outcome.wrong] == []


def test_a_worker_that_dies_again_and_again_is_started_with_back_off(tmp_path: Path) -> None:
    program = tmp_path / "dies.py"
    program.write_text(
        "import os, pathlib\n"
        "count = pathlib.Path(__file__).with_suffix('.count')\n"
        "count.write_text(str(int(count.read_text() or 0) + 1) if count.exists() else '1')\n"
        "if int(count.read_text()) > 1: os._exit(7)\n"
        "def answer(x: float) -> float:\n"
        "    return x\n"
    )
    with serving(f"{program}:answer", state=tmp_path / "state", workers=1) as served:
        os.kill(served.children()["worker"][0], signal.SIGKILL)
        time.sleep(4.0)
        starts = int(program.with_suffix(".count").read_text())
        assert 3 <= starts <= 7, "0, 0.1, 0.5, 1 and 2 s apart, and the time of a start"
        assert served.process.poll() is None
