"""The control process: state store, snapshots, metrics of all workers, admin operations."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence, Set
from pathlib import Path

import msgspec

from modelport import __version__
from modelport.app.budget import copies, memory_of, trial_bytes
from modelport.app.fetching import Origin
from modelport.app.public import public_versions
from modelport.app.servers import announced
from modelport.app.spec import Spec, receive_spec
from modelport.app.trial import Trial, try_out
from modelport.control.figures import Figures
from modelport.control.following import Following
from modelport.control.hub import Hub, Past
from modelport.control.messages import Snapshot
from modelport.control.operations import ModelStates, Operations
from modelport.control.ownership import Home, Ownership
from modelport.control.processes import Processes
from modelport.control.reconcile import Plan, Problem, Reconciler, common_states
from modelport.control.state import StateStore, session_secret
from modelport.control.watching import watch
from modelport.core.errors import ConfigError, NotReady
from modelport.guard.sessions import Sessions
from modelport.kit.storage import write_whole
from modelport.monitor.logs import configure_logging
from modelport.monitor.versions import VersionNow, add_versions
from modelport.repository.aliases import read_aliases
from modelport.repository.layout import Source
from modelport.repository.triton import not_applied

__all__ = ["main"]

_log = logging.getLogger(__name__)


def main() -> None:
    """Entry of the process; its arguments are two file descriptors."""
    life_fd, listen_fd = int(sys.argv[1]), int(sys.argv[2])
    spec, life = receive_spec(life_fd)
    configure_logging()
    asyncio.run(_run(spec, life, socket.socket(fileno=listen_fd)))


async def _run(spec: Spec, life: socket.socket, listener: socket.socket) -> None:
    with announced(spec):
        try:
            await _serve(spec, life, listener)
        except (ConfigError, NotReady) as error:  # of the store, at the start
            _log.error("%s", error)
            sys.exit(1)


async def _serve(spec: Spec, life: socket.socket, listener: socket.socket) -> None:
    # Announced before this reads the store: a change that is made in between is told.
    store = StateStore(Path(spec.state), spec.settings.state.state_url)
    following = Following(store, Path(spec.control).with_name("known.json"))
    await following.start()
    sessions = _sessions(spec)

    hidden: set[str] = set()
    told: set[str] = set()
    origin = Origin(spec)

    def wanted() -> Plan:
        return _plan_of(origin, hidden, spec.settings.security.public_apps, told)

    served = wanted()

    def snapshot(plan: Plan, changes: int = 0) -> Snapshot:
        known = following.known
        return Snapshot(
            sources=plan.sources,
            aliases=plan.aliases,
            public_apps=plan.public_apps,
            unloaded=plan.unloaded,
            trusted=spec.trusted,
            keys={**known.keys, known.admin.id: known.admin},
            admin_key_id=known.admin.id,
            sessions=sessions,
            changes=changes,
        )

    async def try_version(source: Source) -> str | None:
        settings = spec.settings
        count = copies(source, spec)
        trial = Trial(
            source=source,
            trusted=spec.trusted,
            cache_dir=str(Path(spec.state) / "cache"),
            budget_bytes=memory_of(settings.memory, count).budget_bytes,
        )
        most_bytes = trial_bytes(settings.memory, count)
        return await try_out(trial, settings.inference.load_s, most_bytes)

    past = Path(spec.control).with_name("past.json")
    figures = Figures(__version__, Processes(os.getppid()).look)
    hub = Hub(snapshot(served), _read_past(past), lambda now: _write_past(past, now), figures)
    figures.workers = hub
    reconciler = Reconciler(
        served,
        wanted=wanted,
        publish=lambda plan, changes: hub.publish(snapshot(plan, changes)),
        settled=lambda: hub.settled(2 * spec.settings.inference.load_s),
        try_out=try_version,
    )

    async def reload() -> list[Problem]:
        problems = await asyncio.to_thread(origin.refresh)
        return [*problems, *await reconciler.reload()]

    async def changed() -> list[int]:
        await following.read()
        return await reconciler.publish_again()

    operations = Operations(
        store,
        changed,
        reload,
        lambda: ModelStates(spec.repository, tuple(common_states(hub.states).values())),
        hidden,
    )

    async def now() -> list[VersionNow]:
        await hub.refresh()
        return add_versions(each for report in hub.reports for each in report.versions)

    ownership = Ownership(
        lambda: Home(origin.root, bool(spec.remote)),
        reload,
        lambda: reconciler.served.aliases,
        lambda: common_states(hub.states).values(),
        now,
        hidden,
    )
    hub.operations |= operations.table() | ownership.table() | figures.table()
    server = await asyncio.start_unix_server(hub.serve, sock=listener)
    works = (_watch(spec, reconciler), figures.keep(), following.follow(reconciler.publish_again))
    tasks = [asyncio.create_task(work) for work in works]
    is_orphan = await _end(life)
    for task in tasks:
        task.cancel()
    server.close()
    await hub.close()
    store.close()
    if is_orphan:  # the supervisor was killed, and could not do so itself
        shutil.rmtree(Path(spec.control).parent, ignore_errors=True)


def _sessions(spec: Spec) -> Sessions:
    """How sessions are signed: as the operator set it, else with a secret of this state folder."""
    settings = spec.settings.security
    secret = settings.session_secret or session_secret(Path(spec.state))
    return Sessions(secret=secret.encode(), lasts_s=settings.session_hours * 3600)


async def _end(life: socket.socket) -> bool:
    """Wait for the word to stop, or for the supervisor's end; whether it was that."""
    loop = asyncio.get_running_loop()
    end: asyncio.Queue[bool] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGTERM, end.put_nowait, False)

    def on_supervisor_gone() -> None:  # it says nothing: readable means gone, and stays so
        loop.remove_reader(life)
        end.put_nowait(True)

    loop.add_reader(life, on_supervisor_gone)
    return await end.get()


def _read_past(path: Path) -> Past:
    """What the control process before this one of the same server knew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Past)
    except FileNotFoundError:
        return Past()


def _write_past(path: Path, past: Past) -> None:
    # Nothing is served worse without it.
    try:
        write_whole(path, msgspec.json.encode(past))
    except OSError as error:
        _log.warning("what the workers counted is not kept: %s", error.strerror)


async def _watch(spec: Spec, reconciler: Reconciler) -> None:
    if spec.repository and not spec.remote:
        await watch(Path(spec.repository), reconciler.reload)


def _plan_of(origin: Origin, hidden: Set[str], permitted: Sequence[str], told: set[str]) -> Plan:
    """What should be served now: what lies in the repository, or the files that were named, but
    for the models that are hidden. Apps may be public that are permitted to be.

    What files of other servers say and is not applied is logged, if it was not told before.
    """
    found = tuple(origin.sources())
    sources = tuple(source for source in found if source.name not in hidden)
    unloaded = tuple((source.name, source.version) for source in found if source.name in hidden)
    configs = (source.config for source in sources if source.config)
    for sentence in not_applied(origin.root, configs):
        if sentence not in told:
            told.add(sentence)
            _log.warning("%s", sentence)
    public = public_versions(sources, permitted, told)
    if origin.root is None:
        return Plan(sources, {}, unloaded, public)
    names = {source.name for source in sources}
    aliases = {name: read_aliases(origin.home(name)).current for name in names}
    return Plan(sources, aliases, unloaded, public)


if __name__ == "__main__":
    main()
