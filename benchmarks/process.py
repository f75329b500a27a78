"""A server's process: started in a session of its own, asked until it answers, ended."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import measure
from benchmarks.errors import ServerFailed
from benchmarks.workloads import ROOT

__all__ = ["first_answer", "free_port", "started", "tail"]

_KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "VIRTUAL_ENV")
"""All else, such as a user's `GUNICORN_CMD_ARGS`, could change what is measured."""
_START_LIMIT_S = 90.0
_STOP_LIMIT_S = 15.0
_GLANCE_S = 0.003
_LOG_TAIL = 2000


@contextlib.contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command`; end it and whatever is left of its session afterwards."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=kept | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise ServerFailed(f"{command[0]} cannot be run: {error.strerror}") from error
    try:
        yield process
    finally:
        _stop(process)


def first_answer(process: subprocess.Popen[bytes], log: Path, ask: Callable[[], bool]) -> float:
    """Ask until `ask` says that it was answered; returns when that was, on the monotonic clock."""
    end = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ServerFailed(f"the server ended with {process.returncode}:\n{tail(log)}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask():
                return time.monotonic()
        time.sleep(_GLANCE_S)
    raise ServerFailed(f"no answer within {_START_LIMIT_S:.0f} s:\n{tail(log)}")


def free_port() -> int:
    """A TCP port of the loopback address that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_LIMIT_S)
    for pid in measure.session(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(_STOP_LIMIT_S)


def tail(log: Path) -> str:
    """The last that the server wrote."""
    return log.read_text(errors="replace")[-_LOG_TAIL:]
