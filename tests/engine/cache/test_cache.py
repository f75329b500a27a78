"""The cache before a model: what is answered without it, and what is not."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import DeadlineExceeded, ModelFailed
from modelport.core.messages import InferRequest, InferResponse
from modelport.core.tensors import bytes_tensor
from modelport.engine.cache.cache import Cache
from modelport.engine.cache.entry import seal
from modelport.engine.cache.far import FarStore
from modelport.engine.cache.identity import Identity
from modelport.engine.cache.near import NearStore
from modelport.engine.cache.redis_link import LinkFailed
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import Version
from modelport.engine.opening import LoadedModel, Settings

Served = Callable[..., tuple[Version, LoadedModel]]
SLOW_S = 1.0
"""A run is predicted to take so long, and is worth looking up."""


class Doubling:
    """A model's function that doubles, counts, and waits where it is told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False

    def __call__(self, x: Any) -> Any:
        self.runs += 1
        assert self.gate.wait(20)
        if self.fails:
            raise KeyError("broken")
        return x * 2


class DictLink:
    """A link to a dict that several caches share; fails where it is told to."""

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.values = values
        self.fails = False

    async def get(self, key: bytes) -> object:
        if self.fails:
            raise LinkFailed("timeout")
        return self.values.get(key)

    async def put(self, key: bytes, value: bytes, ttl_s: float) -> None:
        if self.fails:
            raise LinkFailed("timeout")
        self.values[key] = value

    async def close(self) -> None:
        pass


class Place:
    """An engine with a cache, and a version of a function in it."""

    def __init__(self, served: Served, cache: Cache, **options: Any) -> None:
        self.cache = cache
        self.model = Doubling()
        identity = options.pop("identity", Identity(digest=b"v" * 16))
        seconds = options.pop("seconds", SLOW_S)
        self.version, loaded = served(
            options.pop("function", self.model), seconds_per_unit=seconds, **options
        )
        self.loaded = dataclasses.replace(loaded, identity=identity)
        self.engine = Engine((), Settings(threads=2), cache=cache)

    def infer(self, *values: float, **options: Any) -> InferResponse | Awaitable[InferResponse]:
        request = InferRequest(inputs={"x": np.array(values, float)}, **options)
        return self.engine.infer(self.version, self.loaded, request)

    async def ask(self, *values: float, **options: Any) -> list[float]:
        answer = self.infer(*values, **options)
        response = answer if isinstance(answer, InferResponse) else await answer
        outputs: list[float] = response.outputs["y"].tolist()
        return outputs

    @property
    def counts(self) -> tuple[int, int, int]:
        counts = self.cache.counts.get(("m", "1"))
        return (0, 0, 0) if counts is None else (counts.hits, counts.misses, counts.shared)


@pytest.fixture
def place(served: Served) -> Iterator[Callable[..., Place]]:
    made: list[Place] = []

    def make(cache: Cache | None = None, **options: Any) -> Place:
        made.append(Place(served, cache or Cache(near=NearStore(1 << 20, 60)), **options))
        return made[-1]

    yield make
    for one in made:
        one.engine.close()


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


def test_the_same_input_is_answered_once_by_the_model_and_then_at_once(
    place: Callable[..., Place],
) -> None:
    here = place()

    async def main() -> None:
        assert await here.ask(1, 2) == [2, 4]
        again = here.infer(1, 2)
        assert isinstance(again, InferResponse)
        assert again.outputs["y"].tolist() == [2, 4]
        assert (again.model, again.version, again.rows) == ("m", "1", 2)
        assert (again.run_s, again.queue_s) == (0, 0)
        assert await here.ask(1, 3) == [2, 6]
        assert await here.ask(1, 2, outputs=("y",)) == [2, 4]
        assert await here.ask(1, 2, parameters={"a": 1}) == [2, 4]

    run(main)
    assert here.model.runs == 4
    assert here.counts == (1, 4, 0)


def test_a_hit_counts_as_a_use_of_the_model(place: Callable[..., Place]) -> None:
    here = place()

    async def main() -> None:
        await here.ask(1)
        here.version.last_used = 0.0
        await here.ask(1)

    run(main)
    assert here.version.last_used > 0


