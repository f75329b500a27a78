"""The engine process: it runs the models that are placed shared, for all workers of the machine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvloop

from modelport.app.budget import limits_of
from modelport.app.spec import Loaded, Loading, Spec, receive_spec, tell
from modelport.engine.host import Host
from modelport.engine.lanes import Lanes
from modelport.engine.lifecycle import Version
from modelport.engine.opening import Settings
from modelport.kit.cpus import SWITCH_S, available_cpus
from modelport.kit.heartbeat import beating
from modelport.kit.memory import one_heap
from modelport.monitor.logs import configure_logging

__all__ = ["main"]

_log = logging.getLogger(__name__)
_HUNG = 70
"""The exit code for an error in the software (sysexits.h)."""
_KEEP_COSTS_S = 30.0
"""As in a worker."""


def main() -> None:
    """Entry of the process; its arguments are descriptors: of its life, its socket, its beats."""
    spec, life = receive_spec(int(sys.argv[1]))
    configure_logging()
    sys.setswitchinterval(SWITCH_S)
    listener = socket.socket(fileno=int(sys.argv[2]))
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    runner.run(_run(spec, life, listener, int(sys.argv[3])))
    # As in a worker: a run that hangs must not keep the process.
    sys.stderr.flush()
    os._exit(0)


async def _run(spec: Spec, life: socket.socket, listener: socket.socket, beats: int) -> None:
    inference, memory = spec.settings.inference, spec.settings.memory
    if memory.model_memory_bytes or memory.lazy:
        one_heap()
    threads = inference.threads or available_cpus()

    def told(version: Version | None) -> None:
        tell(life, Loaded() if version is None else Loading(version.source))

    host = Host(
        Settings(
            threads=threads,
            trusted=spec.trusted,
            cache_dir=Path(spec.state) / "cache",
            cost_dir=Path(spec.state) / "cost",
            load_s=inference.load_s,
            place="shared",
        ),
        Lanes(threads, limits_of(inference, spec.workers)),
        told,
        {(source.name, source.version): source for source in spec.fatal},
    )
    works = (
        _accept(host, listener),
        _keep_costs(host),
        host.watch(_end_hung),
        beating(beats, spec.index),
    )
    tasks = [asyncio.create_task(work) for work in works]
    await _end(life)
    # Workers that drain still ask, and leave when everything is answered.
    drain_s = spec.settings.server.drain_delay_s + spec.settings.server.drain_s
    try:
        async with asyncio.timeout(drain_s):
            await host.drained()
    except TimeoutError:
        pass
    for task in tasks:
        task.cancel()
    host.keep_costs()
    host.close()


def _end_hung(why: str) -> None:
    """End at once: what hangs cannot be stopped otherwise. Another process takes the place."""
    _log.error("%s", why)
    sys.stderr.flush()
    os._exit(_HUNG)


async def _keep_costs(host: Host) -> None:
    while True:
        await asyncio.sleep(_KEEP_COSTS_S)
        await asyncio.to_thread(host.keep_costs)


async def _accept(host: Host, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    serving: set[asyncio.Task[None]] = set()
    while True:
        sock, _ = await loop.sock_accept(listener)
        task = loop.create_task(host.serve(sock))
        serving.add(task)
        task.add_done_callback(serving.discard)


async def _end(life: socket.socket) -> None:
    """Wait for the word to stop, or for the supervisor's end."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)

    def on_supervisor_gone() -> None:  # it says nothing: readable means gone, and stays so
        loop.remove_reader(life)
        end.set()

    loop.add_reader(life, on_supervisor_gone)
    await end.wait()


if __name__ == "__main__":
    main()
