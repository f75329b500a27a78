"""What counts as no progress, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import math
import signal
import subprocess
import sys

from modelport.app.watchdog import Progress, watching
from modelport.kit.processes import Stat

SLEEPS = Stat("S", 100, 0)


class Watched:
    """A process on a clock that the test turns, a quarter of a second a look."""

    def __init__(self) -> None:
        self.now = 100.0
        self.beat = 0.0
        self.progress = Progress(self.now)

    def pass_s(self, seconds: float, stat: Stat | None, beats: bool = False) -> float:
        """What the last look says."""
        nothing_s = 0.0
        for _ in range(round(seconds / 0.25)):
            self.now += 0.25
            if beats:
                self.beat = self.now
            nothing_s = self.progress.look(self.now, self.beat, lambda: stat)
        return nothing_s


def test_one_that_beats_is_left_alone_whatever_it_does() -> None:
    watched = Watched()
    assert watched.pass_s(100, SLEEPS, beats=True) == 0


def test_one_that_was_stopped_does_nothing_after_a_second() -> None:
    watched = Watched()
    watched.pass_s(1, SLEEPS, beats=True)
    assert watched.pass_s(0.75, Stat("T", 100, 0)) == 0
    assert watched.pass_s(0.5, Stat("T", 100, 0)) == math.inf


def test_one_that_was_stopped_before_its_first_beat_does_nothing_either() -> None:
    assert Watched().pass_s(1.5, Stat("T", 100, 0)) == math.inf


def test_one_that_sleeps_and_uses_no_cpu_time_does_nothing_within_3_s() -> None:
    watched = Watched()
    watched.pass_s(1, SLEEPS, beats=True)
    assert watched.pass_s(1.5, SLEEPS) < 2
    assert watched.pass_s(1.5, SLEEPS) == math.inf


def test_one_that_starts_may_take_its_time() -> None:
    assert Watched().pass_s(300, SLEEPS) == 0


def test_one_that_uses_cpu_time_is_only_long_at_it() -> None:
    watched = Watched()
    watched.pass_s(1, SLEEPS, beats=True)
    for second in range(20):
        nothing_s = watched.pass_s(1, Stat("S", 101 + second, 0))
    assert 19 <= nothing_s <= 20
    assert watched.pass_s(0.25, SLEEPS, beats=True) == 0


def test_one_that_waits_for_a_cpu_or_a_disk_does_not_hang() -> None:
    for state in "RD":
        watched = Watched()
        watched.pass_s(1, SLEEPS, beats=True)
        assert watched.pass_s(10, Stat(state, 100, 0)) < 11


def test_one_of_which_the_kernel_tells_nothing_is_left_alone() -> None:
    watched = Watched()
    watched.pass_s(1, SLEEPS, beats=True)
    assert watched.pass_s(10, None) == 0


def test_after_the_whole_machine_stood_still_all_have_their_time_anew() -> None:
    watched = Watched()
    watched.pass_s(1, SLEEPS, beats=True)
    watched.pass_s(2.0, SLEEPS)
    watched.progress.anew(watched.now)
    assert watched.pass_s(2.0, SLEEPS) < math.inf


def test_a_stopped_process_is_ended_and_one_that_beats_is_not() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ended: list[str] = []

    def end(why: str) -> None:
        ended.append(why)
        process.kill()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(
            watching(
                lambda: (
                    [(process.pid, 1.0, end), (1, loop.time(), lambda why: ended.append("1"))]
                    if process.poll() is None
                    else []
                ),
                30.0,
            )
        )
        process.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(5):
            while process.poll() is None:  # noqa: ASYNC110  # the kernel tells
                await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(run())
    assert ended == ["it does nothing"]
