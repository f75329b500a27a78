"""The ceiling of the runtime: ONNX Runtime in a bare Python loop on all cores.

Over sizes of batch, as one process a core of one thread each and as one process of all threads.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.errors import BenchError
from benchmarks.servers import programs
from benchmarks.workloads import ROOT, Workload

__all__ = ["Loop", "rows_per_s"]

_LEAD_S = 5.0
"""For import, load and warm-up, before all processes begin to count together."""
_GRACE_S = 60.0


@dataclass(frozen=True)
class Loop:
    """How the cores are shared out."""

    processes: int
    threads: int
    """Of each process."""


def rows_per_s(
    workload: Workload, loop: Loop, batches: Sequence[int], seconds: float
) -> dict[int, float]:
    """For each size of batch the rows in each second, summed over the processes."""
    start = time.monotonic() + _LEAD_S
    arguments = [workload.model, workload.body_file, workload.name, loop.threads, start, seconds]
    command = [str(programs() / "python"), "-m", "benchmarks.peers.bare_loop"]
    command += map(str, [*arguments, *batches])
    limit_s = _LEAD_S + 2 * seconds * len(batches) + _GRACE_S
    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(_started(command)) for _ in range(loop.processes)]
        rates = [_rates(process, limit_s) for process in loops]
    return {size: sum(rate[index] for rate in rates) for index, size in enumerate(batches)}


@contextlib.contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _rates(process: subprocess.Popen[str], limit_s: float) -> list[float]:
    try:
        output, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the bare loop did not end within {limit_s:.0f} s") from error
    if process.returncode != 0:
        raise BenchError(f"the bare loop failed: {errors.strip()}")
    return [seen["rows"] / seen["seconds"] for seen in json.loads(output)]
