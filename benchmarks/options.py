"""What a run measures, from its command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bare import Loop
from benchmarks.machine import cores
from benchmarks.servers import CEILINGS, MODELPORT, PEERS, SERVERS
from benchmarks.sweep import FACTORS
from benchmarks.workloads import WORKLOADS

__all__ = ["Options", "parse"]

_FEW = (MODELPORT, "flask-gthread", "flask-sync", "fastapi")
_FEW_WORKLOADS = ("linear", "tabular", "image")
_ALL = (MODELPORT, *PEERS, *CEILINGS)
_BATCHES = (1, 2, 4, 8, 16, 32)
_SMOKE_BATCHES = (1, 8)
_SMOKE_FACTORS = (0.5, 3.0)


@dataclass(frozen=True)
class Options:
    """A run."""

    rounds: int
    seconds: int
    """Of one load."""
    workloads: tuple[str, ...]
    servers: tuple[str, ...]
    connections: tuple[int, ...]
    open_loop: tuple[str, ...]
    """The workloads of the open-loop sweep."""
    factors: tuple[float, ...]
    batches: tuple[int, ...]
    """Of the bare loop; none: it is not run."""
    peers: bool
    smoke: bool

    def loops(self) -> list[Loop]:
        """How the bare loop shares out the cores."""
        here = cores()
        parted = Loop(here, 1)
        return [parted] if here == 1 or len(self.batches) < 2 else [parted, Loop(1, here)]


def parse(arguments: Sequence[str] | None) -> tuple[Options, Path | None]:
    """The options, and the JSON file to write if one is named."""
    parser = argparse.ArgumentParser(
        prog="bench_serving", description="Modelport beside other servers, on this machine."
    )
    parser.add_argument(
        "--peers", action="store_true", help="every peer, workload and ceiling, and open loops"
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="length of one load")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS)
    parser.add_argument("--servers", nargs="+", choices=tuple(SERVERS))
    parser.add_argument("--connections", nargs="+", type=int)
    parser.add_argument(
        "--open-loop", nargs="*", choices=WORKLOADS, help="workloads of the open-loop sweep"
    )
    parser.add_argument("--no-bare", action="store_true", help="leave out the bare loop")
    parser.add_argument(
        "--smoke", action="store_true", help="a short round, to see that all answer rightly"
    )
    parser.add_argument("--output", type=Path, help="the JSON file to write")
    given = parser.parse_args(arguments)
    options = _options(given)
    if min(options.rounds, options.seconds, *options.connections) < 1:
        parser.error("--rounds, --seconds and --connections take numbers from 1 on")
    return options, given.output


def _options(given: argparse.Namespace) -> Options:
    peers, smoke = given.peers, given.smoke
    workloads = given.workloads or (WORKLOADS if peers else _FEW_WORKLOADS)
    if smoke and not given.workloads:
        workloads = ("linear",)
    open_loop = given.open_loop
    if open_loop is None:
        open_loop = ("transformer",) if peers and not smoke else ()
    batches: tuple[int, ...] = _BATCHES if peers else (1,)
    if smoke:
        batches = _SMOKE_BATCHES if peers else ()
    return Options(
        rounds=given.rounds or (1 if smoke else 3),
        seconds=given.seconds or (1 if smoke else 5),
        workloads=tuple(workloads),
        servers=tuple(given.servers or (_ALL if peers else _FEW)),
        connections=tuple(given.connections or ((1, 32) if smoke else (1, 32, 128))),
        open_loop=tuple(name for name in open_loop if name in workloads),
        factors=_SMOKE_FACTORS if smoke else FACTORS,
        batches=() if given.no_bare else batches,
        peers=peers,
        smoke=smoke,
    )
