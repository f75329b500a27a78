"""Where models lie: a single file, or `models/<name>/<version>/<file>`.

The folder layout is the one that Triton and TensorFlow Serving read. A file directly in the
folder is a model of its own, version 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from modelport.core.errors import ConfigError

__all__ = ["Source", "find_sources", "latest", "model_name"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HIDDEN = (".", "_")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model on disk."""

    name: str
    version: str
    path: str
    """The file; empty where there is a `problem`."""
    toml: str
    """Where its `model.toml` is, if it has one."""
    attribute: str | None = None
    """The class or function inside a `.py` file."""
    problem: str | None = None
    """Why this version cannot be served, found before any file was opened."""


def find_sources(
    argument: str, is_model: Callable[[Path], bool], name: str | None = None
) -> list[Source]:
    """The versions that a command line's argument means.

    Args:
        argument: a model's file, `FILE.py:ATTRIBUTE`, or a repository folder.
        is_model: whether a file is of a format that can be read.
        name: the model's name in place of the file's.

    Raises:
        ConfigError: nothing is there, or nothing in it is a model.
    """
    base, separator, attribute = argument.rpartition(":")
    if separator and base.endswith(".py"):
        return [_single(Path(base), name, attribute)]
    path = Path(argument)
    if path.is_dir():
        sources = list(_folder(path, is_model))
        if not sources:
            raise ConfigError(
                f"the folder '{argument}' holds no model: models lie in it as NAME/1/FILE, or as"
                " files of a known format"
            )
        if name is not None:
            raise ConfigError("--name names a single file; a folder's models have their own names")
        return sources
    return [_single(path, name, None)]


def latest(versions: list[str]) -> str:
    """The newest of some versions: the highest number, else the last in the alphabet."""
    return max(versions, key=lambda v: (v.isdigit(), int(v) if v.isdigit() else 0, v))


def model_name(text: str) -> str:
    """A valid name from any text: other characters become `-`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    return name[:128] or "model"


def _single(path: Path, name: str | None, attribute: str | None) -> Source:
    if not path.is_file():
        raise ConfigError(f"there is no file or folder '{path}'")
    if name is not None and not _NAME.fullmatch(name):
        raise ConfigError(f"a model's name is letters, digits, '.', '_' and '-', not {name!r}")
    if path.suffix == ".py" and not attribute:
        raise ConfigError(f"say which class or function of '{path}' to serve: {path}:NAME")
    return Source(
        name=name or model_name(attribute if attribute else path.stem),
        version="1",
        path=str(path.resolve()),
        toml=str(path.resolve().parent / "model.toml"),
        attribute=attribute,
    )


def _folder(root: Path, is_model: Callable[[Path], bool]) -> Iterator[Source]:
    for entry in sorted(root.resolve().iterdir()):
        if entry.name.startswith(_HIDDEN) or not (entry.is_dir() or is_model(entry)):
            continue
        if entry.is_file():
            toml = entry.with_suffix(".toml")
            yield Source(
                name=model_name(entry.stem), version="1", path=str(entry), toml=str(toml)
            )
        else:
            yield from _versions(entry, is_model)


def _versions(folder: Path, is_model: Callable[[Path], bool]) -> Iterator[Source]:
    toml = str(folder / "model.toml")
    if not _NAME.fullmatch(folder.name):
        problem = f"the folder's name {folder.name!r} is no name for a model"
        yield Source(name=model_name(folder.name), version="1", path="", toml=toml, problem=problem)
        return
    for version in sorted(folder.iterdir()):
        if version.is_dir() and not version.name.startswith(_HIDDEN):
            yield _version(folder.name, version, toml, is_model)


def _version(name: str, folder: Path, toml: str, is_model: Callable[[Path], bool]) -> Source:
    files = sorted(path for path in folder.iterdir() if path.is_file() and is_model(path))
    preferred = [path for path in files if path.stem == "model"] or files
    problem = None
    if not files:
        problem = f"the folder of version {folder.name} holds no file of a known format"
    elif len(preferred) > 1:
        listed = ", ".join(path.name for path in preferred)
        problem = f"the folder of version {folder.name} holds several models: {listed}"
    path = "" if problem else str(preferred[0])
    return Source(name=name, version=folder.name, path=path, toml=toml, problem=problem)
