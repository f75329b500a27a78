"""Models kept as this machine runs them: alike, shared, and made again where anything changed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport.repository.integrity import digest
from modelport.runtimes.base import Controllable, LoadOptions, Model, load
from modelport.runtimes.onnx import OnnxModel, open_session

SIDE = 700
"""A matrix of this side has almost 2 MB."""


def graph(seed: int = 0, metadata: str = "") -> onnx.ModelProto:
    chance = np.random.default_rng(seed)
    weights = [chance.normal(size=(SIDE, SIDE)).astype(np.float32) / SIDE for _ in range(2)]
    made = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w0"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("MatMul", ["b", "w1"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", SIDE])],
        [numpy_helper.from_array(w, f"w{n}") for n, w in enumerate(weights)],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if metadata:
        helper.set_model_props(model, {"description": metadata})
    return model


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Model]:
    """Load a model's file with a cache, or without."""

    def make(path: Path, cache: str | None = "cache", threads: int = 1) -> Model:
        folder = None if cache is None else tmp_path / cache
        if folder is not None:
            folder.mkdir(exist_ok=True)
        options = LoadOptions(digest=digest(path), cache_dir=folder, threads=threads)
        return load(path, options)

    return make


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(graph(), path)
    return path


def answer(model: Model, rows: int = 3) -> Any:
    x = np.random.default_rng(1).normal(size=(rows, SIDE)).astype(np.float32)
    return model.predict({"x": x})["y"]  # type: ignore[index]


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").glob("packed-*/"))


def test_what_is_kept_answers_bit_for_bit_as_the_file(
    opened: Callable[..., Model], file: Path, tmp_path: Path
) -> None:
    plain = opened(file, None)
    for _ in range(2):
        kept = opened(file)
        for rows in (1, 3, 40):
            assert np.array_equal(answer(kept, rows), answer(plain, rows))
        assert kept.description == plain.description
    (entry,) = entries(tmp_path)
    assert {path.name for path in entry.iterdir()} == {"model.onnx", "weights.bin"}
    assert (entry / "weights.bin").stat().st_size > 2 * SIDE * SIDE * 4 * 0.9


def test_the_second_load_uses_what_the_first_kept(
    opened: Callable[..., Model], file: Path, tmp_path: Path
) -> None:
    opened(file)
    (entry,) = entries(tmp_path)
    made = (entry / "weights.bin").stat().st_mtime_ns
    os.utime(entry, (1, 1))
    opened(file)
    assert (entry / "weights.bin").stat().st_mtime_ns == made
    assert time.time() - entry.stat().st_mtime < 60  # and notes that it was used


def test_runs_alone_and_beside_others_answer_alike(
    opened: Callable[..., Model], file: Path
) -> None:
    model = opened(file, threads=2)
    assert isinstance(model, Controllable)
    x = np.ones((2, SIDE), np.float32)
    answers = [model.controlled({"x": x}, alone=alone)[0]()["y"] for alone in (True, False)]
    assert np.allclose(*answers, rtol=1e-5, atol=1e-6)


def test_another_model_of_the_same_name_has_an_entry_of_its_own(
    opened: Callable[..., Model], file: Path, tmp_path: Path
) -> None:
    before = answer(opened(file))
    onnx.save(graph(seed=9), file)
    after = answer(opened(file))
    assert not np.allclose(before, after)
    assert np.array_equal(after, answer(opened(file, None)))
    assert len(entries(tmp_path)) == 2


def test_weights_in_a_file_beside_the_model_count(
    opened: Callable[..., Model], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"

    def save(seed: int) -> None:
        (tmp_path / "w.bin").unlink(missing_ok=True)
        onnx.save(graph(seed), path, save_as_external_data=True, location="w.bin", size_threshold=0)

    save(0)
    before = answer(opened(path))
    save(4)  # the model's own file may well be the same
    after = answer(opened(path))
    assert not np.allclose(before, after)
    assert np.array_equal(after, answer(opened(path, None)))


def test_a_small_model_is_not_kept(opened: Callable[..., Model], tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    made = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
    )
    onnx.save(
        helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    opened(path)
    assert entries(tmp_path) == []


def test_a_model_that_cannot_be_tried_is_loaded_as_it_is_each_time(
    opened: Callable[..., Model], tmp_path: Path
) -> None:
    """Its reshape takes an even number of rows: a single one fails."""
    made = graph()
    made.graph.node[-1].output[0] = "c"
    made.graph.node.append(helper.make_node("Reshape", ["c", "shape"], ["y"]))
    made.graph.initializer.append(
        numpy_helper.from_array(np.array([-1, 2, SIDE], np.int64), "shape")
    )
    made.graph.output[0].type.tensor_type.shape.CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["m", 2, SIDE]).type.tensor_type.shape
    )
    path = tmp_path / "even.onnx"
    onnx.save(made, path)
    for _ in range(2):
        assert answer(opened(path), 4).shape == (2, 2, SIDE)
    (entry,) = entries(tmp_path)
    assert list(entry.iterdir()) == []


