"""Control's side of the connections to the workers: snapshots out, reports in, answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from modelport.control.messages import (
    Answer,
    Applied,
    Ask,
    FromWorker,
    Hello,
    Reported,
    ReportNow,
    Settled,
    Snapshot,
    VersionState,
)
from modelport.core.errors import Internal, ModelportError, NotFound
from modelport.kit.ipc import Channel
from modelport.monitor.caching import CacheState
from modelport.monitor.metrics import Gathered, Report, add_reports

__all__ = ["Hub", "Observer", "Operation", "Past"]

_log = logging.getLogger(__name__)
_REPORT_S = 1.0
_APPLY_S = 3.0
"""How long a change waits for a worker to act on it, before that worker is named."""

Operation = Callable[[bytes], Awaitable[bytes]]
"""An operation that control offers: JSON in, JSON out; raises `ModelportError`."""


class _Worker:
    """One connected worker."""

    def __init__(self, channel: Channel[FromWorker], hello: Hello) -> None:
        self.channel = channel
        self.index, self.pid = hello.index, hello.pid
        self.applied = -1
        self.confirmed = asyncio.Event()
        self.settled = -1
        self.states: tuple[VersionState, ...] = ()
        self.report = Report(models=[], rejected={})
        self.reported = asyncio.Event()


class Past(msgspec.Struct):
    """What is known of the workers besides those that are connected."""

    replaced: Report = msgspec.field(default_factory=Report)
    """What those have counted whose place another has taken."""
    restarts: int = 0
    pids: dict[int, int] = {}
    """The process that was last seen in each place."""
    left: dict[int, Report] = {}
    """What that process had counted, where it is not connected now: it is gone, or comes back."""

    def enters(self, index: int, pid: int) -> None:
        """A worker connects."""
        left = self.left.pop(index, None)  # the same process counts on from there
        if self.pids.get(index, pid) != pid:
            self.restarts += 1
            self.replaced = add_reports([self.replaced, left or Report()])
        self.pids[index] = pid

    def leaves(self, index: int, pid: int, report: Report) -> None:
        """The connection of a worker ended."""
        if self.pids[index] == pid:
            self.left[index] = report
        else:
            self.replaced = add_reports([self.replaced, report])


class Observer(Protocol):
    """Who follows what the workers report."""

    def joined(self, pid: int) -> None:
        """A worker is connected; its first report says what it had counted before."""

    def reported(self, pid: int, message: Reported) -> None:
        """It says what it has counted by now."""

    def left(self, pid: int) -> None:
        """It is connected no longer."""


class _Nobody:
    def joined(self, pid: int) -> None: ...

    def reported(self, pid: int, message: Reported) -> None: ...

    def left(self, pid: int) -> None: ...


class Hub:
    """The workers that are connected, and the sum of what all have counted, the gone ones too."""

    def __init__(
        self,
        snapshot: Snapshot,
        past: Past | None = None,
        keep: Callable[[Past], None] = lambda past: None,
        observer: Observer | None = None,
    ) -> None:
        """
        Args:
            snapshot: what should be true.
            past: what the control process before this one knew.
            keep: stores the past for the one after this, whenever it changes.
            observer: follows the reports.
        """
        self._snapshot = snapshot
        self._past = past or Past()
        self._keep = keep
        self._observer = observer or _Nobody()
        self._workers: set[_Worker] = set()
        self._conversations: dict[asyncio.Task[None], Channel[FromWorker]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.operations: dict[str, Operation] = {"metrics": self._metrics}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its `Hello` to its end."""
        channel: Channel[FromWorker] = Channel(reader, writer, FromWorker)
        this = asyncio.current_task()
        assert this is not None
        self._conversations[this] = channel
        try:
            hello = await channel.receive()
            if isinstance(hello, Hello):
                await self._converse(channel, hello)
        except (msgspec.DecodeError, ConnectionError) as error:
            _log.warning("a connection to control ended: %s", error)
        finally:
            del self._conversations[this]
            channel.close()

    async def close(self) -> None:
        """End every conversation."""
        for channel in self._conversations.values():
            channel.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._conversations, *self._tasks, return_exceptions=True)

    async def publish(self, snapshot: Snapshot) -> list[int]:
        """Have every worker act on what should be true from now on.

        Returns:
            the workers that did not confirm it in time; they may still act on what was true before.
        """
        self._snapshot = msgspec.structs.replace(snapshot, number=self._snapshot.number + 1)
        workers = list(self._workers)
        told = await asyncio.gather(*(self._tell(worker, self._snapshot) for worker in workers))
        return [worker.index for worker, done in zip(workers, told, strict=True) if not done]

    @property
    def states(self) -> list[tuple[VersionState, ...]]:
        """The versions of each worker, as it last told."""
        return [worker.states for worker in self._workers]

    async def settled(self, timeout_s: float) -> list[tuple[VersionState, ...]]:
        """How the versions of the latest snapshot stand in each worker, once all have loaded them.

        A worker that ends meanwhile is left out: who takes its place loads before it serves. One
        that is still loading after that time is taken by what it said last.
        """
        number = self._snapshot.number
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for worker in list(self._workers):
                    while worker.settled < number and worker in self._workers:
                        worker.confirmed.clear()
                        await worker.confirmed.wait()
        return [worker.states for worker in self._workers]

    async def _tell(self, worker: _Worker, snapshot: Snapshot) -> bool:
        """Whether the worker acts on the snapshot, or is gone."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_APPLY_S):
                await worker.channel.send(snapshot)
                while worker.applied < snapshot.number and worker in self._workers:
                    worker.confirmed.clear()
                    await worker.confirmed.wait()
        return worker.applied >= snapshot.number or worker not in self._workers

    async def _converse(self, channel: Channel[FromWorker], hello: Hello) -> None:
        if hello.index < 0:
            await self._answer_all(channel, None)
            return
        worker = _Worker(channel, hello)
        self._past.enters(worker.index, worker.pid)
        self._keep(self._past)
        self._workers.add(worker)
        self._observer.joined(worker.pid)
        try:
            await channel.send(self._snapshot)
            await self._answer_all(channel, worker)
        finally:
            self._workers.discard(worker)
            worker.reported.set()  # whoever waits for a report has the last one
            worker.confirmed.set()
            worker.report.connections, worker.report.versions = 0, []
            worker.report.cache.state = CacheState()
            if all(other.pid != worker.pid for other in self._workers):
                self._observer.left(worker.pid)
                self._past.leaves(worker.index, worker.pid, worker.report)
                self._keep(self._past)

    async def _answer_all(self, channel: Channel[FromWorker], worker: _Worker | None) -> None:
        while (message := await channel.receive()) is not None:
            if isinstance(message, Reported) and worker is not None:
                worker.report = message.report
                self._observer.reported(worker.pid, message)
                worker.reported.set()
            elif isinstance(message, Applied) and worker is not None:
                worker.applied = message.number
                worker.confirmed.set()
            elif isinstance(message, Settled) and worker is not None:
                worker.settled, worker.states = message.number, message.states
                worker.confirmed.set()
            elif isinstance(message, Ask):
                # Answered beside the reading: an operation may itself wait for this worker.
                task = asyncio.create_task(self._answer(channel, message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, channel: Channel[FromWorker], ask: Ask) -> None:
        try:
            operation = self.operations.get(ask.operation)
            if operation is None:
                raise NotFound(f"control has no operation '{ask.operation}'")
            answer = Answer(ask.id, await operation(ask.body))
        except ModelportError as error:
            said = error.code, error.message
            answer = Answer(ask.id, error=said, retry_after_s=error.retry_after_s)
        except Exception:
            _log.exception("the operation '%s' failed", ask.operation)
            internal = Internal(f"the operation '{ask.operation}' failed; the log has the reason")
            answer = Answer(ask.id, error=(internal.code, internal.message))
        with contextlib.suppress(ConnectionError):
            try:
                await channel.send(answer)
            except ValueError as error:
                _log.error("the answer of '%s' is too large: %s", ask.operation, error)
                large = Internal(f"the answer of '{ask.operation}' is too large: {error}")
                await channel.send(Answer(ask.id, error=(large.code, large.message)))

    async def refresh(self) -> None:
        """Have every worker report."""
        await asyncio.gather(*(self._fresh(worker) for worker in self._workers))

    @property
    def reports(self) -> list[Report]:
        """What each worker that is connected reported last."""
        return [worker.report for worker in self._workers]

    @property
    def indices(self) -> dict[int, int]:
        """By the process id of each worker that is connected: which one it is."""
        return {worker.pid: worker.index for worker in self._workers}

    @property
    def restarts(self) -> int:
        """How many workers were replaced."""
        return self._past.restarts

    async def _metrics(self, body: bytes) -> bytes:
        await self.refresh()
        # One that left in the meantime is counted in the past, and only there.
        past = [self._past.replaced, *self._past.left.values()]
        total = add_reports([*past, *(worker.report for worker in self._workers)])
        return msgspec.json.encode(Gathered(total, len(self._workers), self._past.restarts))

    async def _fresh(self, worker: _Worker) -> None:
        """Have the worker report; one that is too busy is taken by its last report."""
        worker.reported.clear()
        with contextlib.suppress(ConnectionError, TimeoutError):
            await worker.channel.send(ReportNow())
            async with asyncio.timeout(_REPORT_S):
                await worker.reported.wait()
