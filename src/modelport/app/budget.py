"""What the settings of memory and of queues mean for one process."""

from __future__ import annotations

from modelport.app.spec import Spec
from modelport.core.errors import ModelportError
from modelport.core.settings import Inference
from modelport.core.settings import Memory as MemorySettings
from modelport.engine.limits import Limits
from modelport.engine.memory import Memory
from modelport.engine.placement import Rules
from modelport.kit.memory import available_bytes
from modelport.repository.layout import Source

__all__ = ["copies", "limits_of", "memory_of", "trial_bytes"]


def copies(source: Source, spec: Spec) -> int:
    """How many of a version a server will have in memory, by what is known before it is loaded."""
    rules = Rules(workers=spec.workers, wanted=spec.settings.inference.placement)
    try:
        is_shared = bool(spec.engine and not source.problem and rules.before(source))
    except (ModelportError, OSError):  # loading it will say so
        is_shared = False
    return 1 if is_shared else spec.workers


def limits_of(settings: Inference, workers: int = 1) -> Limits:
    """The bounds of each version's queue and batches, in a process that runs for some workers."""
    return Limits(
        objective_s=settings.objective_s or None,
        queue_s=settings.queue_s,
        queue_jobs=settings.queue_limit * workers,
    )


def memory_of(settings: MemorySettings, workers: int) -> Memory:
    """The part of one worker, or of the copies of a model that there will be."""
    share = settings.model_memory_bytes // workers
    if settings.model_memory_bytes:
        share = max(1, share)  # 0 is no bound
    return Memory(budget_bytes=share, lazy=settings.lazy, pinned=frozenset(settings.pin))


def trial_bytes(settings: MemorySettings, workers: int) -> int | None:
    """What a process may take that loads a version for a try; None where nothing says how much.

    So many copies are loaded after that, so that it is one's part of what can still be given.
    """
    if settings.trial_memory_bytes:
        return settings.trial_memory_bytes
    available = available_bytes()
    return None if available is None else available // workers
