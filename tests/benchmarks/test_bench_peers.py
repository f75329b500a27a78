"""The peers' files, environments and models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from benchmarks import environments, minilm
from benchmarks.calls import ask
from benchmarks.dialects import DIALECTS
from benchmarks.environments import build, folder
from benchmarks.errors import EnvironmentFailed
from benchmarks.options import parse
from benchmarks.peers.triton.start import config
from benchmarks.process import free_port
from benchmarks.servers import CEILINGS, MODELPORT, PEERS, SERVERS, Place, read_server
from benchmarks.workloads import ROOT, WORKLOADS, Workload

_PLACE = Place(
    Workload("linear", Path("models/repository"), Path("body"), (1.8,)),
    port=8123,
    workers=2,
    bin=Path("/env/bin"),
    scratch=Path("/scratch"),
)


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_has_a_command_without_gaps_and_a_lock(name: str) -> None:
    server = SERVERS[name]
    texts = [*server.command(_PLACE), *server.variables_in(_PLACE).values()]
    assert not any("{" in text for text in texts)
    assert "8123" in " ".join(texts)
    assert Path(server.command(_PLACE)[0]).parent == Path("/env/bin")
    if server.environment is not None:
        assert (ROOT / "requirements" / "peers" / f"{server.environment}.txt").exists()


def test_every_peer_serves_every_workload_and_a_ceiling_but_one() -> None:
    assert all(peer.serves(workload) for peer in PEERS.values() for workload in WORKLOADS)
    assert all(set(front.by_workload) == {"linear"} for front in CEILINGS.values())
    assert MODELPORT not in PEERS


def test_all_runtimes_behind_the_servers_are_of_one_version() -> None:
    locks = [*(ROOT / "requirements" / "peers").glob("*.txt"), ROOT / "requirements" / "dev.txt"]
    found = {line for lock in locks for line in lock.read_text().splitlines()}
    assert len({line for line in found if line.startswith("onnxruntime==")}) == 1


def test_a_server_s_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "benchmarks/peers/flask/flask-sync.toml").read_text()
    file = tmp_path / "flask-sync.toml"
    file.write_text(text)
    assert read_server(file) == SERVERS["flask-sync"]
    file.write_text('colour = "red"\n' + text)
    with pytest.raises(TypeError, match="colour"):
        read_server(file)


def test_triton_s_config_says_what_is_batched() -> None:
    text = config("tabular", batch=32, instances=2)
    assert "max_batch_size: 32" in text
    assert '{ name: "X", data_type: TYPE_FP32, dims: [30] }' in text
    assert '{ name: "label", data_type: TYPE_INT64, dims: [1] }' in text


def test_the_smoke_run_is_short_and_the_peers_run_is_whole() -> None:
    smoke, _ = parse(["--peers", "--smoke"])
    assert (smoke.workloads, smoke.seconds, smoke.rounds) == (("linear",), 1, 1)
    assert set(smoke.servers) == set(SERVERS)
    whole, _ = parse(["--peers"])
    assert whole.workloads == WORKLOADS
    assert whole.connections == (1, 32, 128)
    assert whole.rounds == 3
    assert max(whole.factors) == 3
    few, output = parse(["--servers", "modelport", "--workloads", "image", "--output", "x.json"])
    assert (few.servers, few.workloads, output) == (("modelport",), ("image",), Path("x.json"))
    with pytest.raises(SystemExit):
        parse(["--seconds", "-1"])


def test_an_environment_is_kept_under_its_lock_s_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = folder("flask")
    assert place.parent == tmp_path / "modelport"
    assert place.name.startswith("peers-flask-")
    place.mkdir(parents=True)
    (place / ".installed").touch()
    assert build("flask") == place / "bin"  # and nothing is installed again


def test_an_environment_that_cannot_be_installed_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(environments, "_LOCKS", tmp_path)
    (tmp_path / "broken.txt").write_text("this is no requirement\n")
    with pytest.raises(EnvironmentFailed, match="broken could not be installed"):
        build("broken")
    assert not (folder("broken") / ".installed").exists()


def _weights() -> dict[str, np.ndarray]:
    """As MiniLM's, random, of a few words."""
    random = np.random.default_rng(5)
    shapes = {
        "embeddings.word_embeddings.weight": (50, 384),
        "embeddings.position_embeddings.weight": (40, 384),
        "embeddings.token_type_embeddings.weight": (2, 384),
    }
    norms = ["embeddings.LayerNorm."]
    for number in range(minilm.LAYERS):
        name = f"encoder.layer.{number}."
        norms += [name + "attention.output.LayerNorm.", name + "output.LayerNorm."]
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{name}attention.{part}.weight"] = (384, 384)
            shapes[f"{name}attention.{part}.bias"] = (384,)
        for part, shape in (("intermediate", (1536, 384)), ("output", (384, 1536))):
            shapes[f"{name}{part}.dense.weight"] = shape
            shapes[f"{name}{part}.dense.bias"] = shape[:1]
    drawn = {name: random.standard_normal(shape) * 0.05 for name, shape in shapes.items()}
    for name in norms:
        drawn |= {name + "weight": 1 + random.standard_normal(384) * 0.1}
        drawn |= {name + "bias": random.standard_normal(384) * 0.1}
    return {name: value.astype(np.float32) for name, value in drawn.items()}


def test_the_graph_of_minilm_computes_what_plain_arithmetic_does_and_ignores_padding() -> None:
    weights = _weights()
    model = helper.make_model(
        minilm.graph(weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.array([1, 7, 30, 12, 2])
    feed = {
        "input_ids": np.array([[*ids, 0, 0]] * 2),
        "attention_mask": np.array([[1] * 5 + [0] * 2] * 2),
    }
    [rows] = session.run(None, feed)
    expected = minilm.embed(weights, ids)
    assert np.abs(rows - expected).max() < 1e-5
    assert np.linalg.norm(expected) == pytest.approx(1)


def test_tensors_are_read_from_a_safetensors_file(tmp_path: Path) -> None:
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "b": {"dtype": "F32", "shape": [2, 1], "data_offsets": [8, 16]},
            "ids": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
        }
    ).encode()
    values = np.array([1.5, -2.0], "<f4").tobytes()
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8) + values)
    read = minilm.read_weights(file)
    assert set(read) == {"b"}
    assert read["b"].tolist() == [[1.5], [-2.0]]


def test_modelport_s_front_answers_the_fixed_bytes_in_the_form_of_a_prediction() -> None:
    port = free_port()
    variables = {"BENCH_PORT": str(port), "BENCH_WORKERS": "2"}
    command = [sys.executable, "-m", "benchmarks.peers.ceilings.front"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables) as front:
        try:
            call = DIALECTS["modelport"]("linear", b'{"x":[1,2,3]}')
            for _ in range(500):
                try:
                    answer = ask(port, call, 5)
                    break
                except OSError:
                    assert front.poll() is None
                    time.sleep(0.02)
            assert call.read(answer) == [1.8]
            assert answer.headers["x-model-version"] == "1"
            assert answer.headers["x-request-id"]
        finally:
            front.terminate()
    assert front.returncode == 0
