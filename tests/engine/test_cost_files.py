"""What runs take, kept for the next start."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from modelport.engine.cost import CostModel
from modelport.engine.cost_files import Kept, keep, kept, known


def record(cost: CostModel, **facts: object) -> Kept:
    told = {"model": "m", "version": "1", "digest": "sha256:ab", "placement": "inline"}
    return Kept(**{**told, "threads": 1, "curves": cost.data(), **facts})  # type: ignore[arg-type]


def learnt(*runs: tuple[int, float]) -> CostModel:
    cost = CostModel()
    for rows, seconds in runs:
        cost.learn(rows, seconds)
    return cost


def test_what_was_kept_is_known_again_for_the_same_model_and_placement(tmp_path: Path) -> None:
    folder = tmp_path / "cost"
    keep(folder, record(learnt((1, 0.1), (8, 0.4))))
    assert known(folder, "sha256:ab", "inline", 1).seconds(8) == pytest.approx(0.4)
    assert known(folder, "ab", "inline", 1).seconds(8) == pytest.approx(0.4)
    for other in (
        ("sha256:cd", "inline", 1),
        ("sha256:ab", "shared", 1),
        ("sha256:ab", "inline", 2),
    ):
        assert not known(folder, *other).data()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    keep(tmp_path, record(learnt((1, 0.1))))
    (file,) = tmp_path.glob("*.json")
    file.write_bytes(file.read_bytes()[:40])
    assert not known(tmp_path, "sha256:ab", "inline", 1).data()
    assert kept(tmp_path) == []


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    keep(None, record(learnt((1, 0.1))))
    assert not known(None, "sha256:ab", "inline", 1).data()
    assert kept(tmp_path / "none") == []


def test_that_it_cannot_be_kept_is_logged_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cost").write_text("a file")
    keep(tmp_path / "cost", record(learnt((1, 0.1))))
    assert "what model 'm' takes could not be kept" in caplog.text


def test_they_are_listed_by_model_and_version(tmp_path: Path) -> None:
    for version in ("10", "9"):
        for model in ("b", "a"):
            keep(
                tmp_path,
                record(learnt((1, 0.1)), model=model, version=version, digest=model + version),
            )
    assert [(k.model, k.version) for k in kept(tmp_path)] == [
        ("a", "9"),
        ("a", "10"),
        ("b", "9"),
        ("b", "10"),
    ]


@pytest.mark.parametrize("run", [(0, 0.1), (4, 0.0), (4, -1.0), (4, 1e9)])
def test_a_file_that_cannot_be_true_is_as_good_as_none(
    tmp_path: Path, run: tuple[int, float]
) -> None:
    data = msgspec.json.encode(record(learnt((1, 0.1))))
    rows, seconds = run
    keep(
        tmp_path,
        msgspec.json.decode(
            data.replace(b"[1,0.1,1]", f"[{rows},{seconds},1]".encode()), type=Kept
        ),
    )
    assert not known(tmp_path, "sha256:ab", "inline", 1).data()
