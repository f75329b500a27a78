"""Operations: what an admin may have done."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelport.control.messages import VersionState
from modelport.control.operations import ModelStates, Operations
from modelport.control.reconcile import Problem
from modelport.control.state import StateStore
from modelport.core.errors import (
    ConfigError,
    InvalidInput,
    LoadError,
    ModelNotFound,
    NotFound,
    NotReady,
    Overloaded,
)
from modelport.guard.auth import recognise
from modelport.guard.links import link_hash, new_link


class Desk:
    """Operations on a store of their own, and how often workers were told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = StateStore(folder)
        self.store.prepare()
        self.told = 0
        self.missing: list[int] = []
        self.more: list[Problem] = []
        """What else of a reload cannot be done."""
        self.fails: Exception | None = None
        """What telling the workers ends in."""
        self.hidden: set[str] = set()
        self.states = [
            VersionState("m", "1", "FAILED", "it is damaged"),
            VersionState("old", "1", "FAILED", "it is damaged"),
            VersionState("x", "1", "READY"),
        ]
        self.now = 1_800_000_000.0
        self._table = Operations(
            self.store,
            self._changed,
            self._reload,
            self._states,
            self.hidden,
            clock=lambda: self.now,
        ).table()

    async def _changed(self) -> list[int]:
        self.told += 1
        if self.fails is not None:
            raise self.fails
        return self.missing

    async def _reload(self) -> list[Problem]:
        return [
            Problem("m", "2", "'old' of 'm' is not set yet"),
            Problem("m", "2", "version 2 of 'm' could not be loaded"),
            *self.more,
        ]

    def _states(self) -> ModelStates:
        return ModelStates("/models", tuple(self.states))

    def do(self, operation: str, body: object = None) -> Any:
        return asyncio.run(self.ask(operation, body))

    async def ask(self, operation: str, body: object = None) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return json.loads(await self._table[operation](content))


def test_the_states_of_all_versions_are_told(desk: Callable[[], Desk]) -> None:
    told = desk().do("models.states")
    assert told["repository"] == "/models"
    assert told["versions"][0]["reason"] == "it is damaged"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[[], Desk]]:
    made: list[Desk] = []

    def make() -> Desk:
        made.append(Desk(tmp_path / "state"))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def test_a_key_is_made_shown_once_and_listed_without_its_secret(desk: Callable[[], Desk]) -> None:
    one = desk()
    created = one.do("keys.create", {"role": "infer", "name": "phone", "priority": "low"})
    assert (created["role"], created["name"]) == ("infer", "phone")
    assert recognise(created["key"], one.store.keys()) is not None
    assert one.told == 1
    (listed,) = one.do("keys.list")
    assert set(listed) == {"id", "role", "name", "created", "priority"}
    assert listed["priority"] == created["priority"] == "low"
    assert listed["id"] == created["id"]
    assert created["key"].split("_", 2)[2] not in json.dumps(listed)
    assert one.told == 1


def test_a_revoked_key_is_gone_and_the_workers_are_told(desk: Callable[[], Desk]) -> None:
    one = desk()
    created = one.do("keys.create", {"role": "admin"})
    assert one.do("keys.revoke", {"id": created["id"]}) == {}
    assert one.do("keys.list") == []
    assert one.told == 2
    with pytest.raises(NotFound):
        one.do("keys.revoke", {"id": created["id"]})
    assert one.told == 2


def test_what_another_process_wrote_is_brought_to_the_workers(desk: Callable[[], Desk]) -> None:
    one = desk()
    assert one.do("refresh") == {}
    assert one.told == 1


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("keys.create", b""),
        ("keys.create", b"{"),
        ("keys.create", {}),
        ("keys.create", {"role": "root"}),
        ("keys.create", {"role": "infer", "hash": "x"}),
        ("keys.create", {"role": "infer", "name": 3}),
        ("keys.revoke", {}),
        ("keys.revoke", {"id": 3}),
        ("links.create", b""),
        ("links.redeem", {}),
    ],
)
def test_a_body_of_another_form_changes_nothing(
    desk: Callable[[], Desk], operation: str, body: object
) -> None:
    one = desk()
    with pytest.raises(InvalidInput, match="the body does not have the right form"):
        one.do(operation, body)
    assert one.store.keys() == {}
    assert one.told == 0


def test_a_name_that_is_too_long_is_refused(desk: Callable[[], Desk]) -> None:
    one = desk()
    with pytest.raises(ConfigError, match="at most 200 characters, and this one 201"):
        one.do("keys.create", {"role": "infer", "name": "x" * 201})
    assert one.store.keys() == {}
    assert one.do("keys.create", {"role": "infer", "name": "x" * 200})


def test_a_change_that_a_worker_did_not_confirm_is_told(desk: Callable[[], Desk]) -> None:
    one = desk()
    made = one.do("keys.create", {"role": "infer"})
    one.missing = [1]
    with pytest.raises(NotReady, match="worker 1 did not confirm"):
        one.do("keys.revoke", {"id": made["id"]})
    assert one.store.keys() == {}
    assert one.do("keys.create", {"role": "infer"})["key"], "a key that was made is not lost"


