"""Models come into memory when they are needed, and leave it when others need the room."""

from __future__ import annotations

import asyncio
import gc
import textwrap
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import DeadlineExceeded, NotReady, Overloaded
from modelport.core.messages import InferRequest, InferResponse
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import State, Version
from modelport.engine.memory import Memory
from modelport.engine.opening import LoadedModel, Settings
from modelport.engine.residency import load_measured
from modelport.kit.memory import resident_bytes
from modelport.repository.layout import Source

Sources = Callable[..., Source]
Trusted = Callable[[Source], frozenset[str]]
LINEAR = (Path(__file__).parent.parent / "data" / "linear.onnx").read_bytes()
MIB = 1024**2
ROW = {"x": np.array([[1.0, 2.0, 3.0]])}
PROGRAM = """
import mmap
class Holds:
    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, {mib} << 20)
        for _ in range({mib}):
            self.memory.write(bytes(1 << 20))
        {more}
    def predict(self, a: float) -> float:
        {body}
        return a + {number}
"""


@pytest.fixture(autouse=True)
def tidied() -> None:
    """Nothing of an earlier test goes while one measures."""
    gc.collect()


@pytest.fixture
def program(source: Sources) -> Callable[..., Source]:
    """A program that holds some memory, and adds a number."""

    def make(name: str, mib: int = 16, body: str = "", more: str = "") -> Source:
        number = sum(name.encode())
        text = PROGRAM.format(mib=mib, body=body, more=more, number=number)
        return source(textwrap.dedent(text), "app.py", name=name, attribute="Holds")

    return make


@pytest.fixture
def engine(trusted: Trusted) -> Iterator[Callable[..., Engine]]:
    """Make an engine with some memory; all are closed in the end."""
    made: list[Engine] = []

    def make(sources: Sequence[Source], load_s: float = 300.0, **memory: Any) -> Engine:
        programs = [s for s in sources if s.path.endswith(".py")]
        allowed = frozenset[str]().union(*map(trusted, programs))
        settings = Settings(trusted=allowed, load_s=load_s)
        made.append(Engine(sources, settings, memory=Memory(**memory)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def within(main: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(30):
            return await main

    return asyncio.run(bounded())


async def asked(engine: Engine, name: str, seconds: float = 20.0) -> float:
    """The answer of a program to 1, as a request has it."""
    deadline = time.monotonic() + seconds
    version = engine.find(name)
    async with engine.hold(version, deadline) as loaded:
        request = InferRequest(inputs={"a": np.array([[1.0]])}, deadline=deadline)
        answer = engine.infer(version, loaded, request)
        response = answer if isinstance(answer, InferResponse) else await answer
        return float(next(iter(response.outputs.values())).ravel()[0])


def expected(name: str) -> float:
    return 1.0 + sum(name.encode())


def states(engine: Engine) -> dict[str, str]:
    return {version.name: version.state.value for version in engine.versions}


# -- at the first request


def test_a_lazy_model_is_loaded_at_its_first_request_and_is_ready_before(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(LINEAR)], lazy=True)

    async def main() -> None:
        await made.load()
        version = made.find("m")
        assert (version.state, version.resident, made.is_ready) == (State.STANDBY, None, True)
        with pytest.raises(NotReady, match="model 'm' is loaded at its first request"):
            _ = version.loaded
        async with made.hold(version, None) as loaded:
            assert version.state is State.READY
            answer: Any = made.infer(version, loaded, InferRequest(inputs=ROW))
            assert answer.outputs["y"].tolist() == [1.8]

    within(main())


def test_however_many_ask_a_model_is_loaded_once(
    engine: Callable[..., Engine], program: Callable[..., Source], tmp_path: Path
) -> None:
    mark = tmp_path / "loads"
    made = engine(
        [program("a", more=f"with open({str(mark)!r}, 'a') as f: f.write('x')")], lazy=True
    )

    async def main() -> list[float]:
        await made.load()
        return await asyncio.gather(*(asked(made, "a") for _ in range(20)))

    assert within(main()) == [expected("a")] * 20
    assert mark.read_text() == "x"


def test_what_describes_a_model_is_there_once_it_was_loaded(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(LINEAR)], lazy=True)

    async def main() -> None:
        await made.load()
        version = made.find("m")
        assert version.described is None
        known = await made.describe(version, time.monotonic() + 20)
        assert not isinstance(known, LoadedModel)
        assert known.view.signature.inputs[0].name == "x"
        assert version.state is State.READY
        assert await made.describe(version, 0.0) is version.described

    within(main())


def test_a_model_that_cannot_be_loaded_says_so_at_its_first_request_and_is_tried_again_later(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(b"damaged")], lazy=True)

    async def main() -> None:
        await made.load()
        for _ in range(2):
            with pytest.raises(NotReady, match=r"'model\.onnx' is not a usable ONNX file"):
                await asked(made, "m")
        assert made.find("m").state is State.FAILED
        source(LINEAR)
        await made.load(again=True)
        assert made.find("m").state is State.READY  # it counts as served once it was loaded
        async with made.hold(made.find("m"), None) as loaded:
            assert loaded.description.runtime.startswith("ONNX")

    within(main())


