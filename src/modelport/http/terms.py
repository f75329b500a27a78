"""What holds for all requests with one head: whose they are, when their turn is, their time."""

from __future__ import annotations

from dataclasses import dataclass

from modelport.core.errors import InvalidInput
from modelport.core.messages import PRIORITIES, Priority
from modelport.guard.policy import Principal, prioritise
from modelport.http.bodies import time_allowed
from modelport.http.wire import Head

__all__ = ["Terms", "terms_of"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """For whom requests run, and within what."""

    principal: Principal
    timeout_s: float
    """Seconds that each has, from when its body is there."""
    priority: Priority = "normal"


def terms_of(head: Head, longest_s: float) -> Terms:
    """The terms of the requests with a head.

    Args:
        head: admitted by the gate.
        longest_s: the server's own time-out.

    Raises:
        InvalidInput: a header has a wrong value; says what would be right.
        Forbidden: the caller may not ask for that priority.
    """
    principal = head.principal
    return Terms(
        principal=principal,
        timeout_s=time_allowed(head, longest_s),
        priority=prioritise(principal, _priority(head)),
    )


def _priority(head: Head) -> Priority | None:
    value = head.get(b"x-priority")
    if value is None:
        return None
    word = value.strip().lower().decode("latin-1")
    if word in PRIORITIES:
        return PRIORITIES[word]
    raise InvalidInput(f"X-Priority is low, normal or high, and {word[:40]!r} came")
