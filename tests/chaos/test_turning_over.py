"""Versions are published, promoted, rolled back and removed while 200 requests/s are answered."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.app.biased import biased
from tests.app.servers import command, environment, serving

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

RATE = 200
LEAST_S = 60.0
ROUNDS = 10


class Asking:
    """Requests at a steady rate, over connections that are kept and over new ones."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/models/m/predict"
        self._stop = asyncio.Event()
        self.answered = 0
        self.failed: list[str] = []
        self.stale: list[str] = []
        self.least = 1
        """The oldest version that may still answer a request that is sent now."""

    async def run(self) -> None:
        loop, tasks = asyncio.get_running_loop(), set()
        async with httpx.AsyncClient(timeout=30) as client:
            start, count = loop.time(), 0
            while not self._stop.is_set():
                count += 1
                task = asyncio.create_task(self._one(client, fresh=count % 10 == 0))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                await asyncio.sleep(max(0.0, start + count / RATE - loop.time()))
            await asyncio.gather(*tasks)

    async def _one(self, client: httpx.AsyncClient, *, fresh: bool) -> None:
        allowed = self.least
        headers = {"Connection": "close"} if fresh else {}
        try:
            got = await client.post(self._url, json={"x": 0}, headers=headers)
        except httpx.HTTPError as error:
            self.failed.append(repr(error))
            return
        version = got.headers.get("x-model-version", "0")
        if got.status_code != 200 or got.json()["prediction"] != float(version):
            self.failed.append(f"{got.status_code} {got.text[:200]}")
        elif allowed and int(version) != allowed:
            self.stale.append(f"{version} answered after {allowed} was promoted")
        self.answered += 1

    def stop(self) -> None:
        self._stop.set()


def test_nothing_fails_and_nothing_stale_answers(tmp_path: Path) -> None:
    own = environment(tmp_path / "state") | {"MODELPORT_REPOSITORY": str(tmp_path / "models")}

    def run(*args: str) -> str:
        line = command(*args)
        done = subprocess.run(line, capture_output=True, text=True, env=own, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("push", biased(tmp_path, 1), "--name", "m", "--alias", "production")
    with serving(tmp_path / "models", state=tmp_path / "state", workers=2) as served:
        asking = asyncio.run(changes(served.url, tmp_path, run))
    assert asking.failed == []
    assert asking.stale == []
    assert asking.answered > RATE * LEAST_S * 0.9


async def changes(url: str, folder: Path, run: Callable[..., str]) -> Asking:
    """Ten rounds of publish, promote, roll back and remove; one publishes a damaged version."""
    asking = Asking(url)
    running = asyncio.create_task(asking.run())
    started = time.monotonic()

    async def change(expected: int, *args: str) -> None:
        asking.least = 0  # while an alias moves, the old and the new may answer
        await asyncio.to_thread(run, *args)
        asking.least = expected

    newest = 1
    for number in range(ROUNDS):
        present, newest = newest, newest + 1
        await change(present, "push", biased(folder, newest), "--name", "m")
        await change(newest, "alias", "m", "production", str(newest))
        await change(present, "rollback", "m")
        await change(newest, "alias", "m", "production", str(newest))
        await change(newest, "remove", "m", str(present))
        if number == ROUNDS // 2:
            await asyncio.to_thread(lay_damaged, folder / "models" / "m" / "draft")
            await change(newest, "alias", "m", "production", "draft")  # stays where it was
            await change(newest, "alias", "m", "production", str(newest))
            await change(newest, "remove", "m", "draft")
    await asyncio.sleep(max(0.0, LEAST_S - (time.monotonic() - started)))
    asking.stop()
    await running
    return asking


def lay_damaged(version: Path) -> None:
    """A version that cannot be loaded."""
    version.mkdir()
    (version / "model.onnx").write_bytes(b"damaged")
