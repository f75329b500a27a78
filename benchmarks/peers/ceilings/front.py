"""Modelport's own front, one process a core, with a route that answers fixed bytes.

All that a request costs outside its model is here: the connection, the memo of heads, the gate, the
router, the request's id, the answer's headers. What is left out is decoding, running and encoding.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import os
import signal
from collections.abc import Mapping
from typing import Any

import uvicorn
import uvloop

from benchmarks.peers.ceilings.fixed import BODY
from modelport.app.sockets import listening
from modelport.core.settings import HttpLimits
from modelport.guard.policy import Permission, Policy
from modelport.http.connection import Connection
from modelport.http.routes import Gate, Route, Router
from modelport.http.shared import Shared
from modelport.http.wire import JSON, Handler, Head, reply
from modelport.monitor.recent import ErrorLog

__all__ = ["main"]

_BACKLOG = 2048


def main() -> None:
    """Serve from as many processes as there are to be workers."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    children = []
    for _ in range(int(os.environ["BENCH_WORKERS"])):
        if (pid := os.fork()) == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
            _work(int(os.environ["BENCH_PORT"]))
            os._exit(0)
        children.append(pid)
    signal.sigwait(ends)
    for pid in children:
        os.kill(pid, signal.SIGTERM)
    for pid in children:
        os.waitpid(pid, 0)


def _work(port: int) -> None:
    answer = reply(b"200 OK", JSON + b"x-model-version: 1\r\n", BODY)

    def prepare(head: Head, params: Mapping[str, str]) -> Handler:
        return lambda body: answer

    route = Route(
        method="POST",
        path="/models/{name}/predict",
        permission=Permission.INFER,
        prepare=prepare,
    )
    numbers = itertools.count(1)
    shared = Shared(
        HttpLimits(),
        Gate(Router([route]), Policy()).resolve,
        lambda error: None,
        lambda: b"front-%x" % next(numbers),
        ErrorLog(),
    )
    config = uvicorn.Config(
        _no_asgi,
        http=functools.partial(Connection, shared=shared),  # type: ignore[arg-type]  # makes a protocol
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
    )
    config.load()
    gc.collect()
    gc.freeze()
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    sockets = [listening("127.0.0.1", port, _BACKLOG)]
    runner.run(uvicorn.Server(config).serve(sockets=sockets))


async def _no_asgi(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


if __name__ == "__main__":
    main()
