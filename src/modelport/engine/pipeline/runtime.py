"""Pipelines as models: folders with a `pipeline.toml`, and the files of their steps. Grade: silver.

Each step is opened as any model is, with its own format, trust, digest and `NAME.toml`. Who trusts
the pipeline's digest, which covers all its files, trusts its steps.

A chain of steps runs on the caller's thread; steps that do not wait for each other run in further
threads, with the CPU threads of the pipeline divided among them. Only a step that computes, and
took less than `HAND_OVER_S` the last time, stays where it is, as the hand-over would cost more than
it saves. With an asynchronous step the whole is asynchronous, so that many requests can wait at
once: the other steps run in threads then, and those that may block in one each, as their models are
to be called by one at a time.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from modelport.core.errors import (
    ConfigError,
    InvalidInput,
    ModelFailed,
    ModelportError,
    UntrustedModel,
)
from modelport.core.messages import Parameter
from modelport.core.tensors import Batch
from modelport.engine.executor import HAND_OVER_S, is_cancelled
from modelport.engine.opening import LoadedModel, Settings, open_version
from modelport.engine.pipeline.declaration import (
    FILE,
    StepTable,
    read_pipeline_toml,
    running_order,
    width,
)
from modelport.engine.pipeline.flow import run_in_order, run_in_threads, run_on_loop
from modelport.engine.pipeline.plan import Plan, Step
from modelport.engine.pipeline.wiring import wired
from modelport.kit.words import nearest
from modelport.repository import integrity
from modelport.repository.layout import Source
from modelport.runtimes._folders import refuse_links
from modelport.runtimes.base import Description, LoadOptions, Runtime, given
from modelport.runtimes.formats import PYTHON

__all__ = ["RUNTIME", "PipelineModel"]


_PROGRAM = "it is a program, which runs when it is loaded"
"""Why one is not loaded, without the advice for programs that are served alone."""


class PipelineModel:
    """Several models and functions that answer as one."""

    def __init__(
        self, plan: Plan, steps: Mapping[str, LoadedModel], threads: int, opened: ExitStack
    ) -> None:
        """
        Args:
            plan: how the steps are connected.
            steps: the steps' models, in the order of the plan.
            threads: how many callers there may be at once.
            opened: closes the steps' models.
        """
        self._plan = plan
        self._steps = steps
        self._opened = opened
        self.description = _describe(plan, steps)
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._seconds: dict[str, float] = {}
        """What the last run of each step took."""
        self._flow = self._flow_of(threads)

    def close(self) -> None:
        """Close each step's model."""
        self._opened.close()

    def predict(self, batch: Batch) -> Batch | Awaitable[Batch]:
        """What the steps make of the inputs."""
        return self._flow(self, batch)

    def given(self, parameters: Mapping[str, Parameter]) -> PipelineModel:
        """The same steps, each with a request's parameters where it takes any."""
        other = copy.copy(self)
        other._steps = {
            name: replace(loaded, model=given(loaded.model, parameters))
            for name, loaded in self._steps.items()
        }
        return other

    def _flow_of(self, threads: int) -> Callable[[PipelineModel, Batch], Batch | Awaitable[Batch]]:
        """How a request goes through the steps; of whom, it is told, and so keeps nobody."""
        plan = self._plan
        if self.description.execution == "async":
            compute = self._pool(threads)
            for name, loaded in self._steps.items():
                blocks = loaded.description.execution == "blocking"
                self._pools[name] = self._pool(1) if blocks else compute
            return lambda own, batch: run_on_loop(plan, batch, own._await_step)
        if plan.is_chain:
            return lambda own, batch: run_in_order(plan, batch, own._answered)
        callers = threads if self.description.execution == "compute" else 1
        pool = self._pool(callers * (len(plan.steps) - 1))
        return lambda own, batch: run_in_threads(plan, batch, own._timed, pool, own._is_short)

    def _pool(self, threads: int) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="pipeline")
        self._opened.callback(pool.shutdown, wait=False)
        return pool

    def _answered(self, step: Step, batch: Batch) -> Batch:
        try:
            return _run_step(self._steps[step.name], batch)  # type: ignore[return-value]  # not awaitable: by execution
        except Exception as error:
            raise _failure(step, error) from error

    def _timed(self, step: Step, batch: Batch) -> Batch:
        started = time.perf_counter()
        outputs = self._answered(step, batch)
        self._seconds[step.name] = time.perf_counter() - started
        return outputs

    def _is_short(self, step: Step) -> bool:
        """Whether its last run was shorter than what a hand-over is worth; one that may wait for
        anything never counts as short."""
        if self._steps[step.name].description.execution != "compute":
            return False
        return self._seconds.get(step.name, math.inf) < HAND_OVER_S

    async def _await_step(self, step: Step, batch: Batch) -> Batch:
        loaded = self._steps[step.name]
        if loaded.description.execution != "async":
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pools[step.name], self._tried, step, batch)
        try:
            answer = _run_step(loaded, batch)
            return await answer if inspect.isawaitable(answer) else answer
        except GeneratorExit:
            raise
        except BaseException as error:  # which would end the event loop
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            raise _failure(step, error) from error

    def _tried(self, step: Step, batch: Batch) -> Batch:
        """As `_answered` for a thread, from which nothing may come that ends the event loop."""
        try:
            return self._answered(step, batch)
        except ModelportError:
            raise
        except BaseException as error:
            raise _failure(step, error) from error


