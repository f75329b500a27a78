"""A worker's connection to control: the snapshot it acts on, reports, questions."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import Callable

import msgspec

from modelport.control.messages import (
    Answer,
    Applied,
    Ask,
    FromControl,
    Hello,
    LinkRedeemed,
    LinkShown,
    Reported,
    ReportNow,
    Settled,
    Snapshot,
    VersionState,
)
from modelport.core.errors import ModelportError, NotReady, error_from_code
from modelport.kit.ipc import Channel
from modelport.monitor.metrics import Gathered, Report
from modelport.monitor.recent import ErrorLog

__all__ = ["ControlLink", "ask_control"]

_REPORT_EVERY_S = 1.0
_ANSWER_S = 10.0
_LOAD_S = 600.0
"""For operations on models, which may have to be loaded."""
_log = logging.getLogger(__name__)
_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)


class ControlLink:
    """Keeps the connection for as long as the worker lives; without it, serving goes on."""

    def __init__(
        self,
        path: str,
        index: int,
        report: Callable[[], Report],
        errors: ErrorLog,
        on_snapshot: Callable[[Snapshot], None],
    ) -> None:
        self._path = path
        self._index = index
        self._report = report
        self._errors = errors
        self._told = 0  # the number of the last error that control knows of
        self._on_snapshot = on_snapshot
        self._channel: Channel[FromControl] | None = None
        self._ids = itertools.count()
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self.informed = asyncio.Event()
        """Set as soon as there is a snapshot."""
        self.snapshot: Snapshot
        """The latest one."""

    async def run(self) -> None:
        """Connect, and connect again whenever the connection breaks; ends when cancelled."""
        failures = 0
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
                continue
            failures = 0
            async with asyncio.TaskGroup() as tasks:
                reporting = tasks.create_task(self._keep_reporting())
                await self._converse(Channel(reader, writer, FromControl))
                reporting.cancel()

    async def ask(self, operation: str, body: bytes = b"") -> bytes:
        """Control's answer to a question.

        Raises:
            NotReady: control is away; it is being restarted.
            ModelportError: as control raised it.
        """
        if self._channel is None:
            raise NotReady("the control process is being restarted", retry_after_s=1)
        number = next(self._ids)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            await self._channel.send(Ask(number, operation, body))
            async with asyncio.timeout(_patience_s(operation)):
                return await future
        except (TimeoutError, ConnectionError) as error:
            raise NotReady("the control process did not answer", retry_after_s=1) from error
        finally:
            del self._asked[number]

    async def settle(self, number: int, states: tuple[VersionState, ...]) -> None:
        """Tell control that everything in the snapshot of that number is loaded, or failed to."""
        if self._channel is not None:
            with contextlib.suppress(ConnectionError):
                await self._channel.send(Settled(number, states))

    async def gather(self) -> Gathered:
        """What all workers have counted."""
        return msgspec.json.decode(await self.ask("metrics"), type=Gathered)

    async def redeem(self, link_hash: str) -> bool:
        """Whether a link to sign in with is good, which it is once."""
        answer = await self.ask("links.redeem", msgspec.json.encode(LinkShown(link_hash)))
        return msgspec.json.decode(answer, type=LinkRedeemed).good

    async def _converse(self, channel: Channel[FromControl]) -> None:
        try:
            await channel.send(Hello(self._index, os.getpid()))
            self._newest = -1  # another control process counts from the start
            self._told = 0
            await self._tell(channel)
            self._channel = channel
            while (message := await channel.receive()) is not None:
                await self._take(channel, message)
        except (ConnectionError, msgspec.DecodeError) as error:
            _log.warning("the connection to control broke: %s", error)
        finally:
            self._channel = None
            channel.close()
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(ConnectionError("control is gone"))

    async def _take(self, channel: Channel[FromControl], message: FromControl) -> None:
        match message:
            case Snapshot():
                if message.number > self._newest:
                    self._newest, self.snapshot = message.number, message
                    self._on_snapshot(message)
                    self.informed.set()
                await channel.send(Applied(self._newest))
            case ReportNow():
                await self._tell(channel)
            case Answer():
                _settle(self._asked.get(message.id), message)

    async def _keep_reporting(self) -> None:
        """Bounds what is lost of the counts when this process is killed."""
        while True:
            await asyncio.sleep(_REPORT_EVERY_S)
            if self._channel is not None:
                with contextlib.suppress(ConnectionError):
                    await self._tell(self._channel)

    async def _tell(self, channel: Channel[FromControl]) -> None:
        errors, self._told = self._errors.since(self._told)
        await channel.send(Reported(self._report(), errors))


async def ask_control(path: str, operation: str, body: bytes = b"") -> bytes:
    """Ask once, from a process that is no worker.

    Raises:
        ConnectionRefusedError, FileNotFoundError: nobody listens there.
        NotReady: somebody does, and did not answer in time.
        ModelportError: as control raised it.
    """
    reader, writer = await asyncio.open_unix_connection(path)
    channel: Channel[FromControl] = Channel(reader, writer, FromControl)
    timeout_s = _patience_s(operation)
    answer: FromControl | None = None
    try:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(timeout_s):
                await channel.send(Hello(-1, os.getpid()))
                await channel.send(Ask(0, operation, body))
                answer = await channel.receive()
    finally:
        channel.close()
    if not isinstance(answer, Answer):
        raise NotReady(f"the control process did not answer within {timeout_s:g} s")
    if (error := _error(answer)) is not None:
        raise error
    return answer.body


def _patience_s(operation: str) -> float:
    return _LOAD_S if operation.startswith("models.") else _ANSWER_S


def _settle(future: asyncio.Future[bytes] | None, answer: Answer) -> None:
    if future is None or future.done():
        return
    if (error := _error(answer)) is not None:
        future.set_exception(error)
    else:
        future.set_result(answer.body)


def _error(answer: Answer) -> ModelportError | None:
    """The error that control raised; None where it did what was asked."""
    if answer.error is None:
        return None
    after_s = answer.retry_after_s
    return error_from_code(*answer.error, {} if after_s is None else {"retry_after_s": after_s})
