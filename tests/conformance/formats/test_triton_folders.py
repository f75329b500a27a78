"""Folders made for Triton whose models need a framework, served as they are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from modelport.repository.integrity import digest
from tests.app.servers import serving

SCRIPT_CONFIG = """
platform: "pytorch_libtorch"
max_batch_size: 8
input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 2 ] },
        { name: "INPUT__1" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""
SCRIPT = """
import sys, warnings
import torch
warnings.simplefilter("ignore", DeprecationWarning)

class Weighted(torch.nn.Module):
    def forward(self, first, second):
        return first + 10 * second

torch.jit.script(Weighted()).save(sys.argv[1])
"""
FIL_CONFIG = """
backend: "fil"
max_batch_size: 8192
input [ { name: "input__0" data_type: TYPE_FP32 dims: [ 3 ] } ]
output [ { name: "output__0" data_type: TYPE_FP32 dims: [ 1 ] } ]
parameters { key: "model_type" value { string_value: "xgboost_json" } }
"""
TREES = """
import sys
import numpy as np
import xgboost

rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
data = xgboost.DMatrix(rows, rows[:, 0] + rows[:, 1] * rows[:, 2])
booster = xgboost.train({"max_depth": 3}, data, 20)
booster.save_model(sys.argv[1])
np.save(sys.argv[2], np.column_stack([rows, booster.predict(data)]))
"""


def needs(library: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(library) is None
    return pytest.mark.skipif(missing, reason=f"{library} is not installed")


def built(folder: Path, name: str, program: str, config: str, *more: str) -> Path:
    """Version 1 of a model, made by a framework in a process of its own."""
    (folder / "1").mkdir(parents=True)
    script = folder.parent.parent / f"{folder.name}.py"  # TorchScript reads its own source
    script.write_text(program)
    line = [sys.executable, str(script), str(folder / "1" / name), *more]
    subprocess.run(line, check=True, timeout=120)
    (folder / "config.pbtxt").write_text(config)
    return folder / "1" / name


def asked(url: str, model: str, **inputs: Any) -> Any:
    """The answer to a request of the Open Inference Protocol."""
    tensors = [
        {"name": n, "datatype": "FP32", "shape": list(v.shape), "data": v.ravel().tolist()}
        for n, v in inputs.items()
    ]
    answer = httpx.post(f"{url}/v2/models/{model}/infer", json={"inputs": tensors}, timeout=30)
    (output,) = answer.json()["outputs"]
    return output


@needs("torch")
def test_torchscript_is_served_under_the_names_that_triton_gives(tmp_path: Path) -> None:
    models = tmp_path / "models"
    file = built(models / "weighted", "model.pt", SCRIPT, SCRIPT_CONFIG)
    trust = ("--trust", f"sha256:{digest(file)}")
    with serving(models, *trust, state=tmp_path / "state", workers=1) as server:
        first, second = np.array([[1, 2]]), np.array([[3, 4]])
        output = asked(server.url, "weighted", INPUT__0=first, INPUT__1=second)
    assert (output["name"], output["shape"], output["data"]) == ("OUTPUT__0", [1, 2], [31, 42])


@needs("xgboost")
def test_trees_are_served_under_the_names_of_tritons_backend(tmp_path: Path) -> None:
    models, truth = tmp_path / "models", tmp_path / "truth.npy"
    built(models / "trees", "xgboost.json", TREES, FIL_CONFIG, str(truth))
    rows = np.load(truth)
    with serving(models, state=tmp_path / "state", workers=1) as server:
        output = asked(server.url, "trees", input__0=rows[:50, :3])
    assert (output["name"], output["datatype"], output["shape"]) == ("output__0", "FP32", [50, 1])
    np.testing.assert_allclose(output["data"], rows[:50, 3], rtol=1e-6)
