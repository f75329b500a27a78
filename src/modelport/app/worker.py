"""A worker process: an HTTP server with an engine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import itertools
import logging
import os
import resource
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop

from modelport import __version__
from modelport.app.budget import limits_of, memory_of
from modelport.app.caching import cache_of, cache_report
from modelport.app.link import ControlLink
from modelport.app.sockets import listening, refuse_new_connections
from modelport.app.spec import (
    Loaded,
    Loading,
    ModelStatus,
    Ready,
    Spec,
    Unfit,
    receive_spec,
    tell,
)
from modelport.control.messages import Snapshot, VersionState
from modelport.core.errors import ModelportError
from modelport.core.settings import Settings
from modelport.engine.cost_files import known_s
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import State, Version
from modelport.engine.limits import Limits
from modelport.engine.opening import Settings as LoadSettings
from modelport.engine.placement import Placing
from modelport.engine.remote import EngineLink
from modelport.guard.policy import Policy
from modelport.http.api import api_routes
from modelport.http.connection import Connection
from modelport.http.live import Live
from modelport.http.routes import Gate, Router
from modelport.http.shared import Shared
from modelport.kit.cpus import SWITCH_S, available_cpus
from modelport.kit.heartbeat import beating
from modelport.kit.memory import one_heap
from modelport.monitor.logs import configure_logging
from modelport.monitor.metrics import ModelMetrics, Report, VersionPadding
from modelport.monitor.recent import ErrorLog
from modelport.monitor.versions import VersionNow
from modelport.semantics.example import example_request

__all__ = ["main"]

_log = logging.getLogger(__name__)
_BACKLOG = 2048
_KEEP_COSTS_S = 30.0
"""What was learnt of runs since is lost where the process is killed."""
_ACCEPT_S = 0.05
"""How long connections that the kernel has completed are still taken while draining."""


def main() -> None:
    """Entry of the process; its arguments are file descriptors: its life's, and where it beats."""
    spec, life = receive_spec(int(sys.argv[1]))
    beats = int(sys.argv[2]) if len(sys.argv) > 2 else None
    configure_logging()
    sys.setswitchinterval(SWITCH_S)
    _raise_file_limit()
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    runner.run(_Worker(spec, life, beats).run())
    # Closing the runner would wait for threads; everything owed is answered, and a model that
    # hangs, in a run or while it is loaded, must not keep the process.
    sys.stderr.flush()
    os._exit(0)


