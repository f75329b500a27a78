"""The ceiling: ONNX Runtime in a bare Python loop, one process a core, batch 1."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator

from benchmarks.errors import BenchError
from benchmarks.servers import programs
from benchmarks.workloads import ROOT, Workload

__all__ = ["rows_per_s"]

_LEAD_S = 3.0
"""For import, load and warm-up, before all processes begin to count together."""
_GRACE_S = 60.0


def rows_per_s(workload: Workload, processes: int, seconds: float) -> float:
    """Rows in each second, summed over the processes."""
    start = time.monotonic() + _LEAD_S
    arguments = [workload.model, workload.body_file, workload.name, start, seconds]
    command = [str(programs() / "python"), "-m", "benchmarks.peers.bare_loop", *map(str, arguments)]
    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(_loop(command)) for _ in range(processes)]
        return sum(_rate(loop, _LEAD_S + seconds + _GRACE_S) for loop in loops)


@contextlib.contextmanager
def _loop(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as loop:
        try:
            yield loop
        finally:
            loop.kill()


def _rate(loop: subprocess.Popen[str], limit_s: float) -> float:
    try:
        output, errors = loop.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the bare loop did not end within {limit_s:.0f} s") from error
    if loop.returncode != 0:
        raise BenchError(f"the bare loop failed: {errors.strip()}")
    seen = json.loads(output)
    rate: float = seen["rows"] / seen["seconds"]
    return rate
