"""Loading a version in a process of its own first: what hangs or crashes there hurts nobody."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from modelport.engine.lifecycle import Settings, State, Version
from modelport.repository.layout import Source

__all__ = ["Trial", "main", "try_out"]


class Trial(msgspec.Struct, kw_only=True):
    """What to load."""

    source: Source
    trusted: frozenset[str]
    cache_dir: str


async def try_out(trial: Trial, timeout_s: float) -> str | None:
    """Load and warm a version elsewhere; why that cannot be done, or None.

    Args:
        trial: the version.
        timeout_s: seconds after which it counts as hanging.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "modelport.app.trial"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        process_group=0,  # so that what a model forks can be ended with it
    )
    try:
        async with asyncio.timeout(timeout_s):
            told, _ = await process.communicate(msgspec.json.encode(trial))
    except TimeoutError:
        return f"it was not loaded within {timeout_s:g} s"
    finally:
        _end(process.pid)
        await process.wait()
    name = Path(trial.source.path).name
    if process.returncode != 0:
        return f"loading '{name}' ended the process ({_how(process.returncode or 0)})"
    return msgspec.json.decode(told, type=str | None)


def _end(pid: int) -> None:
    """End a process and all that it started; its group outlives it as long as one of them lives."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def main() -> None:
    """Entry of the process: a trial in, why it failed out."""
    trial = msgspec.json.decode(sys.stdin.buffer.read(), type=Trial)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a model that prints does not disturb the answer
    version = Version(trial.source)
    version.load(Settings(trusted=trial.trusted, cache_dir=Path(trial.cache_dir)))
    problem = None if version.state is State.READY else version.reason
    answer.write(msgspec.json.encode(problem))
    answer.close()
    sys.stderr.flush()
    os._exit(0)  # threads of a model must not keep the process


if __name__ == "__main__":
    main()