def test_another_version_has_answers_of_its_own(place: Callable[..., Place]) -> None:
    cache = Cache(near=NearStore(1 << 20, 60))
    first = place(cache)
    second = place(cache, function=lambda x: x * 3, identity=Identity(digest=b"w" * 16))

    async def main() -> None:
        assert await first.ask(1) == [2]
        assert await second.ask(1) == [3]
        assert await first.ask(1) == [2]

    run(main)


@pytest.mark.parametrize("seconds", [0.0, 1e-5])
def test_a_run_that_is_shorter_than_looking_it_up_is_not_looked_up(
    place: Callable[..., Place], seconds: float
) -> None:
    here = place(seconds=seconds)
    assert isinstance(here.infer(1), InferResponse)
    assert isinstance(here.infer(1), InferResponse)
    assert here.model.runs == 2
    assert here.counts == (0, 0, 0)


def test_what_takes_long_to_digest_is_looked_up_only_where_the_run_takes_longer(
    place: Callable[..., Place],
) -> None:
    values = np.arange(100_000.0)  # 2 ms to digest
    here = place(Cache(near=NearStore(1 << 26, 60)), seconds=0.003 / len(values))

    async def main() -> None:
        for _ in range(2):
            here.version.seconds_per_unit = 0.003 / len(values)
            await here.ask(*values)
        assert here.model.runs == 2
        assert here.counts == (0, 0, 0)
        for _ in range(2):
            here.version.seconds_per_unit = 0.1 / len(values)
            assert await here.ask(*values) == (values * 2).tolist()
        assert here.model.runs == 3
        assert here.counts == (1, 1, 0)

    run(main)


def test_what_its_owner_wants_cached_is_looked_up_however_fast_it_is(
    place: Callable[..., Place],
) -> None:
    here = place(
        seconds=0.0, execution="blocking", identity=Identity(digest=b"v" * 16, is_asked_for=True)
    )

    async def main() -> None:
        for _ in range(3):
            assert await here.ask(1) == [2]

    run(main)
    assert here.model.runs == 1


def test_a_version_without_an_identity_is_never_stored(place: Callable[..., Place]) -> None:
    here = place(identity=None)

    async def main() -> None:
        for _ in range(2):
            await here.ask(1)

    run(main)
    assert here.model.runs == 2


def test_identical_requests_in_the_air_are_one_run(place: Callable[..., Place]) -> None:
    here = place()
    here.model.gate.clear()

    async def main() -> None:
        tasks = [asyncio.create_task(here.ask(7)) for _ in range(10)]
        others = [asyncio.create_task(here.ask(7, priority="high")) for _ in range(2)]
        await asyncio.sleep(0.05)
        here.model.gate.set()
        assert await asyncio.gather(*tasks, *others) == [[14.0]] * 12

    run(main)
    assert here.model.runs == 2, "one for each priority"
    assert here.counts == (0, 2, 10)
    assert here.version.in_flight == 0


def test_each_follower_has_its_own_deadline_and_outlives_its_leader(
    place: Callable[..., Place],
) -> None:
    here = place()
    here.model.gate.clear()

    async def main() -> None:
        now = time.monotonic()
        leader = asyncio.create_task(here.ask(7, deadline=now + 0.1))
        await asyncio.sleep(0)
        early = asyncio.create_task(here.ask(7, deadline=now + 0.05))
        late = asyncio.create_task(here.ask(7, deadline=now + 10))
        never = asyncio.create_task(here.ask(7))
        for task in (early, leader):
            with pytest.raises(DeadlineExceeded):
                await task
        assert time.monotonic() - now < 2
        here.model.gate.set()
        assert await asyncio.gather(late, never) == [[14.0], [14.0]]

    run(main)
    assert here.version.in_flight == 0


def test_followers_of_a_leader_whose_client_left_are_answered(place: Callable[..., Place]) -> None:
    here = place()
    here.model.gate.clear()

    async def main() -> None:
        tasks = [asyncio.create_task(here.ask(7)) for _ in range(5)]
        await asyncio.sleep(0.05)
        tasks[0].cancel()
        await asyncio.sleep(0.05)
        tasks[1].cancel()
        here.model.gate.set()
        assert await asyncio.gather(*tasks[2:]) == [[14.0]] * 3

    run(main)


