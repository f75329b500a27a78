"""`modelport serve` as a whole: processes, signals, keys, metrics."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.app.servers import (
    LINEAR,
    child_pids,
    command,
    environment,
    eventually,
    lives,
    predicted,
    serving,
)

ANSWER = {"prediction": 1.8}


def run(state: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), capture_output=True, text=True, env=environment(state), timeout=60
    )


def counted(url: str, key: str | None = None) -> float:
    """Requests that all workers have counted."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    lines = httpx.get(f"{url}/metrics", headers=headers).raise_for_status().text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith("modelport_requests_total")
    )


def test_a_file_is_served_under_its_name(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        assert served.models == [
            {"name": "linear", "version": "1", "state": "READY", "reason": None}
        ]
        answer = httpx.post(f"{served.url}/predict", json={"x": [1, 2, 3]})
        assert answer.content == b'{"prediction":1.8}'
        assert answer.headers["x-model-version"] == "1"
        assert httpx.get(f"{served.url}/v2/health/ready").json() == {"ready": True}
        assert len(served.children()["worker"]) == 2
        assert len(served.children()["control"]) == 1


def test_the_printed_url_of_another_loopback_address_is_answered(tmp_path: Path) -> None:
    with serving(LINEAR, "--host", "127.0.0.2", state=tmp_path, workers=1) as served:
        assert served.url.startswith("http://127.0.0.2:")
        assert predicted(served.url) == ANSWER


def test_a_name_from_the_command_line_replaces_the_files(tmp_path: Path) -> None:
    with serving(LINEAR, "--name", "sum", state=tmp_path, workers=1) as served:
        assert predicted(served.url, "sum") == ANSWER
        gone = httpx.post(f"{served.url}/models/linear/predict", json={"x": [1, 2, 3]})
        assert gone.status_code == 404


def test_in_a_folder_a_broken_model_answers_503_and_the_others_are_served(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name, content in (
        ("good", LINEAR.read_bytes()),
        ("cut", LINEAR.read_bytes()[:200]),
        ("empty", b""),
    ):
        (models / name / "1").mkdir(parents=True)
        (models / name / "1" / "model.onnx").write_bytes(content)
    (models / "code" / "1").mkdir(parents=True)
    (models / "code" / "1" / "model.pkl").write_bytes(b"\x80\x04N.")
    with serving(models, state=tmp_path / "state", workers=1) as served:
        assert predicted(served.url, "good") == ANSWER
        for name in ("cut", "empty", "code"):
            answer = httpx.post(f"{served.url}/models/{name}/predict", json={"x": [1, 2, 3]})
            assert answer.status_code == 503
            assert answer.json()["code"] == "NOT_READY"
            assert str(tmp_path) not in answer.text
        assert httpx.get(f"{served.url}/v2/health/ready").status_code == 200
        assert httpx.get(f"{served.url}/v2/models/cut/ready").status_code == 503
        listed = {m["name"]: m for m in httpx.get(f"{served.url}/models").json()}
        assert listed["good"]["state"] == "READY"
        assert "empty" in listed["empty"]["reason"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.onnx", LINEAR.read_bytes()[:200], "not a usable ONNX file"),
        ("empty.onnx", b"", "is empty"),
        ("text.onnx", b"hello", "not a usable ONNX file"),
        ("code.pkl", b"\x80\x04N.", "--trust sha256:"),
        ("notes.txt", b"hello", "no known format"),
    ],
)
def test_a_file_that_cannot_be_loaded_ends_with_one_sentence(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    if name.endswith(".pkl"):
        pytest.importorskip("sklearn")
    (tmp_path / name).write_bytes(content)
    ended = run(tmp_path / "state", "serve", str(tmp_path / name), "--port", "0", "--workers", "1")
    assert ended.returncode == 3
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert words in errors[0]
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(tmp_path, "serve", str(LINEAR), "--port", port)
    assert ended.returncode == 2
    assert (
        ended.stderr == f"error: port {port} is taken by another program: choose one with --port\n"
    )


def test_two_servers_do_not_share_a_port_unseen(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path, workers=1) as served:
        ended = run(tmp_path, "serve", str(LINEAR), "--port", served.url.rpartition(":")[2])
        assert ended.returncode == 2
        assert "is taken" in ended.stderr


def test_other_machines_are_not_let_in_without_keys(tmp_path: Path) -> None:
    refused = run(tmp_path, "serve", str(LINEAR), "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert "modelport keys create" in refused.stderr
    assert "--insecure" in refused.stderr


def test_keys_close_the_door_at_once_and_revoking_takes_effect_at_once(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        assert predicted(served.url) == ANSWER
        key = run(tmp_path, "keys", "create", "--role", "infer", "--name", "shop").stdout.strip()

        def status(**headers: str) -> int:
            body = {"x": [1, 2, 3]}
            return httpx.post(f"{served.url}/predict", json=body, headers=headers).status_code

        assert eventually(lambda: {status() for _ in range(8)} == {401})
        assert {status(authorization=f"Bearer {key}") for _ in range(8)} == {200}
        assert status(authorization="Bearer mp_000000000000_" + "x" * 43) == 401
        run(tmp_path, "keys", "revoke", key.split("_")[1])
        assert eventually(lambda: {status() for _ in range(8)} == {200})
        assert {status(authorization=f"Bearer {key}") for _ in range(8)} == {401}


def test_admin_operations_take_the_token_of_the_state_folder(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path, workers=1) as served:
        token_file = tmp_path / "admin-token"
        assert token_file.stat().st_mode & 0o777 == 0o600
        headers = {"authorization": f"Bearer {token_file.read_text().strip()}"}
        keys = f"{served.url}/admin/keys"
        assert httpx.get(keys).status_code == 401
        assert httpx.get(keys, headers=headers).json() == []
        made = httpx.post(keys, headers=headers, json={"role": "infer", "name": "shop"})
        assert made.status_code == 201
        infer = {"authorization": f"Bearer {made.json()['key']}"}
        assert httpx.get(keys, headers=infer).status_code == 403
        assert httpx.post(keys, headers=headers, json={"role": "king"}).status_code == 400
        assert predicted_with(served.url, infer) == ANSWER
        gone = httpx.delete(f"{keys}/{made.json()['id']}", headers=headers)
        assert gone.status_code == 200
        assert httpx.get(keys, headers=headers).json() == []


def predicted_with(url: str, headers: dict[str, str]) -> object:
    return httpx.post(f"{url}/predict", json={"x": [1, 2, 3]}, headers=headers).json()


def test_metrics_are_right_with_several_workers_and_after_one_was_replaced(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        for _ in range(20):
            predicted(served.url)
        assert counted(served.url) == 20
        time.sleep(1.5)  # a worker reports once a second: what it counted since then dies with it
        old = served.children()["worker"]
        os.kill(old[0], signal.SIGKILL)
        assert eventually(lambda: len(set(served.children()["worker"]) - set(old)) == 1)
        assert eventually(
            lambda: "modelport_workers 2.0" in httpx.get(f"{served.url}/metrics").text
        )
        for _ in range(10):
            predicted(served.url)
        assert counted(served.url) == 30
        assert "modelport_worker_restarts_total 1.0" in httpx.get(f"{served.url}/metrics").text


def test_workers_go_on_without_control_and_find_the_next_one(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        control = served.children()["control"][0]
        os.kill(control, signal.SIGKILL)
        for _ in range(20):
            assert predicted(served.url) == ANSWER
        assert eventually(lambda: httpx.get(f"{served.url}/metrics").status_code == 200)
        assert served.children()["control"] != [control]


def test_metrics_do_not_go_back_when_a_worker_and_then_control_are_killed(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        for _ in range(20):
            predicted(served.url)
        assert counted(served.url) == 20
        (worker, _), (control,) = served.children()["worker"], served.children()["control"]
        os.kill(worker, signal.SIGKILL)
        metrics = f"{served.url}/metrics"
        restarted = "modelport_worker_restarts_total 1.0"
        assert eventually(lambda: restarted in httpx.get(metrics).text)
        os.kill(control, signal.SIGKILL)
        assert eventually(lambda: served.children()["control"] not in ([], [control]))
        assert eventually(lambda: "modelport_workers 2.0" in httpx.get(metrics).text)
        assert counted(served.url) == 20
        assert restarted in httpx.get(metrics).text


def test_sigterm_answers_what_was_accepted_and_exits_with_0(
    tmp_path: Path,
) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\ndef answer(x: float) -> float:\n    time.sleep(1.0)\n    return x + 1\n"
    )
    with serving(f"{slow}:answer", state=tmp_path / "state", workers=1) as served:
        found: list[object] = []

        def ask() -> None:
            url = f"{served.url}/models/answer/predict"
            found.append(httpx.post(url, json={"x": 1}, timeout=20).json())

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.3)
        assert served.stop() == 0
        asking.join()
        assert found == [{"prediction": 2.0}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_server_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        pids = child_pids(served.process.pid)
        assert len(pids) == 3
        assert served.stop(number) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list((tmp_path / "servers").iterdir()) == []


def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path) as served:
        pids = child_pids(served.process.pid)
        (word,) = (tmp_path / "servers").iterdir()
        sockets = Path(json.loads(word.read_text())["control"]).parent
        assert sockets.is_dir()
        assert served.stop(signal.SIGKILL) == -signal.SIGKILL
        assert eventually(lambda: not any(map(lives, pids)))
    assert not sockets.exists()
    assert list((tmp_path / "servers").iterdir()) == []


def test_the_word_of_a_process_that_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    with serving(LINEAR, state=tmp_path, workers=1) as served:
        (control,) = served.children()["control"]
        os.kill(control, signal.SIGKILL)

        def words() -> list[str]:
            return [path.stem for path in (tmp_path / "servers").glob("*.json")]

        assert eventually(lambda: str(control) not in words())
        assert eventually(lambda: words() == [str(pid) for pid in served.children()["control"]])


def test_a_python_class_is_served(tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(
        "class Scorer:\n"
        "    def predict(self, age: float, city: str) -> float:\n"
        "        return age * len(city)\n"
    )
    with serving(f"{program}:Scorer", state=tmp_path / "state", workers=1) as served:
        body = [{"age": 2, "city": "Rome"}, {"age": 3, "city": "Oslo"}]
        answer = httpx.post(f"{served.url}/models/Scorer/predict", json=body)
        assert answer.json() == {"prediction": [8.0, 12.0]}


def test_every_model_of_a_folder_is_served(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "models" / name / "1").mkdir(parents=True)
        shutil.copy(LINEAR, tmp_path / "models" / name / "1" / "model.onnx")
    with serving(tmp_path / "models", state=tmp_path / "state", workers=1) as served:
        assert predicted(served.url, "one") == predicted(served.url, "two") == ANSWER
        unnamed = httpx.post(f"{served.url}/predict", json={"x": [1, 2, 3]})
        assert unnamed.status_code == 404
        assert "/models/NAME/predict" in unnamed.json()["error"]


def test_a_worker_whose_model_forked_is_replaced_and_leaves_nothing(tmp_path: Path) -> None:
    program = tmp_path / "forks.py"
    program.write_text(
        "import os, pathlib, time\n"
        "def answer(x: float) -> float:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        time.sleep(120)\n"
        "        os._exit(0)\n"
        "    pathlib.Path(__file__).with_suffix('.pid').write_text(str(pid))\n"
        "    return x\n"
    )
    with serving(f"{program}:answer", state=tmp_path / "state", workers=1) as served:
        (worker,) = served.children()["worker"]
        httpx.post(f"{served.url}/predict", json={"x": 1})
        forked = int(program.with_suffix(".pid").read_text())
        os.kill(worker, signal.SIGKILL)
        assert eventually(lambda: served.children()["worker"] not in ([], [worker]))
        assert eventually(lambda: not lives(forked))
        assert served.stop() == 0


def test_a_server_that_does_not_confirm_a_revoked_key_is_named(tmp_path: Path) -> None:
    with serving(LINEAR, "--watchdog-s", "0", state=tmp_path, workers=1) as served:
        made = run(tmp_path, "keys", "create", "--role", "infer")
        (worker,) = served.children()["worker"]
        os.kill(worker, signal.SIGSTOP)
        try:
            revoked = run(tmp_path, "keys", "revoke", made.stdout.split("_")[1])
        finally:
            os.kill(worker, signal.SIGCONT)
        assert revoked.returncode == 1
        assert "worker 0 did not confirm" in revoked.stderr
        assert served.url in revoked.stderr
        assert eventually(lambda: predicted(served.url) == ANSWER), "it does when it goes on"


def test_a_state_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run(tmp_path / "file" / "state", "serve", str(LINEAR), "--port", "0")
    assert ended.returncode == 2
    assert "cannot be made private" in ended.stderr


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_server_whose_banner_nobody_reads_serves_on(
    tmp_path: Path, form: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    reader, writer = os.pipe()
    os.close(reader)
    log = tmp_path / "log"
    with os.fdopen(writer, "wb") as unread, log.open("wb") as errors:
        line = command("serve", str(LINEAR), "--port", port, "--workers", "1", *form)
        process = subprocess.Popen(
            line, stdout=unread, stderr=errors, env=environment(tmp_path / "state")
        )
    try:
        url = f"http://127.0.0.1:{port}"
        assert eventually(lambda: is_ready(url), 30)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        assert predicted(url) == ANSWER
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert "Traceback" not in log.read_text()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_a_program_in_a_folder_is_served_once_it_is_named_and_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "double"
    (folder / "1").mkdir(parents=True)
    program = folder / "1" / "app.py"
    program.write_text("def twice(x: float) -> float:\n    return 2 * x\n")
    state = tmp_path / "state"
    refused = run(state, "serve", str(tmp_path / "models"), "--port", "0", "--workers", "1")
    assert refused.returncode == 3
    assert "'attribute = \"NAME\"' in its model.toml" in refused.stderr
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    assert f"--trust sha256:{digest}" in refused.stderr
    (folder / "model.toml").write_text('attribute = "twice"')
    untrusted = run(state, "serve", str(tmp_path / "models"), "--port", "0", "--workers", "1")
    assert untrusted.returncode == 3, "naming it in model.toml is no consent to run it"
    trust = f"--trust=sha256:{digest}"
    with serving(tmp_path / "models", trust, state=state, workers=1) as served:
        answer = httpx.post(f"{served.url}/models/double/predict", json={"x": 2})
        assert answer.json() == {"prediction": 4.0}
