"""Public apps from their `model.toml` to a server of processes; one model's app alone at `/`."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from modelport.app.public import public_versions
from modelport.control.reconcile import Plan
from modelport.repository.layout import Source, find_sources
from modelport.runtimes.formats import is_model
from tests.app.servers import LINEAR, Served, command, environment, eventually, serving

PUBLIC = "[app]\npublic = true\n"


def write(folder: Path, name: str, **tomls: str) -> None:
    """A model with a version for each number, such as `v1`, and its `model.toml`."""
    for version, toml in tomls.items():
        own = folder / name / version.removeprefix("v")
        own.mkdir(parents=True)
        shutil.copy(LINEAR, own / "model.onnx")
        (own / "model.toml").write_text(toml)


def found(folder: Path) -> list[Source]:
    return find_sources(str(folder), is_model)


def opened(folder: Path, *permitted: str) -> frozenset[str]:
    sources = tuple(found(folder))
    return Plan(sources, {}, public=public_versions(sources, permitted, set())).public_apps


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    write(folder, "offered", v1=PUBLIC, v2=PUBLIC)
    write(folder, "partly", v1=PUBLIC, v2="[app]\npublic = false\n")
    write(folder, "kept", v1="")
    write(folder, "wrong", v1="[app]\npublic = true\ncolur = 'red'\n")
    return folder


@pytest.mark.parametrize(
    ("permitted", "public"),
    [
        ((), set()),
        (("offered",), {"offered"}),
        (("*",), {"offered"}),
        (("kept", "partly", "wrong", "nix"), set()),
        (("kept", "*"), {"offered"}),
    ],
)
def test_owner_and_operator_both_have_to_say_so(
    models: Path, permitted: tuple[str, ...], public: set[str]
) -> None:
    assert opened(models, *permitted) == public


def test_a_name_that_opens_nothing_is_told_once(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: set[str] = set()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            public_versions(found(models), ("kept", "nix", "offered"), told)
    assert [record.message for record in caplog.records] == [
        "public_apps names 'kept', which opens nothing: not each of its versions has"
        " 'public = true' in [app] of its model.toml",
        "public_apps names 'nix', which opens nothing: no model of that name is served",
    ]


def test_a_version_that_cannot_be_served_has_no_say(models: Path) -> None:
    (models / "offered" / "3").mkdir()
    assert opened(models, "offered") == {"offered"}
    (models / "empty" / "1").mkdir(parents=True)
    assert opened(models, "*") == {"offered"}


@pytest.fixture
def locked(models: Path, tmp_path: Path) -> Iterator[Served]:
    """A server whose models are loaded when they are asked for, and whose callers need a key."""
    shutil.rmtree(models / "wrong")
    state = tmp_path / "state"
    args = ("keys", "create", "--role", "infer")
    subprocess.run(command(*args), check=True, env=environment(state), capture_output=True)
    with serving(models, "--lazy", "--public-apps", "offered", state=state) as server:
        yield server


def test_a_public_app_is_open_before_its_model_was_ever_loaded(
    locked: Served, models: Path, tmp_path: Path
) -> None:
    def status(path: str) -> int:
        return httpx.post(f"{locked.url}{path}", json={"x": [1, 2, 3]}).status_code

    assert status("/models/offered/predict") == 200
    assert status("/models/offered/versions/1/predict") == 200
    assert [status(f"/models/{name}/predict") for name in ("kept", "partly")] == [401, 401]
    assert status("/predict") == 401
    assert httpx.get(f"{locked.url}/v2").status_code == 401
    listed = httpx.get(f"{locked.url}/models").json()
    assert {model["name"] for model in listed} == {"offered"}
    assert httpx.get(f"{locked.url}/models/offered").json()["app"]["public"]

    # A version that does not say so takes the model out of what is public, whatever answers.
    write(models, "offered", v3="")
    assert eventually(lambda: status("/models/offered/versions/1/predict") == 401, 30)
    shutil.rmtree(models / "offered" / "3")
    assert eventually(lambda: status("/models/offered/predict") == 200, 30)


def test_the_app_of_one_model_is_all_that_is_shown(models: Path, tmp_path: Path) -> None:
    only = ("--app-only", "--public-apps", "*")
    with serving(models / "kept", *only, state=tmp_path / "state", workers=1) as server:

        def get(path: str) -> httpx.Response:
            return httpx.get(server.url + path)

        assert get("/docs").status_code == 404
        assert get("/docs").json()["error"].endswith("addresses are listed at /openapi.json")
        assert get("/apps/offered").status_code == 404
        moved = get("/apps/kept/batch")
        assert (moved.status_code, moved.headers["location"]) == (307, "/batch")
        assert get("/apps/kept").headers["location"] == "/"
        assert get("/apps/kept/%2Fevil.example").headers["location"] == "/"
        assert get("/models/kept").json()["name"] == "kept"
        assert "/batch" in get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("where", ["models", "flat"])
def test_several_models_are_refused_with_how_to_serve_one(
    models: Path, tmp_path: Path, where: str
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("a", "b"):
        shutil.copy(LINEAR, flat / f"{name}.onnx")
    line = command("serve", str(tmp_path / where), "--app-only", "--port", "0")
    ended = subprocess.run(line, capture_output=True, text=True, env=environment(tmp_path / "s"))
    assert ended.returncode == 2
    one = flat / "a.onnx" if where == "flat" else models / "kept"
    told = ended.stderr.replace("\n", " ")
    assert "--app-only shows the app of one model" in told
    assert f"'modelport serve {one} --app-only'" in told
