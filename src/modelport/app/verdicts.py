"""What the supervisor makes of how its workers load: what is served, and what must not be tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from modelport.app.spec import ModelStatus, Spec, VersionKey
from modelport.repository.layout import Source

__all__ = ["Verdicts"]

_DEATHS = 2
"""One may be chance, such as a process that the kernel killed for the memory of another."""


class Verdicts:
    """What is known of the versions, over all workers that there were."""

    def __init__(self) -> None:
        self._served: set[VersionKey] = set()
        self._deaths: Counter[VersionKey] = Counter()
        self._fatal: dict[VersionKey, Source] = {}

    def on_ready(self, models: Iterable[ModelStatus]) -> None:
        """A worker serves these; one that stands by has not been loaded, and counts only then."""
        self._served |= {(m.name, m.version) for m in models if m.state == "READY"}

    def on_death(self, source: Source, how: str) -> None:
        """A process ended while it loaded a version.

        After the second time the version is given up; but not one that was served before, whose
        file may be put right: a worker tries that again and again, while the others serve it.
        """
        version = source.name, source.version
        self._deaths[version] += 1
        if self._deaths[version] < _DEATHS or version in self._served:
            return
        problem = f"loading '{Path(source.path).name}' ended the process ({how})"
        self._fatal[version] = msgspec.structs.replace(source, problem=problem)

    def applied(self, spec: Spec) -> Spec:
        """The spec of a process that takes the place of another."""
        return msgspec.structs.replace(
            spec,
            early=False,
            served=frozenset(self._served),
            fatal=tuple(self._fatal.values()),
        )
