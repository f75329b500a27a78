"""One connection to an engine process, and what comes over it that should not."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import NotReady
from modelport.core.messages import InferRequest
from modelport.engine.exchange import Failed, Infer, Loaded
from modelport.engine.host import Host
from modelport.engine.lanes import Lanes
from modelport.engine.lifecycle import Version
from modelport.engine.limits import Limits
from modelport.engine.opening import Settings
from modelport.engine.residency import load_measured
from modelport.engine.session import Lost, Session, connect
from modelport.engine.suspects import Verdict
from modelport.repository.layout import Source

LINEAR = Path(__file__).parents[1] / "data" / "linear.onnx"
ROW = InferRequest(inputs={"x": np.array([[1.0, 2.0, 3.0]])})


class Heard:
    """A listener that notes what it hears."""

    def __init__(self) -> None:
        self.loaded: list[int] = []
        self.failed: list[str] = []
        self.begun: list[Version | None] = []
        """What the host began to load; None when it had."""
        self.came = asyncio.Event()

    def on_loaded(self, message: Loaded) -> None:
        self.loaded.append(message.key)
        self.came.set()

    def on_failed(self, message: Failed) -> None:
        self.failed.append(message.message)
        self.came.set()

    def on_marked(self, digest: bytes, verdict: Verdict) -> None:
        raise AssertionError

    def on_lost(self) -> None:
        self.came.set()

    def on_died(self, key: int, request: InferRequest, alone: bool) -> None:
        raise AssertionError


def talk(tmp_path: Path, work: Callable[[Session, Heard, Host, str], Awaitable[None]]) -> None:
    async def run() -> None:
        path = str(tmp_path / "engine.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            heard = Heard()
            host = Host(Settings(), Lanes(1, Limits()), heard.begun.append)
            accepting = asyncio.create_task(_accept(host, listener))
            async with asyncio.timeout(30):
                session = await connect(path, 8, heard)
                await work(session, heard, host, path)
                session.frames.close()
                await session.lost.wait()
                await host.drained()
            accepting.cancel()
            host.close()
            await asyncio.sleep(0.01)

    asyncio.run(run())


async def _accept(host: Host, listener: socket.socket) -> None:
    while True:
        sock, _ = await asyncio.get_running_loop().sock_accept(listener)
        await host.serve(sock)


def source(tmp_path: Path) -> Source:
    path = shutil.copy(LINEAR, tmp_path)
    return Source(name="linear", version="1", path=str(path), toml="")


def test_a_version_that_is_not_loaded_there_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_asked = threading.Event()

    def load_late(*arguments: Any) -> None:
        assert was_asked.wait(10)
        load_measured(*arguments)

    monkeypatch.setattr("modelport.engine.host.load_measured", load_late)

    async def work(session: Session, heard: Heard, host: Host, path: str) -> None:
        with pytest.raises(NotReady, match="not loaded here"):
            await session.ask(7, ROW, 1, False)
        session.load(7, source(tmp_path))
        with pytest.raises(NotReady, match="being loaded"):
            await session.ask(7, ROW, 1, False)
        was_asked.set()
        await heard.came.wait()
        outputs, started, ended, _ = await session.ask(7, ROW, 1, False)
        assert outputs["y"].tolist() == [1.8]
        assert started <= ended

    talk(tmp_path, work)


def test_a_version_that_nobody_needs_any_more_once_it_is_loaded_goes_at_once(
    tmp_path: Path,
) -> None:
    async def work(session: Session, heard: Heard, host: Host, path: str) -> None:
        session.load(1, source(tmp_path))
        session.unload(1)
        while len(heard.begun) < 2 or host.versions:  # noqa: ASYNC110  # no worker is told
            await asyncio.sleep(0.01)
        assert heard.loaded == []

    talk(tmp_path, work)


def test_one_worker_may_need_a_version_twice(tmp_path: Path) -> None:
    async def work(session: Session, heard: Heard, host: Host, path: str) -> None:
        session.load(1, source(tmp_path))
        session.load(2, source(tmp_path))
        while len(heard.loaded) < 2:  # noqa: ASYNC110  # it is told twice
            await asyncio.sleep(0.01)
        session.unload(1)
        assert (await session.ask(2, ROW, 1, False))[0]["y"].tolist() == [1.8]

    talk(tmp_path, work)


def test_a_request_with_a_number_that_cannot_be_ends_the_connection(tmp_path: Path) -> None:
    async def work(session: Session, heard: Heard, host: Host, path: str) -> None:
        session.frames.send(Infer(70_000, 1, (), (), 1, None, "", "normal", {}, False))
        await session.lost.wait()
        await host.left.wait()

    talk(tmp_path, work)


def test_what_was_asked_when_the_connection_ends_is_lost(tmp_path: Path) -> None:
    async def work(session: Session, heard: Heard, host: Host, path: str) -> None:
        session.load(1, source(tmp_path))
        await heard.came.wait()
        asked = asyncio.create_task(session.ask(1, ROW, 1, True))
        await asyncio.sleep(0)
        session.frames.close()
        with pytest.raises(Lost):
            await asked

    talk(tmp_path, work)


def test_giving_up_what_was_just_answered_costs_the_next_request_of_its_number_nothing(
    tmp_path: Path,
) -> None:
    async def work(session: Session, heard: Heard, host: Host, path: str) -> None:
        session.load(1, source(tmp_path))
        await heard.came.wait()
        given_up = asyncio.create_task(session.ask(1, ROW, 1, False))
        await asyncio.sleep(0)
        while session._air:  # noqa: ASYNC110  # until the turn in which the answer comes
            await asyncio.sleep(0)
        assert not given_up.done()
        given_up.cancel()
        outputs, *_ = await session.ask(1, ROW, 1, False)
        assert outputs["y"].tolist() == [1.8]
        with pytest.raises(asyncio.CancelledError):
            await given_up

    talk(tmp_path, work)


def test_who_connects_and_is_no_worker_disturbs_nobody(tmp_path: Path) -> None:
    async def work(session: Session, heard: Heard, host: Host, path: str) -> None:
        loop = asyncio.get_running_loop()
        for sent in (b"", b"\0"):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.setblocking(False)
                await loop.sock_connect(stranger, path)
                await loop.sock_sendall(stranger, sent)
                await asyncio.sleep(0.02)
        session.load(1, source(tmp_path))
        await heard.came.wait()
        assert (await session.ask(1, ROW, 1, False))[0]["y"].tolist() == [1.8]

    talk(tmp_path, work)


def test_an_end_that_gives_no_memory_is_not_talked_to(tmp_path: Path) -> None:
    async def run() -> None:
        path = str(tmp_path / "engine.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            connecting = asyncio.create_task(connect(path, 8, Heard()))
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            sock.send(b"\0")
            with pytest.raises(ValueError, match="not enough values"):
                await connecting
            sock.close()

    asyncio.run(run())
