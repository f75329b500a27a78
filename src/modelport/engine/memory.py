"""Which models are in memory: the budget, and who goes when there is no room. Decisions alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from modelport.core.errors import NotReady, Overloaded
from modelport.engine.lifecycle import Version
from modelport.kit.memory import mib

__all__ = ["Memory"]

_SOON_S = 1
"""Runs that hold the memory will end."""
_LATER_S = 30
"""Somebody has to change something first."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the models of one process may take, when they are loaded, and which of them stay."""

    budget_bytes: int = 0
    """0: no bound."""
    lazy: bool = False
    """Whether a version is loaded at its first request."""
    pinned: frozenset[str] = frozenset()
    """Names of models that are loaded at the start and stay."""
    wait_s: float = 5.0
    """How long a load waits for runs to end that hold the memory that it needs."""

    @property
    def is_bounded(self) -> bool:
        """Whether there is a budget."""
        return self.budget_bytes > 0

    def waits(self, version: Version) -> bool:
        """Whether a version is left for its first request, whatever room there is."""
        return self.lazy and version.name not in self.pinned

    def never_fits(self, version: Version) -> NotReady | None:
        """Why a version is too large for all the memory that there is; None where it is not."""
        if not self.is_bounded or version.size_bytes <= self.budget_bytes:
            return None
        return NotReady(
            f"version {version.version} of '{version.name}' takes {mib(version.size_bytes)}, and"
            f" models have {mib(self.budget_bytes)} in each worker",
            retry_after_s=_LATER_S,
        )

    def fits(self, version: Version, resident: Iterable[Version], leaving_bytes: int = 0) -> bool:
        """Whether a version has room beside those that are in memory."""
        others = sum(v.size_bytes for v in resident if v is not version)
        return not self.is_bounded or (
            others + leaving_bytes + version.size_bytes <= self.budget_bytes
        )

    def victims(
        self, version: Version, resident: Iterable[Version], leaving_bytes: int = 0
    ) -> list[Version]:
        """Who has to go so that a version has room: of the idle ones, the least recently used.

        Args:
            version: what is to be in memory, or is there already.
            resident: the versions that are in memory.
            leaving_bytes: what was let go of, and is not given back yet.

        Raises:
            Overloaded: those that may go are not enough; the message has the sizes.
        """
        others = [v for v in resident if v is not version]
        excess = version.size_bytes - self.budget_bytes + leaving_bytes
        excess += sum(v.size_bytes for v in others)
        going: list[Version] = []
        if not self.is_bounded or excess <= 0:
            return going
        idle = (v for v in others if not v.in_flight and v.name not in self.pinned)
        for each in sorted(idle, key=lambda v: v.last_used):
            going.append(each)
            excess -= each.size_bytes
            if excess <= 0:
                return going
        if excess <= leaving_bytes:
            return going  # these, and what leaves already, are enough
        raise self._full(version, others, leaving_bytes)

    def _full(self, version: Version, others: list[Version], leaving_bytes: int) -> Overloaded:
        pinned = sum(v.size_bytes for v in others if v.name in self.pinned)
        busy = sum(v.size_bytes for v in others if v.in_flight and v.name not in self.pinned)
        held = f"{mib(pinned)} are pinned and {mib(busy + leaving_bytes)} in use"
        for_good = pinned + version.size_bytes > self.budget_bytes
        return Overloaded(
            f"model '{version.name}' takes {mib(version.size_bytes)}, and of the"
            f" {mib(self.budget_bytes)} that models have in each worker {held}; try again later",
            retry_after_s=_LATER_S if for_good else _SOON_S,
        )
