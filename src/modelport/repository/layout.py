"""Where models lie: a single file, or `models/<name>/<version>/<file>`.

The folder layout is the one that Triton and TensorFlow Serving read. A file directly in the
folder is a model of its own, version 1. In each place of a file there may be a folder that is one
model, such as a SavedModel; a version's folder may itself be one. Where a model's folder holds
Triton's `config.pbtxt`, that says which versions and files count (`triton`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from modelport.core.errors import ConfigError
from modelport.repository.triton import CONFIG, TritonConfig, config_of, files_meant

__all__ = ["Source", "check_name", "find_sources", "latest", "model_name", "version_order"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HIDDEN = (".", "_")
_UNFINISHED = re.compile(r"temp-\d+")
"""What TensorFlow's exporters call a version's folder while they write it."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model on disk."""

    name: str
    version: str
    path: str
    """The file, or the folder that is one model; empty where there is a `problem`."""
    toml: str
    """Where its `model.toml` is, if it has one."""
    attribute: str | None = None
    """The class or function inside a `.py` file."""
    folder: str = ""
    """The version's own folder, whose manifest is checked; empty where it has none."""
    config: str = ""
    """Where Triton's `config.pbtxt` for it is, if there is one."""
    problem: str | None = None
    """Why this version cannot be served, found before any file was opened."""


def find_sources(
    argument: str, is_model: Callable[[Path], bool], name: str | None = None
) -> list[Source]:
    """The versions that a command line's argument means.

    Args:
        argument: a model's file, `FILE.py:ATTRIBUTE`, or a repository folder.
        is_model: whether a file or folder is of a format that can be read.
        name: the model's name in place of the file's.

    Raises:
        ConfigError: nothing is there, or nothing in it is a model.
    """
    base, separator, attribute = argument.rpartition(":")
    if separator and base.endswith(".py"):
        return [_single(Path(base), is_model, name, attribute)]
    path = Path(argument)
    if path.is_dir() and not is_model(path):
        root = path.resolve()
        is_one = _is_one_model(root, is_model)
        sources = _distinct(_versions(root, is_model) if is_one else _folder(root, is_model))
        if not sources:
            raise ConfigError(
                f"the folder '{argument}' holds no model: models lie in it as NAME/1/FILE, or as"
                " files of a known format"
            )
        if name is not None:
            raise ConfigError("--name names a single file; a folder's models have their own names")
        return sources
    return [_single(path, is_model, name, None)]


def latest(versions: list[str]) -> str:
    """The newest of some versions: the highest number, else the last in the alphabet."""
    return max(versions, key=version_order)


def version_order(version: str) -> tuple[bool, int, str]:
    """What versions are sorted by: numbers after other names, each among its own."""
    return version.isdecimal(), int(version) if version.isdecimal() else 0, version


def check_name(name: str) -> None:
    """Refuse what is no name for a model.

    Raises:
        ConfigError: says what would be one.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a model's name is letters, digits, '.', '_' and '-', not {name!r}")


def model_name(text: str) -> str:
    """A valid name from any text: other characters become `-`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    return name[:128] or "model"


def _single(
    path: Path, is_model: Callable[[Path], bool], name: str | None, attribute: str | None
) -> Source:
    if not path.exists():
        raise ConfigError(f"there is no file or folder '{path}'")
    if name is not None:
        check_name(name)
    if path.suffix == ".py" and not attribute:
        raise ConfigError(f"say which class or function of '{path}' to serve: {path}:NAME")
    return Source(
        name=name or model_name(attribute or _bare_name(path)),
        version="1",
        path=str(path.resolve()),
        toml=_toml_of(path.resolve(), is_model),
        attribute=attribute,
        config=_config_beside(path.resolve()),
    )


def _config_beside(path: Path) -> str:
    """The `config.pbtxt` above the version's folder that a path is, or lies in."""
    version = path if path.name.isdecimal() else path.parent
    config = version.parent / CONFIG
    return str(config) if version.name.isdecimal() and config.is_file() else ""


def _is_one_model(folder: Path, is_model: Callable[[Path], bool]) -> bool:
    """Whether a folder is that of one model with its versions, and not one of models."""
    inside = _visible(folder)
    folders = [path.name for path in inside if path.is_dir()]
    folders = [name for name in folders if not _UNFINISHED.fullmatch(name)]
    if any(path.is_file() and is_model(path) for path in inside):
        return False
    return (folder / CONFIG).is_file() or (bool(folders) and all(n.isdecimal() for n in folders))


def _bare_name(path: Path) -> str:
    """The name of a file without its ending, or of a folder."""
    return path.resolve().name if path.is_dir() else path.stem


def _toml_of(path: Path, is_model: Callable[[Path], bool]) -> str:
    """Where the owner's words for a model are: `model.toml` above a version's folder, in a model's
    own folder, beside the file, or, where several models lie in one, a file of its own name."""
    if path.is_dir():
        return str(_toml_above(path) if path.name.isdigit() else path / "model.toml")
    if path.parent.name.isdigit():
        return str(_toml_above(path.parent))
    own = path.with_suffix(".toml")
    others = any(
        other != path and other.suffix != ".py" and other.is_file() and is_model(other)
        for other in path.parent.iterdir()
    )
    return str(own if others or own.is_file() else path.parent / "model.toml")


