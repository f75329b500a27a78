"""The retry budget: how many of a client's requests may be second tries."""

from __future__ import annotations

import threading

__all__ = ["RetryBudget"]


class RetryBudget:
    """A token bucket that stops retries when a server is down, not merely unlucky.

    Each call puts `ratio` tokens in, each retry takes one out, and without a whole token there is
    no retry: over time at most one call in five is repeated, so that clients add at most a fifth
    to the load of a server in trouble. It starts with `reserve` tokens, for clients that have
    just begun, and saves up to `ceiling`, so that a restart in a busy hour can be bridged.

    Source: Finagle's RetryBudget, 20 % of requests above a minimum of 10
    (https://finagle.github.io/blog/2016/02/08/retry-budgets). gRPC's retryThrottling is of the
    same family and counts failures (https://github.com/grpc/proposal/blob/master/A6-client-retries.md).
    """

    def __init__(self, ratio: float = 0.2, reserve: float = 10, ceiling: float = 100) -> None:
        self._ratio = ratio
        self._ceiling = ceiling
        self._tokens = float(reserve)
        self._lock = threading.Lock()

    def deposit(self) -> None:
        """Count one call, whatever becomes of it."""
        with self._lock:
            self._tokens = min(self._ceiling, self._tokens + self._ratio)

    def withdraw(self) -> bool:
        """Pay for one retry; False where the budget is spent, and nothing is taken."""
        with self._lock:
            # Ten fifths add up to a little less than two in floating point.
            if self._tokens < 1 - 1e-9:
                return False
            self._tokens -= 1
            return True
