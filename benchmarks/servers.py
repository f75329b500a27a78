"""The servers that are measured: read from the files in `peers/`, and Modelport itself.

A file `peers/<folder>/<server>.toml` holds one server's documented best settings:

    title = "…"            # what a table calls it
    environment = "…"      # its lock, `requirements/peers/<environment>.txt`
    command = ["…"]        # {bin} {port} {workers} {workload} {model} {scratch} are filled in
    dialect = "…"          # how it is asked: see `dialects.py`
    settings = "…"         # in words, for the page
    [variables]            # added to a minimal environment, filled in likewise
    [workloads.<name>]     # more variables; a workload without this table is not measured

A file with `ceiling = true` is no server for models but a limit that none can pass.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.dialects import DIALECTS, Dialect
from benchmarks.workloads import ROOT, WORKLOADS, Workload

__all__ = [
    "CEILINGS",
    "MODELPORT",
    "PEERS",
    "SERVERS",
    "Place",
    "Server",
    "programs",
    "read_server",
]

MODELPORT = "modelport"
_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Place:
    """Where one life of a server is spent."""

    workload: Workload
    port: int
    workers: int
    bin: Path
    """The folder of its environment's programs."""
    scratch: Path
    """An empty folder of its own."""

    def fill(self, text: str) -> str:
        """`text` with the names in braces replaced."""
        return text.format(
            bin=self.bin,
            port=self.port,
            workers=self.workers,
            workload=self.workload.name,
            model=self.workload.model,
            repository=self.workload.repository,
            scratch=self.scratch,
        )


@dataclass(frozen=True)
class Server:
    """One way to serve workloads."""

    name: str
    title: str
    environment: str | None
    """None: the environment of this interpreter."""
    arguments: tuple[str, ...]
    dialect: Dialect
    settings: str
    variables: Mapping[str, str] = field(default_factory=dict)
    by_workload: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ceiling: bool = False

    def serves(self, workload: str) -> bool:
        """Whether the server has settings for this workload."""
        return workload in self.by_workload

    def command(self, place: Place) -> list[str]:
        """The command line."""
        return [place.fill(argument) for argument in self.arguments]

    def variables_in(self, place: Place) -> dict[str, str]:
        """What is added to a minimal environment."""
        given = {**self.variables, **self.by_workload[place.workload.name]}
        return {name: place.fill(value) for name, value in given.items()}


def programs() -> Path:
    """The folder of this interpreter's programs, relative to the repository if inside it."""
    folder = Path(sys.executable).parent
    return folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder


def read_server(file: Path) -> Server:
    """The server that a file describes; a wrong or missing key raises."""
    content: dict[str, Any] = tomllib.loads(file.read_text())
    common = {
        "PYTHONPATH": str(ROOT),
        "BENCH_WORKLOAD": "{workload}",
        "BENCH_MODEL": "{model}",
        "BENCH_PORT": "{port}",
        "BENCH_WORKERS": "{workers}",
        "BENCH_SCRATCH": "{scratch}",
    }
    return Server(
        name=file.stem,
        title=content.pop("title"),
        environment=content.pop("environment", None),
        arguments=tuple(content.pop("command")),
        dialect=DIALECTS[content.pop("dialect")],
        settings=content.pop("settings"),
        variables=common | content.pop("variables", {}),
        by_workload=content.pop("workloads"),
        **content,
    )


_OURS = Server(
    name=MODELPORT,
    title="Modelport",
    environment=None,
    arguments=(
        *("{bin}/modelport", "serve", "{repository}", "--host", "127.0.0.1"),
        *("--port", "{port}", "--workers", "{workers}"),
    ),
    dialect=DIALECTS["modelport"],
    settings="no setting but the number of workers",
    variables={"MODELPORT_STATE_DIR": "{scratch}/state"},
    by_workload={name: {} for name in WORKLOADS},
)
_READ = [read_server(file) for file in sorted(_PEERS.glob("*/*.toml"))]
PEERS = {server.name: server for server in _READ if not server.ceiling}
"""What stands beside Modelport, by name."""
CEILINGS = {server.name: server for server in _READ if server.ceiling}
"""Fronts that answer without a model, by name."""
SERVERS = {MODELPORT: _OURS, **PEERS, **CEILINGS}
