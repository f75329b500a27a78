"""The life of one version in one process: load, warm, ready; or failed, with the reason.

A version that is not in memory, because models are loaded when they are asked for or because others
needed the room, stands by: its next request loads it.
"""

from __future__ import annotations

import inspect
import logging
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path

import numpy as np

from modelport.core.errors import ConfigError, InvalidInput, LoadError, ModelportError, NotReady
from modelport.core.semantics import Semantics
from modelport.core.signature import Signature
from modelport.core.tensors import Batch
from modelport.engine.configured import configured, declared
from modelport.repository import integrity
from modelport.repository.layout import Source
from modelport.repository.store import check_integrity
from modelport.repository.triton import read_config
from modelport.runtimes.base import Description, LoadOptions, Model, load
from modelport.semantics.example import example_request, generated_row
from modelport.semantics.fast import JsonDecoder, json_decoder
from modelport.semantics.fields import PlainView, plain_view
from modelport.semantics.labels import AnswerOf, plain_answer
from modelport.semantics.model_toml import ModelToml, merge, read_model_toml
from modelport.semantics.plain import limits, read
from modelport.semantics.preparation import Prepared, Preparer
from modelport.semantics.sources import preparations

__all__ = [
    "Described",
    "LoadedModel",
    "Settings",
    "State",
    "Version",
    "by_elements",
    "by_rows",
    "open_version",
    "size_measure",
    "warm_up",
]

_log = logging.getLogger(__name__)
_WARM_UP_RUNS = 5
_WARM_UP_BUDGET_S = 0.25


