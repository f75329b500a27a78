"""Deadlines and retries, as a generator that does no I/O.

It yields what to send, is given what came of it, and returns the answer. `transport` has two
short loops that drive it, one that blocks and one that awaits, so that nothing is decided twice.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from modelport.client.answers import Reply, error_of, retry_after_s
from modelport.client.budget import RetryBudget
from modelport.client.calls import Call, Request
from modelport.core.errors import (
    ConfigError,
    DeadlineExceeded,
    ModelportError,
    NotReady,
    Overloaded,
)

__all__ = ["Flow", "Lost", "Rules", "Send", "answer", "holds"]

T = TypeVar("T")

_BACKOFF_S = 0.05
_BACKOFF_MAX_S = 2.0


@dataclass(frozen=True)
class Send:
    """What the flow asks for: wait, send, and give back what came by the deadline."""

    request: Request
    deadline: float
    """The absolute `time.monotonic()` that holds for all tries together."""
    after_s: float = 0.0
    """Seconds to wait first."""


@dataclass(frozen=True)
class Lost:
    """A try that brought no answer."""

    error: ModelportError
    again: bool
    """Whether another try could end better."""


Flow: TypeAlias = Generator[Send, Reply | Lost, T]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How patient and how persistent a client is."""

    timeout_s: float
    """Seconds for a call with all of its tries, unless the call says otherwise."""
    retries: int
    """How many further tries a call may have."""
    budget: RetryBudget
    """What all calls of the client may spend together."""
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    """Evenly spread over [0, 1)."""

    def __post_init__(self) -> None:
        _check_timeout(self.timeout_s)
        if self.retries < 0:
            raise ConfigError(f"retries is 0 or more, and {self.retries} came")


def answer(call: Call[T], rules: Rules, timeout_s: float | None = None) -> Flow[T]:
    """Try until there is an answer, a final error, or neither time nor budget for another try.

    Raises:
        ModelportError: what the server answered, or why there is no answer.
    """
    patience = rules.timeout_s if timeout_s is None else timeout_s
    _check_timeout(patience)
    deadline = rules.clock() + patience
    rules.budget.deposit()
    came = yield Send(call.request, deadline)
    for attempt in range(rules.retries):
        wait = _wait(came, attempt, rules)
        if wait is None or rules.clock() + wait >= deadline or not rules.budget.withdraw():
            break
        came = yield Send(call.request, deadline, after_s=wait)
    if isinstance(came, Lost):
        raise came.error
    if not came.is_success:
        raise error_of(came)
    return call.decode(came)


def holds(flow: Flow[None]) -> Flow[bool]:
    """Whether a probe succeeds; False also where nobody answers.

    Raises:
        ModelportError: the probe was refused for another reason than not being ready.
    """
    try:
        yield from flow
    except (NotReady, Overloaded, DeadlineExceeded):
        return False
    return True


def _wait(came: Reply | Lost, attempt: int, rules: Rules) -> float | None:
    """Seconds to wait for the next try; None where there shall be none.

    Exponential back-off with full jitter, on top of what the server asks for: clients that were
    refused together come back one by one.
    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    if isinstance(came, Lost):
        asked = 0.0 if came.again else None
    else:
        asked = retry_after_s(came) if came.status in (429, 503) else None
    if asked is None:
        return None
    return asked + rules.jitter() * min(_BACKOFF_MAX_S, _BACKOFF_S * 2.0**attempt)


def _check_timeout(timeout_s: float) -> None:
    if not (timeout_s > 0 and math.isfinite(timeout_s)):
        raise ConfigError(f"timeout_s is a number of seconds above 0, and {timeout_s} came")
