"""Writes `docs/benchmarks.md` from the JSON of a run.

    python -m benchmarks.page benchmarks/results/peers-….json

Every figure of the page is computed from the samples in that file; nothing is typed in by hand.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report, result
from benchmarks.numbers import number, percent, shown
from benchmarks.report import Best, Spread
from benchmarks.samples import Samples
from benchmarks.servers import MODELPORT
from benchmarks.workloads import ROOT

__all__ = ["main", "page"]

_PAGE = ROOT / "docs" / "benchmarks.md"
_ENOUGH = 3
_QUIET = 0.5
"""A load average above this says that something else runs on the machine."""
_INTRO = """\
# Modelport beside other servers

Written by `python -m benchmarks.page` from the samples of one run of `make bench-peers`, in
[{name}]({link}). How it is measured stands in [benchmarks/README.md]({readme}).

{machine}, {date}. {rounds} of {seconds} s for each load, the servers in turn;
commit `{commit}`{dirty}.
{caution}
Figures are medians over the rounds, with the smallest and the largest in parentheses. The load
generator shares the cores with the server. **Absolute figures change by 2× from machine to machine:
compare only what one run measured.**
"""
_FEW_ROUNDS = """
**This run has fewer than three rounds: its ratios show no difference of a few percent.**
"""
_BUSY = """
**The machine was busy before the run: a load average of {load}. Its figures vary more than the
servers differ.**
"""
_BEST = """\
In each cell the peer with the most requests/s, by its median, and Modelport beside it. Ratios are
taken round by round: a slow minute of the machine divides out. Above 1 is better for requests/s,
below 1 for p99.
"""
_CEILINGS = """\
The runtime: ONNX Runtime in a bare Python loop without a server, on all cores; with the best size
of batch, and the better of one process a core and one process with a thread a core.
"""
_FRONTS = """\
The front: the request of `linear`, answered with fixed bytes.
"""
_OPEN = """\
Requests are due at a fixed rate, whether or not answers come; latency counts from the planned
moment. The rate is a multiple of what the same life of the server answered at best in a closed
loop. Goodput is the good answers in each second while requests were due, as a share of the most
that this life of the server ever gave; *lost* are arrivals without an answer within {timeout} s.
The generator runs on the same cores, and its CPU time is told.
"""

Names = Mapping[str, str]


def page(file: Path) -> str:
    """The page for a JSON file of ours."""
    content, samples = result.read(file)
    titles = {server["name"]: server["title"] for server in content["servers"]}
    parts = [
        _intro(file, content),
        _best(content, samples, titles),
        _workloads(content, samples, titles),
        _ceilings(content, samples, titles),
        _open_loop(content, samples, titles),
        _settings(content),
        _failures(samples, titles),
    ]
    return "\n".join(part for part in parts if part)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="page", description=__doc__)
    parser.add_argument("file", type=Path, help="the JSON file of a run")
    parser.add_argument("--output", type=Path, default=_PAGE)
    given = parser.parse_args(arguments)
    given.output.write_text(page(given.file), encoding="utf-8")
    return 0


def _intro(file: Path, content: Mapping[str, Any]) -> str:
    machine, options = content["machine"], content["options"]
    rounds = options["rounds"]
    return _INTRO.format(
        name=file.name,
        link=_relative(file),
        readme=_relative(ROOT / "benchmarks" / "README.md"),
        machine=f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB,"
        f" Linux {machine['kernel']}, Python {machine['python']}",
        date=content["date"][:10],
        rounds=f"{rounds} round" + ("s" if rounds > 1 else ""),
        seconds=options["seconds"],
        commit=(content["commit"]["id"] or "none")[:10],
        dirty=" with changes" if content["commit"]["dirty"] else "",
        caution=("" if rounds >= _ENOUGH else _FEW_ROUNDS) + _busy(machine),
    )


def _busy(machine: Mapping[str, Any]) -> str:
    load = machine["load_average_before"]
    return _BUSY.format(load=number(load)) if load > _QUIET else ""


def _best(content: Mapping[str, Any], samples: Samples, titles: Names) -> str:
    found = report.best_peers(samples.cells, MODELPORT, _named(content, "peer"))
    head = ("workload", "connections", "best peer", "its requests/s", "Modelport's", "ratio")
    rows = (_best_row(best, titles) for best in found)
    table = _table((*head, "its p99 ms", "Modelport's", "ratio"), rows, words=(0, 2))
    return f"## Against the best peer of each cell\n\n{_BEST}\n{table}" if found else ""


def _best_row(best: Best, titles: Names) -> list[str]:
    def three(metric: str) -> list[str]:
        ratio = best.ratios.get(metric)
        pair = [shown(best.theirs[metric]), shown(best.ours[metric])]
        return [*pair, f"**{shown(ratio)}**"]

    name = titles.get(best.peer, best.peer)
    cells = [best.workload, str(best.connections), name]
    return [*cells, *three("requests_per_s"), *three("p99_ms")]


def _workloads(content: Mapping[str, Any], samples: Samples, titles: Names) -> str:
    servers = [MODELPORT, *_named(content, "peer")]
    parts = [
        _workload(name, servers, content["options"]["connections"], samples, titles)
        for name in content["options"]["workloads"]
    ]
    return "\n".join(parts)


def _workload(
    workload: str,
    servers: Sequence[str],
    connections: Sequence[int],
    samples: Samples,
    titles: Names,
) -> str:
    cells, starts = report.of_cells(samples.cells), report.of_starts(samples.starts)
    head = ["server"]
    for count in connections:
        head += [f"{count} conn: requests/s", "p99 ms"]
    rows = []
    for server in servers:
        start = starts.get((workload, server))
        if start is None:
            continue
        row = [titles.get(server, server)]
        for count in connections:
            seen = cells.get((workload, server, count), {})
            row += [shown(seen.get("requests_per_s")), shown(seen.get("p99_ms"))]
        rows.append([*row, shown(start["pss_mib"]), shown(start["first_answer_s"])])
    table = _table((*head, "PSS MiB", "first answer s"), rows)
    return f"## {workload}\n\n{table}"


def _ceilings(content: Mapping[str, Any], samples: Samples, titles: Names) -> str:
    limits = report.limits(samples.bare)
    shares = report.ceiling(samples.cells, samples.bare, MODELPORT)
    parts = []
    if limits:
        rows = []
        for (workload, count), share in shares.items():
            limit = limits[workload]
            shape = f"{limit.processes} × {limit.threads} threads, batch {limit.batch}"
            best = [shape, shown(limit.rows_per_s)]
            rows.append([workload, *best, str(count), f"{percent(share)} %"])
        head = ("workload", "best loop", "rows/s", "connections", "Modelport's share")
        parts += [_CEILINGS, _table(head, rows, words=(0, 1)), _loops(samples)]
    if fronts := _named(content, "ceiling"):
        parts += [_FRONTS, _fronts(fronts, samples, titles)]
    return "## Ceilings\n\n" + "\n".join(parts) if parts else ""


def _loops(samples: Samples) -> str:
    """All sizes of batch, as processes × threads."""
    groups: dict[tuple[str, str], dict[int, list[float]]] = {}
    for loop in samples.bare:
        key = (loop.workload, f"{loop.processes} × {loop.threads}")
        groups.setdefault(key, {}).setdefault(loop.batch, []).append(loop.rows_per_s)
    sizes = sorted({loop.batch for loop in samples.bare})
    rows = [
        [*key, *(shown(report.spread(rates[s])) if s in rates else "-" for s in sizes)]
        for key, rates in groups.items()
    ]
    head = ("workload", "processes × threads", *(f"rows/s, batch {size}" for size in sizes))
    return _table(head, rows, words=(0, 1))


def _fronts(fronts: Sequence[str], samples: Samples, titles: Names) -> str:
    cells = report.of_cells(samples.cells)
    ratios = {
        (ratio.peer, ratio.connections): ratio.spread
        for ratio in report.ratios(samples.cells, MODELPORT)
        if ratio.metric == "requests_per_s"
    }
    rows = [
        [
            titles.get(server, server),
            str(count),
            shown(seen["requests_per_s"]),
            shown(seen["p99_ms"]),
            f"{percent(ratios.get((server, count)))} %",
        ]
        for (_, server, count), seen in cells.items()
        if server in fronts
    ]
    head = ("front", "connections", "requests/s", "p99 ms", "`linear` on Modelport, of it")
    return _table(head, rows)


def _open_loop(content: Mapping[str, Any], samples: Samples, titles: Names) -> str:
    if not samples.opens:
        return ""
    groups = report.of_opens(samples.opens)
    timeout = number(samples.opens[0].load.timeout_s)
    parts = [_OPEN.format(timeout=timeout)]
    for workload in dict.fromkeys(key[0] for key in groups):
        rows = [
            _open_row(titles.get(server, server), factor, seen)
            for (name, server, factor), seen in groups.items()
            if name == workload
        ]
        head = ["server", "rate ÷ capacity", "arrivals/s", "goodput %", "p50 ms", "p99 ms"]
        head += ["refused %", "refused within ms (p99)", "lost %", "generator, cores"]
        parts.append(f"### {workload}\n\n{_table(head, rows)}")
    return "## Open loop\n\n" + "\n".join(parts)


def _open_row(title: str, factor: float, seen: Mapping[str, Spread]) -> list[str]:
    row = [title, number(factor), shown(seen["rate"]), percent(seen["goodput"])]
    row += [shown(seen["good_p50_ms"]), shown(seen["good_p99_ms"])]
    refused = seen["refused"].high > 0
    row += [percent(seen["refused"]), shown(seen["refused_p99_ms"]) if refused else "-"]
    return [*row, percent(seen["failed"]), shown(seen["generator_cpu"])]


def _settings(content: Mapping[str, Any]) -> str:
    rows = [
        [server["title"], server["settings"], _versions(server["versions"])]
        for server in content["servers"]
    ]
    table = _table(("server", "settings", "versions"), rows, words=(0, 1, 2))
    here = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return (
        f"## Settings\n\nEach server's own best, from its documentation; the files are in"
        f" [benchmarks/peers]({_relative(ROOT / 'benchmarks' / 'peers')}). ONNX Runtime has one"
        f" thread in each process but Modelport's, which decides for itself.\n\n{table}\n"
        f"Modelport's own environment: {here}.\n"
    )


def _failures(samples: Samples, titles: Names) -> str:
    if not samples.failures:
        return ""
    rows = [
        [str(f.round), f.workload, titles.get(f.server, f.server), _short(f.reason)]
        for f in samples.failures
    ]
    table = _table(("round", "workload", "server", "why"), rows, words=(1, 2, 3))
    return f"## Not measured\n\n{table}"


def _versions(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _named(content: Mapping[str, Any], kind: str) -> list[str]:
    return [server["name"] for server in content["servers"] if server["kind"] == kind]


def _short(reason: str) -> str:
    first = (reason.strip().splitlines() or [""])[0]
    return first.replace("|", "\\|")


def _relative(path: Path) -> str:
    return os.path.relpath(path.resolve(), _PAGE.parent)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    rule = ["---" if index in words else "--:" for index in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