class State(Enum):
    """Where a version stands.

    LOADING → WARMING → READY → DRAINING → UNLOADED; FAILED comes after the first two, and LOADING
    again after it where the version is tried anew. While it drains, what was accepted is answered.

    STANDBY comes before the first LOADING, or after READY, where memory is saved: requests are
    answered, and the next one loads the version. It stands by until it is READY, so that its name
    means the same version all the time. The word is KServe's.
    """

    STANDBY = "STANDBY"
    LOADING = "LOADING"
    WARMING = "WARMING"
    READY = "READY"
    FAILED = "FAILED"
    DRAINING = "DRAINING"
    UNLOADED = "UNLOADED"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What loading needs to know of the process."""

    threads: int = 1
    trusted: frozenset[str] = frozenset()
    cache_dir: Path | None = None


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


@dataclass(frozen=True, kw_only=True)
class LoadedModel(Described):
    """A model with everything derived from its file and its `model.toml`."""

    model: Model
    prepare: Preparer | None = None
    """Turns what a person gives into tensors; None where people give tensors only."""

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


class Version:
    """One version of a model, as this process serves it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name = source.name
        self.version = source.version
        self.state = State.LOADING
        self.reason: str | None = None
        """Why it could not be loaded, as callers may read it."""
        self.whole_reason: str | None = None
        """The same for the operator: with paths, and with what a program said."""
        self.code: str | None = None
        """That of the error that it failed with; None where nobody expected it."""
        self.size_of: Callable[[Batch, int], int] = by_rows
        """The size of a request, from its inputs and its number of rows."""
        self.seconds_per_unit = 0.0
        """Of size; measured, and follows the last runs slowly."""
        self.resident: LoadedModel | None = None
        """The model, while it is in memory and takes requests."""
        self.described: Described | None = None
        """What is known of it since it was first loaded."""
        self.size_bytes = 0
        """What it takes in memory, as measured; its files' size before that; 0 before either."""
        self.last_used = 0.0
        """The `time.monotonic()` at the end of its last run."""
        self.in_flight = 0
        """Requests that wait for it to be loaded, and runs that took the event loop's hand."""
        self.evictions = 0
        """How often it had to make room for others."""
        self.is_retired = False
        """Whether it takes no request any more, because it is served no longer."""
        self._retry_after_s: float | None = None

    @property
    def is_served(self) -> bool:
        """Whether requests are answered: from memory, or once the model is loaded for them."""
        return self.state in (State.READY, State.STANDBY)

    def check_served(self) -> None:
        """Refuse to go on with a version that takes no requests.

        Raises:
            NotReady: it is being loaded, or failed; the message has the reason.
        """
        if not self.is_served:
            raise self.not_ready()

    @property
    def loaded(self) -> LoadedModel:
        """The model, once it is ready.

        Raises:
            NotReady: it is loading, or failed; the message has the reason.
        """
        if self.resident is None or self.state is not State.READY:
            raise self.not_ready()
        return self.resident

    def not_ready(self) -> NotReady:
        """The error for a request that came too early, or for a version that failed."""
        if self.state is State.FAILED:
            retry = {} if self._retry_after_s is None else {"retry_after_s": self._retry_after_s}
            return NotReady(f"model '{self.name}' could not be loaded: {self.reason}", **retry)
        if self.state is State.STANDBY:
            return NotReady(f"model '{self.name}' is loaded at its first request", retry_after_s=1)
        return NotReady(
            f"model '{self.name}' is being loaded; try again in a moment", retry_after_s=1
        )

    def renew(self) -> None:
        """Forget what was found out about one that failed, so that it can be tried anew."""
        self.state, self.reason, self.code = State.LOADING, None, None
        self.described, self.size_bytes, self._retry_after_s = None, 0, None

    def stand_by(self) -> None:
        """Leave it for its first request."""
        self.state = State.STANDBY

    def load(self, settings: Settings) -> None:
        """Load and warm; ends in READY or FAILED and never raises. Runs in a thread."""
        self._moves_to(State.LOADING)
        self.reason = self.code = self._retry_after_s = None
        loaded: LoadedModel | None = None
        try:
            loaded = open_version(self.source, settings)
            self._check_same(loaded)
            self._moves_to(State.WARMING)
            self.size_of = size_measure(loaded.view.signature)
            self.seconds_per_unit = warm_up(loaded, self.size_of)
            self.described = self.described or loaded.described
            self.last_used = time.monotonic()
            self.resident = loaded
            self._moves_to(State.READY)
        except ModelportError as error:
            self.code = error.code
            self._fail(error.message, str(error), error.__cause__, loaded)
        except BaseException as error:  # a model's code may raise SystemExit, too
            reason = f"{type(error).__name__} while loading"
            self._fail(reason, f"{reason}: {error}", error, loaded)

    def _moves_to(self, state: State) -> None:
        stands_by = self.state is State.STANDBY and state is not State.READY
        if not (stands_by or self.is_retired):
            self.state = state

    def _check_same(self, loaded: LoadedModel) -> None:
        """Requests are decoded by what is known from the first time; the files are not to change.

        Raises:
            LoadError: they did.
        """
        known = self.described
        if known is not None and _facts(known) != _facts(loaded):
            raise LoadError(
                f"the files of version {self.version} have changed since it was first loaded;"
                " publish them as another version, or have the models reloaded"
            )

    def refuse(self, why: NotReady) -> None:
        """Serve it no longer, for that reason, until it is tried anew."""
        self.code, self._retry_after_s = why.code, why.retry_after_s
        loaded, self.resident = self.resident, None
        self._fail(why.message, why.message, None, loaded)

    def _fail(
        self,
        reason: str,
        whole: str,
        cause: BaseException | None,
        loaded: LoadedModel | None,
    ) -> None:
        self.reason, self.whole_reason = reason, whole
        if whole != reason:
            _log.error("model '%s' could not be loaded: %s", self.name, whole, exc_info=cause)
        self.state = State.FAILED
        if loaded is not None:
            self._close(loaded.model)

    def retire(self, unloaded: Callable[[], None]) -> None:
        """Take no further request, and give the model back once the last one is answered.

        Whoever still answers a request holds the `LoadedModel`: when nobody does, nobody needs it.

        Args:
            unloaded: called then, in whatever thread held it last.
        """
        loaded, self.resident = self.resident, None
        self.is_retired, self.state = True, State.DRAINING

        def ended() -> None:
            self.state = State.UNLOADED
            unloaded()

        if loaded is None:
            ended()
        else:
            self._when_free(loaded, ended)

    def evict(self, unloaded: Callable[[], None]) -> LoadedModel:
        """Stand by, and give the model back as `retire` does; what describes it stays.

        Returns:
            the model, for the caller to drop where closing it may take its time.
        """
        loaded, self.resident = self.resident, None
        assert loaded is not None  # only what is in memory can go
        self.state = State.STANDBY
        self.evictions += 1
        self._when_free(loaded, unloaded)
        return loaded

    def _when_free(self, loaded: LoadedModel, then: Callable[[], None]) -> None:
        def give_back(model: Model) -> None:
            self._close(model)
            then()

        weakref.finalize(loaded, give_back, loaded.model).atexit = False

    def close(self) -> None:
        """Give the model's memory back now."""
        loaded, self.resident = self.resident, None
        if loaded is not None:
            self._close(loaded.model)

    def _close(self, model: Model) -> None:
        try:
            model.close()
        except BaseException:  # as in `load`
            _log.exception("model '%s' could not be closed", self.name)


