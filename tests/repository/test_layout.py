"""The repository: which models a path means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelport.core.errors import ConfigError
from modelport.repository.layout import Source, find_sources, latest, model_name


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Path]:
    """A folder with files, each of one byte; a name that ends in `/` is an empty folder."""

    def make(*names: str) -> Path:
        root = tmp_path / "models"
        root.mkdir(exist_ok=True)
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir()
            else:
                path.write_text("x")
        return root

    return make


def is_model(path: Path) -> bool:
    return path.suffix in (".onnx", ".py")


def found(root: Path) -> dict[tuple[str, str], Source]:
    sources = find_sources(str(root), is_model)
    assert len({(s.name, s.version) for s in sources}) == len(sources)
    return {(source.name, source.version): source for source in sources}


def test_a_file_is_version_1_of_a_model_named_after_it(repository: Callable[..., Path]) -> None:
    root = repository("iris.v2.onnx")
    (source,) = find_sources(str(root / "iris.v2.onnx"), is_model)
    assert (source.name, source.version, source.problem) == ("iris.v2", "1", None)
    assert source.path == str(root / "iris.v2.onnx")
    assert source.toml == str(root / "model.toml")


def test_a_given_name_stands_in_place_of_the_files(repository: Callable[..., Path]) -> None:
    root = repository("a.onnx")
    (source,) = find_sources(str(root / "a.onnx"), is_model, name="flowers")
    assert source.name == "flowers"


@pytest.mark.parametrize("name", ["a b", "../x", "", "-x", "x" * 129])
def test_a_given_name_with_other_characters_is_refused(
    repository: Callable[..., Path], name: str
) -> None:
    root = repository("a.onnx")
    with pytest.raises(ConfigError, match=r"a model's name is letters, digits"):
        find_sources(str(root / "a.onnx"), is_model, name=name)


def test_a_file_in_a_versions_folder_has_its_models_toml(repository: Callable[..., Path]) -> None:
    root = repository("iris/3/model.onnx")
    (source,) = find_sources(str(root / "iris/3/model.onnx"), is_model)
    assert source.toml == str(root / "iris/model.toml")
    repository("iris/3/model.toml")
    (source,) = find_sources(str(root / "iris/3/model.onnx"), is_model)
    assert source.toml == str(root / "iris/3/model.toml"), "what was published with it counts"
    assert found(root)["iris", "3"].toml == source.toml


def test_a_loose_file_has_a_toml_of_its_own_where_others_lie_beside_it(
    repository: Callable[..., Path],
) -> None:
    root = repository("a.onnx", "script.py")
    (source,) = find_sources(str(root / "a.onnx"), is_model)
    assert source.toml == str(root / "model.toml")
    repository("b.onnx")
    (source,) = find_sources(str(root / "a.onnx"), is_model)
    assert source.toml == str(root / "a.toml")
    tomls = {source.name: source.toml for source in find_sources(str(root), is_model)}
    assert tomls["a"] == str(root / "a.toml")


def test_an_attribute_of_a_program_follows_a_colon(repository: Callable[..., Path]) -> None:
    root = repository("app.py")
    (source,) = find_sources(f"{root}/app.py:Scorer", is_model)
    assert (source.name, source.attribute) == ("Scorer", "Scorer")
    assert source.path == str(root / "app.py")


@pytest.mark.parametrize("argument", ["app.py", "app.py:"])
def test_a_program_without_an_attribute_is_refused(
    repository: Callable[..., Path], argument: str
) -> None:
    with pytest.raises(ConfigError, match="say which class or function"):
        find_sources(f"{repository('app.py')}/{argument}", is_model)


@pytest.mark.parametrize("argument", ["gone.onnx", "gone.py:Scorer", "gone"])
def test_nothing_under_a_path_is_told(tmp_path: Path, argument: str) -> None:
    with pytest.raises(ConfigError, match="there is no file or folder"):
        find_sources(str(tmp_path / argument), is_model)


def test_a_colon_in_a_folders_name_is_no_attribute(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    (folder / "x.onnx").write_text("x")
    assert [source.name for source in find_sources(str(folder), is_model)] == ["x"]


def test_a_folder_holds_files_and_versions(repository: Callable[..., Path]) -> None:
    root = repository("a b.onnx", "iris/1/iris.onnx", "iris/2/model.onnx", "readme.md")
    sources = found(root)
    assert set(sources) == {("a-b", "1"), ("iris", "1"), ("iris", "2")}
    assert sources["a-b", "1"].toml == str(root / "model.toml")
    assert sources["iris", "2"].path == str(root / "iris/2/model.onnx")
    assert sources["iris", "2"].toml == str(root / "iris/model.toml")


def test_the_file_called_model_is_preferred(repository: Callable[..., Path]) -> None:
    root = repository("a/1/helper.py", "a/1/model.onnx", "a/1/notes.txt")
    assert found(root)["a", "1"].path == str(root / "a/1/model.onnx")


@pytest.mark.parametrize(
    ("names", "key", "words"),
    [
        (["a/1/x.onnx", "a/1/y.onnx"], ("a", "1"), "holds several models: x.onnx, y.onnx"),
        (["a/1/model.onnx", "a/1/model.py"], ("a", "1"), "several models: model.onnx, model.py"),
        (["a/1/notes.txt"], ("a", "1"), "holds no file of a known format"),
        (["a b/1/x.onnx"], ("a-b", "1"), "'a b' is no name for a model"),
        (["a/v 1/x.onnx"], ("a", "v-1"), "'v 1' is no name for a version"),
        (["a/x.onnx"], ("a", "1"), "'x.onnx' lies in no version's folder: move it to a/1/"),
        (["a.onnx", "a.py"], ("a", "1"), "several files or folders give this name: a.onnx, a.py"),
        (["a b.onnx", "a-b.onnx"], ("a-b", "1"), "give this name: a b.onnx, a-b.onnx"),
        (["a.onnx", "a/1/m.onnx"], ("a", "1"), "give this name: a.onnx, m.onnx"),
    ],
)
def test_what_cannot_be_served_is_listed_with_the_reason(
    repository: Callable[..., Path], names: list[str], key: tuple[str, str], words: str
) -> None:
    source = found(repository(*names, "good.onnx"))[key]
    assert source.problem is not None
    assert words in source.problem
    assert source.path == ""


def test_a_link_to_nothing_is_listed_with_the_reason(repository: Callable[..., Path]) -> None:
    root = repository("good.onnx")
    (root / "bad.onnx").symlink_to(root / "gone.onnx")
    problem = found(root)["bad", "1"].problem
    assert problem is not None
    assert "'bad.onnx' is no file" in problem


def test_hidden_names_and_other_folders_are_left_alone(repository: Callable[..., Path]) -> None:
    root = repository(
        *("good.onnx", ".hidden.onnx", "_draft.onnx", ".git/1/x.onnx", "notes/a.txt", "empty/"),
        *("a/1/.x.onnx", "a/1/m.onnx", "a/.tmp/x.onnx", "a/_old/x.onnx"),
    )
    assert set(found(root)) == {("good", "1"), ("a", "1")}


@pytest.mark.parametrize("names", [(), ("readme.md",), ("notes/x.txt",)])
def test_a_folder_without_models_is_refused(
    repository: Callable[..., Path], names: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match=r"holds no model: models lie in it as NAME/1/FILE"):
        find_sources(str(repository(*names)), is_model)


def test_a_folder_takes_no_name(repository: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="--name names a single file"):
        find_sources(str(repository("a.onnx")), is_model, name="b")


@pytest.mark.parametrize(
    ("versions", "newest"),
    [(["1", "2", "10"], "10"), (["a", "b"], "b"), (["9", "zeta"], "9"), (["²", "1"], "1")],
)
def test_the_newest_version_has_the_highest_number(versions: list[str], newest: str) -> None:
    assert latest(versions) == newest
    assert latest(versions[::-1]) == newest


@pytest.mark.parametrize(
    ("text", "name"),
    [("a b", "a-b"), ("é/ü", "model"), ("..x..", "x"), ("", "model"), ("y" * 200, "y" * 128)],
)
def test_any_text_makes_a_name(text: str, name: str) -> None:
    assert model_name(text) == name


@pytest.mark.parametrize(
    ("names", "path"),
    [
        (("tower/1/saved.pb",), "tower/1"),  # as TensorFlow Serving lays it out
        (("tower/1/model.savedmodel/saved.pb",), "tower/1/model.savedmodel"),  # as Triton does
        (("tower/saved.pb",), "tower"),
    ],
)
def test_a_folder_can_be_one_model(
    repository: Callable[..., Path], names: tuple[str, ...], path: str
) -> None:
    root = repository(*names)

    def is_folder_model(entry: Path) -> bool:
        return (entry / "saved.pb").is_file()

    (source,) = find_sources(str(root), is_folder_model)
    assert (source.name, source.version, source.problem) == ("tower", "1", None)
    assert source.path == str((root / path).resolve())
    assert Path(source.toml) == (root / "tower/model.toml").resolve()
    (alone,) = find_sources(str(root / path), is_folder_model)
    assert alone.path == source.path


def test_a_folder_that_is_a_model_keeps_its_whole_name(repository: Callable[..., Path]) -> None:
    root = repository("encoder-v1.5/saved.pb")
    (source,) = find_sources(str(root), lambda entry: (entry / "saved.pb").is_file())
    assert source.name == "encoder-v1.5"
