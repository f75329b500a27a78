"""`modelport push` and its sisters, from a file to a version that is served."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from onnx import save

from modelport.core.tensors import DType
from tests.app.biased import biased
from tests.app.servers import LINEAR, command, environment, eventually, predicted, serving
from tests.http.models import identity


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(*args: str) -> subprocess.CompletedProcess[str]:
        own = environment(tmp_path / "state") | {"MODELPORT_REPOSITORY": str(tmp_path / "models")}
        return subprocess.run(
            command(*args), capture_output=True, text=True, env=own, cwd=tmp_path, timeout=60
        )

    return call


Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_pushed_model_is_listed_and_served(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_text('description = "Three weights."\n')
    shutil.copy(LINEAR, tmp_path / "l.onnx")
    options = ("--name", "linear", "--alias", "production", "--metric", "mse=0.25")
    pushed = json.loads(run("push", "l.onnx", *options, "--json").stdout)
    assert (pushed["name"], pushed["version"], pushed["alias"]) == ("linear", "1", "production")
    assert run("push", "l.onnx", "--name", "linear").stdout.startswith("linear has version 2")
    (listed,) = json.loads(run("models", "--json").stdout)
    assert listed == {
        "name": "linear",
        "latest": "2",
        "versions": 2,
        "aliases": {"production": "1"},
        "served": [],
    }
    newest, oldest = json.loads(run("versions", "linear", "--json").stdout)
    assert (newest["version"], newest["aliases"]) == ("2", [])
    assert (oldest["aliases"], oldest["metrics"]) == (["production"], {"mse": 0.25})
    assert oldest["digest"] == pushed["digest"]
    with serving(tmp_path / "models", state=tmp_path / "state", workers=1) as served:
        assert predicted(served.url) == {"prediction": 1.8}


def test_what_is_left_of_a_folder_made_for_triton_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "linear" / "1").mkdir(parents=True)
    shutil.copy(LINEAR, tmp_path / "linear" / "1" / "model.onnx")
    assert run("push", "linear", "--name", "plain").stderr == ""
    (tmp_path / "linear" / "config.pbtxt").write_text('name: "linear"')
    done = run("push", "linear", "--name", "price")
    assert done.stdout.startswith("price has version 1")
    assert done.stderr.startswith("warning: config.pbtxt is not published")


def test_an_alias_moves_back_and_guards_its_version(run: Run) -> None:
    for _ in range(2):
        assert run("push", str(LINEAR), "--alias", "production").returncode == 0
    assert run("alias", "linear", "production").stdout == "2\n"
    assert run("rollback", "linear").stdout == "1\n"
    refused = run("remove", "linear", "1")
    assert refused.returncode == 2
    assert "'production' points to" in refused.stderr
    assert run("remove", "linear", "2").returncode == 0
    assert run("alias", "linear", "production", "--delete").returncode == 0
    assert "no alias 'production'" in run("alias", "linear", "production").stderr


def test_a_model_that_cannot_be_loaded_is_not_published(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(LINEAR.read_bytes()[:40])
    refused = run("push", "bad.onnx")
    assert refused.returncode == 3
    assert refused.stderr.startswith("error: 'bad.onnx' is not a usable ONNX file")
    assert "There are no models" in run("models").stdout


def test_a_version_that_was_changed_on_disk_is_not_served(run: Run, tmp_path: Path) -> None:
    run("push", str(LINEAR))
    path = tmp_path / "models" / "linear" / "1" / "linear.onnx"
    path.write_bytes(path.read_bytes() + b"\x00")
    inspected = run("serve", "models", "--port", "0", "--json")
    assert inspected.returncode == 3
    assert "version 1 is not what was published: the file 'linear.onnx' was" in inspected.stderr


def test_external_data_comes_along(run: Run, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 2])],
        [numpy_helper.from_array(np.arange(6.0).reshape(3, 2), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save_model(
        model, tmp_path / "wide.onnx", save_as_external_data=True, location="w.bin",
        size_threshold=0,
    )  # fmt: skip
    assert run("push", "wide.onnx").returncode == 0
    folder = tmp_path / "models" / "wide" / "1"
    assert {path.name for path in folder.iterdir()} == {"wide.onnx", "w.bin", ".manifest.json"}
    answer = run("predict", str(folder / "wide.onnx"), '{"x": [1, 1, 1]}')
    assert answer.stdout == '{"prediction":[6.0,9.0]}\n'


def test_a_tokenizer_comes_along_and_is_part_of_the_version(run: Run, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "words.json"))
    save(identity(DType.INT64, [None, None]), tmp_path / "t.onnx")
    text = '[inputs.text]\nkind = "text"\ntensor = "x"\ntokenizer = "words.json"\n'
    (tmp_path / "model.toml").write_text(text)
    pushed = run("push", "t.onnx", "--name", "t")
    assert pushed.returncode == 0, pushed.stderr
    version = tmp_path / "models" / "t" / "1"
    assert (version / "words.json").is_file()
    answer = run("predict", str(version / "t.onnx"), '{"text": ["b a", "b"]}')
    assert json.loads(answer.stdout) == {"prediction": [[1, 0], [1, 0]]}
    (version / "words.json").write_text("{}")
    served = run("serve", str(tmp_path / "models"), "--port", "0", "--workers", "1")
    assert served.returncode == 3
    assert "the file 'words.json' was changed" in served.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["push", "none.onnx"], "no file or folder 'none.onnx'"),
        (["push", str(LINEAR), "--name", "a/b"], "a model's name is"),
        (["push", str(LINEAR), "--alias", "latest"], "moves by itself"),
        (["push", str(LINEAR), "--metric", "accuracy"], "--metric takes NAME=NUMBER"),
        (["alias", "linear", "production", "1"], "no model 'linear' in the repository"),
        (["versions", "../linear"], "no model '../linear' in the repository"),
    ],
)
def test_mistakes_are_told(run: Run, args: list[str], words: str) -> None:
    done = run(*args)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def answer(url: str, version: str = "") -> tuple[str, object]:
    """The version that answered, and its answer to 0, over a connection of its own."""
    path = f"/models/m/versions/{version}/predict" if version else "/models/m/predict"
    got = httpx.post(url + path, json={"x": 0})
    assert got.status_code == 200, got.text
    return got.headers["x-model-version"], got.json()["prediction"]


def test_a_running_server_follows_each_change_before_the_command_returns(
    run: Run, tmp_path: Path
) -> None:
    push = ("--name", "m", "--alias", "production")
    run("push", biased(tmp_path, 1), *push)
    stop, wrong, count = threading.Event(), [], itertools.count()

    def ask(url: str) -> None:
        while not stop.is_set():
            version, prediction = answer(url)
            next(count)
            if prediction != float(version):
                wrong.append((version, prediction))

    with serving(tmp_path / "models", state=tmp_path / "state", workers=2) as served:
        with ThreadPoolExecutor(2) as threads:
            asking = [threads.submit(ask, served.url) for _ in range(2)]
            try:
                for bias in (2, 3):
                    assert run("push", biased(tmp_path, bias), *push).returncode == 0
                    assert {answer(served.url)[0] for _ in range(20)} == {str(bias)}
                assert run("rollback", "m").stdout == "2\n"
                assert {answer(served.url)[0] for _ in range(20)} == {"2"}
                assert answer(served.url, "latest")[0] == "3"
                assert run("remove", "m", "3").returncode == 0
                gone = httpx.post(f"{served.url}/models/m/versions/3/predict", json={"x": 0})
                assert gone.status_code == 404
                assert answer(served.url, "latest")[0] == "2"
            finally:
                stop.set()
        for each in asking:
            each.result()  # no request failed
    assert wrong == []
    assert next(count) > 50


def test_a_version_that_cannot_be_loaded_takes_nobodys_place(run: Run, tmp_path: Path) -> None:
    run("push", biased(tmp_path, 1), "--name", "m", "--alias", "production")
    with serving(tmp_path / "models", state=tmp_path / "state", workers=2) as served:
        shutil.copytree(tmp_path / "models/m/1", tmp_path / "models/m/2")
        (tmp_path / "models/m/2/biased.onnx").write_bytes(b"damaged")
        moved = run("alias", "m", "production", "2")
        assert "'production' of 'm' stays at version 1: version 2 could not be" in moved.stderr
        assert {answer(served.url)[0] for _ in range(20)} == {"1"}
        states = {m["version"]: m for m in httpx.get(f"{served.url}/models").json()}
        assert states["1"]["state"] == "READY"
        assert "version 2 is not what was published" in states["2"]["reason"]
        (told,) = json.loads(run("models", "--json").stdout)
        by_version = {each["version"]: each for each in told["served"]}
        assert by_version["1"] == {"version": "1", "state": "READY", "reason": None}
        assert by_version["2"]["state"] == "FAILED"
        shown = run("models").stdout
        assert "m version 2: version 2 is not what was published" in shown


def test_a_model_is_unloaded_and_loaded_again_by_a_client_of_triton(
    run: Run, tmp_path: Path
) -> None:
    triton = pytest.importorskip("tritonclient.http")
    run("push", biased(tmp_path, 1), "--name", "m")
    run("push", str(LINEAR))
    with serving(tmp_path / "models", state=tmp_path / "state", workers=2) as served:
        token = (tmp_path / "state" / "admin-token").read_text().strip()
        admin = {"Authorization": f"Bearer {token}"}
        with triton.InferenceServerClient(served.url.removeprefix("http://")) as client:
            client.unload_model("m", headers=admin)
            index = client.get_model_repository_index()
            assert {entry["name"] for entry in index} == {"linear"}
            assert not client.is_model_ready("m")
            assert httpx.get(f"{served.url}/v2/health/ready").status_code == 200
            client.load_model("m", headers=admin)
            assert client.is_model_ready("m")
            assert answer(served.url) == ("1", 1.0)
            with pytest.raises(triton.InferenceServerException, match="need the admin token"):
                client.unload_model("m")


def test_a_model_that_was_laid_there_is_served_after_a_reload(run: Run, tmp_path: Path) -> None:
    run("push", biased(tmp_path, 1), "--name", "m")
    with serving(tmp_path / "models", state=tmp_path / "state", workers=1) as served:
        token = (tmp_path / "state" / "admin-token").read_text().strip()
        (tmp_path / "models" / "linear" / "1").mkdir(parents=True)
        shutil.copy(LINEAR, tmp_path / "models" / "linear" / "1" / "model.onnx")
        admin = {"Authorization": f"Bearer {token}"}
        reloaded = httpx.post(f"{served.url}/admin/models/reload", headers=admin)
        assert reloaded.json() == {"problems": []}
        assert predicted(served.url) == {"prediction": 1.8}


def test_a_folder_is_watched(run: Run, tmp_path: Path) -> None:
    run("push", biased(tmp_path, 1), "--name", "m")
    with serving(tmp_path / "models", state=tmp_path / "state", workers=1) as served:
        (tmp_path / "models" / "linear" / "1").mkdir(parents=True)
        shutil.copy(LINEAR, tmp_path / "models" / "linear" / "1" / "model.onnx")
        ready = f"{served.url}/v2/models/linear/ready"
        assert eventually(lambda: httpx.get(ready).status_code == 200, within_s=30)
        shutil.rmtree(tmp_path / "models" / "linear")
        assert eventually(lambda: httpx.get(ready).status_code == 404, within_s=30)


def test_a_new_version_that_ends_its_process_hurts_nobody(run: Run, tmp_path: Path) -> None:
    run("push", biased(tmp_path, 1), "--name", "m", "--alias", "production")
    with serving(tmp_path / "models", state=tmp_path / "state", workers=2) as served:
        workers = served.children()["worker"]
        hostile = tmp_path / "models" / "m" / "2"
        hostile.mkdir()
        (hostile / "model.py").write_text("import os\nos._exit(7)\n")
        moved = run("alias", "m", "production", "2")
        assert "'production' of 'm' stays at version 1" in moved.stderr
        assert {answer(served.url)[0] for _ in range(20)} == {"1"}
        assert served.children()["worker"] == workers


def test_a_program_is_published_with_the_name_of_what_it_serves(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def double(x: float) -> float:\n    return 2 * x\n")
    (tmp_path / "model.toml").write_text('description = "Twice."\n')
    assert run("push", "app.py:double", "--name", "double").returncode == 0
    folder = tmp_path / "models" / "double" / "1"
    digest = hashlib.sha256((folder / "app.py").read_bytes()).hexdigest()
    answered = run("predict", str(folder.parents[1]), '{"x": 2}', "--trust", f"sha256:{digest}")
    assert answered.stdout == '{"prediction":4.0}\n'
