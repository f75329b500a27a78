"""The page of a run, and its JSON."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from benchmarks import page, result
from benchmarks.open_plan import Latency, OpenLoad
from benchmarks.options import parse
from benchmarks.samples import Bare, Cell, Failure, Open, Samples, Start
from benchmarks.workloads import ROOT

pytest.importorskip("sklearn", reason="the libraries of the measured models are installed")

_SERVERS = ["modelport", "triton", "fastapi", "http-front"]


def _cell(number: int, server: str, rate: float) -> Cell:
    names = (number, "linear", server, 32)
    return Cell(*names, round(rate), 1.0, rate, 1.0, 1000 / rate, 50.0, {})


def _load(rate: float) -> OpenLoad:
    return OpenLoad(
        rate=rate,
        seconds=1.0,
        connections=8,
        timeout_s=5.0,
        arrivals=round(rate),
        statuses={200: 300, 503: round(rate) - 300},
        failures={},
        good=Latency(300, 5, 6, 7, 8, 9),
        refused=Latency(round(rate) - 300, 1, 2, 3, 4, 5),
        good_per_second=[300],
        good_while_due=300,
        late_p99_ms=0.1,
        cpu_s=0.1,
        wall_s=1.0,
    )


def _samples(rounds: int) -> Samples:
    samples = Samples()
    for number in range(1, rounds + 1):
        samples.cells += [_cell(number, "modelport", 300), _cell(number, "triton", 200)]
        samples.cells += [_cell(number, "fastapi", 100), _cell(number, "http-front", 600)]
        samples.bare += [Bare(number, "linear", 2, 1, size, 500.0 + size) for size in (1, 8)]
        samples.starts += [Start(number, "linear", name, ["x"], {}, 0.5, []) for name in _SERVERS]
        samples.opens.append(Open(number, "linear", "modelport", 300.0, 3.0, _load(900), 1.0))
    samples.failures.append(Failure(0, "linear", "ray-serve", "no wheel | here\nmore"))
    return samples


def _written(folder: Path, rounds: int, load: float = 0.1) -> Path:
    chosen = ["--workloads", "linear", "--servers", *_SERVERS, "--connections", "32"]
    options, _ = parse(["--peers", "--rounds", str(rounds), *chosen])
    machine = {"cpu": "A CPU", "cores": 2, "memory_gib": 4.0, "kernel": "6", "python": "3.11"}
    machine["load_average_before"] = load
    head = {"commit": {"id": "0123456789abcdef", "dirty": True}, "machine": machine}
    for start in (samples := _samples(rounds)).starts:
        start.processes.extend(_HELD)
    file = folder / "run.json"
    file.write_text(json.dumps(head | result.result(options, samples)))
    return file


_HELD = [result.Memory("worker", 80.0, 60.0, 9.0, worker=True)]


def _table_line(text: str, *starts: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith("| " + " | ".join(starts))]
    return line


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    _, samples = result.read(_written(tmp_path, 2))
    assert samples.cells == _samples(2).cells
    assert samples.bare == _samples(2).bare
    assert samples.opens == _samples(2).opens
    assert samples.starts[0].processes == _HELD
    assert samples.failures == _samples(2).failures


def test_the_page_names_the_best_peer_the_ratio_and_both_ceilings(tmp_path: Path) -> None:
    text = page.page(_written(tmp_path, 3))
    best = _table_line(text, "linear", "32", "Triton")
    assert "| 200 | 300 | **1.50** | 5.00 | 3.33 | **0.67** |" in best
    assert "| linear | 2 × 1 threads, batch 8 | 508 | 32 | 59.1 % |" in text
    assert "| Modelport's front with a fixed answer | 32 | 600 | 1.67 | 50.0 % |" in text
    assert "| Modelport | 3.00 | 900 | 100 | 5.00 | 7.00 | 66.7 | 3.00 | 0.00 | 0.10 |" in text
    assert "commit `0123456789` with changes" in text
    assert "fewer than three rounds" not in text


def test_a_peer_that_was_not_measured_is_told_with_its_reason(tmp_path: Path) -> None:
    text = page.page(_written(tmp_path, 1))
    assert "| 0 | linear | ray-serve | no wheel \\| here |" in text


def test_fewer_than_three_rounds_are_no_evidence_and_the_page_says_so(tmp_path: Path) -> None:
    assert "fewer than three rounds" in page.page(_written(tmp_path, 2))


def test_a_machine_that_was_busy_is_told(tmp_path: Path) -> None:
    assert "busy before the run" not in page.page(_written(tmp_path, 3))
    assert "a load average of 1.70" in page.page(_written(tmp_path, 3, load=1.7))


def test_every_table_of_the_page_has_as_many_cells_as_columns(tmp_path: Path) -> None:
    lines = page.page(_written(tmp_path, 1)).replace("\\|", "/").splitlines()
    tables = [line.count("|") if line.startswith("|") else 0 for line in lines]
    assert all(a == b or 0 in (a, b) for a, b in itertools.pairwise(tables))


@pytest.mark.skipif(not (ROOT / "docs" / "benchmarks.md").exists(), reason="no run is published")
def test_the_published_page_is_what_its_samples_say() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    [link] = re.findall(r"\]\((\.\./benchmarks/results/[^)]+\.json)\)", text)
    assert page.page((ROOT / "docs" / link).resolve()) == text
