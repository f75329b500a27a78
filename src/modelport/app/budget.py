"""What the settings of memory and of queues mean for one process."""

from __future__ import annotations

from modelport.core.settings import Inference
from modelport.core.settings import Memory as MemorySettings
from modelport.engine.batcher import Limits
from modelport.engine.memory import Memory
from modelport.kit.memory import available_bytes

__all__ = ["limits_of", "memory_of", "trial_bytes"]


def limits_of(settings: Inference, workers: int = 1) -> Limits:
    """The bounds of each version's queue and batches, in a process that runs for some workers."""
    return Limits(
        objective_s=settings.objective_s or None,
        queue_s=settings.queue_s,
        queue_jobs=settings.queue_limit * workers,
    )


def memory_of(settings: MemorySettings, workers: int) -> Memory:
    """The part of one worker: each has a copy of its own of a model."""
    share = settings.model_memory_bytes // workers
    if settings.model_memory_bytes:
        share = max(1, share)  # 0 is no bound
    return Memory(budget_bytes=share, lazy=settings.lazy, pinned=frozenset(settings.pin))


def trial_bytes(settings: MemorySettings, workers: int) -> int | None:
    """What a process may take that loads a version for a try; None where nothing says how much.

    Every worker loads a copy after that, so that it is a worker's part of what can still be given.
    """
    if settings.trial_memory_bytes:
        return settings.trial_memory_bytes
    available = available_bytes()
    return None if available is None else available // workers
