"""The last hour, in steps of a few seconds."""

from __future__ import annotations

import msgspec

__all__ = ["STEP_S", "History", "MemoryPoint", "ServerPoint", "TrafficPoint", "VersionHistory"]

STEP_S = 5.0


class TrafficPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What one version, or all, did within a step."""

    at: float
    """When the step began, in seconds since the epoch."""
    requests: int
    errors: int
    rows: int
    latency: list[int]
    """Answered requests by how long they took: up to each of the bounds, and beyond the last."""
    waiting: int
    """Requests that waited, at most."""


class MemoryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What one version takes in memory, over all processes, from then on."""

    at: float
    resident_bytes: int


class VersionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What one version did."""

    name: str
    version: str
    points: list[TrafficPoint]
    """Of the steps in which something happened; all figures of the others are zero."""
    memory: list[MemoryPoint]
    """Where it changed; the first one holds from the beginning of what is told."""


class ServerPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The server as a whole at the end of a step."""

    at: float
    """When the step began, in seconds since the epoch."""
    cpu: float
    """The CPUs that all processes used, on average."""
    memory_bytes: int
    connections: int
    waiting: int
    """Requests that waited for models, at most."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What happened within the last hour."""

    step_s: float
    bounds_s: list[float]
    versions: list[VersionHistory]
    """Of the model that was asked for; empty where that was the whole server."""
    traffic: list[TrafficPoint]
    """What all versions did together, where the whole server was asked for; empty for a model."""
    server: list[ServerPoint]
    """Of each step in which the server ran."""
