"""The repository extension: what there is, and what is asked of control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.serving import LINEAR, Served, serving, source


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "empty.onnx").write_bytes(b"")
    with serving([LINEAR, source(tmp_path / "empty.onnx")]) as server:
        yield server


def test_the_index_has_every_version_with_its_state(server: Served) -> None:
    for body in ("", "{}", '{"ready": false}'):
        assert server.post("/v2/repository/index", body).json == [
            {
                "name": "empty",
                "version": "1",
                "state": "UNAVAILABLE",
                "reason": "'empty.onnx' is empty",
            },
            {"name": "linear", "version": "1", "state": "READY", "reason": ""},
        ]
    (ready,) = server.post("/v2/repository/index", '{"ready": true}').json
    assert ready["name"] == "linear"
    assert server.post("/v2/repository/index", "[]").status == 400


@pytest.mark.parametrize("what", ["load", "unload"])
def test_a_model_is_loaded_and_unloaded_by_control(server: Served, what: str) -> None:
    path = f"/v2/repository/models/linear/{what}"
    assert server.post(path, "{}").status in (401, 403)
    assert server.asked == []
