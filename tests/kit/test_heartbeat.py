from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from modelport.kit.heartbeat import EVERY_S, Beats, Stat, beating, stat_of


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


def test_the_state_of_a_process_is_read_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    numbers = " ".join(str(n) for n in range(4, 52))
    (tmp_path / "7" / "stat").write_text(f"7 (a ) R b) S {numbers}\n")
    assert stat_of(7, tmp_path) == Stat("S", 14 + 15)
    assert stat_of(8, tmp_path) is None


def test_a_stopped_process_is_seen_as_such() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        seen = stat_of(process.pid)
        assert seen is not None
        assert seen.state == "T"
    finally:
        process.kill()
        process.wait()