def test_a_folder_that_cannot_be_written_costs_only_time(
    opened: Callable[..., Model], file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file")
    options = LoadOptions(digest=digest(file), cache_dir=tmp_path / "cache")
    assert np.array_equal(answer(load(file, options)), answer(opened(file, None)))
    assert "could not be kept as it runs here: File exists" in caplog.text


def test_entries_that_nobody_used_for_long_make_room(
    opened: Callable[..., Model], file: Path, tmp_path: Path
) -> None:
    opened(file)
    (old,) = entries(tmp_path)
    os.utime(old, (1, 1))
    onnx.save(graph(seed=3), file)
    opened(file)
    assert old not in entries(tmp_path)
    assert len(entries(tmp_path)) == 1


def test_processes_that_load_at_once_make_one_entry(file: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from modelport.runtimes.base import LoadOptions, load\n"
        "path = Path(sys.argv[1])\n"
        "load(path, LoadOptions(digest=sys.argv[2], cache_dir=Path(sys.argv[3])))\n"
    )
    (tmp_path / "cache").mkdir()
    command = [sys.executable, "-c", program, str(file), digest(file), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(entries(tmp_path)) == 1
    assert not list((tmp_path / "cache").glob(".packed-*"))


def test_two_loads_share_the_memory_of_the_weights(file: Path, tmp_path: Path) -> None:
    program = """
import logging, sys
from pathlib import Path
import numpy as np
from modelport.runtimes.base import LoadOptions, load

logging.basicConfig(level=logging.INFO)
options = LoadOptions(digest=sys.argv[2], cache_dir=Path(sys.argv[3]))
x = np.ones((1, int(sys.argv[4])), np.float32)

def private():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))

models = []
for _ in range(8):  # the first one makes the entry
    before = private()
    models.append(load(Path(sys.argv[1]), options))
    models[-1].predict({"x": x})
    print(private() - before)
"""
    command = [sys.executable, "-c", program, str(file), digest(file)]
    command += [str(tmp_path / "cache"), str(SIDE)]
    # What is freed goes back at once: else glibc keeps the originals' memory for itself, or not,
    # by where small allocations came to lie (mallopt(3), M_MMAP_THRESHOLD).
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    grown = done.stdout.split()
    one_copy = 2 * SIDE * SIDE * 4 / 1024
    # Six copies, if each had its own.
    assert sum(map(int, grown[2:])) < 2 * one_copy, done.stderr


class Counted:
    """A session that says when it runs, and waits until as many do as are expected."""

    def __init__(self, session: Any, meet: threading.Barrier, running: list[object]) -> None:
        self._session = session
        self._meet = meet
        self._running = running

    def run(self, *arguments: Any) -> Any:
        self._running.append(self)
        self._meet.wait(10)
        return self._session.run(*arguments)


def run_at_once(model: Controllable, count: int) -> list[Any]:
    x = np.ones((2, SIDE), np.float32)
    with ThreadPoolExecutor(count) as pool:
        runs = [model.controlled({"x": x}, alone=False)[0] for _ in range(count)]
        return [future.result()["y"] for future in [pool.submit(run) for run in runs]]


def test_runs_at_once_have_a_session_each_and_those_after_them_use_the_same(file: Path) -> None:
    meet, running, opened = threading.Barrier(2), list[object](), list[object]()

    def open_beside() -> Any:
        opened.append(Counted(open_session(file, 1), meet, running))
        return opened[-1]

    model = OnnxModel(open_session(file, 2), open_beside)
    expected = model.controlled({"x": np.ones((2, SIDE), np.float32)}, alone=True)[0]()["y"]
    for _ in range(3):
        running.clear()
        answers = run_at_once(model, 2)
        assert len(set(running)) == 2
        for each in answers:
            assert np.allclose(each, expected, rtol=1e-5, atol=1e-6)
    assert len(opened) == 2


def test_where_no_further_session_can_be_opened_runs_at_once_share_one(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    meet, running, opened = threading.Barrier(2), list[object](), list[object]()

    def open_beside() -> Any:
        if opened:
            raise OSError("the file has gone")
        opened.append(Counted(open_session(file, 1), meet, running))
        return opened[-1]

    model = OnnxModel(open_session(file, 2), open_beside)
    for _ in range(2):
        assert len(run_at_once(model, 2)) == 2
    assert set(running) == set(opened)
    assert caplog.text.count("share a session") == 1
