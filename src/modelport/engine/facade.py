"""The engine: the one door between the transports and the models."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from modelport.core.errors import DeadlineExceeded, ModelFailed, ModelNotFound, ModelportError
from modelport.core.messages import InferRequest, InferResponse
from modelport.core.tensors import Batch
from modelport.engine.cache.cache import Asked, Cache
from modelport.engine.cost_curves import CostCurves, curves_of
from modelport.engine.cost_files import Kept, kept, one_row_s
from modelport.engine.executor import HAND_OVER_S, Run, Threads, run_in_place
from modelport.engine.lanes import Lanes
from modelport.engine.lifecycle import State, Version
from modelport.engine.limits import Limits
from modelport.engine.memory import Memory
from modelport.engine.opening import Described, LoadedModel, Settings
from modelport.engine.probation import SLOW_S
from modelport.engine.remote import RemoteModel
from modelport.engine.residency import Residency, Told
from modelport.repository.aliases import DEFAULT, LATEST
from modelport.repository.layout import Source, latest, version_order
from modelport.runtimes.base import given

__all__ = ["Engine", "Waiting"]

_log = logging.getLogger(__name__)
R = TypeVar("R")


class Waiting(NamedTuple):
    """How many requests wait for a version."""

    here: int = 0
    elsewhere: int = 0
    """In the engine process, those of all workers."""


class Engine:
    """The versions that this process serves, and how a request runs on one of them."""

    def __init__(
        self,
        sources: Iterable[Source],
        settings: Settings,
        limits: Limits | None = None,
        memory: Memory | None = None,
        told: Told = lambda version: None,
        cache: Cache | None = None,
    ) -> None:
        """
        Args:
            sources: what is served at first.
            settings: what loading needs to know.
            limits: the bounds of each version's queue and batches.
            memory: how much the models may take; by default all is loaded, and stays.
            told: hears of each version before it is loaded, and then that none is.
            cache: where answers are stored; by default nowhere.
        """
        self._cache = cache
        self._limits = limits or Limits()
        self._settings = settings
        self._models: dict[str, dict[str, Version]] = {}
        self._aliases: Mapping[str, Mapping[str, str]] = {}
        self.unloaded: Sequence[tuple[str, str]] = ()
        """Models and their versions that are not served because an admin said so."""
        # A picture that takes long is not to keep the models of others waiting.
        self._preparing = Threads(settings.threads, self._limits.queue_jobs, "prepare")
        self._lanes = Lanes(settings.threads, self._limits)
        self._residency = Residency(memory or Memory(), settings, told, self._lanes.drop)
        self.route(sources, {})

    @property
    def names(self) -> list[str]:
        """The models, by name."""
        return sorted(self._models)

    @property
    def versions(self) -> list[Version]:
        """Every version of every model."""
        return [v for name in self.names for v in self._models[name].values()]

    def versions_of(self, name: str) -> list[Version]:
        """Those of one model; none where there is no such model."""
        return list(self._models.get(name, {}).values())

    def is_known(self, name: str) -> bool:
        """Whether there is such a model, served or unloaded."""
        return name in self._models or any(own == name for own, _ in self.unloaded)

    @property
    def is_ready(self) -> bool:
        """Whether each version answered its warm-up, stands by, or failed for good."""
        return all(v.is_served or v.state is State.FAILED for v in self.versions)

    def route(
        self,
        sources: Iterable[Source],
        aliases: Mapping[str, Mapping[str, str]],
        unloaded: Sequence[tuple[str, str]] = (),
    ) -> None:
        """From now on, serve these versions under these aliases.

        A version that is new waits to be loaded; one that is no longer named takes no further
        request, and is given back once the last is answered.

        Args:
            sources: every version that is to be served.
            aliases: by model: from an alias to a version.
            unloaded: models and their versions that are to be told of as such.
        """
        present = {version.source: version for version in self.versions}
        self._models, self._aliases, self.unloaded = {}, aliases, unloaded
        for source in sources:
            version = present.pop(source, None) or Version(source)
            self._models.setdefault(source.name, {})[source.version] = version
        for gone in present.values():
            self._residency.retire(gone)

    async def load(self, *, again: bool = False) -> None:
        """Load and warm each version that is new, one after the other, off the event loop.

        Those for which there is no memory, or that are wanted lazily, are left for their first
        request.

        Args:
            again: whether to try those that failed once more.
        """
        await self._residency.load(self.versions, again=again)

    def hold(
        self, version: Version, deadline: float | None
    ) -> AbstractAsyncContextManager[LoadedModel]:
        """The model of a version, loaded now where it is not in memory; it stays inside the block.

        Raises:
            NotReady: it cannot be loaded; says why.
            Overloaded: there is no room for it now.
            DeadlineExceeded: it was not loaded in time; the load goes on.
        """
        return self._residency.hold(version, deadline)

    async def describe(self, version: Version, deadline: float) -> Described:
        """What is known of a version; one that was never loaded is loaded for that.

        Raises:
            NotReady, Overloaded, DeadlineExceeded: as `hold`.
        """
        if version.described is not None and version.is_served:
            return version.described
        async with self.hold(version, deadline) as loaded:
            return loaded.described

    def find(self, name: str | None, version: str | None = None) -> Version:
        """The version that a request means, by its number or an alias.

        Without one it is the alias `production` where there is one, else the latest.

        Raises:
            ModelNotFound: there is no such model or version, or no name where several are served.
        """
        if name is None:
            if len(self._models) != 1:
                raise ModelNotFound(
                    "several models are served here: name one, as /models/NAME/predict"
                )
            name = next(iter(self._models))
        versions = self._models.get(name)
        if versions is None:
            raise ModelNotFound.named(name)
        aliases = self._aliases.get(name, {})
        if version is None:
            version = DEFAULT if DEFAULT in aliases else LATEST
        number = aliases.get(version, version)
        if number == LATEST:
            ready = [each for each, v in versions.items() if v.is_served]
            usable = [each for each, v in versions.items() if v.state is not State.FAILED]
            number = latest(ready or usable or list(versions))
        if number not in versions:
            kind = "version" if version.isdecimal() else "version or alias"
            raise ModelNotFound(f"model '{name}' has no {kind} {version[:64]!r}")
        return versions[number]

    def aliases(self, name: str) -> Mapping[str, str]:
        """Where the aliases of a model point."""
        return self._aliases.get(name, {})

    def infer(
        self, version: Version, loaded: LoadedModel, request: InferRequest
    ) -> InferResponse | Awaitable[InferResponse]:
        """The model's answer; at once where the run is short, else to be awaited.

        Raises:
            InvalidInput: the inputs do not fit the signature.
            ModelFailed: the model raised.
            DeadlineExceeded: it would come too late.
            Overloaded: too many requests wait already.
        """
        if loaded.prepare is not None and loaded.prepare.applies(request.inputs):
            return self._prepared(version, loaded, request)
        rows = loaded.count_rows(request.inputs)
        if loaded.check_limits is not None and not request.is_checked:
            loaded.check_limits(request.inputs)
        if request.outputs:
            loaded.view.signature.check_outputs(request.outputs)
        size = version.size_of(request.inputs, rows)
        quick = version.seconds_per_unit * size < version.probation.stays_below_s
        if quick and loaded.description.execution == "compute":
            started = time.monotonic()
            try:
                model = given(loaded.model, request.parameters)
                run = run_in_place(model, request.inputs, request.deadline, started)
            except ModelportError as error:
                version.probation.ran(time.monotonic() - started)
                if isinstance(error, ModelFailed):
                    _log_failure(version, error)
                raise
            if run[2] - started >= SLOW_S:  # and all others waited
                version.probation.ran(run[2] - started)
            return _response(version, request, rows, run, size, started)
        if self._cache is not None and loaded.identity is not None:
            return self._cached(self._cache, version, loaded, request, rows, size)
        return self._elsewhere(version, loaded, request, rows, size)

    async def _prepared(
        self, version: Version, loaded: LoadedModel, request: InferRequest
    ) -> InferResponse:
        """What a person gave as tensors, and then as any request."""
        assert loaded.prepare is not None
        if loaded.prepare.is_short(request.inputs):
            inputs, frames = loaded.prepare(request.inputs)
        else:
            version.in_flight += 1
            try:
                job = partial(loaded.prepare, request.inputs, request.deadline)
                inputs, frames = await _in_time(self._preparing.call(job), version, request)
            finally:
                self._residency.let_go(version)
        response = self.infer(
            version,
            loaded,
            msgspec.structs.replace(request, inputs=inputs, frames=frames, is_checked=False),
        )
        return response if isinstance(response, InferResponse) else await response

    def _cached(
        self,
        cache: Cache,
        version: Version,
        loaded: LoadedModel,
        request: InferRequest,
        rows: int,
        size: int,
    ) -> InferResponse | Awaitable[InferResponse]:
        assert loaded.identity is not None
        asked = Asked(
            model=version.name,
            version=version.version,
            identity=loaded.identity,
            request=request,
            rows=rows,
            seconds=version.seconds_per_unit * size,
        )
        run = partial(self._elsewhere, version, loaded, request, rows, size)
        answer = cache.answer(asked, run)
        if not isinstance(answer, InferResponse):
            return self._looked_up(answer, version, request)
        version.last_used = time.monotonic()
        return answer

    async def _looked_up(
        self, answer: Awaitable[InferResponse], version: Version, request: InferRequest
    ) -> InferResponse:
        version.in_flight += 1
        try:
            response = await _in_time(answer, version, request)
        finally:
            self._residency.let_go(version)
        version.last_used = time.monotonic()
        return response

    async def _elsewhere(
        self,
        version: Version,
        loaded: LoadedModel,
        request: InferRequest,
        rows: int,
        size: int,
    ) -> InferResponse:
        arrived = time.monotonic()
        version.in_flight += 1
        try:
            run = await _in_time(self._run(version, loaded, request, rows), version, request)
        except ModelFailed as error:
            _log_failure(version, error)
            raise
        finally:
            self._residency.let_go(version)
        if version.probation.is_on:
            _prove(version, rows, run, size)
        return _response(version, request, rows, run, size, arrived)

    async def _run(
        self, version: Version, loaded: LoadedModel, request: InferRequest, rows: int
    ) -> Run:
        if isinstance(loaded.model, RemoteModel):
            return await loaded.model.run(request, rows)
        return await self._lanes.run(version, loaded, request, rows)

    def batch_rows(self, version: Version) -> int:
        """Most rows of a batch of a version; 0 where its requests share none."""
        if version.described is None:
            return 0
        limits = version.described.batching.limits(self._limits, merges=version.merges, at_once=1)
        return limits.rows if limits.merges else 0

    def queue(self, version: Version) -> Waiting:
        """The requests that wait for a version now."""
        loaded = version.resident
        if loaded is None:
            return Waiting(here=version.in_flight)  # for it to be loaded
        if isinstance(loaded.model, RemoteModel):
            return Waiting(elsewhere=int(loaded.model.backlog.jobs))
        return Waiting(here=int(self._lanes.backlog(version).jobs))

    def why_placed(self, version: Version) -> str | None:
        """Why a version that is in memory is where it is; reads files."""
        loaded, placing = version.resident, self._settings.placing
        if loaded is None:
            return None
        if placing is None:
            return "this server has no engine process"
        remote = loaded.model if isinstance(loaded.model, RemoteModel) else None
        execution = loaded.description.execution if remote is None else remote.execution
        seconds = one_row_s(version.cost.data())
        shared = remote is not None
        return placing.why(version.source, execution, loaded.digest, seconds, shared=shared)

    def cost_curves(self, name: str) -> CostCurves:
        """What runs of a model take, as far as this machine's servers know; reads files."""
        found: dict[str, Kept] = {}
        for each in kept(self._settings.cost_dir):
            version = self._models.get(name, {}).get(each.version)
            if each.model == name and version is not None and version.is_of(each.digest):
                found[each.file] = each
        for version in self.versions_of(name):
            if (own := version.learnt(self._settings)) is not None:
                found[own.file] = own  # files are written now and then
        ordered = sorted(found.values(), key=lambda k: (version_order(k.version), k.placement))
        return CostCurves(versions=curves_of(ordered))

    def keep_costs(self) -> None:
        """Write down what was learnt of the runs; writes files, and may be called in a thread."""
        for version in self.versions:
            version.keep_cost(self._settings)

    def close(self) -> None:
        """Drop what waits and give memory back."""
        self._residency.close()
        self._preparing.close()
        self._lanes.close()
        for version in self.versions:
            version.close()


