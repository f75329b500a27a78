"""The hub: workers over real unix sockets, what they counted, and what is asked of control."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelport.control.hub import Hub, Past
from modelport.control.messages import (
    Answer,
    Applied,
    Ask,
    FromControl,
    Hello,
    Reported,
    ReportNow,
    Snapshot,
)
from modelport.core.errors import Forbidden, Overloaded
from modelport.guard.sessions import Sessions
from modelport.kit.ipc import Channel
from modelport.monitor.metrics import Gathered, ModelMetrics, Report
from modelport.repository.layout import Source

PIDS = itertools.count(1)


def snapshot(name: str = "m") -> Snapshot:
    source = Source(name=name, version="1", path="/x", toml="/y")
    return Snapshot(
        sources=(source,),
        trusted=frozenset({"d"}),
        keys={},
        admin_key_id="a",
        sessions=Sessions(secret=b"s"),
    )


def report(requests: int, connections: int = 1) -> Report:
    metrics = ModelMetrics("m", "1", "plain", requests=requests)
    return Report([metrics], {"NOT_FOUND": requests}, connections)


class Peer:
    """The other end: a worker, or a tool, that answers `ReportNow` with its report."""

    def __init__(self, channel: Channel[FromControl], writer: asyncio.StreamWriter) -> None:
        self.channel = channel
        self.report: Report | None = None
        self.obedient = True
        self.snapshots: asyncio.Queue[Snapshot] = asyncio.Queue()
        self.answers: asyncio.Queue[Answer] = asyncio.Queue()
        self.asked = asyncio.Event()
        self._writer = writer
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while (message := await self.channel.receive()) is not None:
            if isinstance(message, Snapshot):
                self.snapshots.put_nowait(message)
                if self.obedient:
                    await self.channel.send(Applied(message.number))
            elif isinstance(message, Answer):
                self.answers.put_nowait(message)
            else:
                assert isinstance(message, ReportNow)
                self.asked.set()
                if self.report is not None:
                    await self.channel.send(Reported(self.report))

    async def ask(self, operation: str, body: bytes = b"", number: int = 1) -> Answer:
        await self.channel.send(Ask(number, operation, body))
        return await self.answers.get()

    async def close(self) -> None:
        self.channel.close()
        await asyncio.gather(self._reading, return_exceptions=True)
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


class Control:
    """A hub behind a socket."""

    def __init__(self, hub: Hub, path: Path) -> None:
        self.hub = hub
        self._path = path

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self._path)

    async def join(self, index: int, counted: Report | None = None) -> Peer:
        """A worker of that index, or a tool with -1."""
        reader, writer = await self.open()
        peer = Peer(Channel(reader, writer, FromControl), writer)
        peer.report = counted
        await peer.channel.send(Hello(index, pid=next(PIDS)))
        if index >= 0:
            assert await peer.snapshots.get() is not None
        return peer

    async def gathered(self, tool: Peer) -> Gathered:
        answer = await tool.ask("metrics")
        assert answer.error is None
        return msgspec.json.decode(answer.body, type=Gathered)


class Seen:
    """Who follows the reports of the workers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.gone = asyncio.Event()

    def joined(self, pid: int) -> None:
        self.heard.append(("joined", pid))

    def reported(self, pid: int, message: Reported) -> None:
        self.heard.append((f"reported {message.report.connections}", pid))

    def left(self, pid: int) -> None:
        self.heard.append(("left", pid))
        self.gone.set()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def conversation(
    tmp_path: Path, seen: Seen
) -> Callable[[Callable[[Control], Awaitable[None]]], None]:
    """Run a conversation with a hub; it must end within seconds."""

    @asynccontextmanager
    async def served() -> AsyncIterator[Control]:
        hub = Hub(snapshot(), observer=seen)
        path = tmp_path / "s"
        server = await asyncio.start_unix_server(hub.serve, path)
        try:
            yield Control(hub, path)
        finally:
            server.close()
            await hub.close()

    def run(talk: Callable[[Control], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(20), served() as control:
                await talk(control)

        asyncio.run(main())

    return run


Conversation = Callable[[Callable[[Control], Awaitable[None]]], None]


def counted(gathered: Gathered) -> tuple[int, int]:
    """Requests of models, and requests rejected."""
    return (
        sum(metrics.requests for metrics in gathered.report.models),
        sum(gathered.report.rejected.values()),
    )


def test_a_worker_is_told_what_should_be_true_and_every_change(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        reader, writer = await control.open()
        peer = Peer(Channel(reader, writer, FromControl), writer)
        await peer.channel.send(Hello(0, pid=1))
        assert await peer.snapshots.get() == snapshot()
        other = await control.join(1)
        assert await control.hub.publish(snapshot("n")) == []
        changed = msgspec.structs.replace(snapshot("n"), number=1)
        assert await peer.snapshots.get() == await other.snapshots.get() == changed
        late = await control.open()
        third = Peer(Channel(*late, FromControl), late[1])
        await third.channel.send(Hello(2, pid=1))
        assert await third.snapshots.get() == changed
        for one in (peer, other, third):
            await one.close()

    conversation(talk)


def test_a_worker_that_does_not_confirm_a_change_is_named(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        deaf, good = await control.join(3), await control.join(4)
        deaf.obedient = False
        assert await control.hub.publish(snapshot("n")) == [3]
        assert (await good.snapshots.get()).number == 1
        for one in (deaf, good):
            await one.close()

    conversation(talk)


def test_a_worker_that_comes_back_is_no_restart_and_counts_once(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        tool = await control.join(-1)
        for requests in (3, 5):
            reader, writer = await control.open()
            peer = Peer(Channel(reader, writer, FromControl), writer)
            peer.report = report(requests)
            await peer.channel.send(Hello(0, pid=77))
            await peer.snapshots.get()
            gathered = await control.gathered(tool)
            assert gathered.report.models[0].requests == requests
            assert gathered.restarts == 0
            await peer.close()
        await tool.close()

    conversation(talk)


def test_who_follows_hears_of_each_worker_and_of_no_tool(
    conversation: Conversation, seen: Seen
) -> None:
    async def talk(control: Control) -> None:
        tool = await control.join(-1)
        worker = await control.join(0, report(3, connections=7))
        (pid,) = control.hub.indices
        await control.hub.refresh()
        assert [each.connections for each in control.hub.reports] == [7]
        await worker.close()
        await seen.gone.wait()
        assert seen.heard == [("joined", pid), ("reported 7", pid), ("left", pid)]
        assert control.hub.restarts == 0
        await tool.close()

    conversation(talk)


def test_the_counts_of_all_workers_are_added_up(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        peers = [await control.join(0, report(3)), await control.join(1, report(4))]
        gathered = await control.gathered(peers[0])
        assert counted(gathered) == (7, 7)
        assert (gathered.workers, gathered.restarts, gathered.report.connections) == (2, 0, 2)
        peers[1].report = report(10)
        assert counted(await control.gathered(peers[0])) == (13, 13)
        for peer in peers:
            await peer.close()

    conversation(talk)


def test_what_a_worker_counted_stays_after_it_is_gone_and_replaced(
    conversation: Conversation,
) -> None:
    async def talk(control: Control) -> None:
        tool = await control.join(-1)
        first = await control.join(0, report(3))
        assert counted(await control.gathered(tool)) == (3, 3)
        await first.close()
        gathered = await control.gathered(tool)
        assert counted(gathered) == (3, 3)
        assert (gathered.workers, gathered.report.connections) == (0, 0)
        second = await control.join(0, report(5))
        gathered = await control.gathered(tool)
        assert counted(gathered) == (8, 8)
        assert (gathered.workers, gathered.restarts) == (1, 1)
        third = await control.join(1, report(1))
        gathered = await control.gathered(tool)
        assert (gathered.workers, gathered.restarts) == (2, 1)
        for peer in (tool, second, third):
            await peer.close()

    conversation(talk)


def test_an_answer_that_no_frame_holds_is_an_error_at_once(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        async def hour(body: bytes) -> bytes:
            return bytes(64 * 1024 * 1024)

        control.hub.operations["hour"] = hour
        tool = await control.join(-1)
        answer = await tool.ask("hour")
        assert answer.error is not None
        code, message = answer.error
        assert code == "INTERNAL"
        assert "the answer of 'hour' is too large: a frame has 67108864 bytes at most" in message
        assert (await tool.ask("metrics", number=2)).error is None
        await tool.close()

    conversation(talk)


def test_the_control_process_that_follows_knows_what_those_that_are_gone_counted() -> None:
    past = Past()
    past.enters(0, 70)
    past.enters(1, 71)
    past.leaves(0, 70, report(3))
    past.leaves(1, 71, report(4))
    following = msgspec.json.decode(msgspec.json.encode(past), type=Past)
    assert following == past
    following.enters(0, 70)  # it was only away
    following.enters(1, 72)
    assert following.restarts == 1
    assert following.left == {}
    assert [metrics.requests for metrics in following.replaced.models] == [4]


def test_a_worker_whose_end_is_seen_after_another_took_its_place_counts_once() -> None:
    past = Past()
    past.enters(0, 70)
    past.enters(0, 71)
    past.leaves(0, 70, report(3))
    assert past.left == {}
    assert [metrics.requests for metrics in past.replaced.models] == [3]


def test_the_past_is_kept_whenever_it_changes(tmp_path: Path) -> None:
    kept: list[bytes] = []

    async def main() -> None:
        hub = Hub(snapshot(), keep=lambda past: kept.append(msgspec.json.encode(past)))
        server = await asyncio.start_unix_server(hub.serve, tmp_path / "s")
        worker = await Control(hub, tmp_path / "s").join(0, report(3))
        await worker.channel.send(Reported(report(5)))
        await worker.close()
        server.close()
        await hub.close()

    asyncio.run(main())
    first, last = (msgspec.json.decode(text, type=Past) for text in kept)
    assert first.left == {}
    assert [left.models[0].requests for left in last.left.values()] == [5]


def test_a_worker_that_leaves_while_it_is_asked_is_counted_once(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        tool = await control.join(-1)
        worker = await control.join(0, report(3))
        assert counted(await control.gathered(tool)) == (3, 3)
        worker.report = None  # it will not answer again
        worker.asked.clear()
        asking = asyncio.create_task(control.gathered(tool))
        await worker.asked.wait()
        await worker.close()
        gathered = await asking
        assert counted(gathered) == (3, 3)
        assert gathered.workers == 0
        await tool.close()

    conversation(talk)


def test_a_worker_too_busy_to_report_is_taken_by_its_last_report(
    conversation: Conversation,
) -> None:
    async def talk(control: Control) -> None:
        busy = await control.join(0, None)
        await busy.channel.send(Reported(report(6)))
        tool = await control.join(-1)
        gathered = await control.gathered(tool)
        assert counted(gathered) == (6, 6)
        assert gathered.workers == 1
        await busy.close()
        await tool.close()

    conversation(talk)


def test_a_tool_counts_as_no_worker_and_its_reports_as_nothing(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        tool = await control.join(-1)
        await tool.channel.send(Reported(report(9)))
        gathered = await control.gathered(tool)
        assert (gathered.workers, gathered.restarts, counted(gathered)) == (0, 0, (0, 0))
        assert tool.snapshots.empty()
        await tool.close()

    conversation(talk)


def test_an_operation_is_answered_under_the_number_of_its_question(
    conversation: Conversation,
) -> None:
    async def echo(body: bytes) -> bytes:
        return body + b"!"

    async def talk(control: Control) -> None:
        control.hub.operations["echo"] = echo
        tool = await control.join(-1)
        assert await tool.ask("echo", b"a", 7) == Answer(7, b"a!")
        await tool.close()

    conversation(talk)


def test_a_slow_operation_does_not_hold_up_another(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        gate = asyncio.Event()

        async def slow(body: bytes) -> bytes:
            await gate.wait()
            return b"slow"

        async def quick(body: bytes) -> bytes:
            gate.set()
            return b"quick"

        control.hub.operations |= {"slow": slow, "quick": quick}
        tool = await control.join(-1)
        await tool.channel.send(Ask(1, "slow"))
        await tool.channel.send(Ask(2, "quick"))
        answers = [await tool.answers.get(), await tool.answers.get()]
        assert {(answer.id, answer.body) for answer in answers} == {(1, b"slow"), (2, b"quick")}
        await tool.close()

    conversation(talk)


def test_errors_cross_by_code_and_message(conversation: Conversation) -> None:
    async def refuse(body: bytes) -> bytes:
        raise Forbidden("not you")

    async def put_off(body: bytes) -> bytes:
        raise Overloaded("not now", retry_after_s=2)

    async def talk(control: Control) -> None:
        control.hub.operations |= {"refuse": refuse, "put off": put_off}
        tool = await control.join(-1)
        refused = await tool.ask("refuse")
        assert (refused.error, refused.retry_after_s) == (("FORBIDDEN", "not you"), None)
        later = await tool.ask("put off")
        assert (later.error, later.retry_after_s) == (("OVERLOADED", "not now"), 2)
        unknown = await tool.ask("nonsense")
        assert unknown.error == ("NOT_FOUND", "control has no operation 'nonsense'")
        await tool.close()

    conversation(talk)


def test_an_operation_that_breaks_is_answered_without_its_reason(
    conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(body: bytes) -> bytes:
        raise KeyError("s3cret")

    async def talk(control: Control) -> None:
        control.hub.operations["broken"] = broken
        tool = await control.join(-1)
        answer = await tool.ask("broken")
        assert answer.error == ("INTERNAL", "the operation 'broken' failed; the log has the reason")
        await tool.close()

    conversation(talk)
    assert "s3cret" in caplog.text


@pytest.mark.parametrize("content", [b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", b""])
def test_a_stranger_who_says_something_else_is_sent_away(
    conversation: Conversation, content: bytes
) -> None:
    async def talk(control: Control) -> None:
        reader, writer = await control.open()
        writer.write(content)
        if not content:
            writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        worker = await control.join(0, report(1))
        assert (await control.gathered(worker)).workers == 1
        await worker.close()

    conversation(talk)


def test_a_conversation_begins_with_a_hello(conversation: Conversation) -> None:
    async def talk(control: Control) -> None:
        reader, writer = await control.open()
        channel: Channel[Any] = Channel(reader, writer, FromControl)
        await channel.send(Ask(1, "metrics"))
        assert await channel.receive() is None
        channel.close()

    conversation(talk)


def test_closing_the_hub_ends_every_conversation_and_operation(conversation: Conversation) -> None:
    ended: list[str] = []

    async def talk(control: Control) -> None:
        started = asyncio.Event()

        async def endless(body: bytes) -> bytes:
            try:
                started.set()
                await asyncio.sleep(60)
            finally:
                ended.append("operation")
            return b""

        control.hub.operations["endless"] = endless
        worker = await control.join(0)
        await worker.channel.send(Ask(1, "endless"))
        await started.wait()
        await control.hub.close()
        assert ended == ["operation"]
        await worker.close()

    conversation(talk)
