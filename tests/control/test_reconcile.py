"""From what is served to what should be: load beside, then turn over, and lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from modelport.control.messages import VersionState
from modelport.control.reconcile import Plan, Reconciler
from modelport.repository.layout import Source


def plan(*versions: str, **aliases: str) -> Plan:
    sources = tuple(Source(name="m", version=v, path=f"/{v}", toml="") for v in versions)
    return Plan(sources, {"m": aliases} if versions else {})


def public(told: Plan, *versions: str) -> Plan:
    """The plan, with those versions public."""
    return msgspec.structs.replace(told, public=frozenset(("m", v) for v in versions))


class Workers:
    """Workers that load what they are told, but for what fails in one of them."""

    def __init__(self, served: Plan, count: int = 2) -> None:
        self.wanted = served
        self.published: list[Plan] = []
        self.changes = 0
        """The number that was published last."""
        self.tried: list[int] = []
        """How many plans were published before each trial."""
        self.fails: Mapping[str, str] = {}
        """From a version to why the last worker cannot load it."""
        self.crashes: Mapping[str, str] = {}
        """From a version to what loading it does to a process."""
        self.missing: list[int] = []
        """The workers that confirm nothing."""
        self.reconciler = Reconciler(
            served, lambda: self.wanted, self._publish, self._settled, self._try_out
        )
        self._count = count
        self._present = served

    async def _publish(self, told: Plan, changes: int) -> list[int]:
        self.published.append(told)
        self.changes = changes
        self._present = told
        return self.missing

    async def _settled(self) -> list[tuple[VersionState, ...]]:
        return [self._states(fails={}) for _ in range(self._count - 1)] + [
            self._states(self.fails) for _ in range(min(self._count, 1))
        ]

    async def _try_out(self, source: Source) -> str | None:
        self.tried.append(len(self.published))
        return self.crashes.get(source.version)

    def _states(self, fails: Mapping[str, str]) -> tuple[VersionState, ...]:
        fails = {**fails, **{s.version: s.problem for s in self._present.sources if s.problem}}
        return tuple(
            VersionState(
                s.name, s.version, "FAILED" if s.version in fails else "READY", fails.get(s.version)
            )
            for s in self._present.sources
        )

    def reload(self, wanted: Plan) -> list[str]:
        self.wanted = wanted
        return [problem.sentence for problem in asyncio.run(self.reconciler.reload())]

    @property
    def served(self) -> list[str]:
        return [source.version for source in self.reconciler.served.sources]

    @property
    def aliases(self) -> Mapping[str, str]:
        return self.reconciler.served.aliases.get("m", {})


def test_a_new_version_is_loaded_beside_the_old_one_before_requests_go_to_it() -> None:
    workers = Workers(plan("1", production="1"))
    assert workers.reload(plan("1", "2", production="2")) == []
    beside, after = workers.published
    assert {source.version for source in beside.sources} == {"1", "2"}
    assert beside.aliases == {"m": {"production": "1", "latest": "1"}}
    assert after.aliases == {"m": {"production": "2", "latest": "2"}}
    assert workers.served == ["1", "2"]


def test_what_is_removed_goes_only_with_the_turn_over() -> None:
    workers = Workers(plan("1", "2"))
    assert workers.reload(plan("2")) == []
    beside, after = workers.published
    assert {source.version for source in beside.sources} == {"1", "2"}
    assert [source.version for source in after.sources] == ["2"]


def test_a_version_that_fails_in_one_worker_takes_nobodys_place() -> None:
    workers = Workers(plan("1", production="1"))
    workers.fails = {"2": "it is damaged"}
    problems = workers.reload(plan("1", "2", production="2"))
    assert problems == [
        "version 2 of 'm' could not be loaded: it is damaged",
        "'production' of 'm' stays at version 1: version 2 could not be loaded: it is damaged",
    ]
    assert workers.aliases == {"production": "1", "latest": "1"}
    workers.fails = {}
    assert workers.reload(plan("1", "2", production="2")) == []
    assert workers.aliases == {"production": "2", "latest": "2"}


def test_what_an_alias_still_points_to_stays_though_its_folder_is_gone() -> None:
    workers = Workers(plan("1", production="1"))
    workers.fails = {"2": "it is damaged"}
    problems = workers.reload(plan("2", production="2"))
    assert any("'production' of 'm' stays at version 1" in problem for problem in problems)
    assert workers.served == ["2", "1"]
    assert workers.aliases["production"] == "1"


def test_a_first_alias_to_a_version_that_fails_is_not_set() -> None:
    workers = Workers(plan("1"))
    workers.fails = {"2": "it is damaged"}
    problems = workers.reload(plan("1", "2", production="2"))
    assert "'production' of 'm' is not set yet: version 2 could not be loaded: it is damaged" in (
        problems
    )
    assert workers.published[-1].aliases["m"] == {"latest": "1"}


def test_an_alias_to_a_version_that_is_not_there_is_told() -> None:
    workers = Workers(plan("1", production="1"))
    assert workers.reload(plan("1", production="7")) == [
        "'production' of 'm' stays at version 1: version 7 is not there"
    ]
    assert workers.aliases["production"] == "1"


def test_a_version_that_failed_before_is_not_told_again() -> None:
    workers = Workers(plan("1", "2"))
    workers.fails = {"2": "it is damaged"}
    assert workers.reload(plan("1", "2")) == []
    assert workers.aliases == {"latest": "1"}


def test_a_repository_may_become_empty_and_fill_again() -> None:
    workers = Workers(plan("1", production="1"))
    assert workers.reload(plan()) == []
    assert workers.served == []
    assert workers.reload(plan("2", production="2")) == []
    assert workers.aliases == {"production": "2", "latest": "2"}


def test_without_a_worker_the_next_one_is_told_what_is_wanted() -> None:
    workers = Workers(plan("1"), count=0)
    workers.reload(plan("1", "2", production="2"))
    assert workers.served == ["1", "2"]


@pytest.mark.parametrize("rounds", [2])
def test_changes_are_carried_out_one_after_the_other(rounds: int) -> None:
    workers = Workers(plan("1"))

    async def both() -> None:
        workers.wanted = plan("1", "2", production="2")
        await asyncio.gather(*(workers.reconciler.reload() for _ in range(rounds)))

    asyncio.run(both())
    assert workers.changes == rounds
    assert [len(told.sources) for told in workers.published] == [2] * 2 * rounds


def test_what_crashes_in_a_trial_is_given_to_no_worker_to_load() -> None:
    workers = Workers(plan("1", production="1"))
    workers.crashes = {"2": "loading '2' ended the process (killed by SIGSEGV)"}
    problems = workers.reload(plan("1", "2", production="2"))
    assert "version 2 could not be loaded: loading '2' ended the process" in problems[-1]
    for told in workers.published:
        assert all(source.problem for source in told.sources if source.version == "2")
    assert workers.aliases["production"] == "1"
    workers.crashes = {}
    assert workers.reload(plan("1", "2", production="2")) == []
    assert workers.aliases["production"] == "2"


def test_a_version_that_one_worker_still_loads_gets_no_requests() -> None:
    workers = Workers(plan("1", production="1"))

    async def settled() -> list[tuple[VersionState, ...]]:
        old = (VersionState("m", "1", "READY"),)
        return [workers._states({}), old]

    workers.reconciler._settled = settled
    problems = workers.reload(plan("1", "2", production="2"))
    assert "'production' of 'm' stays at version 1: version 2 is loading" in problems
    assert workers.aliases == {"production": "1", "latest": "1"}


def test_what_is_unloaded_is_told_to_the_workers() -> None:
    workers = Workers(plan("1"))
    assert workers.reload(Plan((), {}, unloaded=(("m", "1"),))) == []
    assert workers.published[-1].sources == ()
    assert workers.published[-1].unloaded == (("m", "1"),)


def test_what_is_unloaded_is_told_while_others_are_loaded() -> None:
    workers = Workers(plan("1"))
    gone = (("a", "1"), ("b", "1"))
    workers.reload(msgspec.structs.replace(plan("1"), unloaded=gone))
    back = Source(name="b", version="2", path="/b", toml="")
    more = plan("1", "2")
    workers.reload(
        msgspec.structs.replace(more, sources=(*more.sources, back), unloaded=(("a", "1"),))
    )
    beside, after = workers.published[-2:]
    assert beside.unloaded == after.unloaded == (("a", "1"),)


def test_workers_that_do_not_confirm_a_change_are_told() -> None:
    workers = Workers(plan("1"))
    workers.missing = [0, 2]
    workers.wanted = plan("1", "2", production="2")
    (problem,) = asyncio.run(workers.reconciler.reload())
    assert (problem.model, problem.version, problem.workers) == ("", "", (0, 2))
    assert problem.sentence.startswith("worker 0, 2 did not confirm the change in time: it may")
    assert workers.aliases["production"] == "2"
    workers.missing = []
    assert workers.reload(plan("1", "2", production="1")) == []


def test_what_is_published_again_during_a_change_is_what_is_being_loaded() -> None:
    workers = Workers(plan("1", production="1"))
    settled, states = workers._settled, []

    async def settled_after_another_change() -> list[tuple[VersionState, ...]]:
        await workers.reconciler.publish_again()
        states.append([source.version for source in workers._present.sources])
        return await settled()

    workers.reconciler._settled = settled_after_another_change
    assert workers.reload(plan("1", "2", production="2")) == []
    assert states == [["1"], ["1", "2"]]
    assert workers.aliases == {"production": "2", "latest": "2"}
    asyncio.run(workers.reconciler.publish_again())
    assert workers.published[-1] == workers.reconciler.served
    assert workers.changes == 1


def test_a_problem_tells_its_model_and_version() -> None:
    workers = Workers(plan("1", production="1"))
    workers.fails = {"2": "it is damaged"}
    workers.wanted = plan("1", "2", production="2")
    problems = asyncio.run(workers.reconciler.reload())
    assert [(problem.model, problem.version) for problem in problems] == [("m", "2")] * 2


def test_an_app_that_is_public_no_longer_is_closed_before_anything_is_tried() -> None:
    workers = Workers(public(plan("1"), "1"))
    assert workers.published == []
    assert workers.reload(public(plan("1", "2"), "2")) == []
    closed, *later = workers.published
    assert [source.version for source in closed.sources] == ["1"]
    assert workers.tried == [1]
    assert [told.public_apps for told in (closed, *later)] == [frozenset()] * 3


def test_an_app_is_opened_once_no_version_answers_that_is_not_public() -> None:
    workers = Workers(plan("1"))
    assert workers.reload(public(plan("2"), "2")) == []
    assert [told.public_apps for told in workers.published] == [frozenset(), {"m"}]
    assert workers.reload(public(plan("3"), "3")) == []
    assert all(told.public_apps == {"m"} for told in workers.published[2:])


def test_a_version_that_answers_nobody_closes_no_app_for_long() -> None:
    workers = Workers(public(plan("1", production="1"), "1"))
    workers.crashes = {"2": "it ended the process"}
    workers.reload(public(plan("1", "2", production="1"), "1"))
    assert workers.published[-1].public_apps == {"m"}


def test_a_version_that_is_kept_without_its_folder_is_as_public_as_it_was() -> None:
    for before in ((), ("1",)):
        workers = Workers(public(plan("1", production="1"), *before))
        workers.fails = {"2": "it is damaged"}
        workers.reload(public(plan("2", production="2"), "2"))
        assert workers.served == ["2", "1"]
        assert workers.published[-1].public_apps == ({"m"} if before else set())