class _Worker:
    """The parts of one worker, and how they are wired."""

    def __init__(self, spec: Spec, life: socket.socket, beats: int | None) -> None:
        self._spec = spec
        self._life = life
        self._beats = beats
        self._settings: Settings = spec.settings
        self._metrics: dict[tuple[str, str, str], ModelMetrics] = {}
        self._rejected: dict[str, int] = {}
        self._errors = ErrorLog()
        self._stop = asyncio.Event()
        self._arrived = asyncio.Event()
        """A snapshot that has not been loaded yet."""

    async def run(self) -> None:
        """Serve until the supervisor says stop, or is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_reader(self._life.fileno(), self._on_supervisor_gone)
        self._link = ControlLink(
            self._spec.control, self._spec.index, self._report, self._errors, self._on_snapshot
        )
        if self._beats is not None:
            self._beating = loop.create_task(beating(self._beats, self._spec.index))
        self._gate: Gate | None = None
        linked = loop.create_task(self._link.run())
        informed = loop.create_task(self._link.informed.wait())
        if await self._unless_stopped(informed):
            await self._serve(self._link.snapshot)
        tell(self._life, Loaded())
        linked.cancel()

    def _on_supervisor_gone(self) -> None:
        # The supervisor says nothing more: readable means gone, and stays readable.
        asyncio.get_running_loop().remove_reader(self._life.fileno())
        self._stop.set()

    async def _unless_stopped(self, awaited: asyncio.Future[Any]) -> bool:
        """Wait for it, or for the word to stop; whether it came first."""
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({awaited, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return not self._stop.is_set()

    async def _serve(self, snapshot: Snapshot) -> None:
        self._wire(snapshot)
        loading = asyncio.create_task(self._load())
        if not self._spec.early:
            if not await self._unless_stopped(loading):
                return
            if (lost := self._lost()) is not None:
                tell(self._life, Unfit(lost.not_ready().message))
                return
        listener = listening(self._spec.host, self._spec.port, _BACKLOG)
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        following = asyncio.create_task(self._follow(loading))
        keeping = asyncio.create_task(self._keep_costs())
        await self._stop.wait()
        keeping.cancel()
        following.cancel()
        loading.cancel()
        await self._drain(listener, serving)

    def _wire(self, snapshot: Snapshot) -> None:
        """Put the parts together; nothing is loaded yet."""
        settings = self._settings
        self._cache = cache_of(settings.caching)
        limits = limits_of(settings.inference)
        load_settings = LoadSettings(
            threads=self._threads(),
            trusted=snapshot.trusted,
            cache_dir=Path(self._spec.state) / "cache",
            cost_dir=Path(self._spec.state) / "cost",
            load_s=settings.inference.load_s,
            stored_by="" if self._cache is None else f"modelport {__version__}",
            placing=self._placing(limits),
        )
        memory = memory_of(settings.memory, self._spec.workers)
        if memory.is_bounded or memory.lazy:
            one_heap()
        self._engine = Engine((), load_settings, limits, memory, self._tell_loading, self._cache)
        self._route(snapshot)
        self._live = Live(self._link.ask, lambda: gate.policy)
        routes = api_routes(
            engine=self._engine,
            settings=settings,
            server_version=__version__,
            metrics_of=self._metrics_of,
            gather=self._link.gather,
            ask=self._link.ask,
            live=self._live,
            redeem=self._link.redeem,
            policy=lambda: gate.policy,
            is_draining=self._stop.is_set,
            app=self._spec.only_app,
        )
        self._gate = gate = Gate(Router(routes), self._policy(snapshot))
        prefix = secrets.token_hex(4)
        numbers = itertools.count(1)
        self._shared = Shared(
            settings.http,
            gate.resolve,
            self._count_rejected,
            lambda: b"%b-%x" % (prefix.encode(), next(numbers)),
            self._errors,
        )
        config = uvicorn.Config(
            _no_asgi,
            http=functools.partial(Connection, shared=self._shared),  # type: ignore[arg-type]  # makes a protocol
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.server.drain_s)),
        )
        config.load()
        self._server = _Server(config)

    def _placing(self, limits: Limits) -> Placing | None:
        """How models are placed; the connection to the engine process is made when one is there."""
        if not self._spec.engine:
            return None
        inference = self._settings.inference
        link = EngineLink(self._spec.engine, limits, self._spec.workers)
        self._sharing = asyncio.create_task(link.run())
        costs = Path(self._spec.state) / "cost"
        threads = self._threads()
        return Placing(
            open=link.open,
            workers=self._spec.workers,
            wanted=inference.placement,
            known_s=lambda digest: known_s(costs, digest, "inline", threads),
        )

    def _threads(self) -> int:
        wanted = self._settings.inference.threads
        return wanted or max(1, available_cpus() // self._spec.workers)

    def _route(self, snapshot: Snapshot) -> None:
        fatal = {(source.name, source.version): source for source in self._spec.fatal}
        sources = [fatal.get((s.name, s.version), s) for s in snapshot.sources]
        self._engine.route(sources, snapshot.aliases, snapshot.unloaded)

    def _tell_loading(self, version: Version | None) -> None:
        tell(self._life, Loaded() if version is None else Loading(version.source))

    async def _load(self, *, again: bool = False) -> None:
        try:
            await self._engine.load(again=again)
        except Exception:  # no version's own failure; the others are served all the same
            _log.exception("the models were not all loaded")
        tell(self._life, Loaded())
        self._shared.forget()
        # What was imported and loaded stays for good: no collection needs to look at it again.
        gc.collect()
        gc.freeze()

    async def _keep_costs(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_COSTS_S)
            await asyncio.to_thread(self._engine.keep_costs)

    def _lost(self) -> Version | None:
        """A version that was served before and failed here; None where there is none."""
        failed = (v for v in self._engine.versions if v.state is State.FAILED)
        return next((v for v in failed if (v.name, v.version) in self._spec.served), None)

    async def _follow(self, loading: asyncio.Task[None]) -> None:
        """Load what each snapshot names, and say so; the first load has begun already."""
        changes = self._link.snapshot.changes
        await self._server.up.wait()
        await loading
        while True:
            self._arrived.clear()
            snapshot = self._link.snapshot
            await self._load(again=snapshot.changes != changes)
            changes = snapshot.changes
            tell(self._life, Ready([_status(v) for v in self._engine.versions]))
            await self._link.settle(snapshot.number, tuple(map(_state, self._engine.versions)))
            await self._arrived.wait()

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        if self._gate is not None:
            before, self._gate.policy = self._gate.policy, self._policy(snapshot)
            if self._gate.policy != before:
                self._live.interrupt()
            self._route(snapshot)
            self._shared.forget()
            self._arrived.set()

    def _policy(self, snapshot: Snapshot) -> Policy:
        security = self._settings.security
        return Policy(
            keys=snapshot.keys,
            allowed_hosts=(*security.allowed_host, self._spec.host),
            cors_origins=security.cors_origin,
            open_to_all=security.insecure,
            admin_key_id=snapshot.admin_key_id,
            sessions=snapshot.sessions,
            behind_tls=security.behind_tls,
            public_apps=snapshot.public_apps,
        )

    def _metrics_of(self, model: str, version: str, protocol: str) -> ModelMetrics:
        key = (model, version, protocol)
        if key not in self._metrics:
            self._metrics[key] = ModelMetrics(*key)
        return self._metrics[key]

    def _count_rejected(self, error: ModelportError) -> None:
        self._rejected[error.code] = self._rejected.get(error.code, 0) + 1

    def _report(self) -> Report:
        if self._gate is None:
            return Report()
        open_now = len(self._server.server_state.connections)
        versions = [self._now(version) for version in self._engine.versions]
        models = list(self._metrics.values())
        padding = [_padding(version) for version in self._engine.versions if version.waste.elements]
        cache = cache_report(self._cache)
        return Report(models, self._rejected, open_now, versions, cache, padding)

    def _now(self, version: Version) -> VersionNow:
        resident = version.resident is not None
        queue = self._engine.queue(version)
        return VersionNow(
            model=version.name,
            version=version.version,
            state=version.state.value,
            resident_bytes=version.size_bytes if resident else 0,
            evictions=version.evictions,
            waiting=queue.here,
            waiting_elsewhere=queue.elsewhere,
            copies=int(resident),
            is_shared=version.is_shared,
        )

    async def _drain(self, listener: socket.socket, serving: asyncio.Task[None]) -> None:
        """Answer all that was accepted, then end: not ready, no new connections, no old ones."""
        self._shared.draining = True
        self._live.close()
        await asyncio.sleep(self._settings.server.drain_delay_s)
        refuse_new_connections(listener)
        await asyncio.sleep(_ACCEPT_S)
        self._server.should_exit = True
        await serving
        self._engine.keep_costs()
        self._engine.close()
        if self._cache is not None:
            await self._cache.close()


class _Server(uvicorn.Server):
    """uvicorn's server with the signals left to the worker, and word of when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _no_asgi(scope: Any, receive: Any, send: Any) -> None:
    """Cold routes have their own applications; the server as a whole has none."""
    raise NotImplementedError


def _state(version: Version) -> VersionState:
    return VersionState(version.name, version.version, version.state.value, version.reason)


def _padding(version: Version) -> VersionPadding:
    waste = version.waste
    return VersionPadding(version.name, version.version, waste.elements, waste.padding)


def _status(version: Version) -> ModelStatus:
    status = ModelStatus(
        name=version.name,
        version=version.version,
        state=version.state.value,
        reason=version.whole_reason,
        code=version.code,
        runtime="",
        example=None,
    )
    if version.described is not None and version.is_served:
        example = example_request(version.described.view)
        status.runtime = version.described.description.runtime
        status.example = None if example is None else msgspec.json.encode(example).decode()
    return status


def _raise_file_limit() -> None:
    """A connection is a file: let there be as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
