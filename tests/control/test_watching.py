"""A folder that is watched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from modelport.control.reconcile import Problem
from modelport.control.watching import watch


def test_a_change_that_goes_wrong_does_not_end_the_watching(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls: asyncio.Queue[int] = asyncio.Queue()

    async def changed() -> list[Problem]:
        calls.put_nowait(1)
        raise ValueError("nobody thought of this")

    async def watched() -> None:
        watching = asyncio.create_task(watch(tmp_path, changed))
        await asyncio.sleep(0.5)  # until the kernel tells of changes
        for name in ("a", "b"):
            (tmp_path / name).touch()
            await asyncio.wait_for(calls.get(), 10)
        watching.cancel()

    asyncio.run(watched())
    assert "nobody thought of this" in caplog.text
    assert "it is watched further" in caplog.text
