"""Changes of a folder on disk, told by the kernel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import watchfiles

from modelport.control.reconcile import Problem

__all__ = ["watch"]

_log = logging.getLogger(__name__)
_QUIET_MS = 500
"""How long a folder is quiet before it is looked at: a copy of many files is one change."""
_LONGEST_MS = 5000


async def watch(folder: Path, changed: Callable[[], Awaitable[list[Problem]]]) -> None:
    """Call `changed` after each change of the folder, until cancelled; its problems are logged.

    What is hidden is no change, but for aliases: drafts and locks come and go.
    """

    def counts(change: watchfiles.Change, path: str) -> bool:
        hidden = [part for part in Path(path).relative_to(folder).parts if part.startswith(".")]
        return not hidden or hidden == [".aliases.json"]

    try:
        changes = watchfiles.awatch(
            folder, watch_filter=counts, debounce=_LONGEST_MS, step=_QUIET_MS, recursive=True
        )
        async for _ in changes:
            await _act(changed)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        _log.warning(
            "the repository is not watched (%s); a reload has to be asked for: %s",
            type(error).__name__,
            error,
        )


async def _act(changed: Callable[[], Awaitable[list[Problem]]]) -> None:
    """Act on a change; one that goes wrong must not keep the next from being seen."""
    try:
        for problem in await changed():
            _log.warning("%s", problem.sentence)
    except Exception:
        _log.exception("a change of the repository was not carried out; it is watched further")
