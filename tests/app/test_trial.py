"""A version is tried in a process of its own: what is wrong with it is told, and hurts nobody."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

import pytest

from modelport.app.trial import Trial, try_out
from modelport.repository.layout import Source
from tests.app.servers import LINEAR

MIB = 1024**2
GROWS = """
import mmap, time
HELD = []
for _ in range({steps}):
    HELD.append(mmap.mmap(-1, 16 << 20))
    HELD[-1].write(bytes(16 << 20))
    time.sleep(0.02)
def answer(a: float) -> float:
    return a
"""


def trial(path: Path, **more: int) -> Trial:
    attribute = "answer" if path.suffix == ".py" else None
    trusted = frozenset({hashlib.sha256(path.read_bytes()).hexdigest()})
    source = Source(name="m", version="2", path=str(path), toml="", attribute=attribute)
    return Trial(source=source, trusted=trusted, cache_dir=str(path.parent), **more)


def program(folder: Path, text: str) -> Path:
    path = folder / "app.py"
    path.write_text(text)
    return path


def test_a_version_that_can_be_loaded_has_no_problem() -> None:
    assert asyncio.run(try_out(trial(LINEAR), 60, 1024 * MIB)) is None


def test_why_a_version_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"damaged")
    problem = asyncio.run(try_out(trial(path), 60, 1024 * MIB))
    assert problem is not None
    assert "'model.onnx' is not a usable ONNX file" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os; os._exit(7)", "loading 'app.py' ended the process (exit code 7)"),
        ("import time; time.sleep(60)", "it was not loaded within 2 s"),
    ],
)
def test_one_that_ends_the_process_or_hangs_is_given_up(
    tmp_path: Path, text: str, words: str
) -> None:
    assert asyncio.run(try_out(trial(program(tmp_path, text)), 2, 1024 * MIB)) == words


def test_one_that_takes_too_much_memory_is_ended_and_says_how_much(tmp_path: Path) -> None:
    path = program(tmp_path, GROWS.format(steps=1000))
    started = time.monotonic()
    problem = asyncio.run(try_out(trial(path), 60, 256 * MIB))
    assert time.monotonic() - started < 20
    assert problem is not None
    took, _, rest = problem.removeprefix("loading it took ").partition(" MiB of memory, and")
    assert 256 < float(took) < 512
    assert rest == " there are 256.0 MiB for it in each worker"


def test_one_that_the_workers_budget_cannot_hold_is_told_both_sizes(tmp_path: Path) -> None:
    path = program(tmp_path, GROWS.format(steps=4))
    assert asyncio.run(try_out(trial(path, budget_bytes=128 * MIB), 60)) is None
    problem = asyncio.run(try_out(trial(path, budget_bytes=32 * MIB), 60))
    assert problem is not None
    assert problem.startswith("version 2 of 'm' takes 6")
    assert problem.endswith(" MiB, and models have 32.0 MiB in each worker")