def test_an_error_of_the_model_is_not_stored(place: Callable[..., Place]) -> None:
    here = place()

    async def main() -> None:
        here.model.fails = True
        answers = await asyncio.gather(*(here.ask(7) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(answer, ModelFailed) for answer in answers)
        here.model.fails = False
        assert await here.ask(7) == [14]

    run(main)
    assert here.model.runs >= 4, "each of the three had a run of its own"


def test_answers_that_are_shared_cannot_be_changed_by_one_of_their_readers(
    place: Callable[..., Place],
) -> None:
    here = place()
    here.model.gate.clear()

    async def main() -> None:
        answers = [here.infer(7) for _ in range(2)]
        tasks = [asyncio.ensure_future(answer) for answer in answers]  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        here.model.gate.set()
        _, follower = await asyncio.gather(*tasks)
        with pytest.raises(ValueError, match="read-only"):
            follower.outputs["y"][0] = 1

    run(main)


@pytest.mark.parametrize(
    ("outputs", "is_stored"),
    [
        (bytes_tensor([b"a", b"bc\xff"], (2,)), True),
        (np.array(["a", "b"], object), False),
        (np.zeros(600_000), False),
        (np.array([None, {}], object), False),
    ],
)
def test_outputs_of_any_kind_are_answered_and_those_that_can_be_are_stored(
    place: Callable[..., Place], outputs: Any, is_stored: bool
) -> None:
    runs: list[Any] = []
    here = place(
        Cache(near=NearStore(1 << 26, 60)),
        function=lambda x: runs.append(x) or outputs,
        execution="blocking",
    )

    async def main() -> None:
        for _ in range(2):
            assert await here.ask(1) == outputs.tolist()

    run(main)
    assert len(runs) == (1 if is_stored else 2)


# -- on a server


def test_workers_share_what_lies_on_a_server(place: Callable[..., Place]) -> None:
    values: dict[bytes, bytes] = {}
    first, second = (place(Cache(far=FarStore(DictLink(values), 60, "test"))) for _ in range(2))

    async def main() -> None:
        assert await first.ask(1) == [2]
        await asyncio.sleep(0.01)
        assert await second.ask(1) == [2]
        await first.cache.close()
        await second.cache.close()

    run(main)
    assert (first.model.runs, second.model.runs) == (1, 0)
    assert (first.counts, second.counts) == ((0, 1, 0), (1, 0, 0))


def test_a_server_that_fails_or_lies_costs_no_answer(place: Callable[..., Place]) -> None:
    values: dict[bytes, bytes] = {}
    link = DictLink(values)
    here = place(Cache(far=FarStore(link, 60, "test")))

    async def main() -> None:
        for number in range(5):
            assert await here.ask(number) == [number * 2]
        await asyncio.sleep(0.01)
        assert len(values) == 5
        values.update(zip(values, list(values.values())[1:], strict=False))
        for number in range(5):
            assert await here.ask(number) == [number * 2]
        link.fails = True
        for number in range(5):
            assert await here.ask(number) == [number * 2]
        await here.cache.close()

    run(main)


def test_what_is_no_answer_though_it_was_sealed_is_run(place: Callable[..., Place]) -> None:
    class Sealed(DictLink):
        async def get(self, key: bytes) -> object:
            return seal(bytes.fromhex(key.rpartition(b":")[2].decode()), b"no tensors")

    here = place(Cache(far=FarStore(Sealed({}), 60, "test")))

    async def main() -> None:
        assert await here.ask(1) == [2]
        await here.cache.close()

    run(main)
    assert here.counts == (0, 1, 0)


def test_what_is_no_answer_in_memory_is_run_again(place: Callable[..., Place]) -> None:
    class Odd(NearStore):
        def get(self, key: bytes) -> bytes | None:
            return b"no tensors"

    here = place(Cache(near=Odd(1 << 20, 60)))

    async def main() -> None:
        assert await here.ask(1) == [2]
        await here.cache.close()

    run(main)


def test_a_request_without_bytes_of_its_own_is_run(place: Callable[..., Place]) -> None:
    here = place()

    async def main() -> None:
        for _ in range(2):
            assert await here.ask(1, parameters={"seed": 2**70}) == [2]

    run(main)
    assert here.model.runs == 2


def test_a_run_that_a_server_could_not_beat_is_not_looked_up_there(
    place: Callable[..., Place],
) -> None:
    here = place(Cache(far=FarStore(DictLink({}), 60, "test")), seconds=0.0008)

    async def main() -> None:
        for _ in range(2):
            here.version.seconds_per_unit = 0.0008
            await here.ask(1)

    run(main)
    assert here.counts == (0, 0, 0)
