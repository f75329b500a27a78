"""A version's lane: its scheduler on the real clock, and the threads that run what it decides.

A run that fails is parted and tried again until what is guilty stands alone, so that a bad request
fails by itself and the others of its batch get their answers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeAlias

from modelport.core.errors import ModelportError
from modelport.core.messages import InferRequest
from modelport.core.tensors import Batch
from modelport.engine.batcher import Batcher, BatchRun
from modelport.engine.cost import CostModel
from modelport.engine.executor import Run, failed
from modelport.engine.limits import Backlog, Limits
from modelport.engine.merging import Padding, Waste, join, kind_of, part
from modelport.engine.opening import LoadedModel
from modelport.engine.queue import Job
from modelport.runtimes.base import Controllable, given

__all__ = ["Lane", "Watcher"]

_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Who is told of a request's runs, in any thread; each that begins ends."""

    def begin(self) -> None:
        """It is part of a run that begins now."""

    def end(self) -> None:
        """That run has ended, whether or not anybody still waited for it."""


class _Ticket:
    """A request on its way through the lane."""

    __slots__ = ("attempt", "future", "is_given_up", "loaded", "request", "rows", "watcher")

    def __init__(
        self,
        loaded: LoadedModel,
        request: InferRequest,
        rows: int,
        future: asyncio.Future[Run],
        watcher: Watcher | None,
    ) -> None:
        self.loaded = loaded
        self.request = request
        self.rows = rows
        self.future = future
        self.watcher = watcher
        self.is_given_up = False
        self.attempt: _Attempt | None = None


class _Attempt:
    """One call of the model for some tickets, which can be stopped when nobody wants it."""

    __slots__ = ("stop", "tickets")

    def __init__(self, tickets: Sequence[_Ticket], stop: Callable[[], None]) -> None:
        self.tickets = tickets
        self.stop = stop

    def give_up(self) -> None:
        if all(ticket.is_given_up for ticket in self.tickets):
            self.stop()


_Result: TypeAlias = tuple[_Ticket, Run | BaseException]


