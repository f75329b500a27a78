from __future__ import annotations

import asyncio
import os
import time

from modelport.kit.heartbeat import EVERY_S, Beats, beating


def test_a_process_shows_the_turns_of_its_loop_in_its_own_place() -> None:
    beats = Beats(3)

    async def run() -> None:
        task = asyncio.create_task(beating(os.dup(beats.fileno()), 1))
        await asyncio.sleep(0.05)
        first = beats.read(1)
        assert abs(first - time.monotonic()) < 1
        await asyncio.sleep(EVERY_S + 0.1)
        assert beats.read(1) > first
        task.cancel()

    asyncio.run(run())
    assert beats.read(0) == beats.read(2) == 0
    beats.clear(1)
    assert beats.read(1) == 0
    beats.close()
