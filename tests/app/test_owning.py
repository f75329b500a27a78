"""A model for its owner: what is told of its versions, and aliases that move on a real server."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest

from tests.app.owner import Owner
from tests.app.servers import LINEAR, serving

X = {"x": [1, 2, 3]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two versions of a model; that the second answers differently is its alias' doing."""
    folder = tmp_path / "models"
    for version in ("1", "2"):
        (folder / "linear" / version).mkdir(parents=True)
        shutil.copy(LINEAR, folder / "linear" / version / "model.onnx")
    return folder


def version_of(url: str) -> set[str]:
    """Which versions answer, over connections of their own."""
    answers = [httpx.post(f"{url}/models/linear/predict", json=X, timeout=20) for _ in range(12)]
    return {answer.headers["x-model-version"] for answer in answers}


def test_promoting_and_rolling_back_change_who_answers(tmp_path: Path, repository: Path) -> None:
    state = tmp_path / "state"
    path = "/admin/models/linear/aliases/production"
    with serving(repository, state=state) as served, Owner(served, state) as owner:
        assert version_of(served.url) == {"2"}
        moved = owner.post(path, json={"version": "1"})
        assert moved.json() == {"alias": "production", "version": "1", "problems": []}
        assert version_of(served.url) == {"1"}
        owner.post(path, json={"version": "2"}).raise_for_status()
        assert version_of(served.url) == {"2"}
        told = owner.get("/admin/models/linear").json()
        assert told["aliases"] == {"production": {"version": "2", "before": ["1"], "served": "2"}}
        assert (told["default_alias"], told["can_promote"]) == ("production", True)
        assert [(v["version"], v["aliases"]) for v in told["versions"]] == [
            ("2", ["production"]),
            ("1", []),
        ]
        back = owner.post(f"{path}/rollback")
        assert back.json() == {"alias": "production", "version": "1", "problems": []}
        assert version_of(served.url) == {"1"}
        gone = owner.delete(path)
        assert gone.json() == {"alias": "production", "version": None, "problems": []}
        assert version_of(served.url) == {"2"}


def test_a_wrong_change_of_an_alias_says_what_would_be_right(
    tmp_path: Path, repository: Path
) -> None:
    state = tmp_path / "state"
    base = "/admin/models/linear/aliases"
    with serving(repository, state=state) as served, Owner(served, state) as owner:
        unknown = owner.post(f"{base}/production", json={"version": "9"})
        assert (unknown.status_code, "there are: 2, 1" in unknown.text) == (404, True)
        latest = owner.post(f"{base}/latest", json={"version": "1"})
        assert (latest.status_code, "moves by itself" in latest.text) == (400, True)
        assert owner.post(f"{base}/production", json={"ver": "1"}).status_code == 400
        assert owner.post(f"{base}/production/rollback").status_code == 400
        assert owner.delete(f"{base}/production").status_code == 400
        for name in ("nix", "..", "%2e%2e", "a%2Fb"):
            answer = owner.post(f"/admin/models/{name}/aliases/a", json={"version": "linear"})
            assert answer.status_code in (404, 405), name
        assert sorted(p.name for p in tmp_path.glob(".aliases*")) == []


def test_a_version_that_cannot_be_loaded_takes_nobody_s_place(
    tmp_path: Path, repository: Path
) -> None:
    state = tmp_path / "state"
    (repository / "linear" / "3").mkdir()
    (repository / "linear" / "3" / "model.onnx").write_bytes(b"junk")
    path = "/admin/models/linear/aliases/production"
    with serving(repository, state=state) as served, Owner(served, state) as owner:
        owner.post(path, json={"version": "1"}).raise_for_status()
        moved = owner.post(path, json={"version": "3"}).json()
        assert moved["version"] == "1"
        assert "stays at version 1: version 3 could not be loaded" in moved["problems"][0]
        assert version_of(served.url) == {"1"}
        told = owner.get("/admin/models/linear").json()
        assert told["aliases"]["production"] == {"version": "3", "before": ["1"], "served": "1"}
        newest = told["versions"][0]
        assert (newest["version"], newest["state"]) == ("3", "FAILED")
        assert newest["reason"]


def test_an_unloaded_model_is_still_its_owner_s(tmp_path: Path, repository: Path) -> None:
    state = tmp_path / "state"
    path = "/admin/models/linear/aliases/production"
    with serving(repository, state=state) as served, Owner(served, state) as owner:
        owner.post("/v2/repository/models/linear/unload").raise_for_status()
        told = owner.get("/admin/models/linear").json()
        assert {v["state"] for v in told["versions"]} == {"UNLOADED"}
        moved = owner.post(path, json={"version": "1"}).json()
        assert "is unloaded" in moved["problems"][0]
        owner.post("/v2/repository/models/linear/load").raise_for_status()
        assert version_of(served.url) == {"1"}


def test_a_single_file_has_no_aliases_to_set(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(LINEAR, state=state) as served, Owner(served, state) as owner:
        told = owner.get("/admin/models/linear").raise_for_status().json()
        assert (told["can_promote"], told["default_alias"]) == (False, "latest")
        assert "modelport push" in told["why_not"]
        (version,) = told["versions"]
        assert version["state"] == "READY"
        assert version["digest"].startswith("sha256:")
        assert version["runtime"].startswith("ONNX Runtime")
        assert (version["placement"], version["instances"]) == ("inline", 2)
        assert "ms" in version["placement_reason"]
        assert version["resident_bytes"] > 0
        refused = owner.post("/admin/models/linear/aliases/production", json={"version": "1"})
        assert refused.status_code == 400
        assert "cannot be set here" in refused.json()["error"]
        assert owner.get("/admin/models/nix").status_code == 404
