"""Where models lie: a single file, or `models/<name>/<version>/<file>`.

The folder layout is the one that Triton and TensorFlow Serving read. A file directly in the
folder is a model of its own, version 1. In each place of a file there may be a folder that is one
model, such as a SavedModel; a version's folder may itself be one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from modelport.core.errors import ConfigError

__all__ = ["Source", "check_name", "find_sources", "latest", "model_name", "version_order"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HIDDEN = (".", "_")


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
        sources = _distinct(_folder(path, is_model))
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
    )


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
    for entry in sorted(root.resolve().iterdir()):
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
    versions = [v for v in _visible(folder) if v.is_dir()]
    if not versions:
        files = [path.name for path in _visible(folder) if is_model(path)]
        if files:  # other folders hold no models at all
            problem = f"'{files[0]}' lies in no version's folder: move it to {folder.name}/1/"
            yield _unusable(model_name(folder.name), "1", toml, problem)
    elif not _NAME.fullmatch(folder.name):
        problem = f"the folder's name {folder.name!r} is no name for a model"
        yield _unusable(model_name(folder.name), "1", toml, problem)
    else:
        yield from (_version(folder.name, version, toml, is_model) for version in versions)


def _version(name: str, folder: Path, toml: str, is_model: Callable[[Path], bool]) -> Source:
    inside = [path for path in _visible(folder) if path.exists() and is_model(path)]
    files = [folder] if is_model(folder) else inside
    preferred = [path for path in files if path.stem == "model"] or files
    if not _NAME.fullmatch(folder.name):
        problem = f"the folder's name {folder.name!r} is no name for a version"
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
        )
    return _unusable(name, model_name(folder.name), toml, problem)


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
