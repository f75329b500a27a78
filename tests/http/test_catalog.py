"""The list of models: an example in short, and what is not served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelport.core.tensors import DType
from tests.http.models import identity, written
from tests.http.serving import LINEAR, Served, serving

TOML = """
[[examples]]
input = { x = [1, 2, 3] }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("models")
    toml = folder / "told.toml"
    toml.write_text(TOML)
    with serving([LINEAR, written(folder, "told", identity(DType.FP32, ["n", 3]))]) as server:
        yield server


def listed(server: Served) -> dict[str, dict[str, object]]:
    return {model["name"]: model for model in server.get("/models").json}


def test_the_owners_example_and_its_answer_are_told_in_a_line(server: Served) -> None:
    assert listed(server)["told"]["in_short"] == {"takes": "1, 2, 3", "gives": "1, 2, 3"}


def test_a_generated_example_is_none_of_the_owners(server: Served) -> None:
    assert "in_short" not in listed(server)["linear"]


def test_an_unloaded_model_is_listed_and_said_to_be_so(server: Served) -> None:
    server.engine.unloaded = (("gone", "9"), ("gone", "10"))
    models = [model for model in server.get("/models").json if model["name"] == "gone"]
    assert [(model["version"], model["state"]) for model in models] == [
        ("9", "UNLOADED"),
        ("10", "UNLOADED"),
    ]
    one = server.get("/models/gone").json
    assert (one["version"], one["state"]) == ("10", "UNLOADED")
    assert "until it is loaded again" in one["reason"]
    assert server.get("/models/gone/cost").json == {"versions": []}
    assert server.post("/models/gone/predict", '{"x": [1, 2, 3]}').status == 404
