"""Publishing: from a model on somebody's disk to an immutable version in the repository."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import msgspec

from modelport import __version__
from modelport.app.local import open_source
from modelport.app.servers import tell_servers
from modelport.control.messages import VersionState
from modelport.control.operations import ModelStates, Reloaded
from modelport.core.errors import ConfigError, CorruptModel
from modelport.core.semantics import Text
from modelport.engine.opening import LoadedModel
from modelport.repository.aliases import check_alias
from modelport.repository.integrity import digest_of, listing
from modelport.repository.layout import Source, find_sources, model_name
from modelport.repository.store import Manifest, Repository
from modelport.runtimes.formats import PIPELINE, Format, format_of, is_model
from modelport.semantics.model_toml import ModelToml, read_model_toml

__all__ = ["Published", "publish", "reload_servers", "served_states"]

_CORE = ("numpy", "onnxruntime")
_LEFT_OUT = "config.pbtxt is not published: say what it says of the tensors in a model.toml"


@dataclass(frozen=True)
class Published:
    """A version that was made."""

    name: str
    version: str
    manifest: Manifest
    warnings: tuple[str, ...] = ()
    """What did not become part of it; one sentence each."""


def publish(
    repository: Repository,
    argument: str,
    *,
    name: str | None = None,
    alias: str | None = None,
    metrics: Mapping[str, float],
    trusted: frozenset[str],
) -> Published:
    """Copy a model into the repository, load the copy, and make it the model's next version.

    Args:
        repository: where to.
        argument: the model's file, or the folder that is one; `model.toml` beside it comes along.
        name: the model's name; None: after the file.
        alias: moved to the version once it is there.
        metrics: what its owner measured, kept in the manifest.
        trusted: digests that may run code.

    Raises:
        ConfigError: the argument, the name, the alias or the repository cannot be used.
        LoadError: the model cannot be loaded; nothing is published.
    """
    if alias is not None:
        check_alias(alias)
    source = _only(argument)
    known = format_of(Path(source.path))
    assert known is not None  # `find_sources` found it by its format
    name = name or model_name(source.name)
    with repository.stage(name) as staged:
        copy = _copied(source, known, staged.folder)
        loaded = open_source(copy, trusted)
        loaded.model.close()
        found: list[Manifest] = []

        def describe() -> Manifest:
            found.append(_manifest(staged.folder, source, known, loaded, metrics))
            return found[0]

        version = staged.commit(describe)
    if alias is not None:
        repository.set_alias(name, alias, version)
    left = (_LEFT_OUT,) if source.config else ()
    return Published(name, version, found[0], left)


def reload_servers() -> list[str]:
    """Have each running server of this user serve what its repository holds now.

    When this returns, no worker of theirs answers with a version that was replaced.

    Returns:
        what could not be done, a sentence each.

    Raises:
        NotReady: a server did not answer.
    """
    answers = tell_servers("models.reload")
    return [p for answer in answers for p in msgspec.json.decode(answer, type=Reloaded).problems]


def served_states(repository: Path) -> dict[str, list[VersionState]]:
    """By model: how its versions stand in the servers of this user that follow a repository.

    Raises:
        NotReady: a server did not answer.
    """
    found: dict[str, list[VersionState]] = {}
    for answer in tell_servers("models.states"):
        told = msgspec.json.decode(answer, type=ModelStates)
        if told.repository and Path(told.repository).resolve() == repository.resolve():
            for state in told.versions:
                found.setdefault(state.name, []).append(state)
    return found


def _only(argument: str) -> Source:
    sources = find_sources(argument, is_model)
    if len(sources) != 1:
        names = ", ".join(sorted({source.name for source in sources})[:8])
        raise ConfigError(f"'{argument}' holds several models ({names}): push one at a time")
    if sources[0].problem:
        raise ConfigError(sources[0].problem)
    return sources[0]


def _copied(source: Source, known: Format, folder: Path) -> Source:
    """The same source in a version's folder."""
    path, toml = Path(source.path), Path(source.toml)
    if path.is_dir():
        shutil.copytree(path, folder, symlinks=True, dirs_exist_ok=True)
        _refuse_links(folder)
    else:
        for name in (path.name, *_companions(path, known, read_model_toml(toml))):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path.parent / name, folder / name)
    if toml.is_file():
        shutil.copyfile(toml, folder / "model.toml")
    if source.attribute is not None:
        _name_attribute(folder / "model.toml", source.attribute)
    return Source(
        name=source.name,
        version="1",
        path=str(folder if path.is_dir() else folder / path.name),
        toml=str(folder / "model.toml"),
        attribute=source.attribute,
    )


def _name_attribute(toml: Path, attribute: str) -> None:
    """Say in the version's `model.toml` which class or function of the program it is."""
    before = toml.read_text("utf-8") if toml.is_file() else ""
    try:
        is_said = "attribute" in tomllib.loads(before)
    except tomllib.TOMLDecodeError:
        return  # loading the copy says what is wrong
    if not is_said:
        toml.write_text(f'attribute = "{attribute}"\n{before}', "utf-8")


def _companions(path: Path, known: Format, toml: ModelToml) -> Iterator[str]:
    """The files that belong to a model's file, if they are plain files below its folder."""
    tokenizers = {s.tokenizer for s in toml.sources.values() if isinstance(s, Text)}
    try:
        names = [*known.companions(path), *sorted(tokenizers)]
    except (OSError, ValueError) as error:
        raise CorruptModel(f"'{path.name}' is not a usable {known.name} file: {error}") from error
    for name in names:
        file = path.parent / name
        inside = file.resolve().is_relative_to(path.parent.resolve())
        if file.is_symlink() or not inside or not file.is_file():
            raise ConfigError(f"'{path.name}' needs '{name}', which is no plain file beside it")
        yield name


def _refuse_links(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise ConfigError(
                f"'{path.relative_to(folder)}' is a link: a version holds its files themselves"
            )


def _manifest(
    folder: Path,
    source: Source,
    known: Format,
    loaded: LoadedModel,
    metrics: Mapping[str, float],
) -> Manifest:
    files = listing(folder)
    return Manifest(
        digest=digest_of(files),
        files=files,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=Path(source.path).name,
        format=known.name,
        runtime=loaded.description.runtime,
        signature=loaded.description.signature,
        attribute=source.attribute,
        libraries=dict(_libraries(_formats(known, folder))),
        metrics=dict(metrics),
    )


def _formats(known: Format, folder: Path) -> Iterator[Format]:
    """The format, and for a pipeline those of what lies in it."""
    yield known
    if known == PIPELINE:
        inside = (format_of(path) for path in sorted(folder.rglob("*")))
        yield from (each for each in inside if each is not None)


def _libraries(formats: Iterable[Format]) -> Iterator[tuple[str, str]]:
    yield "modelport", __version__
    packages = metadata.packages_distributions()
    modules = dict.fromkeys(module for known in formats for module in known.libraries)
    for module in (*_CORE, *modules):
        for package in packages.get(module, ())[:1]:
            yield package, metadata.version(package)
