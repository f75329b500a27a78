"""Where a version runs: a copy in each worker, or one in the engine process for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from modelport.core.settings import Placement
from modelport.kit.memory import mib
from modelport.repository.integrity import digest, size_bytes
from modelport.repository.layout import Source
from modelport.runtimes.base import Description, Model
from modelport.semantics.model_toml import read_model_toml

__all__ = ["Facts", "Opened", "Placing", "Rules", "is_shared", "why_placed"]

_LARGE_BYTES = 32 * 1024 * 1024
"""Files of this size are not read once for each worker."""
_LONG_S = 0.002
"""Beside a run of this length the way to another process, about 0.1 ms, is small; and what batches
over all workers and all CPUs for one run can gain is not."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a placement is decided by; all workers know the same."""

    workers: int
    size_bytes: int
    """Of the version's files."""
    execution: str | None = None
    """Of its model; None: not known before it is loaded."""
    seconds: float | None = None
    """What one inference takes; None: not known before it is measured."""


def is_shared(wanted: Placement, facts: Facts) -> bool | None:
    """Whether a version runs in the engine process; None where only loading it can tell."""
    if wanted != "auto":
        return wanted == "shared"
    if facts.workers == 1 or facts.execution not in (None, "compute"):
        return False
    if facts.size_bytes >= _LARGE_BYTES:
        return True
    return None if facts.seconds is None else facts.seconds >= _LONG_S


def why_placed(wanted: Placement, facts: Facts, shared: bool) -> str:
    """Why a version runs where it does, for its owner."""
    if wanted != "auto":
        if wanted == "shared" and not shared:
            return "it is set to be shared, and the engine process could not take it"
        return f"its placement is set to '{wanted}'"
    if facts.workers == 1:
        return "there is only one worker"
    if facts.execution not in (None, "compute"):
        return "it is a program that may do more than compute, and so stays in the workers"
    if not shared and is_shared(wanted, facts):
        return (
            "it would be shared now: when it was loaded, the engine process could not take it, or"
            " it took less time"
        )
    if facts.size_bytes >= _LARGE_BYTES:
        return f"its files have {mib(facts.size_bytes)}, which are in memory once for all workers"
    if facts.seconds is None:
        return "how long one inference takes is not known yet"
    took = f"one inference takes {facts.seconds * 1e3:.3g} ms"
    if facts.seconds >= _LONG_S:
        return f"{took}: batches over all workers gain more than the way to another process costs"
    return f"{took}, beside which the way to another process is long"


@dataclass(frozen=True)
class Opened:
    """A version's model, wherever it is, before its owner's words are read."""

    model: Model
    description: Description
    digest: str


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the versions of one server are placed by."""

    workers: int
    wanted: Placement = "auto"
    """Where a `model.toml` says nothing."""
    known_s: Callable[[str], float | None] = lambda digest: None
    """What one inference of a version takes, by its digest, where that was measured before."""

    def before(self, source: Source) -> bool | None:
        """Whether a version is shared, by what is known before it is loaded.

        Raises:
            ConfigError: its `model.toml` is wrong.
        """
        wanted, facts = self._wanted(source), self._facts(source)
        told = is_shared(wanted, facts)
        if told is None:
            seconds = self.known_s(digest(Path(source.path)))
            told = is_shared(wanted, replace(facts, seconds=seconds))
        return told

    def after(self, source: Source, execution: str, digest: str, seconds: float | None) -> bool:
        """Whether a version is shared, now that it is loaded.

        Args:
            source: where its files are.
            execution: of its model.
            digest: of its files.
            seconds: what one inference was measured to take; what is known before comes first, so
                that all workers place it alike.
        """
        known = self.known_s(digest)
        facts = replace(
            self._facts(source), execution=execution, seconds=seconds if known is None else known
        )
        return bool(is_shared(self._wanted(source), facts))

    def why(
        self,
        source: Source,
        execution: str,
        digest: str,
        seconds: float | None,
        *,
        shared: bool,
    ) -> str:
        """Why a version runs where it does; reads files.

        Args:
            source: where its files are.
            execution: of its model, as `compute`.
            digest: of its files.
            seconds: what one inference was measured to take here, where nothing was known before.
            shared: whether it runs in the engine process.
        """
        known = self.known_s(digest)
        facts = replace(
            self._facts(source), execution=execution, seconds=seconds if known is None else known
        )
        return why_placed(self._wanted(source), facts, shared)

    def _wanted(self, source: Source) -> Placement:
        return read_model_toml(Path(source.toml)).placement or self.wanted

    def _facts(self, source: Source) -> Facts:
        return Facts(workers=self.workers, size_bytes=size_bytes(Path(source.path)))


@dataclass(frozen=True, kw_only=True)
class Placing(Rules):
    """How the versions of one worker are placed."""

    open: Callable[[Source], Opened]
    """Opens one in the engine process; waits, and so is called in a thread. Raises as `load`."""
