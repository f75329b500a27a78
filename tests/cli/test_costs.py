"""`modelport models --cost`: what servers here measured."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from modelport.engine.cost import Point, Points
from modelport.engine.cost_files import Kept, keep
from tests.app.servers import command, environment


def test_what_was_measured_is_listed_with_the_best_size(tmp_path: Path) -> None:
    points = [Point(1, 0.010, 20), Point(2, 0.011, 20)]
    what = Kept(
        model="m",
        version="3",
        digest="d",
        placement="shared",
        threads=2,
        curves=[Points(0, 1, points), Points(10, 2, points[:1])],
    )
    keep(tmp_path / "cost", what)
    rows = [line.split() for line in listed(tmp_path, "models", "--cost").splitlines()]
    first = ["m", "3", "shared,", "2", "threads", "1", "1", "10", "100"]
    assert first in rows
    assert ["m", "3", "shared,", "2", "threads", "1", "2", "11", "182", "best"] in rows
    assert ["m", "3", "shared,", "2", "threads", "1,024", "2", "1", "10", "100", "best"] in rows
    (told,) = json.loads(listed(tmp_path, "models", "--cost", "--json"))
    assert told["curves"][1]["row_class"] == 10


def listed(state: Path, *words: str) -> str:
    return subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        env=environment(state),
        timeout=60,
        check=True,
    ).stdout
