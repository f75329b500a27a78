"""Models that run once for all workers, in real servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.app.servers import (
    LINEAR,
    child_pids,
    command,
    environment,
    eventually,
    predicted,
    serving,
)
from tests.app.wide import COLUMNS, expected, wide

ANSWER = {"prediction": 1.8}


def workers_seen(url: str, model: str, body: Any, want: Any) -> set[str]:
    """The workers that answered rightly, over 16 connections."""
    seen = set()
    for _ in range(16):
        got = httpx.post(f"{url}/models/{model}/predict", json=body, timeout=10)
        assert got.json() == want, got.text
        seen.add(got.headers["x-request-id"].partition("-")[0])
    return seen


def libraries(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def test_one_process_runs_a_shared_model_for_all_workers(tmp_path: Path) -> None:
    with serving(LINEAR, "--placement", "shared", state=tmp_path) as served:
        assert len(workers_seen(served.url, "linear", {"x": [1, 2, 3]}, ANSWER)) == 2
        many = [[float(n), 2.0, 3.0] for n in range(5000)]
        got = httpx.post(f"{served.url}/predict", json={"x": many}, timeout=20).json()
        assert np.allclose(got["prediction"], [1.7 + 0.1 * n for n in range(5000)])
        v2 = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}
        oip = httpx.post(f"{served.url}/v2/models/linear/infer", json=v2).json()
        assert oip["outputs"][0]["data"] == [1.8]
        children = served.children()
        assert len(children["engine"]) == 1
        assert "onnxruntime" in libraries(children["engine"][0])
        assert not any("onnxruntime" in libraries(pid) for pid in children["worker"])
        folder = Path(f"/proc/{served.process.pid}/cwd")
        assert folder.exists()
        assert served.stop() == 0


def test_where_nothing_is_shared_there_is_no_engine_process(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        assert predicted(served.url) == ANSWER
        assert served.children()["engine"] == []


def test_each_models_own_word_says_where_it_runs(tmp_path: Path) -> None:
    for name, word in (("here", "inline"), ("there", "shared")):
        folder = tmp_path / "models" / name / "1"
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(LINEAR.read_bytes())
        (folder.parent / "model.toml").write_text(f'placement = "{word}"\n')
    with serving(tmp_path / "models", state=tmp_path / "state") as served:
        for name in ("here", "there"):
            workers_seen(served.url, name, {"x": [1, 2, 3]}, ANSWER)
        engine = served.children()["engine"]
        os.kill(engine[0], signal.SIGSTOP)
        assert predicted(served.url, "here") == ANSWER


def test_what_is_large_is_shared_by_itself(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = wide(tmp_path / "wide.onnx", 33)
    row = [float(n % 7) for n in range(COLUMNS)]
    with serving(path, state=tmp_path / "state") as served:
        assert len(served.children()["engine"]) == 1
        got = httpx.post(f"{served.url}/predict", json={"x": row}, timeout=10).json()
        assert got["prediction"] == pytest.approx(expected(row, 33), rel=1e-4)
    kept = [path.name.split("-")[1] for path in (tmp_path / "state" / "cost").glob("*.json")]
    assert kept == ["shared"]
    with serving(path, state=tmp_path / "state", workers=1) as served:
        assert served.children()["engine"] == []


def test_a_file_that_cannot_be_loaded_ends_as_it_does_inline(tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(LINEAR.read_bytes()[:200])
    line = command("serve", str(tmp_path / "cut.onnx"), "--port", "0", "--workers", "2")
    told = []
    for placement in ("inline", "shared"):
        ended = subprocess.run(
            [*line, "--placement", placement],
            capture_output=True,
            text=True,
            env=environment(tmp_path / "state"),
            timeout=60,
        )
        assert ended.returncode == 3
        told.append([text for text in ended.stderr.splitlines() if "not a usable" in text][-1])
    assert told[0] == told[1]


DIES = """
import os

def answer(x: float) -> float:
    if x == 666:
        os._exit(9)
    return x + 1
"""


def test_a_request_that_ends_the_process_twice_is_refused_and_others_are_answered(
    tmp_path: Path,
) -> None:
    program = tmp_path / "dies.py"
    program.write_text(DIES)
    target = f"{program}:answer"
    with serving(target, "--placement", "shared", state=tmp_path / "state") as served:
        url = f"{served.url}/models/answer/predict"
        codes = []
        for _ in range(8):
            codes.append(httpx.post(url, json={"x": 666}, timeout=20).status_code)
            got = httpx.post(url, json={"x": 1}, timeout=20)
            assert got.json() == {"prediction": 2.0}
        assert codes[0] == 503
        assert codes[2:] == [400] * 6
        refused = httpx.post(url, json={"x": 666})
        assert "ended the process of the model twice" in refused.json()["error"]


def test_a_model_whose_loading_ends_the_process_is_given_up(tmp_path: Path) -> None:
    program = tmp_path / "dies.py"
    program.write_text("import os\nos._exit(9)\n")
    ended = subprocess.run(
        command(
            *("serve", f"{program}:answer", "--port", "0", "--workers", "2"),
            *("--placement", "shared"),
        ),
        capture_output=True,
        text=True,
        env=environment(tmp_path / "state"),
        timeout=60,
    )
    assert ended.returncode == 3
    assert "loading 'dies.py' ended the process (exit code 9)" in ended.stderr


def test_what_was_accepted_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\ndef answer(x: float) -> float:\n    time.sleep(1)\n    return x\n"
    )
    target = f"{slow}:answer"
    with serving(target, "--placement", "shared", state=tmp_path / "state") as served:
        line = "import httpx, sys; print(httpx.post(sys.argv[1], json={'x': 5}, timeout=20).json())"
        url = f"{served.url}/models/answer/predict"
        asking = subprocess.Popen(
            [sys.executable, "-c", line, url], stdout=subprocess.PIPE, text=True
        )
        time.sleep(1.0)
        assert served.stop() == 0
        assert asking.communicate(timeout=20)[0] == "{'prediction': 5.0}\n"


def test_a_killed_supervisor_leaves_no_engine_process(tmp_path: Path) -> None:
    with serving(LINEAR, "--placement", "shared", state=tmp_path) as served:
        pids = child_pids(served.process.pid)
        assert len(pids) == 4
        served.process.kill()
        served.process.wait()
        assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
