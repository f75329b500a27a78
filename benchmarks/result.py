"""A run as JSON: what was measured, and what follows from it; and back again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import environments, machine, report, sweep
from benchmarks.measure import Memory
from benchmarks.options import Options
from benchmarks.report import Spread
from benchmarks.samples import Bare, Cell, Failure, Open, Samples, Start
from benchmarks.servers import CEILINGS, MODELPORT, PEERS, SERVERS

__all__ = ["read", "result"]


def result(options: Options, samples: Samples) -> dict[str, object]:
    """Everything but the commit and the machine."""
    peers = [name for name in options.servers if name in PEERS]
    shares = report.ceiling(samples.cells, samples.bare, MODELPORT)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": machine.versions(),
        "options": dataclasses.asdict(options),
        "servers": [_server(name) for name in options.servers],
        "medians": _rows(report.of_cells(samples.cells), "workload", "server", "connections"),
        "start_medians": _rows(report.of_starts(samples.starts), "workload", "server"),
        "ratios": [dataclasses.asdict(ratio) for ratio in report.ratios(samples.cells, MODELPORT)],
        "best_peers": [
            dataclasses.asdict(best) for best in report.best_peers(samples.cells, MODELPORT, peers)
        ],
        "bare_limits": {
            name: dataclasses.asdict(limit) for name, limit in report.limits(samples.bare).items()
        },
        "share_of_bare_loop": [
            {"workload": workload, "connections": connections, **dataclasses.asdict(share)}
            for (workload, connections), share in shares.items()
        ],
        "open_medians": _rows(report.of_opens(samples.opens), "workload", "server", "factor"),
        "samples": dataclasses.asdict(samples),
    }


def read(file: Path) -> tuple[dict[str, Any], Samples]:
    """The content of a JSON file of ours, and its samples."""
    content = json.loads(file.read_text())
    given = content["samples"]
    starts = [
        Start(**{**start, "processes": [Memory(**held) for held in start["processes"]]})
        for start in given["starts"]
    ]
    opens = [
        Open(**{**one, "load": sweep.parse(json.dumps(one["load"]))}) for one in given["opens"]
    ]
    return content, Samples(
        cells=[Cell(**cell) for cell in given["cells"]],
        starts=starts,
        bare=[Bare(**loop) for loop in given["bare"]],
        opens=opens,
        failures=[Failure(**failure) for failure in given["failures"]],
    )


def _server(name: str) -> dict[str, object]:
    server = SERVERS[name]
    kind = "ceiling" if name in CEILINGS else "peer" if name in PEERS else "ours"
    return {
        "name": name,
        "kind": kind,
        "title": server.title,
        "settings": server.settings,
        "versions": {} if server.environment is None else environments.versions(server.environment),
    }


def _rows(
    groups: Mapping[tuple[Any, ...], Mapping[str, Spread]], *names: str
) -> list[dict[str, Any]]:
    return [
        dict(zip(names, key, strict=True))
        | {metric: dataclasses.asdict(value) for metric, value in metrics.items()}
        for key, metrics in groups.items()
    ]
