"""Load from `wrk`: the script it runs, the run, and what it printed."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calls import Call
from benchmarks.errors import BenchError, ToolMissing

__all__ = ["Load", "find_wrk", "parse", "run", "write_script"]

_MARK = "BENCH "
_ANSWER_LIMIT_S = 30
"""How long `wrk` waits for one answer; its own default of 2 s is less than some peers' p99."""
_GRACE_S = 60.0

# wrk formats a fixed request once and sends those bytes: the script costs nothing while it runs.
_SCRIPT = """\
wrk.method = "POST"
{headers}
local file = assert(io.open({body}, "rb"))
wrk.body = file:read("*a")
file:close()

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{mark}{{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"errors":'
    .. '{{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
"""


@dataclass(frozen=True)
class Load:
    """What one run of `wrk` saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: dict[str, int]
    """Counts by kind, zero counts left out; `status` is an answer of 400 or more."""

    @property
    def requests_per_s(self) -> float:
        """Answers in each second."""
        return self.requests / self.seconds


def find_wrk() -> str:
    """Where `wrk` is."""
    found = shutil.which("wrk")
    if found is None:
        raise ToolMissing("wrk is not installed: it is in the Debian package `wrk`.")
    return found


def write_script(call: Call, folder: Path) -> Path:
    """Write the Lua script that makes `wrk` send this call."""
    body, script = folder / "body", folder / "call.lua"
    body.write_bytes(call.body)
    headers = "\n".join(
        f"wrk.headers[{_quoted(name)}] = {_quoted(value)}" for name, value in call.headers.items()
    )
    script.write_text(_SCRIPT.format(headers=headers, body=_quoted(str(body)), mark=_MARK))
    return script


def run(url: str, script: Path, connections: int, seconds: int) -> Load:
    """Keep `connections` connections busy; one thread, which leaves the cores to the server."""
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += [f"--timeout={_ANSWER_LIMIT_S}s", f"--script={script}", url]
    limit_s = seconds + _GRACE_S
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"wrk did not end within {limit_s:.0f} s") from error
    if done.returncode != 0:
        raise BenchError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    return parse(done.stdout)


def parse(output: str) -> Load:
    """Read the line that our script prints when `wrk` is done."""
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    if len(lines) != 1:
        raise BenchError(f"wrk printed no result:\n{output}")
    seen = json.loads(lines[0].removeprefix(_MARK))
    return Load(
        requests=seen["requests"],
        seconds=seen["duration_us"] / 1e6,
        p50_ms=seen["p50_us"] / 1e3,
        p99_ms=seen["p99_us"] / 1e3,
        errors={kind: count for kind, count in seen["errors"].items() if count},
    )


def _quoted(text: str) -> str:
    # Lua and JSON agree on the strings that occur here: printable ASCII.
    return json.dumps(text)
