"""Engine processes and workers are killed and stopped while they are asked."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.app.servers import LINEAR, Served, serving
from tests.app.wide import wide
from tests.chaos.load import Load

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

TIMES = 10
CONNECTIONS = 16
RECOVERY_S = 5.0
MIB = 1024 * 1024

SIGNALS = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=lambda n: n.name)


async def _until_replaced(served: Served, kind: str, pid: int) -> None:
    """Wait until another process is in the place, and a new connection gets the right answer."""
    while pid in served.children()[kind] or not served.children()[kind]:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    while not await _is_answered(served.url):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def _is_answered(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            got = await client.post(f"{url}/predict", json={"x": [1, 2, 3]})
    except httpx.TransportError:  # of a worker that is on its way out
        return False
    assert got.status_code == 503 or got.json() == {"prediction": 1.8}
    return got.status_code == 200


async def _strike(served: Served, kind: str, number: int, reconnect: bool) -> tuple[Load, float]:
    """Signal one process under load; what the connections saw, and the seconds to recover."""
    load = Load(served.url, CONNECTIONS, reconnect=reconnect)
    await asyncio.sleep(1.0)
    pid = served.children()[kind][0]
    began = time.monotonic()
    os.kill(pid, number)
    await _until_replaced(served, kind, pid)
    took = time.monotonic() - began
    await asyncio.sleep(3.5)
    await load.stop()
    return load, took


@SIGNALS
def test_requests_of_an_engine_process_that_dies_are_answered_or_refused(
    tmp_path: Path, number: signal.Signals
) -> None:
    times, answered, refused = [], 0, 0
    with serving(LINEAR, "--placement", "shared", state=tmp_path) as served:
        for _ in range(TIMES):
            load, took = asyncio.run(_strike(served, "engine", number, reconnect=True))
            wrong = [head for outcome in load.outcomes for head in outcome.wrong]
            assert [head for head in wrong if not head.startswith(b"HTTP/1.1 503")] == []
            assert [outcome.lost for outcome in load.outcomes if outcome.lost] == []
            times.append(took)
            answered += load.answered
            refused += len(wrong)
    sys.stderr.write(
        f"\n{number.name} of the engine process, {TIMES} times: {answered} answers, {refused} of"
        f" them 503; recovered after {min(times):.2f} to {max(times):.2f} s\n"
    )
    assert max(times) < RECOVERY_S


@SIGNALS
@pytest.mark.parametrize("placement", ["inline", "shared"])
def test_a_worker_that_dies_loses_its_own_connections_and_no_others(
    tmp_path: Path, number: signal.Signals, placement: str
) -> None:
    times, lost = [], 0
    with serving(LINEAR, "--placement", placement, state=tmp_path) as served:
        for _ in range(TIMES if placement == "shared" else 3):
            load, took = asyncio.run(_strike(served, "worker", number, reconnect=False))
            hit = [outcome for outcome in load.outcomes if outcome.lost]
            assert len({outcome.worker for outcome in hit if outcome.worker}) <= 1
            assert [outcome.wrong for outcome in load.outcomes if outcome.wrong] == []
            times.append(took)
            lost += len(hit)
    sys.stderr.write(
        f"\n{number.name} of a worker, {placement}: {lost} connections lost; recovered after"
        f" {min(times):.2f} to {max(times):.2f} s\n"
    )
    assert max(times) < RECOVERY_S


def test_a_supervisor_that_stood_still_ends_nobody(tmp_path: Path) -> None:
    with serving(LINEAR, "--placement", "shared", state=tmp_path) as served:
        before = served.children()
        everyone = [served.process.pid, *(pid for pids in before.values() for pid in pids)]
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        for pid in reversed(everyone):
            os.kill(pid, signal.SIGCONT)
        time.sleep(3)
        assert served.children() == before
        assert httpx.post(f"{served.url}/predict", json={"x": [1, 2, 3]}).status_code == 200


HANGS = """
import threading

def answer(x: float) -> float:
    if x == 666:
        threading.Event().wait()
    return x + 1
"""


def test_a_run_that_hangs_ends_the_engine_process_and_the_model_is_served_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    program, log = f"{tmp_path / 'hangs.py'}:answer", tmp_path / "log"
    more = ("--placement", "shared", "--timeout-s", "2")
    with serving(program, *more, state=tmp_path / "state", log=log) as served:
        url = f"{served.url}/models/answer/predict"

        def ask(x: float) -> int:
            return httpx.post(url, json={"x": x}, timeout=20).status_code

        assert ask(666) == 504
        began = time.monotonic()
        while ask(1) != 200:
            assert time.monotonic() - began < 25
        sys.stderr.write(f"\nserved on {time.monotonic() - began:.1f} s after a run hung\n")
        assert "model 'answer' version 1 hangs: a run has lasted" in log.read_text()


def pss_bytes(served: Served) -> int:
    """The memory of all processes, what they share counted once."""
    total = 0
    for pids in served.children().values():
        for pid in pids:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(next(line for line in text.splitlines() if line[:4] == "Pss:").split()[1])
    return total * 1024


def test_four_workers_hold_the_weights_of_four_models_once(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    size = 40

    def taken(name: str, write: Callable[[Path, int], object]) -> int:
        for number in range(4):
            path = tmp_path / name / f"m{number}" / "1" / "model.onnx"
            path.parent.mkdir(parents=True)
            write(path, number)
        with serving(tmp_path / name, state=tmp_path / "state", workers=4) as served:
            for _ in range(12):
                for number in range(4):
                    url = f"{served.url}/models/m{number}/predict"
                    x = [1.0] * (256 if name == "wide" else 3)
                    assert httpx.post(url, json={"x": x}, timeout=20).status_code == 200
            if name == "wide":
                assert len(served.children()["engine"]) == 1
            return pss_bytes(served)

    small = taken("small", lambda path, number: path.write_bytes(LINEAR.read_bytes()))
    large = taken("wide", lambda path, number: wide(path, size, number))
    grown = (large - small) / MIB
    sys.stderr.write(
        f"\nfour models of {size} MiB on four workers: {large / MIB:.0f} MiB of PSS,"
        f" {grown:.0f} more than four models of some bytes\n"
    )
    assert grown < 4 * size * 1.5