class Lane:
    """Requests of one version in; batches in threads; each request's own answer out."""

    def __init__(
        self,
        name: str,
        cost: CostModel,
        limits: Limits,
        padding: Padding | None = None,
        waste: Waste | None = None,
    ) -> None:
        """
        Args:
            name: the model's, for its threads.
            cost: what its runs take; learns from them.
            limits: the scheduler's.
            padding: how rows of different lengths share a batch.
            waste: counts what of the batches was padding.
        """
        self._name = name
        self._lock = threading.Lock()
        self._batcher: Batcher[_Ticket] = Batcher(cost, limits, self._on_late)
        self._padding = padding or Padding()
        self._pool = ThreadPoolExecutor(limits.at_once, thread_name_prefix=name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waste = waste or Waste()

    async def run(
        self,
        loaded: LoadedModel,
        request: InferRequest,
        rows: int,
        row_class: int = 0,
        watcher: Watcher | None = None,
    ) -> Run:
        """The answer to one request, from a batch with others where that is faster.

        Args:
            loaded: the model; it is held until the run has ended.
            request: what is asked; its inputs fit the signature.
            rows: how many rows it has.
            row_class: what the cost of its rows is known under.
            watcher: is told of each run that it is part of.

        Raises:
            Overloaded: too much waits, or it could not be answered before its deadline.
            ModelportError: as the model raised it.
            ModelFailed: the model raised anything else.
        """
        self._loop = loop = asyncio.get_running_loop()
        ticket = _Ticket(loaded, request, rows, loop.create_future(), watcher)
        job = Job(
            ticket,
            rows=rows,
            kind=kind_of(request, self._padding),
            row_class=row_class,
            deadline=request.deadline,
            caller=request.caller,
            priority=request.priority,
        )
        with self._lock:
            self._batcher.submit(job, time.monotonic())
        self._pump()
        try:
            return await ticket.future
        except asyncio.CancelledError:
            with self._lock:
                ticket.is_given_up = True
                self._batcher.cancel(job)
                attempt = ticket.attempt
            if attempt is not None:
                attempt.give_up()
            raise

    def check_room(self, caller: str, priority: str) -> None:
        """Refuse a request that would be refused anyway, before it is decoded.

        Raises:
            Overloaded: as `run`.
        """
        with self._lock:
            self._batcher.check_room((priority, caller), time.monotonic())

    def backlog(self) -> Backlog:
        """All that waits and runs."""
        with self._lock:
            return self._batcher.backlog(time.monotonic())

    def _pump(self) -> None:
        """Start what is to run now."""
        while True:
            with self._lock:
                run = self._batcher.next(time.monotonic())
                wake_at = self._batcher.wake_at
            if run is None:
                break
            self._pool.submit(self._work, run)
        if wake_at is not None:
            self._call(self._wake, wake_at)

    def _wake(self, at: float) -> None:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(0.0, at - time.monotonic()), self._pump)

    def _work(self, run: BatchRun[_Ticket]) -> None:
        """Run a batch, and then what waits, without going through the event loop for it."""
        following: BatchRun[_Ticket] | None = run
        while following is not None:
            following = self._run_batch(following)

    def _run_batch(self, run: BatchRun[_Ticket]) -> BatchRun[_Ticket] | None:
        tickets = [job.payload for job in run.jobs]
        results = list(self._answers(tickets, run.alone))
        with self._lock:
            now = time.monotonic()
            self._batcher.finished(run, now, learns=_ran_whole(run, results))
            following = self._batcher.next(now)
        for ticket in tickets:
            del ticket.loaded  # who awaits the answer holds the model, and lets go of it last
        self._call(_deliver, results)
        self._pump()  # for another thread, or once those are back who are waited for
        return following

    def _answers(self, tickets: Sequence[_Ticket], alone: bool) -> Iterator[_Result]:
        """Each ticket's answer, its own error where it is to blame for one."""
        tickets = [ticket for ticket in tickets if not ticket.is_given_up]
        if not tickets:
            return
        started = time.monotonic()
        try:
            parts = self._attempt(tickets, alone)
        except BaseException as error:  # a model that wants to end the process ends its own run
            if all(ticket.is_given_up for ticket in tickets):
                return
            if len(tickets) == 1:
                yield tickets[0], error if isinstance(error, ModelportError) else failed(error)
                return
            _log.warning(
                "model '%s' failed on a batch of %d requests (%s); they run again in parts",
                self._name,
                len(tickets),
                type(error).__name__,
            )
            middle = len(tickets) // 2
            yield from self._answers(tickets[:middle], alone)
            yield from self._answers(tickets[middle:], alone)
            return
        ended = time.monotonic()
        rows = sum(ticket.rows for ticket in tickets)
        for ticket, outputs in zip(tickets, parts, strict=True):
            yield ticket, (outputs, started, ended, rows)

    def _attempt(self, tickets: Sequence[_Ticket], alone: bool) -> list[Batch]:
        """One call of the model; raises as it does."""
        watchers = [ticket.watcher for ticket in tickets if ticket.watcher is not None]
        for watcher in watchers:
            watcher.begin()
        try:
            return self._run_together(tickets, alone)
        finally:
            for watcher in watchers:
                watcher.end()

    def _run_together(self, tickets: Sequence[_Ticket], alone: bool) -> list[Batch]:
        signature = tickets[0].loaded.description.signature
        requests = [ticket.request.inputs for ticket in tickets]
        joined = join(signature, requests, self._padding)
        if self._padding.values:
            with self._lock:
                self._waste.elements += joined.elements
                self._waste.padding += joined.padding
        outputs = self._predict(tickets, joined.batch, alone)
        if len(tickets) == 1 and not self._batcher.limits.merges:
            return [outputs]
        rows = [ticket.rows for ticket in tickets]
        return part(signature, outputs, requests, rows, self._padding)

    def _predict(self, tickets: Sequence[_Ticket], batch: Batch, alone: bool) -> Batch:
        model = given(tickets[0].loaded.model, tickets[0].request.parameters)
        if not isinstance(model, Controllable):
            return model.predict(batch)  # type: ignore[return-value]  # not awaitable: by execution
        run, stop = model.controlled(batch, alone=alone)
        attempt = _Attempt(tickets, stop)
        with self._lock:
            for ticket in tickets:
                ticket.attempt = attempt
        attempt.give_up()  # they may have left before there was anything to stop
        try:
            return run()
        finally:
            for ticket in tickets:
                ticket.attempt = None

    def _on_late(self, job: Job[_Ticket], error: Exception) -> None:
        self._call(_deliver, [(job.payload, error)])

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)

    def close(self) -> None:
        """Drop what waits; a run that has begun ends on its own."""
        with self._lock:
            waiting = list(self._batcher.queue)
            for job in waiting:
                self._batcher.cancel(job)
        for job in waiting:
            job.payload.future.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _ran_whole(run: BatchRun[_Ticket], results: Sequence[_Result]) -> bool:
    """Whether the time of the run is that of one call of the model with all the rows."""
    return len(results) == len(run.jobs) and all(
        not isinstance(result, BaseException) and result[3] == run.rows for _, result in results
    )


def _deliver(results: Sequence[_Result]) -> None:
    for ticket, result in results:
        if ticket.future.done():
            continue
        if isinstance(result, BaseException):
            ticket.future.set_exception(result)
        else:
            ticket.future.set_result(result)
