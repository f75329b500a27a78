"""What is measured, as plain data; these fields are the `samples` of the JSON result."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from benchmarks.measure import Memory
from benchmarks.open_plan import OpenLoad

__all__ = ["Bare", "Cell", "Failure", "Open", "Samples", "Start"]


@dataclass(frozen=True)
class Cell:
    """One load on one server."""

    round: int
    workload: str
    server: str
    connections: int
    requests: int
    seconds: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_request: float
    errors: dict[str, int]

    @property
    def clean(self) -> bool:
        """Whether every request was answered, and some were: others count nowhere."""
        return not self.errors and self.requests > 0


@dataclass(frozen=True)
class Start:
    """One life of one server: how soon it answered, what it held after its load."""

    round: int
    workload: str
    server: str
    command: list[str]
    environment: dict[str, str]
    first_answer_s: float
    processes: list[Memory]

    @property
    def rss_mib(self) -> float:
        """Resident memory of all processes; shared pages count in each."""
        return sum(process.rss_mib for process in self.processes)

    @property
    def pss_mib(self) -> float:
        """Memory of all processes; shared pages count once."""
        return sum(process.pss_mib for process in self.processes)

    @property
    def worker_pss_mib(self) -> float:
        """The mean of the processes that did the work."""
        return statistics.fmean(process.pss_mib for process in self.processes if process.worker)

    @property
    def worker_rss_mib(self) -> float:
        """The mean of the processes that did the work."""
        return statistics.fmean(process.rss_mib for process in self.processes if process.worker)


@dataclass(frozen=True)
class Bare:
    """What the bare loop reached in one round, on all cores, with one size of batch."""

    round: int
    workload: str
    processes: int
    threads: int
    batch: int
    rows_per_s: float


@dataclass(frozen=True)
class Open:
    """One open-loop load on one server."""

    round: int
    workload: str
    server: str
    capacity: float
    """Requests/s: the best that the same life of the server answered in a closed loop."""
    factor: float
    """Arrivals in each second over the capacity."""
    load: OpenLoad
    server_cpu_s: float


@dataclass(frozen=True)
class Failure:
    """A server that was not measured, or not to the end."""

    round: int
    workload: str
    server: str
    reason: str


@dataclass
class Samples:
    """Everything that has been measured so far."""

    cells: list[Cell] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    bare: list[Bare] = field(default_factory=list)
    opens: list[Open] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
