"""Who asks, and when: recorded or made up, open loop or closed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchError

__all__ = [
    "SHAPES",
    "Arrival",
    "Closed",
    "Load",
    "Open",
    "adversarial",
    "bursts",
    "diurnal",
    "flood",
    "poisson",
    "recorded",
]


@dataclass(frozen=True, order=True)
class Arrival:
    """A request that is due at a moment, whatever the server does."""

    at: float
    rows: int = 1
    caller: str = ""
    priority: str = "normal"


@dataclass(frozen=True)
class Open:
    """An open loop: nobody waits for an answer before they send the next request."""

    arrivals: Sequence[Arrival]
    deadline_s: float | None = None
    """Nobody wants an answer that takes longer."""


@dataclass(frozen=True)
class Closed:
    """A closed loop, as load generators make: each client sends when it was answered."""

    clients: int
    deadline_s: float | None = None
    rows: int = 1
    trip_s: float = 100e-6
    """From an answer to the next request of the client."""
    front_s: float = 30e-6
    """What the server's front takes for each request; one after the other."""


Load = Open | Closed


def poisson(rate: float, count: int, chance: random.Random) -> list[Arrival]:
    """Arrivals that know nothing of each other."""
    return list(_gaps(chance.expovariate(rate) for _ in range(count)))


def bursts(rate: float, count: int, chance: random.Random, size: int = 24) -> list[Arrival]:
    """The same rate, in bursts of a random size that come at random moments."""
    arrivals: list[Arrival] = []
    now = 0.0
    while len(arrivals) < count:
        together = chance.randint(1, 2 * size - 1)
        now += chance.expovariate(rate / together)
        arrivals += [Arrival(now + n * 20e-6) for n in range(together)]
    return sorted(arrivals[:count])


def diurnal(rate: float, count: int, chance: random.Random) -> list[Arrival]:
    """The same rate in the mean over two days, that are short, between nearly none and twice it."""
    span = count / rate

    def now_rate(at: float) -> float:
        return rate * (1 - 0.95 * math.cos(4 * math.pi * at / span))

    arrivals: list[Arrival] = []
    now = 0.0
    while len(arrivals) < count:
        now += chance.expovariate(2 * rate)
        if chance.random() * 2 * rate < now_rate(now):
            arrivals.append(Arrival(now))
    return arrivals


def adversarial(rate: float, count: int, chance: random.Random, size: int = 16) -> list[Arrival]:
    """One request, and a moment later all others: whoever starts at once starts too early."""
    arrivals: list[Arrival] = []
    period = size / rate
    for turn in range(math.ceil(count / size)):
        at = turn * period + chance.random() * 0.1 * period
        arrivals.append(Arrival(at))
        arrivals += [Arrival(at + 100e-6 + n * 10e-6) for n in range(size - 1)]
    return sorted(arrivals)[:count]


def flood(rate: float, count: int, chance: random.Random) -> list[Arrival]:
    """One caller sends nine tenths of it, in requests of several rows; nine callers the rest."""
    arrivals: list[Arrival] = []
    for arrival in poisson(rate, count, chance):
        if chance.random() < 0.9:
            arrivals.append(Arrival(arrival.at, chance.randint(1, 8), "flood"))
        else:
            arrivals.append(Arrival(arrival.at, 1, f"caller {chance.randrange(9)}"))
    rows = sum(a.rows for a in arrivals) / len(arrivals)
    return [Arrival(a.at * rows, a.rows, a.caller) for a in arrivals]


SHAPES: dict[str, Callable[[float, int, random.Random], list[Arrival]]] = {
    "poisson": poisson,
    "bursts": bursts,
    "diurnal": diurnal,
    "adversarial": adversarial,
    "flood": flood,
}
"""By name: from a rate in rows/s, the number of requests and a source of chance."""


def recorded(path: Path) -> list[Arrival]:
    """Arrivals of a file: a line each, `seconds [rows [caller [priority]]]`, `#` for comments.

    Raises:
        BenchError: says which line cannot be read.
    """
    arrivals: list[Arrival] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            arrivals.append(_arrival(*words))
        except (TypeError, ValueError) as error:
            raise BenchError(f"{path.name}, line {number}: {error}") from error
    if not arrivals:
        raise BenchError(f"{path.name} has no arrivals")
    return sorted(arrivals)


def _arrival(at: str, rows: str = "1", caller: str = "", priority: str = "normal") -> Arrival:
    if not math.isfinite(float(at)) or int(rows) < 1:
        raise ValueError(f"{at} {rows}: a time in seconds, and rows from 1 on")
    if priority not in ("low", "normal", "high"):
        raise ValueError(f"'{priority}' is no priority: low, normal or high")
    return Arrival(float(at), int(rows), caller, priority)


def _gaps(gaps: Iterator[float]) -> Iterator[Arrival]:
    now = 0.0
    for gap in gaps:
        now += gap
        yield Arrival(now)
