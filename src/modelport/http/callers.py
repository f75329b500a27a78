"""What a request's head shows of who sends it, for the gate to decide on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from modelport.guard.policy import Caller, Policy
from modelport.http.cookies import session_in
from modelport.http.wire import Head

__all__ = ["CurrentPolicy", "caller_of", "is_secure"]

CurrentPolicy: TypeAlias = Callable[[], Policy]
"""The policy in force."""

_READING = frozenset((b"GET", b"HEAD", b"OPTIONS"))


def caller_of(head: Head, policy: Policy, now: float) -> Caller:
    """Who sends a request at that time, in seconds since the epoch."""
    return Caller(
        loopback=head.loopback,
        host=_text(head, b"host"),
        origin=_text(head, b"origin"),
        fetch_site=_text(head, b"sec-fetch-site"),
        authorization=_text(head, b"authorization"),
        session=session_in(head, secure=is_secure(head, policy)),
        csrf=_text(head, b"x-csrf-token"),
        changes=head.method not in _READING,
        now=now,
    )


def is_secure(head: Head, policy: Policy) -> bool:
    """Whether the browser speaks TLS, with this server or with a proxy in front of it."""
    return head.tls or policy.behind_tls


def _text(head: Head, name: bytes) -> str | None:
    value = head.get(name)
    return None if value is None else value.decode("latin-1")
