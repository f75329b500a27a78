"""A folder made for Triton, and one made for TensorFlow Serving, served as they are."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.app.servers import LINEAR, command, environment, serving

triton = pytest.importorskip("tritonclient.http", reason="install tritonclient[http]")

LINEAR_CONFIG = """
name: "linear"
platform: "onnxruntime_onnx"
max_batch_size: 16
input [ { name: "x" data_type: TYPE_FP64 dims: [ 3 ] } ]
output [ { name: "y" data_type: TYPE_FP64 dims: [ 1 ] reshape { shape: [] } } ]
version_policy { latest { num_versions: 2 } }
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { }
"""


def laid(root: Path, name: str, config: str, *versions: str) -> Path:
    """A model of Triton's with those versions of `linear.onnx`."""
    for version in versions:
        (root / name / version).mkdir(parents=True)
        shutil.copy(LINEAR, root / name / version / "model.onnx")
    (root / name).mkdir(exist_ok=True)
    (root / name / "config.pbtxt").write_text(config)
    return root / name


def asked(url: str, model: str, version: str, output: str, **inputs: Any) -> Any:
    """The answer to Triton's own client."""
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        given = []
        for name, (datatype, array) in inputs.items():
            given.append(triton.InferInput(name, array.shape, datatype))
            given[-1].set_data_from_numpy(array)
        return client.infer(model, given, version).as_numpy(output)


def test_tritons_client_is_answered_from_a_folder_made_for_triton(tmp_path: Path) -> None:
    root = tmp_path / "models"
    laid(root, "linear", LINEAR_CONFIG, "1", "2", "10")
    laid(root, "steps", 'platform: "ensemble"')
    log = tmp_path / "log"
    with serving(root, state=tmp_path / "state", log=log) as server:
        states = {(m["name"], m["version"]): m for m in server.models}
        assert set(states) == {("linear", "2"), ("linear", "10"), ("steps", "1")}
        assert "pipeline.toml" in states["steps", "1"]["reason"]
        rows = ("FP64", np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]))
        answer = asked(server.url, "linear", "10", "y", x=rows)
        assert answer.tolist() == pytest.approx([1.8, 0.4])
        told = "config.pbtxt of 'linear': not applied here: instance_group, dynamic_batching"
        model = httpx.get(f"{server.url}/models/linear").json()
        assert any(warning.startswith(told) for warning in model["warnings"])
    assert log.read_text().count(told) == 1, "once, and not for each worker"


def test_a_model_folder_of_tensorflow_serving_is_named_as_its_base_path(tmp_path: Path) -> None:
    # Any format will do for the layout; `make formats` has real SavedModels.
    for version in ("1699999999", "1700000000"):
        (tmp_path / "price" / version).mkdir(parents=True)
        shutil.copy(LINEAR, tmp_path / "price" / version)
    with serving(tmp_path / "price", state=tmp_path / "state") as server:
        found = httpx.post(f"{server.url}/models/price/predict", json={"x": [1, 2, 3]})
        assert found.json() == {"prediction": pytest.approx(1.8)}
        assert found.headers["x-model-version"] == "1700000000"


def test_inspect_shows_what_is_not_applied(tmp_path: Path) -> None:
    laid(tmp_path, "linear", LINEAR_CONFIG, "1")
    path = tmp_path / "linear" / "1" / "model.onnx"
    line = command("inspect", str(path), "--json")
    done = subprocess.run(line, capture_output=True, text=True, env=environment(tmp_path))
    assert "dynamic_batching" in json.loads(done.stdout)["warnings"][0]
