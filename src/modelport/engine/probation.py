"""Whether short runs of a version stay on the event loop, or go to threads after one was slow.

What a run takes is predicted from the last ones, and a model that is quick mostly may take seconds
for some inputs. On the event loop, each of those would keep all other requests waiting.
"""

from __future__ import annotations

from modelport.engine.executor import HAND_OVER_S

__all__ = ["SLOW_S", "Probation"]

SLOW_S = 10 * HAND_OVER_S
"""A run that was predicted to be short and takes as long puts its version on probation; less may be
a page fault or a neighbour."""
_PROOFS_PER_S = 10_000
"""So many short runs in threads make up for each second of the slow one. Handing one over costs
about 0.1 ms: together they cost no more than the slow one did, and so an odd one costs little."""


class Probation:
    """A version's, until enough short runs in threads have followed its last slow one."""

    __slots__ = ("_proofs", "stays_below_s")

    def __init__(self) -> None:
        self.stays_below_s = HAND_OVER_S
        """A run that is predicted to take less stays on the event loop; 0 on probation."""
        self._proofs = 0
        """Short runs that are still to come."""

    @property
    def is_on(self) -> bool:
        """Whether all runs are in threads."""
        return self._proofs > 0

    def ran(self, seconds: float) -> None:
        """A run took that long that was predicted to be short."""
        if seconds >= SLOW_S:
            self._proofs = max(self._proofs, int(seconds * _PROOFS_PER_S))
            self.stays_below_s = 0.0
        elif self._proofs and seconds < HAND_OVER_S:
            self._proofs -= 1
            if not self._proofs:
                self.stays_below_s = HAND_OVER_S
