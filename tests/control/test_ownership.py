"""Aliases through control: where they can be set, and what is told of a model."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelport.control.messages import VersionState
from modelport.control.ownership import Home, Ownership
from modelport.control.reconcile import Problem
from modelport.core.errors import ConfigError, ModelNotFound, NotReady
from modelport.kit.storage import locked
from modelport.monitor.versions import VersionNow
from modelport.repository.aliases import Aliases, write_aliases
from modelport.repository.store import Repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for version in ("1", "2", "10"):
        (tmp_path / "models" / "m" / version).mkdir(parents=True)
    return tmp_path / "models"


@pytest.fixture
def owning() -> Callable[..., Ownership]:
    """Operations on a server that serves what the repository says, at once, or other aliases."""

    def make(
        home: Home,
        *now: VersionNow,
        hidden: tuple[str, ...] = (),
        elsewhere: dict[str, str] | None = None,
        more: tuple[Problem, ...] = (),
    ) -> Ownership:
        async def reload() -> list[Problem]:
            return [
                Problem("m", "1", "'production' of 'm' stays"),
                Problem("other", "1", "'m' of 'other' stays"),
                *more,
            ]

        async def refresh() -> list[VersionNow]:
            return list(now)

        def served() -> dict[str, dict[str, str]]:
            if elsewhere is not None:
                return {"m": elsewhere}
            return {} if home.root is None else {"m": Repository(home.root).aliases("m").current}

        states = [VersionState("m", "2", "FAILED", "it is damaged")]
        return Ownership(lambda: home, reload, served, lambda: states, refresh, hidden)

    return make


def told(answer: bytes) -> dict[str, object]:
    return dict(json.loads(answer))


def test_where_aliases_cannot_be_set_the_reason_is_told(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    for home, words in (
        (Home(None), "'modelport push'"),
        (Home(root, is_remote=True), "come from another place"),
        (Home(root / "m"), "the folder of one model"),
    ):
        why_not = home.why_not("m")
        assert why_not is not None
        assert words in why_not
        with pytest.raises(ConfigError, match="cannot be set here"):
            asyncio.run(owning(home).promote(b'{"name":"m","alias":"a","version":"1"}'))
    assert Home(root).why_not("m") is None


def test_every_version_is_told_served_or_not(root: Path, owning: Callable[..., Ownership]) -> None:
    write_aliases(root / "m", Aliases(history={"canary": ("2", "10")}))
    now = VersionNow(model="m", version="10", state="READY", copies=2, resident_bytes=7)
    model = told(asyncio.run(owning(Home(root), now).owned(b'{"name":"m"}')))
    assert (model["default_alias"], model["can_promote"]) == ("latest", True)
    assert model["aliases"] == {"canary": {"version": "10", "before": ["2"], "served": "10"}}
    versions = model["versions"]
    assert isinstance(versions, list)
    assert [(v["version"], v["state"], v["instances"], v["aliases"]) for v in versions] == [
        ("10", "READY", 2, ["canary"]),
        ("2", "FAILED", None, []),
        ("1", "UNLOADED", None, []),
    ]
    assert versions[1]["reason"] == "it is damaged"
    with pytest.raises(ModelNotFound):
        asyncio.run(owning(Home(root)).owned(b'{"name":".."}'))


def test_an_alias_that_is_not_in_force_is_told_with_where_requests_go(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    write_aliases(root / "m", Aliases(history={"canary": ("1", "2"), "new": ("2",)}))
    one = owning(Home(root), elsewhere={"canary": "1", "latest": "10"})
    model = told(asyncio.run(one.owned(b'{"name":"m"}')))
    assert model["aliases"] == {
        "canary": {"version": "2", "before": ["1"], "served": "1"},
        "new": {"version": "2", "before": [], "served": None},
    }


def test_a_change_while_somebody_publishes_is_refused_soon(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    one = owning(Home(root))
    with (
        Repository(root).stage("m"),
        pytest.raises(NotReady, match="somebody publishes to this repository now; try again"),
    ):
        asyncio.run(one.promote(b'{"name":"m","alias":"a","version":"1"}'))
    assert asyncio.run(one.promote(b'{"name":"m","alias":"a","version":"1"}'))


def test_changes_that_wait_for_who_publishes_leave_threads_for_all_else(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    one = owning(Home(root))

    async def main() -> None:
        with locked(root / ".lock"):
            body = b'{"name":"m","alias":"a","version":"1"}'
            waiting = [asyncio.create_task(one.promote(body)) for _ in range(40)]
            await asyncio.sleep(0.3)
            started = time.monotonic()
            other = asyncio.create_task(asyncio.to_thread(time.monotonic))
            await asyncio.wait([other], timeout=0.3)
        await asyncio.gather(*waiting)
        assert await other - started < 0.3

    asyncio.run(main())


def test_a_change_answers_with_what_is_served_and_what_of_the_model_is_not(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    body = b'{"name":"m","alias":"production","version":"1"}'
    moved = told(asyncio.run(owning(Home(root)).promote(body)))
    assert moved == {
        "alias": "production",
        "version": "1",
        "problems": ["'production' of 'm' stays"],
    }
    gone = told(asyncio.run(owning(Home(root), hidden=("m",)).forget(body)))
    assert gone["version"] is None
    assert "is unloaded" in str(gone["problems"])
    with pytest.raises(ConfigError, match="there is no alias 'production'"):
        asyncio.run(owning(Home(root)).roll_back(body))


def test_a_change_tells_what_is_a_problem_of_no_model_in_particular(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    one = owning(Home(root), more=(Problem("", "", "worker 1 did not confirm the change"),))
    moved = told(asyncio.run(one.promote(b'{"name":"m","alias":"a","version":"1"}')))
    assert moved["problems"] == [
        "'production' of 'm' stays",
        "worker 1 did not confirm the change",
    ]


def test_a_name_that_is_none_reaches_no_folder(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    for name in ("..", ".", "", "m/../m", "nix"):
        body = json.dumps({"name": name, "alias": "a", "version": "models"}).encode()
        with pytest.raises(ModelNotFound):
            asyncio.run(owning(Home(root), hidden=("..",)).promote(body))
    assert list(root.parent.glob(".aliases.json")) == []


def test_no_path_is_told_where_the_repository_cannot_be_changed(
    root: Path, owning: Callable[..., Ownership]
) -> None:
    (root / ".lock").mkdir()  # where a file is to be
    with pytest.raises(ConfigError, match="the repository cannot be changed") as raised:
        asyncio.run(owning(Home(root)).promote(b'{"name":"m","alias":"a","version":"1"}'))
    assert str(root) not in raised.value.message
