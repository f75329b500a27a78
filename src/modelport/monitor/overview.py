"""What a server does at the moment, for whoever operates it."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Kind", "ModelTraffic", "Overview", "Process"]

Kind = Literal["supervisor", "control", "worker", "engine"]


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the server."""

    kind: Kind
    index: int | None
    """Which worker."""
    pid: int
    cpu: float
    """The CPUs that it used, on average since the look before."""
    memory_bytes: int
    """Its own, and its part of what it shares; where the system does not tell that, all of both."""
    uptime_s: float


class ModelTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """What one version does."""

    name: str
    version: str
    state: str
    requests_per_s: float
    errors_per_s: float
    rows_per_s: float
    p50_s: float | None
    """Over the last minute, as the next; null where nothing was answered."""
    p95_s: float | None
    p99_s: float | None
    waiting: int
    """Requests that wait for it now."""
    resident_bytes: int
    """What it takes in memory now, over all processes."""
    cache_hit_rate: float | None
    """Over the last minute; null where nothing was looked up."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What the server does; rates and latencies are of the time since the look before."""

    at: float
    """Seconds since the epoch."""
    server_version: str
    cpus: float
    """Granted to the server."""
    memory_bytes: int | None
    """What the machine or the control group has; null where the system does not tell."""
    processes: list[Process]
    """As far as the system tells of them."""
    workers: int
    """Serving now."""
    restarts: int
    """Workers that were replaced."""
    connections: int
    """Open now."""
    requests_per_s: float
    """Those that named a model."""
    errors_per_s: float
    """Those among them that ended in an error."""
    rejected_per_s: float
    """Requests that were refused before they reached a model."""
    rows_per_s: float
    waiting: int
    """Requests that wait for models now."""
    cache_hit_rate: float | None
    """Over the last minute; null without a cache, or where nothing was looked up."""
    latency: list[int]
    """Answered requests by how long they took: up to each of the bounds, and beyond the last."""
    bounds_s: list[float]
    models: list[ModelTraffic]
