"""One request on its way through the steps: one after another, in threads, or on the event loop."""

from __future__ import annotations

import threading
from asyncio import TaskGroup
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from modelport.core.tensors import Array, Batch
from modelport.engine.pipeline.declaration import Place
from modelport.engine.pipeline.plan import Plan, Step

__all__ = ["AwaitStep", "RunStep", "run_in_order", "run_in_threads", "run_on_loop"]

RunStep: TypeAlias = Callable[[Step, Batch], Batch]
"""Runs a step on the thread that calls it; raises what the pipeline is to raise."""

AwaitStep: TypeAlias = Callable[[Step, Batch], Awaitable[Batch]]
"""The same for the event loop."""


class _Request:
    """The tensors that are still needed, and how many steps each step waits for."""

    def __init__(self, plan: Plan, batch: Batch) -> None:
        self._plan = plan
        self._tensors = {Place("", name): tensor for name, tensor in batch.items()}
        self._takers = dict(plan.takers)
        self._waits = {step.name: len(step.waits_for) for step in plan.steps.values()}
        self.answer: dict[str, Array] = {}

    def take(self, step: Step) -> Batch:
        """The inputs of a step; what nobody else takes is let go."""
        return {wire.spec.name: wire.carry(self._taken(wire.source)) for wire in step.wires}

    def _taken(self, place: Place) -> Array:
        self._takers[place] -= 1
        tensor = self._tensors[place] if self._takers[place] else self._tensors.pop(place)
        if place in self._plan.shared:  # a function may write to what is its own
            tensor = tensor.view()
            tensor.flags.writeable = False
        return tensor

    def give(self, step: Step, outputs: Batch) -> list[Step]:
        """Keep what is needed of a step's outputs; the steps that can run now."""
        for place in step.kept:
            self._tensors[place] = outputs[place.tensor]
        for name, tensor in step.given:
            self.answer[name] = outputs[tensor]
        ready = []
        for name in step.then:
            self._waits[name] -= 1
            if not self._waits[name]:
                ready.append(self._plan.steps[name])
        return ready


def run_in_order(plan: Plan, batch: Batch, run: RunStep) -> Batch:
    """Run all steps on this thread; raises as `run`."""
    request = _Request(plan, batch)
    for step in plan.steps.values():
        request.give(step, run(step, request.take(step)))
    return _in_order(plan, request)


def run_in_threads(
    plan: Plan,
    batch: Batch,
    run: RunStep,
    pool: ThreadPoolExecutor,
    is_short: Callable[[Step], bool],
) -> Batch:
    """Run steps that do not wait for each other at the same time; raises as `run`.

    When it returns or raises, no step runs any more: a step's model is never called twice at once.

    Args:
        plan: the steps.
        batch: the pipeline's inputs.
        run: runs a step.
        pool: has a thread for each step but one.
        is_short: whether a step takes less time than its hand-over would cost; such a step stays
            on the thread that could begin it.
    """
    return _Threads(plan, batch, run, pool, is_short).answer()


class _Threads:
    """A request on several threads: who ends a step goes on with one that waited for it."""

    def __init__(
        self,
        plan: Plan,
        batch: Batch,
        run: RunStep,
        pool: ThreadPoolExecutor,
        is_short: Callable[[Step], bool],
    ) -> None:
        self._plan = plan
        self._request = _Request(plan, batch)
        self._run = run
        self._pool = pool
        self._is_short = is_short
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._going = len(plan.first)
        """Steps that run, or could."""
        self._failure: BaseException | None = None

    def answer(self) -> Batch:
        self._follow(self._plan.first)
        self._is_over.wait()
        failure, self._failure = self._failure, None
        if failure is None:
            return _in_order(self._plan, self._request)
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame

    def _follow(self, first: Iterable[Step]) -> None:
        """Run these steps, and what can be run after them, on this thread and others."""
        own: list[Step] = []
        self._share(first, own)
        while own:
            step = own.pop(0)
            self._share(self._ended(step, self._tried(step)), own)

    def _share(self, steps: Iterable[Step], own: list[Step]) -> None:
        """Keep the short ones, and behind them a single long one; hand over the others."""
        for step in steps:
            if self._is_short(step):
                own.insert(0, step)
            elif not own or self._is_short(own[-1]):
                own.append(step)
            else:
                self._hand_over(step)

    def _hand_over(self, step: Step) -> None:
        try:
            self._pool.submit(self._follow, [step])
        except RuntimeError as error:  # the model was closed
            self._ended(step, error)

    def _tried(self, step: Step) -> Batch | BaseException:
        try:
            with self._lock:
                if self._failure is not None:
                    return {}
                batch = self._request.take(step)
            return self._run(step, batch)
        except BaseException as error:
            return error

    def _ended(self, step: Step, outcome: Batch | BaseException) -> list[Step]:
        """The steps that can run now; none after a failure, of which the first is told."""
        ready: list[Step] = []
        with self._lock:
            if isinstance(outcome, BaseException):
                if self._failure is None:
                    self._failure = outcome
            elif self._failure is None:
                ready = self._request.give(step, outcome)
            self._going += len(ready) - 1
            if not self._going:
                self._is_over.set()
        return ready


async def run_on_loop(plan: Plan, batch: Batch, run: AwaitStep) -> Batch:
    """Await steps that do not wait for each other at the same time; raises as `run`.

    When one fails, or nobody wants the answer any more, the others are cancelled.
    """
    request = _Request(plan, batch)

    async def follow(step: Step) -> None:
        following: Step | None = step
        while following is not None:
            ready = request.give(following, await run(following, request.take(following)))
            following = ready[0] if ready else None
            for other in ready[1:]:
                tasks.create_task(follow(other))

    failed: BaseException | None = None
    try:
        async with TaskGroup() as tasks:
            for step in plan.first:
                tasks.create_task(follow(step))
    except BaseExceptionGroup as group:
        failed = group.exceptions[0]
    if failed is None:
        return _in_order(plan, request)
    try:
        raise failed
    finally:
        del failed  # its traceback holds this frame


def _in_order(plan: Plan, request: _Request) -> Batch:
    """The answer in the order of the signature, whichever step ended first."""
    return {spec.name: request.answer[spec.name] for spec in plan.signature.outputs}
