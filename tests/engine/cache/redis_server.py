"""A real Redis for tests, and a proxy in front of it that can do everything wrong."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import pytest

from tests.ports import free_port

__all__ = ["Fault", "Proxy", "RedisServer", "redis_server"]

Fault: TypeAlias = Literal["none", "refuses", "deaf", "swallows", "delays", "resets", "truncates"]
DELAY_S = 5.0


class RedisServer:
    """A `redis-server` process, on a port of its own, that keeps nothing on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        line = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*line, "--dir", str(self._folder), *self._options], stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                self.ask("PING")
                return
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.01)

    def ask(self, *words: str) -> bytes:
        """The raw reply to a command, over a connection of its own."""
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return sock.recv(1 << 20)

    def stop(self) -> None:
        """Kill it, as a machine that loses power does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A Redis that is there, killed afterwards; skips where the program is missing."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    server = RedisServer(folder, *options)
    try:
        yield server
    finally:
        server.stop()


class Proxy:
    """A TCP proxy whose fault is changed while connections are open."""

    def __init__(self, target: int) -> None:
        """
        Args:
            target: the port of the server behind it.
        """
        self.port = free_port()
        self._target = target
        self._fault: Fault = "none"
        self._server: asyncio.Server | None = None
        self._deaf: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address to use in place of the server's."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def set(self, fault: Fault) -> None:
        """Fail like that from now on, on connections that are open, too."""
        self._fault = fault
        for sock in self._deaf:
            sock.close()
        self._deaf = []
        if fault in ("refuses", "deaf"):
            await self._close()
            if fault == "deaf":
                self._deaf = _deaf(self.port)
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Leave nothing open."""
        await self.set("refuses")
        await asyncio.sleep(0.1)  # what was being accepted has come to `_serve` by then

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._server is None:  # it was accepted before, and comes only now
            writer.transport.abort()
            return
        self._tasks.add(task)
        behind: asyncio.StreamWriter | None = None
        # A connection that is given up while it is made would be left open.
        opening = asyncio.ensure_future(asyncio.open_connection("127.0.0.1", self._target))
        try:
            answers, behind = await asyncio.shield(opening)
            asking = asyncio.create_task(self._questions(reader, behind))
            try:
                await self._answers(answers, writer)
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError):
                _, behind = await opening
            for each in (writer, behind):
                if each is not None:
                    each.transport.abort()

    async def _questions(self, reader: asyncio.StreamReader, behind: asyncio.StreamWriter) -> None:
        while part := await reader.read(65536):
            if self._fault != "swallows":
                behind.write(part)
                await behind.drain()
        behind.close()

    async def _answers(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await answers.read(65536):
            if self._fault == "delays":
                await asyncio.sleep(DELAY_S)
            elif self._fault in ("resets", "truncates"):
                writer.write(part[: max(1, len(part) // 2)])
                await writer.drain()
                if self._fault == "truncates":
                    writer.close()
                    await asyncio.sleep(1)
                return
            writer.write(part)
            await writer.drain()


def _deaf(port: int) -> list[socket.socket]:
    """Sockets that have a port drop every attempt to connect: its backlog is full."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for sock in waiting:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
    return [listener, *waiting]