def _toml_above(version: Path) -> Path:
    """The `model.toml` of a version's own folder, if it is there; else that of its model."""
    own = version / "model.toml"
    return own if own.is_file() else version.parent / "model.toml"


def _folder(root: Path, is_model: Callable[[Path], bool]) -> Iterator[Source]:
    for entry in sorted(root.iterdir()):
        if entry.name.startswith(_HIDDEN):
            continue
        if entry.is_dir() and not is_model(entry):
            yield from _versions(entry, is_model)
        elif is_model(entry):
            name, toml = model_name(_bare_name(entry)), _toml_of(entry, is_model)
            if entry.exists():
                yield Source(name=name, version="1", path=str(entry), toml=toml)
            else:
                problem = f"'{entry.name}' is no file: a link to nothing, or something else"
                yield _unusable(name, "1", toml, problem)


def _versions(folder: Path, is_model: Callable[[Path], bool]) -> Iterator[Source]:
    toml = str(folder / "model.toml")
    versions = [v for v in _visible(folder) if v.is_dir() and not _UNFINISHED.fullmatch(v.name)]
    try:
        config = config_of(folder)
        if config is not None:
            versions = _configured(config, folder, versions)
    except ConfigError as error:
        for version in versions or [folder / "1"]:
            name = model_name(folder.name)
            yield _unusable(name, model_name(version.name), toml, error.message)
        return
    if not versions:
        files = [path.name for path in _visible(folder) if is_model(path)]
        if files:  # other folders hold no models at all
            problem = f"'{files[0]}' lies in no version's folder: move it to {folder.name}/1/"
            yield _unusable(model_name(folder.name), "1", toml, problem)
    elif not _NAME.fullmatch(folder.name):
        problem = f"the folder's name {folder.name!r} is no name for a model"
        yield _unusable(model_name(folder.name), "1", toml, problem)
    else:
        yield from (_version(folder.name, v, toml, is_model, config) for v in versions)


def _configured(config: TritonConfig, folder: Path, versions: list[Path]) -> list[Path]:
    """The folders of the versions that a `config.pbtxt` has served; one may not be there.

    Raises:
        ConfigError: nothing of this model can be.
    """
    if not versions and config.problem is not None:  # an ensemble needs no version's folder
        raise ConfigError(config.problem)
    served = config.served(path.name for path in versions)
    if not served:
        raise ConfigError(f"'{folder.name}' has a {CONFIG} and no version: put the model in 1/")
    return [folder / version for version in served]


def _version(
    name: str,
    folder: Path,
    toml: str,
    is_model: Callable[[Path], bool],
    config: TritonConfig | None,
) -> Source:
    files = [folder] if is_model(folder) else _models_in(folder, is_model)
    try:
        if config is not None:
            files = files_meant(config, folder, files)
    except ConfigError as error:
        return _unusable(name, model_name(folder.name), toml, error.message)
    preferred = [path for path in files if path.stem == "model"] or files
    if not _NAME.fullmatch(folder.name):
        problem = f"the folder's name {folder.name!r} is no name for a version"
    elif not folder.is_dir():
        problem = f"{CONFIG} says that version {folder.name} is served, and it is not there"
    elif not files:
        problem = f"the folder of version {folder.name} holds no file of a known format"
    elif len(preferred) > 1:
        listed = ", ".join(path.name for path in preferred)
        problem = f"the folder of version {folder.name} holds several models: {listed}"
    else:
        return Source(
            name=name,
            version=folder.name,
            path=str(preferred[0]),
            toml=str(_toml_above(folder)),
            folder=str(folder),
            config="" if config is None else str(folder.parent / CONFIG),
        )
    return _unusable(name, model_name(folder.name), toml, problem)


def _models_in(folder: Path, is_model: Callable[[Path], bool]) -> list[Path]:
    """The models in a version's folder; one with further files may have a folder of its name."""
    if not folder.is_dir():
        return []
    inside = (path for path in _visible(folder) if path.exists())
    found = (path if is_model(path) else path / path.name for path in inside)
    return [path for path in found if path.exists() and is_model(path)]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(_HIDDEN))


def _unusable(name: str, version: str, toml: str, problem: str) -> Source:
    return Source(name=name, version=version, path="", toml=toml, problem=problem)


def _distinct(sources: Iterable[Source]) -> list[Source]:
    """Each name and version once: two that share theirs are a problem, not a choice."""
    found: dict[tuple[str, str], Source] = {}
    for source in sources:
        key = source.name, source.version
        if key in found:
            names = sorted({Path(s.path or s.toml).name for s in (found[key], source)})
            problem = f"several files or folders give this name: {', '.join(names)}"
            source = _unusable(*key, source.toml, problem)
        found[key] = source
    return list(found.values())
