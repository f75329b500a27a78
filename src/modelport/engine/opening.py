"""Opening a version: its files, its owner's words, and everything that is derived from both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from modelport.core.errors import ConfigError, InvalidInput, ModelportError, NotReady
from modelport.core.semantics import Semantics
from modelport.core.tensors import Batch
from modelport.engine.batching import Batching, batching_of
from modelport.engine.cache.identity import Identity, identity_of
from modelport.engine.configured import configured, declared
from modelport.engine.placement import Opened, Placing
from modelport.repository import integrity
from modelport.repository.layout import Source
from modelport.repository.store import check_integrity
from modelport.repository.triton import read_config
from modelport.runtimes.base import Description, LoadOptions, Model, load
from modelport.semantics.app import check_app
from modelport.semantics.fast import JsonDecoder, json_decoder
from modelport.semantics.fields import PlainView, plain_view
from modelport.semantics.labels import AnswerOf, plain_answer
from modelport.semantics.model_toml import ModelToml, merge, read_model_toml
from modelport.semantics.plain import read
from modelport.semantics.preparation import Prepared, Preparer
from modelport.semantics.ranges import limits
from modelport.semantics.sources import preparations

__all__ = ["Described", "LoadedModel", "Settings", "open_shared", "open_version"]

_LATER_S = 30
"""When it is worth asking again for what could not be loaded: its owner may have mended it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What loading needs to know of the process."""

    threads: int = 1
    trusted: frozenset[str] = frozenset()
    cache_dir: Path | None = None
    cost_dir: Path | None = None
    """Where it is kept what runs take; None: nowhere."""
    load_s: float = 300.0
    """Seconds after which a load counts as hanging."""
    place: Literal["inline", "shared"] = "inline"
    """What this process is: a worker, or the engine process."""
    placing: Placing | None = None
    """How a worker's versions are placed; None: all here."""
    stored_by: str = ""
    """Who stores answers, with a version; empty where there is no response cache."""


@dataclass(frozen=True, kw_only=True)
class Described:
    """What is derived from a version's file and its `model.toml`; it is kept without the model."""

    digest: str
    description: Description
    semantics: Semantics
    """The file's, with the owner's in its place."""
    view: PlainView
    decode_json: JsonDecoder
    check_limits: Callable[[Batch], None] | None
    """Refuses values outside their ranges and choices; None where there are none."""
    answer: AnswerOf
    count_rows: Callable[[Batch], int]
    """Refuses tensors that do not fit the signature, and counts their rows; as its `check`."""
    batching: Batching = field(default_factory=Batching)
    """What its owner says of how requests share batches."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel(Described):
    """A model with everything derived from its file and its `model.toml`."""

    model: Model
    prepare: Preparer | None = None
    """Turns what a person gives into tensors; None where people give tensors only."""
    identity: Identity | None = None
    """What its answers are stored under; None where they are not."""

    def prepared(self, inputs: Batch) -> Prepared:
        """The tensors of a request, whether it has them already or has sources in their place.

        Raises:
            InvalidInput: a source cannot be turned into tensors; says which, and why.
        """
        if self.prepare is None or not self.prepare.applies(inputs):
            return Prepared(inputs)
        return self.prepare(inputs)

    @property
    def described(self) -> Described:
        """The same without the model."""
        return Described(**{f.name: getattr(self, f.name) for f in fields(Described)})


def open_version(source: Source, settings: Settings) -> LoadedModel:
    """Read a version's files into this process; everything but the warm-up.

    Raises:
        LoadError: the file cannot be served.
        ConfigError: its `model.toml` is wrong, or has an example that the model does not take; or
            its `config.pbtxt` is wrong, or says something else than the file.
    """
    if source.problem:
        raise NotReady(source.problem, retry_after_s=_LATER_S)
    return _understood(source, _open_here(source, settings), settings)


def open_shared(source: Source, placing: Placing, settings: Settings) -> LoadedModel:
    """Have a version loaded in the engine process, and read its owner's words; raises as
    `open_version`."""
    if source.problem:
        raise NotReady(source.problem, retry_after_s=_LATER_S)
    loaded = _understood(source, placing.open(source), settings)
    return replace(loaded, description=replace(loaded.description, execution="remote"))


def _open_here(source: Source, settings: Settings) -> Opened:
    if source.folder:
        check_integrity(Path(source.folder))
    path = Path(source.path)
    toml = read_model_toml(Path(source.toml))
    config = read_config(Path(source.config)) if source.config else None
    options = LoadOptions(
        threads=settings.threads,
        digest=integrity.digest(path),
        trusted=settings.trusted,
        cache_dir=settings.cache_dir,
        attribute=source.attribute or toml.attribute,
        declared_inputs=declared(config, toml),
    )
    model = load(path, options)
    description = model.description
    if config is not None:
        try:
            model, description = configured(model, config, Path(source.config), toml)
        except ModelportError:
            model.close()
            raise
    return Opened(model, description, options.digest)


def _understood(source: Source, opened: Opened, settings: Settings) -> LoadedModel:
    """The model with what its tensors mean to people."""
    path, toml_path = Path(source.path), Path(source.toml)
    try:
        toml = read_model_toml(toml_path)
        folder = path if path.is_dir() else path.parent
        loaded = _described(opened, toml, folder)
        config = read_config(Path(source.config)) if source.config else None
        batching = batching_of(toml, config, loaded.view.signature)
        loaded = replace(loaded, batching=batching)
        _check_examples(toml_path.name, toml, loaded)
        check_app(toml_path.name, loaded.view)
        if settings.stored_by:
            facts = (source, toml, opened.description, opened.digest, settings.stored_by)
            loaded = replace(loaded, identity=identity_of(*facts))
    except ModelportError:
        opened.model.close()
        raise
    return loaded


def _described(opened: Opened, toml: ModelToml, folder: Path) -> LoadedModel:
    signature = opened.description.signature
    semantics = merge(opened.description.semantics, toml, signature)
    parts = preparations(signature, semantics, folder)
    masks = {n: m.mask_of for n, m in semantics.inputs.items() if m.mask_of is not None}
    view = plain_view(signature, semantics, [field for part in parts for field in part.fields])
    return LoadedModel(
        model=opened.model,
        digest=opened.digest,
        description=opened.description,
        semantics=semantics,
        view=view,
        decode_json=json_decoder(view),
        check_limits=limits(view),
        answer=plain_answer(view),
        count_rows=view.signature.checker(),
        prepare=Preparer(parts, signature, masks) if parts or masks else None,
    )


def _check_examples(file: str, toml: ModelToml, loaded: LoadedModel) -> None:
    for number, example in enumerate(toml.examples, 1):
        try:
            prepared = loaded.prepared(read(loaded.view, example.input).inputs)
            loaded.view.signature.check(prepared.inputs)
        except InvalidInput as error:
            raise ConfigError(f"example {number} of {file}: {error.message}") from error
