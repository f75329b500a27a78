"""One life of one server: first answer, warm-up, each load between two checks, memory."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import load, measure, sweep
from benchmarks.calls import Call, ask
from benchmarks.errors import ServerFailed
from benchmarks.load import Load
from benchmarks.open_plan import OpenLoad
from benchmarks.process import first_answer, free_port, started, tail
from benchmarks.samples import Cell, Open, Start
from benchmarks.servers import Place, Server
from benchmarks.workloads import ROOT, Workload, check

__all__ = ["Life", "Trial"]

_CHECKS = 8
"""Requests before and after the load, each on a new connection, to meet every worker."""
_ASK_LIMIT_S = 10.0
_WARM_UP_S = 5
"""What a server learns or compiles at the beginning is not measured; as long for each of them."""
_WARM_UP_CONNECTIONS = 32
_SETTLE_LIMIT_S = 10.0


@dataclass(frozen=True)
class Life:
    """What was seen of one life of one server."""

    start: Start
    cells: list[Cell]
    opens: list[Open]


@dataclass(frozen=True)
class Trial:
    """One server with one workload in one round."""

    round: int
    workload: Workload
    server: Server
    workers: int
    bin: Path
    """The programs of the server's environment."""

    def run(self, connections: Sequence[int], seconds: int, factors: Sequence[float] = ()) -> Life:
        """Start the server, measure it, end it.

        `factors` are the open-loop loads, as multiples of the best of the closed-loop ones.
        """
        port = free_port()
        call = self.server.dialect(
            self.workload.name, (ROOT / self.workload.body_file).read_bytes()
        )
        answered = partial(self._answered, port, call)
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            log, home = Path(scratch) / "log", Path(scratch) / "home"
            home.mkdir()
            place = Place(self.workload, port, self.workers, self.bin, home)
            command, environment = self.server.command(place), self.server.variables_in(place)
            script = load.write_script(call, Path(scratch))
            url = f"http://127.0.0.1:{port}{call.path}"
            push, flood = partial(load.run, url, script), sweep.push(url, call, Path(scratch))
            begun = time.monotonic()
            with started(command, environment, log) as process:
                first_answer_s = first_answer(process, log, answered) - begun
                push(_WARM_UP_CONNECTIONS, _WARM_UP_S)
                self._check(answered, log)
                cells = [self._cell(process.pid, push, n, seconds) for n in connections]
                self._check(answered, log)
                held = measure.memory(process.pid, self.workers)
                opens = list(self._opens(process.pid, flood, cells, factors, seconds))
        names = (self.round, self.workload.name, self.server.name)
        shown = {name: value.replace(scratch, "SCRATCH") for name, value in environment.items()}
        start = Start(*names, command, shown, first_answer_s, held)
        return Life(start, cells, opens)

    def _answered(self, port: int, call: Call) -> bool:
        """Whether the server is ready; a wrong answer raises."""
        answer = ask(port, call, _ASK_LIMIT_S)
        if answer.status == 200:
            check(self.workload, call.read(answer), self.server.name)
        return answer.status == 200

    def _check(self, answered: Callable[[], bool], log: Path) -> None:
        try:
            ready = all(answered() for _ in range(_CHECKS))
        except (OSError, http.client.HTTPException) as error:
            raise ServerFailed(
                f"{self.server.name} answered once and then no more: {error!r}\n{tail(log)}"
            ) from error
        if not ready:
            raise ServerFailed(
                f"{self.server.name} was ready and then refused a request\n{tail(log)}"
            )

    def _opens(
        self,
        pid: int,
        flood: Callable[[float, int], OpenLoad],
        cells: Sequence[Cell],
        factors: Sequence[float],
        seconds: int,
    ) -> Iterator[Open]:
        capacity = max((cell.requests_per_s for cell in cells if cell.clean), default=0.0)
        for factor in factors if capacity else ():
            measure.settle(pid, _SETTLE_LIMIT_S)
            before = measure.cpu_times(pid)
            seen = flood(capacity * factor, seconds)
            cpu_s = measure.cpu_between(before, measure.cpu_times(pid))
            names = (self.round, self.workload.name, self.server.name)
            yield Open(*names, capacity, factor, seen, cpu_s)

    def _cell(
        self, pid: int, push: Callable[[int, int], Load], connections: int, seconds: int
    ) -> Cell:
        measure.settle(pid, _SETTLE_LIMIT_S)
        before = measure.cpu_times(pid)
        seen = push(connections, seconds)
        cpu_s = measure.cpu_between(before, measure.cpu_times(pid))
        return Cell(
            round=self.round,
            workload=self.workload.name,
            server=self.server.name,
            connections=connections,
            requests=seen.requests,
            seconds=seen.seconds,
            requests_per_s=seen.requests_per_s,
            p50_ms=seen.p50_ms,
            p99_ms=seen.p99_ms,
            cpu_us_per_request=cpu_s * 1e6 / max(seen.requests, 1),
            errors=seen.errors,
        )
