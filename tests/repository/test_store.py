"""Versions are published whole or not at all, never change, and go when nobody points there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelport.core.errors import ConfigError, CorruptModel, ModelNotFound
from modelport.core.signature import Signature
from modelport.repository.integrity import digest_of, listing
from modelport.repository.store import (
    Manifest,
    Repository,
    check_integrity,
    read_manifest,
)


def push(repository: Repository, content: str, name: str = "m") -> str:
    with repository.stage(name) as staged:
        (staged.folder / "model.onnx").write_text(content)
        (staged.folder / "more").mkdir()
        (staged.folder / "more" / "data.bin").write_text(content * 2)
        return staged.commit(lambda: manifest(staged.folder))


def manifest(folder: Path) -> Manifest:
    files = listing(folder)
    return Manifest(
        digest=digest_of(files),
        files=files,
        created="2026-11-24T10:00:00+00:00",
        source="model.onnx",
        format="ONNX",
        runtime="ONNX Runtime",
        signature=Signature((), ()),
        metrics={"accuracy": 0.5},
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "models")


def content(repository: Repository, version: str, name: str = "m") -> str:
    return (repository.root / name / version / "model.onnx").read_text()


def test_versions_are_numbered_and_keep_what_was_pushed(repository: Repository) -> None:
    assert [push(repository, text) for text in ("a", "b", "c")] == ["1", "2", "3"]
    assert repository.names() == ["m"]
    assert repository.versions("m") == ["3", "2", "1"]
    assert [content(repository, version) for version in ("1", "2", "3")] == ["a", "b", "c"]
    kept = repository.manifest("m", "2")
    assert kept is not None
    assert kept.metrics == {"accuracy": 0.5}
    assert set(kept.files) == {"model.onnx", "more/data.bin"}
    assert not (repository.root / ".staging").exists()


def test_numbers_go_on_after_the_highest_that_was_laid_there_by_hand(
    repository: Repository,
) -> None:
    (repository.root / "m" / "7").mkdir(parents=True)
    (repository.root / "m" / "draft").mkdir()
    assert push(repository, "a") == "8"
    assert repository.versions("m") == ["8", "7", "draft"]
    assert repository.manifest("m", "7") is None


def test_a_number_is_never_used_twice(repository: Repository) -> None:
    push(repository, "a")
    push(repository, "b")
    repository.remove("m", "2")
    assert push(repository, "c") == "3"


def test_a_version_that_is_not_committed_leaves_nothing(repository: Repository) -> None:
    with repository.stage("m") as staged:
        (staged.folder / "model.onnx").write_text("a")
    assert repository.names() == []
    assert push(repository, "b") == "1"


@pytest.mark.parametrize("name", ["", "..", "a/b", "/m", "-m", "m\n", "ü"])
def test_a_name_that_is_none_is_refused_before_anything_is_written(
    repository: Repository, name: str
) -> None:
    with pytest.raises(ConfigError, match="a model's name is"):
        push(repository, "a", name)
    assert not repository.root.exists()


def test_pushes_at_the_same_time_get_a_number_each(repository: Repository) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda at: push(repository, str(at)), range(16)))
    assert sorted(map(int, made)) == list(range(1, 17))
    assert sorted(content(repository, version) for version in made) == sorted(map(str, range(16)))


def test_an_alias_moves_and_moves_back(repository: Repository) -> None:
    for text in ("a", "b", "c"):
        push(repository, text)
    for version in ("1", "3", "3", "2"):
        repository.set_alias("m", "production", version)
    assert repository.aliases("m").current == {"production": "2"}
    assert repository.roll_back("m", "production").current == {"production": "3"}
    assert repository.roll_back("m", "production").current == {"production": "1"}
    with pytest.raises(ConfigError, match="pointed to no other version"):
        repository.roll_back("m", "production")
    assert repository.aliases("m").current == {"production": "1"}


def test_a_rollback_passes_over_versions_that_were_removed(repository: Repository) -> None:
    for text in ("a", "b", "c"):
        push(repository, text)
    for version in ("1", "2", "3"):
        repository.set_alias("m", "production", version)
    repository.remove("m", "2")
    assert repository.roll_back("m", "production").current == {"production": "1"}


def test_a_version_that_an_alias_points_to_cannot_be_removed(repository: Repository) -> None:
    push(repository, "a")
    repository.set_alias("m", "canary", "1")
    with pytest.raises(ConfigError, match="version 1 of 'm' is what 'canary' points to"):
        repository.remove("m", "1")
    repository.drop_alias("m", "canary")
    repository.remove("m", "1")
    assert repository.names() == []


@pytest.mark.parametrize("alias", ["latest", "1", "", "a b", "../x", "a" * 65])
def test_what_is_no_alias_cannot_be_set(repository: Repository, alias: str) -> None:
    push(repository, "a")
    with pytest.raises(ConfigError, match="an alias begins with a letter"):
        repository.set_alias("m", alias, "1")


def test_what_is_not_there_is_named_with_what_is(repository: Repository) -> None:
    with pytest.raises(ModelNotFound, match="no model 'm' in the repository; there are: none"):
        repository.versions("m")
    push(repository, "a")
    with pytest.raises(ModelNotFound, match="no model 'x' in the repository; there are: m"):
        repository.versions("x")
    for call in (
        lambda: repository.set_alias("m", "production", "9"),
        lambda: repository.remove("m", "9"),
        lambda: repository.manifest("m", "9"),
    ):
        with pytest.raises(ModelNotFound, match="no version '9'; there are: 1"):
            call()
    for call in (
        lambda: repository.roll_back("m", "gold"),
        lambda: repository.drop_alias("m", "gold"),
    ):
        with pytest.raises(ConfigError, match="no alias 'gold'; there are: none"):
            call()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "model.onnx").write_text("x"), "'model.onnx' was changed"),
        (lambda folder: (folder / "more/data.bin").unlink(), "'more/data.bin' is gone"),
        (lambda folder: (folder / "new").write_text("x"), "'new' was added"),
        (lambda folder: (folder / ".manifest.json").write_text("{"), "manifest .* is damaged"),
    ],
)
def test_a_version_that_was_changed_is_found_out(
    repository: Repository, damage: Callable[[Path], object], words: str
) -> None:
    folder = repository.root / "m" / push(repository, "a")
    check_integrity(folder)
    damage(folder)
    with pytest.raises(CorruptModel, match=words):
        check_integrity(folder)


def test_a_changed_manifest_is_found_out(repository: Repository) -> None:
    folder = repository.root / "m" / push(repository, "a")
    kept = (folder / ".manifest.json").read_text()
    found = read_manifest(folder)
    assert found is not None
    (folder / ".manifest.json").write_text(kept.replace(found.digest, "0" * 64))
    with pytest.raises(CorruptModel, match="its manifest was changed"):
        check_integrity(folder)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be changed"):
        push(Repository(tmp_path / "models"), "a")


def killed_at(step: str, change: Callable[[Repository], object], root: Path) -> bool:
    """Whether a process that makes the change was killed when it came to that step."""

    def die(at: str) -> None:
        if at == step:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        change(Repository(root, die))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("step", ["manifest", "flush", "reserve", "rename", "published"])
def test_whoever_is_killed_while_publishing_leaves_the_old_or_the_new(
    repository: Repository, step: str
) -> None:
    push(repository, "a")
    assert killed_at(step, lambda own: push(own, "b"), repository.root)
    found = repository.versions("m")
    assert found == (["2", "1"] if step == "published" else ["1"])
    for version in found:
        check_integrity(repository.root / "m" / version)
    made = push(repository, "c")
    assert content(repository, made) == "c"
    assert int(made) > max(map(int, found))
    assert not (repository.root / ".staging").exists()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("step", ["alias", "aliased"])
def test_whoever_is_killed_while_moving_an_alias_leaves_the_old_or_the_new(
    repository: Repository, step: str
) -> None:
    push(repository, "a")
    push(repository, "b")
    repository.set_alias("m", "production", "1")
    assert killed_at(step, lambda own: own.set_alias("m", "production", "2"), repository.root)
    assert repository.aliases("m").current == {"production": "2" if step == "aliased" else "1"}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("step", ["remove", "removed"])
def test_whoever_is_killed_while_removing_leaves_the_version_whole_or_gone(
    repository: Repository, step: str
) -> None:
    push(repository, "a")
    push(repository, "b")
    assert killed_at(step, lambda own: own.remove("m", "2"), repository.root)
    assert repository.versions("m") == (["1"] if step == "removed" else ["2", "1"])
    for version in repository.versions("m"):
        check_integrity(repository.root / "m" / version)
    assert push(repository, "c") == "3"