async def _in_time(work: Awaitable[R], version: Version, request: InferRequest) -> R:
    """What is awaited, unless the deadline comes first.

    Raises:
        DeadlineExceeded: it came first.
    """
    left = None if request.deadline is None else request.deadline - time.monotonic()
    try:
        async with asyncio.timeout(left):
            return await work
    except TimeoutError as error:
        raise DeadlineExceeded(
            f"model '{version.name}' did not answer before the request's deadline"
        ) from error


def _prove(version: Version, rows: int, run: Run, size: int) -> None:
    """Count a run that is in a thread for the version's probation only; of a batch, its part."""
    if version.seconds_per_unit * size < HAND_OVER_S:
        _, started, ended, batch_rows = run
        version.probation.ran((ended - started) * rows / max(rows, batch_rows))
        if not version.probation.is_on:
            version.door = None  # on the event loop nothing waits


def _response(
    version: Version, request: InferRequest, rows: int, run: Run, size: int, arrived: float
) -> InferResponse:
    outputs, started, ended, batch_rows = run
    run_s = ended - started
    took = run_s / size
    if batch_rows <= rows or took < version.seconds_per_unit:
        _learn(version, took)  # alone, a request takes no longer than its batch did
    version.last_used = ended
    return InferResponse(
        model=version.name,
        version=version.version,
        outputs=_chosen(outputs, request.outputs),
        rows=rows,
        frames=request.frames,
        batch_rows=batch_rows,
        queue_s=started - arrived,
        run_s=run_s,
    )


def _chosen(outputs: Batch, names: tuple[str, ...]) -> Batch:
    return {name: outputs[name] for name in names} if names else outputs


def _learn(version: Version, seconds: float) -> None:
    # A single slow run (a page fault, a neighbour) moves the estimate by a fifth at most.
    known = version.seconds_per_unit
    version.seconds_per_unit = known + 0.05 * (min(seconds, 5 * known + 1e-6) - known)


def _log_failure(version: Version, error: ModelFailed) -> None:
    if error.__cause__ is not None:  # else the engine process, where it was raised, has said so
        _log.error(
            "model '%s' version %s raised", version.name, version.version, exc_info=error.__cause__
        )
