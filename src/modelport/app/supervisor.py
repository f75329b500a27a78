"""The supervisor: starts control and the workers, replaces what dies, ends all of them in order.

Its children hold one end of a socket pair each. When the supervisor is gone, however it went, the
other end is readable for them, and they drain and end: a killed supervisor leaves no orphan.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from modelport.app.sockets import reserve
from modelport.app.spec import (
    SECRETS,
    FromWorker,
    Heard,
    Loaded,
    Loading,
    Ready,
    Spec,
    Unfit,
)
from modelport.app.verdicts import Verdicts
from modelport.app.watchdog import watching
from modelport.core.settings import Settings
from modelport.kit.arena import is_supported
from modelport.kit.cpus import available_cpus
from modelport.kit.heartbeat import Beats
from modelport.repository.layout import Source

__all__ = ["Serving", "serve"]

_log = logging.getLogger(__name__)

_BACK_OFF_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_S = 3.0
"""A process that served this long starts its count of failures anew."""
_GRACE_S = 5.0
"""Beyond the time for draining, before a process that does not end is killed."""


@dataclass(frozen=True)
class Serving:
    """All workers serve for the first time."""

    url: str
    control: str
    """The path of control's socket."""
    workers: int
    ready: Ready


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


class _Child:
    """One place for a process: the process in it now, and how often it failed."""

    def __init__(self, module: str, spec: Spec, *extra: _HasDescriptor) -> None:
        self.module = module
        self.spec = spec
        self.extra = extra
        self.process: subprocess.Popen[bytes] | None = None
        self.steady_since = 0.0
        self.failures = 0
        self.loading: Source | None = None
        """What a worker loads now."""
        self.unfit: str | None = None
        """Why a worker ends by itself, or was ended."""
        self.is_ready = False
        """Whether a worker has loaded what it serves; it may load more for requests."""

    def start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Start a process in this place; it lives no longer than the socket."""
        ours, theirs = socket.socketpair()
        fds = [theirs.fileno(), *(sock.fileno() for sock in self.extra)]
        command = [sys.executable, "-P", "-m", self.module, *map(str, fds)]
        self.process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command,
            pass_fds=fds,
            env={name: text for name, text in os.environ.items() if name not in SECRETS},
            stdin=subprocess.DEVNULL,
            process_group=0,  # so that what a model forks can be ended with it
        )
        theirs.close()
        ours.sendall(msgspec.json.encode(self.spec) + b"\n")
        ours.setblocking(False)
        self.steady_since = time.monotonic()
        self.loading = self.unfit = None
        self.is_ready = False
        return self.process, ours

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, why: str) -> None:
        """End a process that is of no use any more."""
        self.unfit = self.unfit or f"ended, because {why}"
        self.signal(signal.SIGKILL)

    def delay(self) -> float:
        """Seconds to wait before the next start, after one more failure."""
        if time.monotonic() - self.steady_since > _STEADY_S:
            self.failures = 0
        self.failures += 1
        return _BACK_OFF_S[min(self.failures - 1, len(_BACK_OFF_S) - 1)]

    def how(self, code: int) -> str:
        """How the process ended, as people read it."""
        if self.unfit is not None:
            return self.unfit
        if self.loading is None:
            return _how(code)
        name, version = self.loading.name, self.loading.version
        return f"{_how(code)} while it loaded model '{name}' version {version}"


def serve(
    settings: Settings,
    sources: list[Source],
    trusted: frozenset[str],
    state: Path,
    on_serving: Callable[[Serving], int],
    repository: Path | None = None,
    remote: str = "",
) -> int:
    """Serve until a signal comes; the exit code.

    Where a `repository` is given, what is served follows what lies there; or, if it was fetched
    from the URL `remote`, what lies there when the server is told to reload.

    `on_serving` is told when all workers have loaded, or failed to; where it answers with an exit
    code other than 0, the server stops with that.

    Raises:
        ConfigError: the port cannot be had.
    """
    reserved = reserve(settings.server.host, settings.server.port)
    folder = Path(tempfile.mkdtemp(prefix="modelport-"))
    try:
        with contextlib.ExitStack() as held:
            held.enter_context(contextlib.closing(reserved))
            control = held.enter_context(contextlib.closing(_listening(folder / "control.sock")))
            engine = None
            if is_supported():
                engine = held.enter_context(contextlib.closing(_listening(folder / "engine.sock")))
            workers = settings.server.workers or available_cpus()
            beats = None
            if is_supported():
                beats = held.enter_context(contextlib.closing(Beats(workers + 1)))
            template = Spec(
                settings=settings,
                state=str(state),
                control=str(folder / "control.sock"),
                engine=str(folder / "engine.sock") if engine is not None else "",
                sources=tuple(sources),
                repository=str(repository or ""),
                remote=remote,
                trusted=trusted,
                workers=workers,
                host=settings.server.host,
                port=reserved.getsockname()[1],
            )
            supervisor = _Supervisor(template, control, engine, beats, on_serving)
            return asyncio.run(supervisor.run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listening(path: Path) -> socket.socket:
    """The socket of a process, held here so that it outlives the process."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(128)
    return listener


