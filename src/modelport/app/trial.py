"""Loading a version in a process of its own first: what hangs or crashes there hurts nobody."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec

from modelport.engine.lifecycle import Version
from modelport.engine.memory import Memory
from modelport.engine.opening import Settings
from modelport.engine.residency import load_measured
from modelport.kit.memory import collect, mib, resident_bytes, trim
from modelport.repository.layout import Source

__all__ = ["Trial", "main", "try_out"]

_LOOK_EVERY_S = 0.02


class Trial(msgspec.Struct, kw_only=True):
    """What to load."""

    source: Source
    trusted: frozenset[str]
    cache_dir: str
    budget_bytes: int = 0
    """What all models together may take in a worker, which must hold this one; 0: no bound."""


async def try_out(trial: Trial, timeout_s: float, most_bytes: int | None = None) -> str | None:
    """Load and warm a version elsewhere; why that cannot be done, or None.

    Args:
        trial: the version.
        timeout_s: seconds after which it counts as hanging.
        most_bytes: the resident memory at which the process is ended; None: no bound.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "modelport.app.trial"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        process_group=0,  # so that what a model forks can be ended with it
    )
    watching = asyncio.create_task(_outgrown(process.pid, most_bytes))
    try:
        async with asyncio.timeout(timeout_s):
            told, _ = await process.communicate(msgspec.json.encode(trial))
    except TimeoutError:
        return f"it was not loaded within {timeout_s:g} s"
    finally:
        watching.cancel()
        _end(process.pid)
        await process.wait()
    if watching.done() and not watching.cancelled():
        assert most_bytes is not None  # or there was nothing to outgrow
        return (
            f"loading it took {mib(watching.result())} of memory, and there are {mib(most_bytes)}"
            " for it in each worker"
        )
    name = Path(trial.source.path).name
    if process.returncode != 0:
        return f"loading '{name}' ended the process ({_how(process.returncode or 0)})"
    return msgspec.json.decode(told, type=str | None)


async def _outgrown(pid: int, most_bytes: int | None) -> int:
    """Wait until a process takes more memory than it may, end it, and say how much it took."""
    # The kernel gives no word of this; what is bounded by `setrlimit` is not what is resident.
    while True:
        size = resident_bytes(pid)
        if size is None or most_bytes is None:
            await asyncio.Event().wait()  # nothing to watch: until it is cancelled
        elif size > most_bytes:
            _end(pid)
            return size
        await asyncio.sleep(_LOOK_EVERY_S)


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
    _die_first()
    version = Version(trial.source)
    problem = _loaded(version, trial)
    answer.write(msgspec.json.encode(problem))
    answer.close()
    sys.stderr.flush()
    os._exit(0)  # threads of a model must not keep the process


def _loaded(version: Version, trial: Trial) -> str | None:
    settings = Settings(trusted=trial.trusted, cache_dir=Path(trial.cache_dir))
    load_measured(version, settings)
    refusal = Memory(budget_bytes=trial.budget_bytes).never_fits(version)
    if version.resident is not None and refusal is not None:
        version.close()  # the first model pays for what its library takes for itself: once more
        collect()  # or what is left of the first one goes while the second is measured
        trim()
        load_measured(version, settings)
        refusal = Memory(budget_bytes=trial.budget_bytes).never_fits(version)
    if version.resident is None:
        return version.reason
    return None if refusal is None else refusal.message


def _die_first() -> None:
    """Where the machine's memory ends, the kernel is to end this process and no worker."""
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()
