"""What becomes of a version that is served, fails, or ends the process that loads it."""

from __future__ import annotations

import msgspec

from modelport.app.spec import ModelStatus, Spec
from modelport.app.verdicts import Verdicts
from modelport.core.settings import Settings
from modelport.repository.layout import Source

SOURCES = [
    Source(name=name, version="1", path=f"/secret/{name}.py", toml="") for name in ("good", "bad")
]
BAD = SOURCES[1]
SPEC = Spec(settings=Settings(), state="", control="", sources=tuple(SOURCES))


def status(name: str, state: str = "READY") -> ModelStatus:
    return ModelStatus(
        name=name, version="1", state=state, reason=None, code=None, runtime="", example=None
    )


def test_what_a_worker_served_is_told_to_the_one_that_takes_its_place() -> None:
    verdicts = Verdicts()
    verdicts.on_ready([status("good"), status("bad", "FAILED")])
    spec = verdicts.applied(SPEC)
    assert spec.served == {("good", "1")}
    assert not spec.early
    assert msgspec.json.decode(msgspec.json.encode(spec), type=Spec) == spec


def test_a_version_that_ended_two_processes_is_given_up_with_the_reason() -> None:
    verdicts = Verdicts()
    verdicts.on_death(BAD, "exit code 7")
    assert verdicts.applied(SPEC).fatal == ()
    verdicts.on_death(BAD, "killed by SIGSEGV")
    (fatal,) = verdicts.applied(SPEC).fatal
    assert (fatal.name, fatal.version) == ("bad", "1")
    assert fatal.problem == "loading 'bad.py' ended the process (killed by SIGSEGV)"


def test_a_version_that_was_served_is_never_given_up() -> None:
    verdicts = Verdicts()
    verdicts.on_ready([status("bad")])
    for _ in range(5):
        verdicts.on_death(BAD, "exit code 7")
    assert verdicts.applied(SPEC).fatal == ()