class _Supervisor:
    """The processes of one server."""

    def __init__(
        self,
        template: Spec,
        control: socket.socket,
        engine: socket.socket | None,
        beats: Beats | None,
        on_serving: Callable[[Serving], int],
    ) -> None:
        """
        Args:
            template: the spec of each process, but for what is its own.
            control: control's socket.
            engine: the engine process' socket; None where there can be none.
            beats: where workers and engine processes show their progress.
            on_serving: told when all workers have loaded.
        """
        self._template = template
        self._on_serving = on_serving
        self._control = _Child("modelport.app.control", template, control)
        self._beats = beats
        shared = () if beats is None else (beats,)
        plain = template.without_secrets()
        self._workers = [
            _Child("modelport.app.worker", msgspec.structs.replace(plain, index=index), *shared)
            for index in range(template.workers)
        ]
        spec = msgspec.structs.replace(plain, index=template.workers)
        self._engines = (
            [] if engine is None else [_Child("modelport.app.engine", spec, engine, *shared)]
        )
        self._verdicts = Verdicts()
        self._ready: dict[int, Ready] = {}
        self._stopping = asyncio.Event()
        self._signals = 0
        self._exit_code = 0

    async def run(self) -> int:
        """Run all processes until it is time to stop, then end them in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        control = asyncio.create_task(self._keep(self._control))
        engines = [asyncio.create_task(self._keep_asked(child)) for child in self._engines]
        workers = [asyncio.create_task(self._keep(child)) for child in self._workers]
        watchdog = asyncio.create_task(self._watch())
        await self._stopping.wait()
        server = self._template.settings.server
        watchdog.cancel()  # a process that drains may take its time
        await self._end(self._workers, workers, server.drain_delay_s + server.drain_s)
        await self._end([self._control, *self._engines], [control, *engines], 0.0)
        return self._exit_code

    def _on_signal(self) -> None:
        self._signals += 1
        self._stopping.set()
        if self._signals > 1:  # asked twice: at once
            for child in (*self._workers, self._control, *self._engines):
                child.signal(signal.SIGKILL)

    async def _keep_asked(self, child: _Child) -> None:
        """Start a process when somebody asks for it, which its socket tells; and so again."""
        listener = child.extra[0]
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_asked() -> None:
            loop.remove_reader(listener)
            asked.set()

        loop.add_reader(listener, on_asked)
        if await self._unless_stopping(asked):
            await self._keep(child)
        loop.remove_reader(listener)

    async def _unless_stopping(self, event: asyncio.Event) -> bool:
        """Wait for it, or for the time to stop; whether it came first."""
        waits = [asyncio.create_task(each.wait()) for each in (event, self._stopping)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return not self._stopping.is_set()

    async def _keep(self, child: _Child) -> None:
        """Start a process, and start it again whenever it ends, until it is time to stop."""
        while not self._stopping.is_set():
            code = await self._run_once(child)
            if self._stopping.is_set():
                break
            if child.loading is not None:
                self._verdicts.on_death(child.loading, _how(code))
            assert child.process is not None  # it ran
            delay = child.delay()
            _log.error(
                "%s %d ended (%s); another takes its place%s",
                child.module.rpartition(".")[2],
                child.process.pid,
                child.how(code),
                f" in {delay:g} s" if delay else "",
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            child.spec = self._verdicts.applied(child.spec)

    async def _watch(self) -> None:
        """End processes that make no progress."""
        longest_s = self._template.settings.server.watchdog_s
        if self._beats is not None and longest_s:
            await watching(self._watched, longest_s)

    def _watched(self) -> Iterator[tuple[int, float, Callable[[str], None]]]:
        assert self._beats is not None  # or nobody would ask
        for child in (*self._workers, *self._engines):
            if child.process is not None and child.process.poll() is None:
                beat = self._beats.read(child.spec.index)
                yield child.process.pid, beat, child.end

    async def _run_once(self, child: _Child) -> int:
        """Start a process and hear what it says until it ends; its exit code."""
        loop = asyncio.get_running_loop()
        if self._beats is not None and child is not self._control:
            self._beats.clear(child.spec.index)
        process, life = child.start()
        heard = Heard(life)

        def hear() -> None:
            for message in heard.take():
                self._on_message(child, message)
            if heard.is_over:
                loop.remove_reader(life)

        loop.add_reader(life, hear)
        code = await _ended(process)
        hear()  # what it said last
        loop.remove_reader(life)  # what the process forked may still hold the other end
        life.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return code

    def _on_message(self, child: _Child, message: FromWorker) -> None:
        match message:
            case Loading():
                child.loading = message.source
                if not child.is_ready:
                    child.steady_since = math.inf  # a long time of loading is none of serving
            case Loaded():
                child.loading = None
                child.steady_since = min(child.steady_since, time.monotonic())
            case Unfit():
                child.unfit = message.reason
            case Ready():
                child.is_ready = True
                child.steady_since = time.monotonic()
                self._verdicts.on_ready(message.models)
                self._on_ready(child, message)

    def _on_ready(self, child: _Child, ready: Ready) -> None:
        first = len(self._ready) < len(self._workers)
        self._ready[child.spec.index] = ready
        if first and len(self._ready) == len(self._workers):
            template = self._template
            serving = Serving(template.url, template.control, len(self._workers), ready)
            asyncio.get_running_loop().run_in_executor(
                None, self._on_serving, serving
            ).add_done_callback(self._on_told)

    def _on_told(self, told: asyncio.Future[int]) -> None:
        if (error := told.exception()) is not None:  # printing may fail; the server is there
            _log.error("what is served could not be announced", exc_info=error)
            return
        self._exit_code = told.result()
        if self._exit_code:
            self._stopping.set()

    async def _end(
        self, children: list[_Child], tasks: list[asyncio.Task[None]], drain_s: float
    ) -> None:
        for child in children:
            child.signal(signal.SIGTERM)
        _, late = await asyncio.wait(tasks, timeout=drain_s + _GRACE_S)
        if late:
            for child in children:
                child.signal(signal.SIGKILL)
            await asyncio.wait(late, timeout=_GRACE_S)


def _ended(process: subprocess.Popen[bytes]) -> Awaitable[int]:
    """The exit code, once there is one; woken by the kernel through a pidfd."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    if not hasattr(os, "pidfd_open"):  # macOS
        return loop.run_in_executor(None, process.wait)
    fd = os.pidfd_open(process.pid)

    def reap() -> None:
        loop.remove_reader(fd)
        os.close(fd)
        future.set_result(process.wait())

    loop.add_reader(fd, reap)
    return future


def _how(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
