"""From what is served to what should be: new versions load first, then all workers turn over.

A change has two steps. First every worker loads what is new, beside what it serves. Then, and only
with the versions that are ready in every worker, all are told where requests go from now on, and
let go of what is no longer wanted. What could not be loaded takes nobody's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from modelport.control.messages import VersionState
from modelport.repository.aliases import LATEST
from modelport.repository.layout import Source, latest

__all__ = ["Plan", "Problem", "Reconciler", "common_states", "unconfirmed"]

_Key = tuple[str, str]


class Plan(msgspec.Struct, frozen=True):
    """What is served, or should be."""

    sources: tuple[Source, ...]
    aliases: Mapping[str, Mapping[str, str]]
    """By model: from an alias to a version."""
    unloaded: tuple[tuple[str, str], ...] = ()
    """Models and their versions that could be served, and are not because an admin said so."""
    public: frozenset[_Key] = frozenset()
    """Models and their versions that need no key: their owners and the operator say so."""

    @property
    def public_apps(self) -> frozenset[str]:
        """The models of which every version that may answer is public: callers may name any."""
        answering = {_key(source) for source in self.sources if source.problem is None}
        return frozenset({n for n, _ in answering} - {n for n, _ in answering - self.public})


class Problem(msgspec.Struct, frozen=True):
    """What of a change could not be done."""

    model: str
    """Empty where it is about none in particular."""
    version: str
    """Empty where it is about none in particular."""
    sentence: str
    workers: tuple[int, ...] = ()
    """Those that may not act on the change, where it is about that."""


class Reconciler:
    """Carries out one change after the other."""

    def __init__(
        self,
        served: Plan,
        wanted: Callable[[], Plan],
        publish: Callable[[Plan, int], Awaitable[list[int]]],
        settled: Callable[[], Awaitable[list[tuple[VersionState, ...]]]],
        try_out: Callable[[Source], Awaitable[str | None]],
    ) -> None:
        """
        Args:
            served: what the workers were told at first.
            wanted: reads what should be served; may take its time, in a thread.
            publish: has every worker act on a plan, and try again what failed before where the
                number, of changes, is another; returns those that did not confirm it in time.
            settled: waits until every worker has loaded the plan; the states in each.
            try_out: loads a version where that hurts nobody; why it cannot be loaded, or None.
        """
        self.served = served
        self._published = served
        self._changes = 0
        self._wanted = wanted
        self._tell = publish
        self._settled = settled
        self._try_out = try_out
        self._changing = asyncio.Lock()

    async def reload(self) -> list[Problem]:
        """Serve what should be served now; what could not be done.

        When this returns, no worker answers with a version that an alias no longer points to, but
        for those that a problem names.
        """
        async with self._changing:
            wanted = await asyncio.to_thread(self._wanted)
            if (closed := _closed(self.served, wanted)) != self.served:
                self.served = closed  # at once: trials and loading may take minutes
                await self._publish(closed)
            wanted = await self._tried(wanted)
            states = common_states(await self._settled())
            before = _with_latest(self.served, states)
            self._changes += 1
            await self._publish(_beside(before, wanted))
            states = common_states(await self._settled())
            after, problems = _turned_over(before, wanted, states)
            self.served = after
            if missing := await self._publish(after):
                problems.append(Problem("", "", unconfirmed(missing), tuple(missing)))
            return problems

    async def publish_again(self) -> list[int]:
        """Have every worker act on what else is true by now, and on the plan as it was told last.

        That is what is served, or, while a change is carried out, that beside what is being loaded.

        Returns:
            the workers that did not confirm it in time.
        """
        return await self._tell(self._published, self._changes)

    async def _publish(self, plan: Plan) -> list[int]:
        self._published = plan
        return await self._tell(plan, self._changes)

    async def _tried(self, plan: Plan) -> Plan:
        """The plan, with what is new and cannot be loaded marked as such: no worker tries it."""
        sources = []
        for source in plan.sources:
            if source not in self.served.sources and source.problem is None:
                problem = await self._try_out(source)
                source = msgspec.structs.replace(source, problem=problem)
            sources.append(source)
        return msgspec.structs.replace(plan, sources=tuple(sources))


def unconfirmed(workers: Iterable[int]) -> str:
    """What is told of workers that did not confirm in time that they act on a change."""
    return (
        f"worker {', '.join(map(str, workers))} did not confirm the change in time: it may still"
        " act on what was true before; restart the server if it hangs"
    )


def common_states(
    workers: Iterable[Iterable[VersionState]],
) -> dict[tuple[str, str], VersionState]:
    """Each version's worst state over all workers: served only where it is served everywhere."""
    each = [{(state.name, state.version): state for state in states} for states in workers]
    found: dict[_Key, VersionState] = {}
    for key in {key for states in each for key in states}:
        told = [states.get(key, VersionState(*key, "LOADING")) for states in each]
        found[key] = min(told, key=lambda state: state.is_served)
    return found


