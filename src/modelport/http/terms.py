"""What holds for all requests with one head: whose they are, and how long they have."""

from __future__ import annotations

from dataclasses import dataclass

from modelport.guard.policy import Principal
from modelport.http.bodies import time_allowed
from modelport.http.wire import Head

__all__ = ["Terms", "terms_of"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """For whom requests run, and within what."""

    principal: Principal
    timeout_s: float
    """Seconds that each has, from when its body is there."""


def terms_of(head: Head, longest_s: float) -> Terms:
    """The terms of the requests with a head.

    Args:
        head: admitted by the gate.
        longest_s: the server's own time-out.

    Raises:
        InvalidInput: a header has a wrong value; says what would be right.
    """
    return Terms(principal=head.principal, timeout_s=time_allowed(head, longest_s))
