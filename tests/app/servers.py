"""Real servers for tests: `modelport serve` in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx

from modelport.kit.processes import stat_of

LINEAR = Path(__file__).parents[1] / "data" / "linear.onnx"
_START_S = 60.0


@dataclass
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str]
    models: list[dict[str, str]]
    sign_in: str | None = None
    """Where whoever started it signs in."""

    def children(self) -> dict[str, list[int]]:
        """The process ids of the workers, of control and of the engine process, by module."""
        found: dict[str, list[int]] = {"worker": [], "control": [], "engine": []}
        for pid in child_pids(self.process.pid):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except FileNotFoundError:  # it has just ended
                continue
            module = next((part for part in command if part.startswith(b"modelport.app.")), b"")
            if module:
                found[module.decode().rpartition(".")[2]].append(pid)
        return found

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 40.0) -> int:
        """Signal the supervisor and wait for its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)


def child_pids(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def command(*args: str) -> list[str]:
    """The command line of `modelport`."""
    return [sys.executable, "-m", "modelport.cli", *args]


def environment(state: Path) -> dict[str, str]:
    """The environment, with the state in a folder of the test's own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MODELPORT_")}
    return kept | {"MODELPORT_STATE_DIR": str(state)}


@contextmanager
def serving(
    model: str | Path,
    *args: str,
    state: Path,
    workers: int = 2,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """A server that is ready, stopped afterwards; its log goes to a file where one is given."""
    line = command("serve", str(model), "--port", "0", "--workers", str(workers), "--json", *args)
    with log.open("a") if log is not None else nullcontext() as errors:
        process = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**environment(state), **(env or {})},
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline() or "{}")
        assert told, f"the server ended with {process.wait(_START_S)}"
        yield Served(told["url"], process, told["models"], told["sign_in"])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        process.stdout.close()


def eventually(true: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return true()


def lives(pid: int) -> bool:
    """Whether any thread of a process is left.

    Its first one is a zombie before the others have ended, and until then its sockets are open.
    """
    tasks = Path(f"/proc/{pid}/task")
    try:
        threads = [int(path.name) for path in tasks.iterdir()]
    except OSError:
        return False
    stats = [stat_of(thread, tasks) for thread in threads]
    return any(stat is not None and stat.state not in "ZX" for stat in stats)


def predicted(url: str, model: str = "linear") -> object:
    """The server's answer to [1, 2, 3], over a connection of its own."""
    return httpx.post(f"{url}/models/{model}/predict", json={"x": [1, 2, 3]}, timeout=10).json()