def test_a_missing_library_and_a_problem_of_the_folder_are_told_at_the_start(
    engine: Callable[..., Engine], source: Sources
) -> None:
    problem = Source(name="p", version="1", path="", toml="", problem="two files")
    made = engine([source(b"text", "model.unknown"), problem], lazy=True)
    within(made.load())
    assert states(made) == {"m": "FAILED", "p": "FAILED"}
    assert "no known format" in str(made.find("m").reason)


def test_a_load_that_takes_longer_than_a_request_may_goes_on(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    made = engine([program("a", more="import time; time.sleep(0.4)")], lazy=True)

    async def main() -> None:
        await made.load()
        with pytest.raises(DeadlineExceeded, match="'a' was not loaded before the request's"):
            await asked(made, "a", seconds=0.05)
        assert await asked(made, "a") == expected("a")

    within(main())


def test_a_version_that_is_dropped_while_it_is_loaded_answers_and_goes(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    made = engine([program("a", more="import time; time.sleep(0.2)")], lazy=True)

    async def main() -> None:
        await made.load()
        version = made.find("a")
        task = asyncio.create_task(asked(made, "a"))
        await asyncio.sleep(0.1)
        made.route([], {})
        assert await task == expected("a")
        await asyncio.sleep(0.1)
        assert (version.state, version.resident) == (State.UNLOADED, None)

    within(main())


def test_files_that_changed_while_a_model_was_away_are_not_served_under_its_old_description(
    engine: Callable[..., Engine], program: Callable[..., Source], source: Sources
) -> None:
    onnx = source(LINEAR)
    made = engine([program("b"), onnx], lazy=True, budget_bytes=24 * MIB)

    async def main() -> None:
        await made.load()
        async with made.hold(made.find("m"), None):
            made.find("m").size_bytes = 16 * MIB  # as if it were large
        await asked(made, "b")
        assert states(made) == {"b": "READY", "m": "STANDBY"}
        source(LINEAR, toml="[inputs.x]\ncolumns = ['a', 'b', 'c']")
        with pytest.raises(NotReady, match="the files of version 1 have changed"):
            async with made.hold(made.find("m"), None):
                pass

    within(main())


# -- a budget


def test_what_fits_is_loaded_at_the_start_and_the_rest_at_its_first_request(
    engine: Callable[..., Engine],
    program: Callable[..., Source],
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = engine([program(name) for name in "abcd"], budget_bytes=40 * MIB)

    async def main() -> list[float]:
        await made.load()
        assert list(states(made).values()) == ["READY", "READY", "STANDBY", "STANDBY"]
        return [await asked(made, name) for name in "dcbad"]

    assert within(main()) == [expected(name) for name in "dcbad"]
    assert "2 versions are left for their first request: models have 40.0 MiB" in caplog.text


def test_the_least_recently_used_makes_room(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    made = engine([program(name) for name in "abc"], lazy=True, budget_bytes=40 * MIB)

    async def main() -> None:
        await made.load()
        for name in "aba":
            await asked(made, name)
        await asked(made, "c")
        assert states(made) == {"a": "READY", "b": "STANDBY", "c": "READY"}
        assert [version.evictions for version in made.versions] == [0, 1, 0]
        evicted = made.find("b")
        assert evicted.described is not None
        assert 14 * MIB < evicted.size_bytes < 24 * MIB

    within(main())


def test_a_pinned_model_is_loaded_at_the_start_and_stays(
    engine: Callable[..., Engine],
    program: Callable[..., Source],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sources = [program(name) for name in "abc"]
    pinned = frozenset({"c", "typo"})
    made = engine(sources, lazy=True, pinned=pinned, budget_bytes=40 * MIB)

    async def main() -> None:
        await made.load()
        assert states(made) == {"a": "STANDBY", "b": "STANDBY", "c": "READY"}
        for name in "abab":
            assert await asked(made, name) == expected(name)
            assert states(made)["c"] == "READY"

    within(main())
    assert "there is no model 'typo' here to pin" in caplog.text


def test_a_model_in_use_is_not_evicted_and_the_other_waits_for_it(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    sources = [program("a", body="import time; time.sleep(0.6)"), program("b")]
    made = engine(sources, lazy=True, budget_bytes=24 * MIB)

    async def main() -> None:
        await made.load()
        async with made.hold(made.find("a"), None):
            slow = asyncio.create_task(asked(made, "a"))
            await asyncio.sleep(0.1)
        fast = asyncio.create_task(asked(made, "b"))
        await asyncio.sleep(0.2)
        assert states(made) == {"a": "READY", "b": "STANDBY"}
        assert await slow == expected("a")
        assert await fast == expected("b")
        assert states(made) == {"a": "STANDBY", "b": "READY"}

    within(main())


def test_where_all_are_in_use_for_long_a_request_is_refused_with_the_time_to_wait(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    made = engine([program("a"), program("b")], lazy=True, budget_bytes=24 * MIB, wait_s=0.1)

    async def main() -> None:
        await made.load()
        async with made.hold(made.find("a"), None):
            with pytest.raises(Overloaded, match=r"model 'b' takes 1.\.. MiB.*MiB in use") as e:
                await asked(made, "b")
            assert e.value.retry_after_s == 1
            assert states(made)["a"] == "READY"
        assert await asked(made, "b") == expected("b")

    within(main())


def test_a_run_that_nobody_awaits_any_more_keeps_its_model_until_it_ends(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    sources = [program("a", body="import time; time.sleep(0.6)"), program("b")]
    made = engine(sources, lazy=True, budget_bytes=24 * MIB)

    async def main() -> float:
        await made.load()
        await asked(made, "b")  # so that it is known what it takes
        await asked(made, "a")
        with pytest.raises(DeadlineExceeded):
            await asked(made, "a", seconds=0.05)
        started = time.monotonic()
        assert await asked(made, "b") == expected("b")
        return time.monotonic() - started

    assert within(main()) > 0.3


@pytest.mark.parametrize("lazy", [True, False])
def test_a_model_that_proves_larger_than_the_budget_fails_with_both_sizes(
    engine: Callable[..., Engine], program: Callable[..., Source], lazy: bool
) -> None:
    made = engine([program("big", mib=80), program("a")], lazy=lazy, budget_bytes=40 * MIB)

    async def main() -> None:
        await made.load()
        for _ in range(2):
            with pytest.raises(NotReady) as caught:
                await asked(made, "big")
            assert "version 1 of 'big' takes " in caught.value.message
            assert "models have 40.0 MiB in each worker" in caught.value.message
            assert caught.value.retry_after_s == 30
        assert await asked(made, "a") == expected("a")
        assert states(made) == {"big": "FAILED", "a": "READY"}

    within(main())


def test_a_load_that_hangs_is_given_up_and_keeps_nobody_waiting(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    hangs = program("hangs", mib=1, more="import time; time.sleep(1.5)")
    made = engine([hangs, program("a", mib=1)], lazy=True, load_s=0.3)

    async def main() -> None:
        await made.load()
        with pytest.raises(NotReady, match=r"version 1 of 'hangs' was not loaded within 0\.3 s"):
            await asked(made, "hangs")
        assert await asked(made, "a") == expected("a")
        await asyncio.sleep(2)  # it ends after all, and changes nothing
        assert made.find("hangs").resident is None
        assert states(made) == {"hangs": "FAILED", "a": "READY"}

    within(main())


def test_what_was_too_large_is_tried_again_after_a_while(source: Sources) -> None:
    version = Version(source(LINEAR))
    version.refuse(NotReady("too large", retry_after_s=60))
    with pytest.raises(NotReady, match="too large"):
        version.check_served()
    version.refuse(NotReady("too large", retry_after_s=-1))
    version.check_served()
    assert version.state is State.STANDBY


def test_a_file_larger_than_the_budget_is_not_even_read(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(bytes(MIB))], budget_bytes=MIB // 2)
    within(made.load())
    why = str(made.find("m").reason)
    assert "version 1 of 'm' takes 1.0 MiB, and models have 524288 bytes" in why


def test_many_models_asked_for_at_random_are_all_answered(
    engine: Callable[..., Engine], program: Callable[..., Source]
) -> None:
    names = [f"m{number}" for number in range(12)]
    made = engine([program(name, mib=2) for name in names], lazy=True, budget_bytes=8 * MIB)
    random = np.random.default_rng(1)

    async def client() -> None:
        for name in random.choice(names, 25):
            assert await asked(made, str(name)) == expected(str(name))

    async def main() -> None:
        await made.load()
        await asyncio.gather(*(client() for _ in range(4)))
        held = sum(v.size_bytes for v in made.versions if v.resident is not None)
        assert held <= 8 * MIB

    within(main())


# -- what it takes, and that it is given back


def test_what_a_model_takes_is_measured_and_at_least_its_files(
    program: Callable[..., Source], trusted: Trusted, source: Sources
) -> None:
    big = program("a", mib=64)
    version = Version(big)
    load_measured(version, Settings(trusted=trusted(big)))
    assert 60 * MIB < version.size_bytes < 80 * MIB
    small = Version(source(LINEAR))
    load_measured(small, Settings())
    load_measured(small, Settings())
    assert small.size_bytes >= len(LINEAR)


@pytest.mark.parametrize("more", ["", "self.cycle = self"])
def test_the_memory_of_a_model_that_goes_is_returned_to_the_system(
    engine: Callable[..., Engine], program: Callable[..., Source], more: str
) -> None:
    made = engine([program("a", mib=64, more=more)], lazy=True)

    async def main() -> None:
        await made.load()
        before = resident_bytes() or 0
        await asked(made, "a")
        assert (resident_bytes() or 0) - before > 50 * MIB
        made.route([], {})
        for _ in range(100):
            await asyncio.sleep(0.1)
            if (resident_bytes() or 0) - before < 10 * MIB:
                return
        raise AssertionError("the memory is still held")

    within(main())
