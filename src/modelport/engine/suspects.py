"""Requests that ran when an engine process died, known by a digest of their inputs.

Whatever ran then may be what it died of. So it runs alone from then on: if the process dies again,
it is guilty and refused; if not, it is cleared.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from enum import IntEnum

from modelport.core.errors import InvalidInput

__all__ = ["Suspects", "Verdict"]

_MOST = 4096
_KEPT_S = 2 * 3600.0


class Verdict(IntEnum):
    """What is thought of a request."""

    CLEARED = 0
    SUSPECT = 1
    GUILTY = 2


class Suspects:
    """What is thought of the requests that ran at a death; the oldest are forgotten."""

    def __init__(self, most: int = _MOST, kept_s: float = _KEPT_S) -> None:
        """
        Args:
            most: how many are known at the same time.
            kept_s: the seconds after which one is forgotten.
        """
        self._most = most
        self._kept_s = kept_s
        self._known: OrderedDict[bytes, tuple[Verdict, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, digest: bytes) -> Verdict:
        verdict, since = self._known.get(digest, (Verdict.CLEARED, 0.0))
        if verdict and time.monotonic() - since > self._kept_s:
            del self._known[digest]
            return Verdict.CLEARED
        return verdict

    @property
    def items(self) -> list[tuple[bytes, Verdict]]:
        """All that is known."""
        return [(digest, verdict) for digest, (verdict, _) in self._known.items()]

    def mark(self, digest: bytes, verdict: Verdict) -> None:
        """Know it from now on; who is guilty stays so."""
        if not digest or self[digest] is Verdict.GUILTY:
            return
        self._known.pop(digest, None)
        if verdict is not Verdict.CLEARED:
            self._known[digest] = verdict, time.monotonic()
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def must_be_alone(self, digest: bytes) -> bool:
        """Whether a request is one that may end the process.

        Raises:
            InvalidInput: it did so twice.
        """
        verdict = self[digest]
        if verdict is Verdict.GUILTY:
            raise InvalidInput(
                "these inputs ended the process of the model twice, and are refused for some hours:"
                " the model cannot take them"
            )
        return verdict is Verdict.SUSPECT