def _run_step(loaded: LoadedModel, batch: Batch) -> Batch | Awaitable[Batch]:
    """The one place where a step is run; what another step made may be a source of this one."""
    return loaded.model.predict(loaded.prepared(batch).inputs)


def _load(path: Path, options: LoadOptions) -> PipelineModel:
    refuse_links(path)
    toml = read_pipeline_toml(path / FILE)
    order = running_order(toml)
    threads = max(1, options.threads // width(toml, order))
    steps: dict[str, LoadedModel] = {}
    with ExitStack() as opened:
        for name in order:
            steps[name] = _opened(path, name, toml.steps[name], options, threads)
            opened.callback(steps[name].model.close)
        plan = wired(toml, steps)
        return PipelineModel(plan, steps, options.threads, opened.pop_all())


RUNTIME = Runtime(name="pipeline", load=_load)


def _opened(
    folder: Path, name: str, table: StepTable, options: LoadOptions, threads: int
) -> LoadedModel:
    source = _source(folder, name, table)
    trusted = options.trusted
    if options.digest in trusted:
        trusted |= {integrity.digest(Path(source.path))}
    settings = Settings(threads=threads, trusted=trusted, cache_dir=options.cache_dir)
    try:
        return open_version(source, settings)
    except UntrustedModel as error:
        told = error.message.replace(str(error.detail.get("digest")), options.digest)
        told = told.replace(PYTHON.why, _PROGRAM)
        raise UntrustedModel(
            f"step '{name}': {told} (that of the whole pipeline)", digest=options.digest
        ) from error
    except ModelportError as error:
        error.args = (f"step '{name}': {error}",)  # what the operator reads
        error.message = f"step '{name}': {error.message}"
        raise


def _source(folder: Path, name: str, table: StepTable) -> Source:
    """Where a step lies, and its owner's words: `NAME.toml` beside it, `model.toml` in a folder."""
    where = f'{FILE}, [steps.{name}] model = "{table.model}"'
    base, separator, attribute = table.model.rpartition(":")
    if not (separator and base.endswith(".py")):
        base, attribute = table.model, ""
    parts = PurePosixPath(base).parts
    if not parts or base.startswith("/") or ".." in parts or "\\" in base or "\0" in base:
        raise ConfigError(f"{where}: a step is a file or a folder inside the pipeline's folder")
    path = folder.joinpath(*parts)
    if not path.exists():
        files = [str(p.relative_to(folder)) for p in sorted(path.parent.glob("*"))]
        raise ConfigError(f"{where}: no such file or folder{nearest(base, files)}")
    toml = path / "model.toml" if path.is_dir() else path.with_suffix(".toml")
    if toml.parent == folder and toml.name in ("model.toml", FILE):
        toml = folder / f"{path.name}.toml"  # those are the pipeline's own
    return Source(
        name=name, version="1", path=str(path), toml=str(toml), attribute=attribute or None
    )


def _describe(plan: Plan, steps: Mapping[str, LoadedModel]) -> Description:
    descriptions = {name: loaded.description for name, loaded in steps.items()}
    runtimes = dict.fromkeys(each.runtime for each in descriptions.values())
    return Description(
        runtime=f"pipeline ({', '.join(runtimes)})",
        signature=plan.signature,
        semantics=plan.semantics,
        notes=tuple(
            f"step '{name}': {note}"
            for name, each in descriptions.items()
            for note in (f"run by {each.runtime}", *each.notes)
        ),
        warnings=(
            *plan.warnings,
            *(f"step '{name}': {w}" for name, each in descriptions.items() for w in each.warnings),
        ),
        execution=_execution({each.execution for each in descriptions.values()}),
        takes_parameters=any(each.takes_parameters for each in descriptions.values()),
    )


def _execution(kinds: set[str]) -> Literal["compute", "blocking", "async"]:
    if "async" in kinds:
        return "async"
    return "blocking" if "blocking" in kinds else "compute"


def _failure(step: Step, error: BaseException) -> ModelportError:
    """What a step's failure means to the caller of the pipeline."""
    if not isinstance(error, ModelportError):
        return ModelFailed(
            f"step '{step.name}' raised {type(error).__name__}; its owner finds the reason in the"
            " server's log"
        )
    if isinstance(error, InvalidInput):
        return _refusal(step, error)
    return type(error)(f"step '{step.name}': {error.message}", **error.detail)


def _refusal(step: Step, error: InvalidInput) -> ModelportError:
    """The caller is told what is wrong with what came from the caller; anything else, which other
    steps made, is the pipeline's own failure."""
    named = error.detail.get("tensor")
    about = [wire for wire in step.wires if wire.spec.name == named]
    if any(wire.source.step for wire in about or step.wires):
        return ModelFailed(f"step '{step.name}' refused what other steps gave it: {error.message}")
    detail = dict(error.detail)
    for wire in about:
        detail["tensor"] = wire.source.tensor
    return InvalidInput(f"step '{step.name}': {error.message}", **detail)
