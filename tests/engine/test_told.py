"""What the engine tells of its versions: queues, what runs take, where they are and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelport.engine import opening
from modelport.engine.cost import Point, Points
from modelport.engine.cost_files import Kept, keep
from modelport.engine.facade import Engine, Waiting
from modelport.engine.memory import Memory
from tests.http.serving import LINEAR


@pytest.fixture
def costs(tmp_path: Path) -> Path:
    return tmp_path / "cost"


@pytest.fixture
def engine(costs: Path) -> Iterator[Engine]:
    engine = Engine([LINEAR], opening.Settings(cost_dir=costs))
    asyncio.run(engine.load())
    yield engine
    engine.close()


def kept(engine: Engine, **facts: object) -> Kept:
    (version,) = engine.versions
    assert version.described is not None
    told = {"model": "linear", "version": "1", "digest": version.described.digest, "threads": 8}
    curves = [Points(0, 1, [Point(1, 0.5, 3)])]
    return Kept(**{"placement": "shared", "curves": curves, **told, **facts})  # type: ignore[arg-type]  # any fields


def test_what_is_kept_of_a_model_is_told_beside_what_was_just_learnt(
    engine: Engine, costs: Path
) -> None:
    def told() -> list[tuple[str, int]]:
        return [(each.placement, each.threads) for each in engine.cost_curves("linear").versions]

    assert told() == [("inline", 1)]
    keep(costs, kept(engine))
    keep(costs, kept(engine, model="other", digest="a" * 64))
    keep(costs, kept(engine, digest="b" * 64))  # of other files that had this name
    keep(costs, kept(engine, version="9", digest="c" * 64))
    assert told() == [("inline", 1), ("shared", 8)]
    assert engine.cost_curves("nix").versions == []


def test_without_an_engine_process_all_runs_in_the_workers(engine: Engine) -> None:
    (version,) = engine.versions_of("linear")
    assert engine.why_placed(version) == "this server has no engine process"
    assert not version.is_shared
    assert engine.queue(version) == Waiting(0, 0)
    assert engine.versions_of("nix") == []


def test_of_a_version_that_is_not_in_memory_it_is_told_who_waits_for_that() -> None:
    engine = Engine([LINEAR], opening.Settings(), memory=Memory(lazy=True))
    asyncio.run(engine.load())
    (version,) = engine.versions
    assert engine.why_placed(version) is None
    version.in_flight = 3
    assert engine.queue(version) == Waiting(here=3)
    assert engine.cost_curves("linear").versions == []
    engine.close()
