"""What the settings of memory mean for one process."""

from __future__ import annotations

from pathlib import Path

import msgspec

from modelport.app.budget import copies, memory_of, trial_bytes
from modelport.app.spec import Spec
from modelport.core.settings import Memory, Settings
from modelport.repository.layout import Source


def test_each_worker_has_an_equal_part_of_the_budget() -> None:
    memory = memory_of(Memory(model_memory_bytes=1000, lazy=True, pin=("a", "b")), 4)
    assert (memory.budget_bytes, memory.lazy) == (250, True)
    assert memory.pinned == {"a", "b"}


def test_no_budget_is_no_bound_and_a_tiny_one_is_one() -> None:
    assert not memory_of(Memory(), 4).is_bounded
    assert memory_of(Memory(model_memory_bytes=3), 4).is_bounded


def test_a_trial_may_take_what_is_set_else_a_workers_part_of_what_is_left() -> None:
    assert trial_bytes(Memory(trial_memory_bytes=77), 4) == 77
    left = trial_bytes(Memory(), 4)
    assert left is None or left > 0


def test_a_shared_version_is_held_once_and_any_other_by_each_worker(tmp_path: Path) -> None:
    spec = Spec(settings=Settings(), state="", control="", engine="engine.sock", workers=4)
    source = Source(
        name="m", version="1", path=str(tmp_path / "m.onnx"), toml=str(tmp_path / "model.toml")
    )
    assert copies(source, spec) == 4, "it is not there"
    (tmp_path / "m.onnx").write_bytes(b"x")
    assert copies(source, spec) == 4
    (tmp_path / "model.toml").write_text('placement = "shared"')
    assert copies(source, spec) == 1
    assert copies(source, msgspec.structs.replace(spec, engine="")) == 4
    (tmp_path / "model.toml").write_text("placement = 7")
    assert copies(source, spec) == 4
