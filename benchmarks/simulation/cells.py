"""One load on one machine, and the policies that are compared on it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from benchmarks.simulation.arrivals import SHAPES, Arrival, Closed, Load, Open
from benchmarks.simulation.machine import Machine
from benchmarks.simulation.policies import Make, additive, fixed, ours, unbatched
from benchmarks.simulation.summary import Summary, summary
from benchmarks.simulation.world import simulate

__all__ = ["DEADLINE_S", "SWEEP", "Cell", "Swept", "closed", "of_arrivals", "opened", "policies"]

DEADLINE_S = 1.0
"""Of each request in an open loop."""
_WARM_ROWS, _ROWS = 8000, 4000
_RUNS = 120
"""A simulation lasts so many runs of one row at least."""
_SIZES = (1, 4, 8, 16, 32, 64, 128)
_WAITS_S = (0.0, 0.5e-3, 1e-3, 2e-3, 5e-3, 10e-3)
SWEEP = [(size, wait) for size in _SIZES for wait in _WAITS_S if size > 1 or not wait]
"""Sizes and waits that somebody might choose."""
_QUEUE, _SHORT = 1024, 128
_COMMON = ((8, 5e-3), (32, 1e-3), (32, 10e-3))


@dataclass(frozen=True)
class Cell:
    """A load on a machine."""

    name: str
    machine: Machine
    load: Load
    warm_s: float
    """Counts in no figure."""
    seconds: float

    def run(self, make: Make, seed: int = 1) -> Summary:
        """What a policy makes of it."""
        return summary(simulate(self.load, self.machine, make, self.seconds, seed), self.warm_s)

    def sweep(self, settings: Sequence[tuple[int, float]] = SWEEP) -> Swept:
        """The best of all fixed sizes and waits, by the answers in time."""
        tried = {name: (self._short().run(make), make) for name, make in self._tried(settings)}
        name = max(tried, key=lambda name: tried[name][0].good_per_s)
        return Swept(name, self._short().median(tried[name][1]), len(tried))

    def median(self, make: Make) -> Summary:
        """The middle one of three runs with other noise, by the answers in time."""
        seen = [self.run(make, seed) for seed in (1, 2, 3)]
        return sorted(seen, key=lambda each: each.good_per_s)[1]

    def _short(self) -> Cell:
        """What learns nothing needs no long warm-up; in an open loop all get the same arrivals."""
        if not isinstance(self.load, Closed):
            return self
        left_s = 0.9 * self.warm_s
        return replace(self, warm_s=self.warm_s - left_s, seconds=self.seconds - left_s)

    def _tried(self, settings: Sequence[tuple[int, float]]) -> Iterator[tuple[str, Make]]:
        # Where nobody waits for answers the length of the queue decides who is answered in time.
        queues = (_QUEUE,) if isinstance(self.load, Closed) else (_QUEUE, _SHORT)
        for count, queue in product(range(1, self.machine.at_once + 1), queues):
            for size, wait_s in settings:
                name = _title(size, wait_s, count, queue)
                yield name, fixed(size, wait_s, count, queue)


@dataclass(frozen=True)
class Swept:
    """The best of a sweep."""

    name: str
    summary: Summary
    tried: int


def closed(machine: Machine, clients: int) -> Cell:
    """So many clients that each wait for their answer."""
    rate = min(
        machine.capacity(),
        max(clients / machine.seconds(-(-clients // k), k) for k in range(1, machine.at_once + 1)),
    )
    least = _RUNS * machine.seconds(1, 1)
    warm_s, rows_s = _WARM_ROWS / rate + least, _ROWS / rate + least
    name = f"{clients} client{'s' * (clients > 1)}"
    return Cell(name, machine, Closed(clients), warm_s, warm_s + rows_s)


def opened(machine: Machine, shape: str, factor: float, seed: int = 1) -> Cell:
    """Arrivals of a shape at a rate of so many times the machine's capacity."""
    rate = factor * machine.capacity()
    least = _RUNS * machine.seconds(1, 1)
    warm_s = _WARM_ROWS / machine.capacity() + least
    seconds = warm_s + _ROWS / machine.capacity() + least
    arrivals = SHAPES[shape](rate, round(rate * seconds) + 1, random.Random(seed))
    return Cell(f"{shape} × {factor:g}", machine, Open(arrivals, DEADLINE_S), warm_s, seconds)


def of_arrivals(machine: Machine, name: str, arrivals: list[Arrival]) -> Cell:
    """Recorded arrivals, from the first of them on; nothing is left out."""
    first = min(a.at for a in arrivals)
    moved = [Arrival(a.at - first, a.rows, a.caller, a.priority) for a in arrivals]
    return Cell(name, machine, Open(moved, DEADLINE_S), 0.0, moved[-1].at + DEADLINE_S)


def policies(objective_s: float) -> Mapping[str, Make]:
    """Those that are shown, by name."""
    return {
        "no batching": unbatched,
        **{_title(size, wait_s, 1): fixed(size, wait_s) for size, wait_s in _COMMON},
        f"additive, {objective_s * 1e3:g} ms": additive(objective_s),
        "Modelport, no wait": ours(regroups=False),
        "Modelport": ours(),
        f"Modelport, {objective_s * 1e3:g} ms": ours(objective_s),
    }


def _title(size: int, wait_s: float, instances: int, queue: int = _QUEUE) -> str:
    times = f", {instances} instances" if instances > 1 else ""
    short = f", queue of {queue}" if queue != _QUEUE else ""
    return f"fixed {size}, {wait_s * 1e3:g} ms{times}{short}"
