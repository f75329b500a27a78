"""Which processes make no progress any more, and so have to be replaced.

Each shows that its event loop turns. One that does not, and uses no CPU time either, hangs or was
stopped; one that uses CPU time may be at a long task, and has far longer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

from modelport.kit.heartbeat import EVERY_S
from modelport.kit.processes import Stat, stat_of

__all__ = ["Progress", "watching"]

_log = logging.getLogger(__name__)
_STALE_S = 3 * EVERY_S
_STOPPED_S = 1.0
_IDLE_S = 1.5
_LATE_S = 1.0


class Progress:
    """What was seen of one process."""

    def __init__(self, now: float) -> None:
        self._beat = 0.0
        self.anew(now)

    def anew(self, now: float) -> None:
        """Count from now on: nobody looked, or the whole machine stood still."""
        self._since = self._idle_since = now
        self._ticks = -1

    def look(self, now: float, beat: float, stat: Callable[[], Stat | None]) -> float:
        """The seconds for which nothing happened.

        Args:
            now: on the monotonic clock.
            beat: the last turn that the process has shown.
            stat: asks the kernel.

        Returns:
            infinity where it is clear that nothing will happen.
        """
        if beat != self._beat:
            self._beat = beat
            self.anew(now)
        silent_s = now - self._since
        if silent_s < _STALE_S:
            return 0.0
        seen = stat()
        if seen is None:
            return 0.0
        if seen.state == "T":
            return float("inf") if silent_s >= _STOPPED_S else 0.0
        if not beat:  # it has not come so far: libraries are imported, which may take any time
            self.anew(now)
            return 0.0
        # Who waits for a CPU or a disk does not hang.
        if seen.ticks != self._ticks or seen.state in "RD":
            self._ticks, self._idle_since = seen.ticks, now
        return float("inf") if now - self._idle_since >= _IDLE_S else silent_s


async def watching(
    watched: Callable[[], Iterable[tuple[int, float, Callable[[str], None]]]], longest_s: float
) -> None:
    """Look at processes; ends when cancelled.

    Args:
        watched: the process ids that there are now, each with its last beat, and what ends it,
            which takes the reason.
        longest_s: the seconds without progress after which one that uses CPU time is ended.
    """
    seen: dict[int, Progress] = {}
    last = time.monotonic()
    while True:
        await asyncio.sleep(EVERY_S)
        now = time.monotonic()
        is_late, last = now - last > _LATE_S, now
        present = {}
        for pid, beat, end in watched():
            present[pid] = progress = seen.get(pid) or Progress(now)
            if is_late:
                progress.anew(now)
            nothing_s = progress.look(now, beat, partial(stat_of, pid))
            if nothing_s > longest_s:
                end("it does nothing" if nothing_s == float("inf") else "it makes no progress")
        seen = present
