"""A real server in a thread of the test's process, wired as a worker is, without its processes."""

from __future__ import annotations

import asyncio
import functools
import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from modelport.core.errors import ModelportError, NotFound
from modelport.core.settings import HttpLimits, Inference, Settings
from modelport.engine import opening
from modelport.engine.facade import Engine
from modelport.engine.limits import Limits
from modelport.guard.policy import Policy
from modelport.http.api import api_routes
from modelport.http.connection import Connection
from modelport.http.live import Live
from modelport.http.routes import Gate, Route, Router
from modelport.http.shared import Shared
from modelport.monitor.metrics import Gathered, ModelMetrics, Report
from modelport.monitor.recent import ErrorLog
from modelport.repository import integrity
from modelport.repository.layout import Source

DATA = Path(__file__).parents[1] / "data"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A running server."""

    port: int
    loop: asyncio.AbstractEventLoop
    engine: Engine
    routes: list[Route]
    gate: Gate
    shared: Shared
    metrics: dict[tuple[str, str, str], ModelMetrics]
    rejected: dict[str, int]
    errors: ErrorLog
    asked: list[tuple[str, bytes]]
    """What was handed to control."""
    answers: dict[str, bytes]
    """What control answers, by the operation; `{}` by itself."""
    live: Live
    links: set[str]
    """The hashes of links that are good; each is so once."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def decides(self, policy: Policy) -> None:
        """Put another policy in force, as a snapshot does; called in any thread."""
        self.gate.policy = policy
        self.shared.forget()
        self.loop.call_soon_threadsafe(self.live.interrupt)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            content = body.encode() if isinstance(body, str) else body
            connection.request(method, path, content, dict(headers or {}))
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()

    def post(self, path: str, body: bytes | str, **headers: str) -> Answer:
        """A POST; `content_type="text/csv"` gives that header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, body, named)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, {k.replace("_", "-"): v for k, v in headers.items()})

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def metrics_of(self, model: str, protocol: str, version: str = "1") -> ModelMetrics:
        """What was counted."""
        key = (model, version, protocol)
        return self.metrics.setdefault(key, ModelMetrics(*key))

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for what the server does by itself."""
        end = time.monotonic() + 10
        while not reached():
            assert time.monotonic() < end
            time.sleep(0.005)


def source(path: Path, name: str | None = None, version: str = "1", **more: Any) -> Source:
    """A version of a model, as the repository finds it."""
    toml = str(path.with_suffix(".toml"))
    return Source(name=name or path.stem, version=version, path=str(path), toml=toml, **more)


LINEAR = source(DATA / "linear.onnx")
FAILS = source(DATA / "fails.onnx")


@contextmanager
def serving(
    sources: Iterable[Source],
    *,
    limits: HttpLimits | None = None,
    policy: Policy | None = None,
    timeout_s: float = 60.0,
    clock: Callable[[], float] = time.time,
    stream_s: float = 900.0,
) -> Iterator[Served]:
    """Serve until the block ends; the models are loaded."""
    settings = Settings(http=limits or HttpLimits(), inference=Inference(timeout_s=timeout_s))
    found = list(sources)
    trusted = frozenset(integrity.digest(Path(s.path)) for s in found if s.path.endswith(".py"))
    engine = Engine(
        found, opening.Settings(trusted=trusted), Limits(queue_jobs=settings.inference.queue_limit)
    )
    asyncio.run(engine.load())
    metrics: dict[tuple[str, str, str], ModelMetrics] = {}
    rejected: dict[str, int] = {}
    asked: list[tuple[str, bytes]] = []

    def metrics_of(*key: str) -> ModelMetrics:
        return metrics.setdefault(key, ModelMetrics(*key))  # type: ignore[arg-type]

    def count(error: ModelportError) -> None:
        rejected[error.code] = rejected.get(error.code, 0) + 1

    async def gather() -> Gathered:
        return Gathered(Report(list(metrics.values()), rejected, 0), workers=1, restarts=0)

    async def ask(operation: str, body: bytes) -> bytes:
        asked.append((operation, body))
        answer = answers.get(operation, b"{}")
        if b"unknown" in body or answer == b"unknown":
            raise NotFound("there is no such key")
        return answer

    answers: dict[str, bytes] = {}
    links: set[str] = set()

    async def redeem(link_hash: str) -> bool:
        is_good = link_hash in links
        links.discard(link_hash)
        return is_good

    live = Live(ask, lambda: gate.policy, clock, most=3, longest_s=stream_s)
    routes = api_routes(
        engine=engine,
        settings=settings,
        server_version="1.2.3",
        metrics_of=metrics_of,
        gather=gather,
        ask=ask,
        live=live,
        redeem=redeem,
        policy=lambda: gate.policy,
        is_draining=lambda: shared.draining,
        clock=clock,
    )
    gate = Gate(Router(routes), policy or Policy(), clock)
    numbers = itertools.count(1)
    errors = ErrorLog()
    shared = Shared(settings.http, gate.resolve, count, lambda: b"test-%d" % next(numbers), errors)
    with _running(shared) as (port, loop):
        yield Served(
            *(port, loop, engine, routes, gate, shared, metrics, rejected, errors),
            *(asked, answers, live, links),
        )
    engine.close()


@contextmanager
def _running(shared: Shared) -> Iterator[tuple[int, asyncio.AbstractEventLoop]]:
    config = uvicorn.Config(
        _no_asgi,
        http=functools.partial(Connection, shared=shared),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.serve_in_loop, args=(listener,), daemon=True)
        thread.start()
        assert server.up.wait(10)
        try:
            yield listener.getsockname()[1], server.loop
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
    assert server.failed is None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()
        self.failed: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop

    def serve_in_loop(self, listener: socket.socket) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(sockets=[listener]))
        except BaseException as error:
            self.failed = error
            raise

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.up.set()


async def _no_asgi(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError
