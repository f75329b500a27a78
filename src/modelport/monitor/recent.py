"""The errors of the last requests, for those who may see what callers were told."""

from __future__ import annotations

import msgspec

__all__ = ["RecentError", "RecentErrors"]


class RecentError(msgspec.Struct, frozen=True, kw_only=True):
    """A request that ended in an error."""

    at: float
    """Seconds since the epoch."""
    request_id: str
    model: str | None
    """Null where it reached none."""
    version: str | None
    protocol: str | None
    code: str
    status: int
    """Of HTTP."""
    message: str
    """As its caller got it, its beginning."""


class RecentErrors(msgspec.Struct, frozen=True):
    """Those that are kept, the newest first."""

    errors: list[RecentError]