def open_version(source: Source, settings: Settings) -> LoadedModel:
    """Read a version's files; everything but the warm-up.

    Raises:
        LoadError: the file cannot be served.
        ConfigError: its `model.toml` is wrong, or has an example that the model does not take; or
            its `config.pbtxt` is wrong, or says something else than the file.
    """
    if source.problem:
        raise NotReady(source.problem)
    if source.folder:
        check_integrity(Path(source.folder))
    path, toml_path = Path(source.path), Path(source.toml)
    toml = read_model_toml(toml_path)
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
    try:
        if config is not None:
            model, description = configured(model, config, Path(source.config), toml)
        folder = path if path.is_dir() else path.parent
        loaded = _understood(model, description, options.digest, toml, folder)
        _check_examples(toml_path.name, toml, loaded)
    except ModelportError:
        model.close()
        raise
    return loaded


def _understood(
    model: Model, description: Description, digest: str, toml: ModelToml, folder: Path
) -> LoadedModel:
    """The model with what its tensors mean to people."""
    signature = description.signature
    semantics = merge(description.semantics, toml, signature)
    parts = preparations(signature, semantics, folder)
    view = plain_view(signature, semantics, [field for part in parts for field in part.fields])
    return LoadedModel(
        model=model,
        digest=digest,
        description=description,
        semantics=semantics,
        view=view,
        decode_json=json_decoder(view),
        check_limits=limits(view),
        answer=plain_answer(view),
        prepare=Preparer(parts, signature) if parts else None,
    )


def _facts(described: Described) -> tuple[object, ...]:
    return described.digest, described.description.signature, described.semantics


def _check_examples(file: str, toml: ModelToml, loaded: LoadedModel) -> None:
    for number, example in enumerate(toml.examples, 1):
        try:
            prepared = loaded.prepared(read(loaded.view, example.input).inputs)
            loaded.view.signature.check(prepared.inputs)
        except InvalidInput as error:
            raise ConfigError(f"example {number} of {file}: {error.message}") from error


def by_rows(inputs: Batch, rows: int) -> int:
    """The number of rows: the measure where all rows are of one shape."""
    return rows


def by_elements(inputs: Batch, rows: int) -> int:
    """The number of elements: the measure where a row may be of any length."""
    return sum(tensor.size for tensor in inputs.values())


def size_measure(signature: Signature) -> Callable[[Batch, int], int]:
    """What the cost of a request is taken to grow with."""
    shapes = [spec.row_shape if signature.lockstep else spec.shape for spec in signature.inputs]
    return by_elements if any(None in shape for shape in shapes) else by_rows


def warm_up(loaded: LoadedModel, size_of: Callable[[Batch, int], int]) -> float:
    """Run the owner's example, else a generated row, a few times; the seconds per unit of size.

    A generated row may be one that the model refuses: that is logged, and 1 second assumed.

    Raises:
        ConfigError: the model does not take the owner's own example.
    """
    generated = not loaded.semantics.examples
    try:
        batch = (
            generated_row(loaded.view.signature)
            if generated
            else loaded.prepared(read(loaded.view, example_request(loaded.view)).inputs).inputs
        )
        rows = loaded.view.signature.check(batch)
        return _timed(loaded.model, batch) / size_of(batch, rows)
    except Exception as error:
        if generated:
            _log.warning("the model did not take a generated row to warm up with: %s", error)
            return 1.0
        if isinstance(error, InvalidInput):
            raise ConfigError(f"example 1 of model.toml: {error.message}") from error
        raise


def _timed(model: Model, batch: Batch) -> float:
    if model.description.execution == "async":
        return 1.0  # it would need an event loop; asynchronous models never run in place anyway
    times: list[float] = []
    until = time.perf_counter() + _WARM_UP_BUDGET_S
    while len(times) < _WARM_UP_RUNS and time.perf_counter() < until:
        started = time.perf_counter()
        answer = model.predict(batch)
        assert not inspect.isawaitable(answer)
        times.append(time.perf_counter() - started)
    return float(np.median(times))
