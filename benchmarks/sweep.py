"""Open-loop loads on one server, from well below its capacity to three times as much."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from benchmarks.calls import Call
from benchmarks.errors import BenchError
from benchmarks.open_plan import Latency, OpenLoad
from benchmarks.workloads import ROOT

__all__ = ["FACTORS", "parse", "push"]

FACTORS = (0.5, 0.9, 1.0, 1.5, 2.0, 3.0)
"""Arrivals in each second over the server's capacity in a closed loop."""
_CONNECTIONS = 1024
_TIMEOUT_S = 5.0
_GRACE_S = 60.0


def push(url: str, call: Call, folder: Path) -> Callable[[float, int], OpenLoad]:
    """From a rate and seconds to what the generator saw, in a process of its own."""
    body = folder / "open-body"
    body.write_bytes(call.body)
    command = [sys.executable, "-m", "benchmarks.open_loop", url, "--body", str(body)]
    command += ["--connections", str(_CONNECTIONS), "--timeout", str(_TIMEOUT_S)]
    for name, value in call.headers.items():
        command += ["--header", f"{name}:{value}"]

    def load(rate: float, seconds: int) -> OpenLoad:
        return _run([*command, "--rate", f"{rate:.3f}", "--seconds", str(seconds)], seconds)

    return load


def parse(output: str) -> OpenLoad:
    """Read what the generator prints."""
    content = json.loads(output)
    known = {field.name: content[field.name] for field in fields(OpenLoad)}
    known["statuses"] = {int(status): count for status, count in content["statuses"].items()}
    known["good"], known["refused"] = Latency(**content["good"]), Latency(**content["refused"])
    return OpenLoad(**known)


def _run(command: list[str], seconds: int) -> OpenLoad:
    limit_s = seconds + _TIMEOUT_S + _GRACE_S
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the generator did not end within {limit_s:.0f} s") from error
    if not done.stdout:
        raise BenchError(f"the generator failed: {done.stderr.strip()}")
    return parse(done.stdout)