@pytest.mark.parametrize("fails", [NotReady("it is away"), KeyError("mark")])
def test_a_key_that_is_stored_is_shown_though_it_is_not_in_force_yet(
    desk: Callable[[], Desk], caplog: pytest.LogCaptureFixture, fails: Exception
) -> None:
    one = desk()
    one.fails = fails
    made = one.do("keys.create", {"role": "infer"})
    assert recognise(made["key"], one.store.keys()) is not None
    (record,) = caplog.records
    assert record.getMessage() == f"a new key is not in force yet: {fails}"
    assert bool(record.exc_info) is isinstance(fails, KeyError)


def test_a_reload_tells_what_could_not_be_done(desk: Callable[[], Desk]) -> None:
    assert desk().do("models.reload", b"") == {
        "problems": ["'old' of 'm' is not set yet", "version 2 of 'm' could not be loaded"]
    }


def test_a_model_is_hidden_until_it_is_loaded_again(desk: Callable[[], Desk]) -> None:
    one = desk()
    assert one.do("models.unload", {"name": "x"}) == {}
    assert one.hidden == {"x"}
    assert one.do("models.load", {"name": "x"}) == {}
    assert one.hidden == set()


@pytest.mark.parametrize("operation", ["models.load", "models.unload"])
def test_a_worker_that_may_not_act_on_a_load_or_an_unload_is_an_error(
    desk: Callable[[], Desk], operation: str
) -> None:
    one = desk()
    one.more = [Problem("", "", "it could not be fetched")]
    assert one.do(operation, {"name": "x"}) == {}
    one.more = [Problem("", "", "worker 1 did not confirm", (1,))]
    with pytest.raises(NotReady, match="worker 1 did not confirm"):
        one.do(operation, {"name": "x"})
    assert one.do("models.reload", b"")["problems"][-1] == "worker 1 did not confirm"


def test_a_model_that_cannot_be_loaded_is_an_error(desk: Callable[[], Desk]) -> None:
    with pytest.raises(LoadError, match="'old' of 'm' is not set yet"):
        desk().do("models.load", {"name": "m"})
    with pytest.raises(LoadError, match="version 1 of 'old' could not be loaded: it is damaged"):
        desk().do("models.load", {"name": "old"})


def test_a_model_is_loaded_though_one_of_its_versions_cannot_be(desk: Callable[[], Desk]) -> None:
    one = desk()
    one.states.append(VersionState("m", "3", "STANDBY"))
    assert one.do("models.load", {"name": "m"}) == {}


def test_a_model_that_is_not_there_is_not_loaded(desk: Callable[[], Desk]) -> None:
    with pytest.raises(ModelNotFound, match="no model 'nix'"):
        desk().do("models.load", {"name": "nix"})


def redeemed(desk: Desk, link: str) -> bool:
    answer = desk.do("links.redeem", {"hash": link_hash(link)})
    assert set(answer) == {"good"}
    return bool(answer["good"])


def test_a_link_is_good_once_and_no_worker_is_told(desk: Callable[[], Desk]) -> None:
    one = desk()
    links = [one.do("links.create", {})["link"] for _ in range(2)]
    assert len(set(links)) == 2
    assert [redeemed(one, link) for link in (*links, *links)] == [True, True, False, False]
    assert not redeemed(one, new_link()[0])
    assert one.told == 0


def test_who_shows_links_to_a_busy_store_takes_one_thread_and_not_for_ever(
    desk: Callable[[], Desk],
) -> None:
    one = desk()
    shown = {"hash": link_hash(one.do("links.create", {})["link"])}

    async def main(other: sqlite3.Connection) -> list[Any]:
        trying = [asyncio.create_task(one.ask("links.redeem", shown)) for _ in range(40)]
        await asyncio.sleep(0.3)
        assert sum(task.done() for task in trying) == 24
        began = time.monotonic()
        await asyncio.to_thread(other.rollback)
        assert time.monotonic() - began < 0.3
        return await asyncio.gather(*trying, return_exceptions=True)

    path = one.folder / "state.db"
    with contextlib.closing(sqlite3.connect(path, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        told = asyncio.run(main(other))
    refused = [each for each in told if isinstance(each, Overloaded)]
    assert len(refused) == 24
    assert refused[0].retry_after_s == 1
    assert sorted(each["good"] for each in told if isinstance(each, dict)) == [False] * 15 + [True]
    again = [one.do("links.redeem", shown) for _ in range(2)]
    assert again == [{"good": False}] * 2


def test_a_link_is_good_for_a_quarter_of_an_hour(desk: Callable[[], Desk]) -> None:
    one = desk()
    early, late = (one.do("links.create", {})["link"] for _ in range(2))
    one.now += 899
    assert redeemed(one, early)
    one.now += 1
    assert not redeemed(one, late)


def test_a_link_outlives_the_process_that_made_it_and_is_good_for_another(
    desk: Callable[[], Desk],
) -> None:
    link = desk().do("links.create", {})["link"]
    assert redeemed(desk(), link)
    assert not redeemed(desk(), link)


def test_where_no_key_is_needed_a_start_makes_no_link(desk: Callable[[], Desk]) -> None:
    one = desk()
    assert one.do("links.create", {"if_needed": True}) == {"link": None}
    one.do("keys.create", {"role": "infer"})
    assert one.do("links.create", {"if_needed": True})["link"]
