"""Workers that cannot load what was served before, and models that end the process."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.app.servers import LINEAR, command, environment, eventually, predicted, serving

ANSWER = {"prediction": 1.8}


def is_refused(url: str) -> bool:
    try:
        httpx.get(f"{url}/v2/health/live", timeout=5)
    except httpx.TransportError:
        return True
    return False


def test_a_worker_that_cannot_load_its_model_takes_nobodys_place_until_it_can(
    tmp_path: Path, linear_onnx: Path
) -> None:
    log = tmp_path / "log"
    with serving(linear_onnx, state=tmp_path / "state", log=log) as served:
        linear_onnx.write_bytes(b"junk")
        os.kill(served.children()["worker"][0], signal.SIGKILL)
        words = "ended (model 'linear' could not be loaded: 'linear.onnx' is not a usable ONNX file"
        assert eventually(lambda: words in log.read_text(), 20)
        answers = [predicted(served.url) for _ in range(20)]
        assert answers == [ANSWER] * 20
        linear_onnx.write_bytes(LINEAR.read_bytes())
        metrics = f"{served.url}/metrics"
        assert eventually(lambda: "modelport_workers 2.0" in httpx.get(metrics).text, 20)
        assert predicted(served.url) == ANSWER


def test_with_one_worker_the_port_is_closed_until_the_model_can_be_loaded(
    tmp_path: Path, linear_onnx: Path
) -> None:
    with serving(linear_onnx, state=tmp_path / "state", workers=1) as served:
        linear_onnx.write_bytes(b"junk")
        os.kill(served.children()["worker"][0], signal.SIGKILL)
        for _ in range(30):
            assert is_refused(served.url)
            time.sleep(0.1)
        linear_onnx.write_bytes(LINEAR.read_bytes())
        assert eventually(lambda: not is_refused(served.url), 20)
        assert predicted(served.url) == ANSWER


def test_a_version_that_failed_at_the_start_keeps_no_worker_from_its_place(tmp_path: Path) -> None:
    for name, content in (("good", LINEAR.read_bytes()), ("cut", b"junk")):
        (tmp_path / "models" / name / "1").mkdir(parents=True)
        (tmp_path / "models" / name / "1" / "model.onnx").write_bytes(content)
    with serving(tmp_path / "models", state=tmp_path / "state", workers=1) as served:
        os.kill(served.children()["worker"][0], signal.SIGKILL)
        assert eventually(lambda: is_refused(served.url))
        assert eventually(lambda: not is_refused(served.url), 20)
        assert predicted(served.url, "good") == ANSWER
        assert httpx.get(f"{served.url}/v2/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("os._exit(7)", "exit code 7"),
        ("os._exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
    ],
)
def test_a_model_whose_loading_ends_the_process_ends_the_server_with_one_sentence(
    tmp_path: Path, end: str, how: str
) -> None:
    program = tmp_path / "bad.py"
    program.write_text(f"import os, signal\n{end}\ndef answer(x: float) -> float:\n    return x\n")
    ended = subprocess.run(
        command("serve", f"{program}:answer", "--port", "0", "--workers", "2"),
        capture_output=True,
        text=True,
        env=environment(tmp_path / "state"),
        timeout=60,
    )
    assert ended.returncode == 3
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [f"error: loading 'bad.py' ended the process ({how})"]
    assert f"({how} while it loaded model 'answer' version 1)" in ended.stderr


class Ends:
    """A pickle of this ends the process that reads it."""

    def __reduce__(self) -> object:
        return os._exit, (7,)


def test_in_a_folder_the_others_are_served_beside_a_model_that_ends_the_process(
    tmp_path: Path,
) -> None:
    pytest.importorskip("sklearn")
    content = pickle.dumps(Ends())
    for file, data in (("good/1/model.onnx", LINEAR.read_bytes()), ("bad/1/model.pkl", content)):
        path = tmp_path / "models" / file
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    trust = f"--trust=sha256:{hashlib.sha256(content).hexdigest()}"
    with serving(tmp_path / "models", trust, state=tmp_path / "state") as served:
        for _ in range(10):
            assert predicted(served.url, "good") == ANSWER
            answer = httpx.post(f"{served.url}/models/bad/predict", json={"x": 1})
            assert answer.status_code == 503
            assert "loading 'model.pkl' ended the process (exit code 7)" in answer.text
        assert httpx.get(f"{served.url}/v2/health/ready").status_code == 200
