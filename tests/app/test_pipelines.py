"""Pipelines from a folder to a server: served, pushed, and moved as one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import modelport
from modelport import Client
from modelport.core.errors import CorruptModel
from modelport.engine.opening import Settings, open_version
from modelport.repository.integrity import digest
from modelport.repository.layout import find_sources
from modelport.runtimes.formats import is_model
from tests.app.biased import biased
from tests.app.servers import command, environment, serving

MAKE = Path(__file__).parents[2] / "examples" / "pipeline" / "make.py"
LATE, PAID = "The parcel is late.", "Thanks, the invoice is paid."
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*args: str) -> subprocess.CompletedProcess[str]:
        own = environment(tmp_path / "state") | {"MODELPORT_REPOSITORY": str(tmp_path / "models")}
        return subprocess.run(
            command(*args), capture_output=True, text=True, env=own, cwd=tmp_path, timeout=60
        )

    return call


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """The example's folder: a function, an encoder and two heads."""
    pytest.importorskip("onnx")
    folder = tmp_path / "messages"
    subprocess.run([sys.executable, str(MAKE), str(folder)], check=True, timeout=60)
    return folder


def test_a_pipeline_is_served_like_a_model(messages: Path, tmp_path: Path) -> None:
    trust = ("--trust", f"sha256:{digest(messages)}")
    with serving(messages, *trust, state=tmp_path / "state", workers=1) as served:
        url = f"{served.url}/models/messages"
        one = httpx.post(f"{url}/predict", json={"text": LATE})
        assert one.json() == {"mood": "bad", "topic": "delivery"}
        many = httpx.post(f"{url}/predict", json=[{"text": LATE}, {"text": PAID}])
        assert many.json() == {"mood": ["bad", "good"], "topic": ["delivery", "payment"]}
        wrong = httpx.post(f"{url}/predict", json={"text": 3})
        assert wrong.status_code == 400
        told = httpx.get(f"{served.url}/v2/models/messages").json()
        assert told["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}]
        assert [(o["name"], o["datatype"], o["shape"]) for o in told["outputs"]] == [
            ("mood", "INT64", [-1]),
            ("topic", "INT64", [-1]),
        ]
        tensor = {"name": "text", "datatype": "BYTES", "shape": [2, 1], "data": [LATE, PAID]}
        answer = httpx.post(f"{served.url}/v2/models/messages/infer", json={"inputs": [tensor]})
        found = {o["name"]: o["data"] for o in answer.json()["outputs"]}
        assert found == {"mood": [0, 1], "topic": [0, 1]}
        page = httpx.get(f"{served.url}/openapi.json").json()
        assert "What the customer wrote." in json.dumps(page)
        with Client(served.url) as client:
            assert client.predict("messages", {"text": PAID}) == {
                "mood": "good",
                "topic": "payment",
            }


def test_a_pipeline_without_trust_names_the_step(messages: Path, run: Run) -> None:
    refused = run("serve", str(messages), "--port", "0")
    assert refused.returncode == 3
    assert "step 'tokenise': 'steps.py' was not loaded" in refused.stderr
    assert f"--trust sha256:{digest(messages)}" in refused.stderr


def test_a_wrong_wire_is_told_by_every_command(messages: Path, run: Run) -> None:
    path = messages / "pipeline.toml"
    path.write_text(path.read_text().replace('"encode.features"', '"encode.feature"', 1))
    trust = ("--trust", f"sha256:{digest(messages)}")
    words = (
        "pipeline.toml, [steps.mood] inputs.features = \"encode.feature\": the step 'encode' has no"
        " output 'feature'; did you mean 'features'?"
    )
    for done in (
        run("serve", str(messages), "--port", "0", *trust),
        run("inspect", str(messages), *trust),
        run("push", str(messages), *trust),
        run("predict", str(messages), '{"text": "x"}', *trust),
    ):
        assert done.returncode == 2, done.stderr
        assert words in done.stderr


def test_a_pipeline_is_inspected_and_asked_from_the_command_line(messages: Path, run: Run) -> None:
    trust = ("--trust", f"sha256:{digest(messages)}")
    facts = json.loads(run("inspect", str(messages), "--json", *trust).stdout)
    assert facts["runtime"].startswith("pipeline (Python 3.")
    assert facts["digest"] == f"sha256:{digest(messages)}"
    assert [field["name"] for field in facts["fields"]] == ["text"]
    assert any(note.startswith("step 'mood': run by ONNX Runtime") for note in facts["notes"])
    answer = run("predict", str(messages), json.dumps({"text": LATE}))  # trusted before
    assert json.loads(answer.stdout) == {"mood": "bad", "topic": "delivery"}


def test_the_versions_of_a_pipeline_move_together(run: Run, tmp_path: Path) -> None:
    """Each version's two steps add its number: a mix of versions would add two of them."""
    folder = tmp_path / "sum"
    folder.mkdir()
    (folder / "pipeline.toml").write_text(
        "[steps.one]\nmodel = 'biased.onnx'\n"
        "[steps.two]\nmodel = 'second/biased.onnx'\ninputs = { x = 'one.y' }\n"
    )
    (folder / "second").mkdir()

    def push(number: int, *alias: str) -> dict[str, Any]:
        biased(folder, number)
        biased(folder / "second", 10 * number)
        return dict(json.loads(run("push", str(folder), *alias, "--json").stdout))

    first = push(1, "--alias", "production")
    with serving(tmp_path / "models", state=tmp_path / "state", workers=2) as served:

        def answers() -> set[tuple[str, float]]:
            got = [httpx.post(f"{served.url}/models/sum/predict", json={"x": 0}) for _ in range(20)]
            return {(g.headers["x-model-version"], g.json()["prediction"]) for g in got}

        assert answers() == {("1", 11)}
        assert push(2)["digest"] != first["digest"]
        assert answers() == {("1", 11)}
        assert run("alias", "sum", "production", "2").returncode == 0
        assert answers() == {("2", 22)}
        assert run("rollback", "sum").stdout == "1\n"
        assert answers() == {("1", 11)}
    part = tmp_path / "models" / "sum" / "2" / "second" / "biased.onnx"
    part.write_bytes(part.read_bytes() + b"\0")
    changed = next(s for s in find_sources(str(tmp_path / "models"), is_model) if s.version == "2")
    with pytest.raises(CorruptModel, match=r"the file 'second/biased.onnx' was changed"):
        open_version(changed, Settings())
    versions = json.loads(run("versions", "sum", "--json").stdout)
    assert [each["runtime"].startswith("pipeline (ONNX") for each in versions] == [True, True]


def test_a_pushed_pipeline_needs_its_trust_once(messages: Path, run: Run, tmp_path: Path) -> None:
    trust = ("--trust", f"sha256:{digest(messages)}")
    pushed = json.loads(run("push", str(messages), "--name", "m", *trust, "--json").stdout)
    assert pushed["digest"] == f"sha256:{digest(messages)}"
    with serving(tmp_path / "models", state=tmp_path / "state", workers=1) as served:
        answer = httpx.post(f"{served.url}/predict", json={"text": LATE})
        assert answer.json() == {"mood": "bad", "topic": "delivery"}
    assert digest(tmp_path / "models" / "m" / "1") == digest(messages)


def test_a_step_of_scikit_learn_is_pushed_with_the_versions_of_its_libraries(
    run: Run, tmp_path: Path
) -> None:
    skops = pytest.importorskip("skops.io")
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path / "flowers"
    folder.mkdir()
    classifier = LogisticRegression().fit(np.eye(3), ["rose", "tulip", "violet"])
    skops.dump(classifier, folder / "kind.skops")
    skops.dump(classifier, folder / "again.skops")
    facts = json.loads(run("inspect", str(folder / "kind.skops"), "--json").stdout)
    (taken,) = (tensor["name"] for tensor in facts["inputs"])
    label = facts["outputs"][0]["name"]
    (folder / "pipeline.toml").write_text(
        f"[steps.kind]\nmodel = 'kind.skops'\ninputs = {{ {taken} = 'flower' }}\n"
        f"[steps.again]\nmodel = 'again.skops'\ninputs = {{ {taken} = 'flower' }}\n"
        f"[outputs]\nkind = 'kind.{label}'\nagain = 'again.{label}'\n"
    )
    assert run("push", str(folder)).returncode == 0
    version = tmp_path / "models" / "flowers" / "1"
    libraries = json.loads((version / ".manifest.json").read_text())["libraries"]
    assert {"modelport", "numpy", "onnxruntime", "scikit-learn", "skops"} <= set(libraries)
    answer = run("predict", str(version), '{"flower": [0, 9, 0]}')
    assert json.loads(answer.stdout) == {"kind": "tulip", "again": "tulip"}


def test_arrays_and_frames_go_through_a_pipeline(
    messages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELPORT_STATE_DIR", str(tmp_path / "state"))
    with modelport.load(messages, trust=f"sha256:{digest(messages)}") as model:
        answer = model.predict({"text": np.array([LATE, PAID])})
        assert list(answer["topic"]) == ["delivery", "payment"]
