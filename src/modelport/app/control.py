"""The control process: state store, snapshots, metrics of all workers, admin operations."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence, Set
from pathlib import Path

import msgspec

from modelport.app.spec import Spec, receive_spec
from modelport.app.trial import Trial, try_out
from modelport.control.hub import Hub
from modelport.control.messages import Snapshot
from modelport.control.operations import Operations
from modelport.control.reconcile import Plan, Reconciler
from modelport.control.state import StateStore, admin_token
from modelport.control.watching import watch
from modelport.core.errors import ConfigError
from modelport.kit.storage import private_folder
from modelport.monitor.logs import configure_logging
from modelport.repository.aliases import read_aliases
from modelport.repository.layout import Source, find_sources
from modelport.runtimes.formats import is_model

__all__ = ["Running", "main"]


def main() -> None:
    """Entry of the process; its arguments are two file descriptors."""
    life_fd, listen_fd = int(sys.argv[1]), int(sys.argv[2])
    spec, life = receive_spec(life_fd)
    configure_logging()
    asyncio.run(_run(spec, life, socket.socket(fileno=listen_fd)))


async def _run(spec: Spec, life: socket.socket, listener: socket.socket) -> None:
    with _announced(spec):
        await _serve(spec, life, listener)


async def _serve(spec: Spec, life: socket.socket, listener: socket.socket) -> None:
    # Announced before this reads the store: a change that is made in between is told.
    store = StateStore(Path(spec.state))
    token = admin_token(Path(spec.state))

    hidden: set[str] = set()
    served = _plan_of(spec, hidden)

    def snapshot(plan: Plan, changes: int = 0) -> Snapshot:
        return Snapshot(
            sources=plan.sources,
            aliases=plan.aliases,
            trusted=spec.trusted,
            keys={**store.keys(), token.id: token},
            admin_key_id=token.id,
            changes=changes,
        )

    hub = Hub(snapshot(served))
    reconciler = Reconciler(
        served,
        wanted=lambda: _plan_of(spec, hidden),
        publish=lambda plan, changes: hub.publish(snapshot(plan, changes)),
        settled=hub.settled,
        try_out=lambda source: try_out(
            Trial(source=source, trusted=spec.trusted, cache_dir=str(Path(spec.state) / "cache")),
            spec.settings.inference.load_s,
        ),
    )
    operations = Operations(
        store,
        lambda: hub.publish(snapshot(reconciler.served, reconciler.changes)),
        reconciler.reload,
        hidden,
    )
    hub.operations |= operations.table()
    server = await asyncio.start_unix_server(hub.serve, sock=listener)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(life.fileno(), stop.set)  # the supervisor says nothing: readable means gone
    watching = asyncio.create_task(_watch(spec, reconciler))
    await stop.wait()
    watching.cancel()
    server.close()
    await hub.close()
    store.close()


async def _watch(spec: Spec, reconciler: Reconciler) -> None:
    if spec.repository:
        await watch(Path(spec.repository), reconciler.reload)


def _plan_of(spec: Spec, hidden: Set[str]) -> Plan:
    """What should be served now: what lies in the repository, or the files that were named, but
    for the models that are hidden."""
    sources = tuple(source for source in _found(spec) if source.name not in hidden)
    root, names = Path(spec.repository), {source.name for source in sources}
    if not spec.repository:
        return Plan(sources, {})
    return Plan(sources, {name: read_aliases(root / name).current for name in names})


def _found(spec: Spec) -> Sequence[Source]:
    if not spec.repository:
        return spec.sources
    try:
        return find_sources(spec.repository, is_model)
    except ConfigError:
        return ()  # its last model was taken away


class Running(msgspec.Struct):
    """A running server, as the user's other commands find it in the state folder."""

    pid: int
    url: str
    control: str


def _announced(spec: Spec) -> contextlib.ExitStack:
    """Leave word in the state folder for as long as the server runs."""
    path = private_folder(Path(spec.state) / "servers") / f"{os.getpid()}.json"
    running = Running(os.getpid(), f"http://{spec.host}:{spec.port}", spec.control)
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(running))
    draft.replace(path)
    stack = contextlib.ExitStack()
    stack.callback(path.unlink, missing_ok=True)
    return stack


if __name__ == "__main__":
    main()