def _with_latest(plan: Plan, states: Mapping[_Key, VersionState]) -> Plan:
    """The plan with `latest` said outright, so that no worker moves it by itself."""
    aliases = {}
    for name in dict.fromkeys(source.name for source in plan.sources):
        versions = [source.version for source in plan.sources if source.name == name]
        ready = [v for v in versions if _is_ready(states, name, v)]
        aliases[name] = {**plan.aliases.get(name, {}), LATEST: latest(ready or versions)}
    return msgspec.structs.replace(plan, aliases=aliases)


def _closed(served: Plan, wanted: Plan) -> Plan:
    """What is served, with what is public no longer closed; not what is served no longer."""
    names = {source.name for source in wanted.sources}
    closed = (served.public_apps & names) - wanted.public_apps
    public = frozenset(key for key in served.public if key[0] not in closed)
    return msgspec.structs.replace(served, public=public)


def _beside(before: Plan, wanted: Plan) -> Plan:
    """What is new beside what is served, under the aliases as they are."""
    new = {_key(source) for source in wanted.sources}
    rest = tuple(source for source in before.sources if _key(source) not in new)
    loaded = {source.name for source in wanted.sources}
    unloaded = tuple(key for key in before.unloaded if key[0] not in loaded)
    public = _public(before, wanted, rest)
    return Plan((*wanted.sources, *rest), before.aliases, unloaded, public)


def _public(before: Plan, wanted: Plan, kept: Iterable[Source]) -> frozenset[_Key]:
    """What is public where some versions are kept whose files may be gone: as they said before."""
    return wanted.public | (before.public & {_key(source) for source in kept})


def _turned_over(
    before: Plan, wanted: Plan, states: Mapping[_Key, VersionState]
) -> tuple[Plan, list[Problem]]:
    """The plan as far as it can be carried out, and what of it cannot."""
    problems: list[Problem] = []
    known = {_key(source) for source in before.sources}
    for source in wanted.sources:
        state = states.get(_key(source))
        if state is not None and not state.is_served and _key(source) not in known:
            sentence = f"{_named(source.name, source.version)} {_why(state)}"
            problems.append(Problem(source.name, source.version, sentence))
    aliases: dict[str, dict[str, str]] = {}
    for name, targets in wanted.aliases.items():
        aliases[name] = {}
        for alias, target in targets.items():
            kept = before.aliases.get(name, {}).get(alias)
            if _is_ready(states, name, target):
                aliases[name][alias] = target
                continue
            stays = "is not set yet" if kept is None else f"stays at version {kept}"
            if kept is not None:
                aliases[name][alias] = kept
            state = states.get((name, target), VersionState(name, target, "MISSING"))
            sentence = f"'{alias}' of '{name}' {stays}: version {target} {_why(state)}"
            problems.append(Problem(name, target, sentence))
    needed = {(name, target) for name, targets in aliases.items() for target in targets.values()}
    wanted_keys = {_key(source) for source in wanted.sources}
    kept_sources = [s for s in before.sources if _key(s) in needed - wanted_keys]
    public = _public(before, wanted, kept_sources)
    plan = Plan((*wanted.sources, *kept_sources), aliases, wanted.unloaded, public)
    return _with_latest(plan, states), problems


def _key(source: Source) -> _Key:
    return source.name, source.version


def _is_ready(states: Mapping[_Key, VersionState], name: str, version: str) -> bool:
    state = states.get((name, version))
    return state is not None and state.is_served


def _named(name: str, version: str) -> str:
    return f"version {version} of '{name}'"


def _why(state: VersionState) -> str:
    if state.reason:
        return f"could not be loaded: {state.reason}"
    return "is not there" if state.state == "MISSING" else f"is {state.state.lower()}"
