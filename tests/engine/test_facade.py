"""The engine: which version a request means, and where it runs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelFailed,
    ModelNotFound,
    NotReady,
    Overloaded,
)
from modelport.core.messages import InferRequest, InferResponse, Parameter
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.engine.facade import Engine
from modelport.engine.lifecycle import State, Version
from modelport.engine.limits import Limits
from modelport.engine.opening import LoadedModel, Settings
from modelport.engine.probation import SLOW_S
from modelport.engine.residency import Told
from modelport.repository.layout import Source
from modelport.runtimes.base import Model

Served = Callable[..., tuple[Version, LoadedModel]]
Sources = Callable[..., Source]
SLOW = 1.0
LINEAR = (Path(__file__).parent.parent / "data" / "linear.onnx").read_bytes()


@pytest.fixture
def engine() -> Iterator[Callable[..., Engine]]:
    """Make an engine; all are closed in the end."""
    made: list[Engine] = []

    def make(
        sources: Sequence[Source] = (),
        queue_limit: int = 100,
        told: Told = lambda version: None,
        **settings: Any,
    ) -> Engine:
        made.append(
            Engine(sources, Settings(**settings), Limits(queue_jobs=queue_limit), told=told)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def request(*values: float, **options: Any) -> InferRequest:
    return InferRequest(inputs={"x": np.array(values, float)}, **options)


async def answered(answer: InferResponse | Awaitable[InferResponse]) -> InferResponse:
    async with asyncio.timeout(20):
        return answer if isinstance(answer, InferResponse) else await answer


# -- what a request may hold


def test_values_outside_their_range_are_refused_unless_the_transport_looked_already(
    engine: Callable[..., Engine], served: Served
) -> None:
    looked: list[Any] = []
    version, loaded = served(lambda x: x)
    loaded = dataclasses.replace(loaded, check_limits=looked.append)
    made = engine()
    asyncio.run(answered(made.infer(version, loaded, request(1.0))))
    assert len(looked) == 1
    asyncio.run(answered(made.infer(version, loaded, request(1.0, is_checked=True))))
    assert len(looked) == 1


# -- which version


def names(*pairs: tuple[str, str]) -> list[Source]:
    return [Source(name=n, version=v, path="", toml="") for n, v in pairs]


def test_the_latest_version_is_the_one_with_the_highest_number(
    engine: Callable[..., Engine],
) -> None:
    made = engine(names(("a", "9"), ("a", "10"), ("a", "x"), ("b", "1")))
    assert made.names == ["a", "b"]
    assert made.find("a").version == "10"
    assert made.find("a", "9").version == "9"
    assert [(v.name, v.version) for v in made.versions] == [
        *(("a", "9"), ("a", "10"), ("a", "x"), ("b", "1"))
    ]


def test_a_version_that_failed_gives_way_to_one_that_works(engine: Callable[..., Engine]) -> None:
    made = engine(names(("a", "1"), ("a", "2"), ("a", "3")))
    made.find("a", "3").state = State.FAILED
    assert made.find("a").version == "2"
    assert made.find("a", "3").version == "3"
    for version in made.versions:
        version.state = State.FAILED
    assert made.find("a").version == "3"


def test_the_only_model_needs_no_name(engine: Callable[..., Engine]) -> None:
    assert engine(names(("a", "1"), ("a", "2"))).find(None).version == "2"


@pytest.mark.parametrize("pairs", [[("a", "1"), ("b", "1")], []])
def test_without_a_name_there_must_be_one_model(
    engine: Callable[..., Engine], pairs: list[tuple[str, str]]
) -> None:
    with pytest.raises(ModelNotFound, match="name one, as /models/NAME/predict"):
        engine(names(*pairs)).find(None)


def test_an_unknown_model_or_version_is_not_found(engine: Callable[..., Engine]) -> None:
    made = engine(names(("a", "1")))
    with pytest.raises(ModelNotFound, match="there is no model 'b' here"):
        made.find("b")
    with pytest.raises(ModelNotFound, match="model 'a' has no version '7'"):
        made.find("a", "7")
    with pytest.raises(ModelNotFound) as caught:
        made.find("x" * 10_000)
    assert len(caught.value.message) < 200


# -- loading


def test_an_engine_is_ready_when_each_version_is_ready_or_failed_for_good(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(LINEAR), source(b"damaged", name="bad"), source(LINEAR, version="2")])
    assert not made.is_ready
    with pytest.raises(NotReady, match="is being loaded") as caught:
        _ = made.find("m").loaded
    assert caught.value.retry_after_s == 1
    asyncio.run(made.load())
    assert made.is_ready
    assert made.find("m").state is State.READY
    with pytest.raises(NotReady, match=r"model 'bad' could not be loaded: 'model\.onnx' is not"):
        _ = made.find("bad").loaded
    version = made.find("m")
    rows = InferRequest(inputs={"x": np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])})
    response = asyncio.run(answered(made.infer(version, version.loaded, rows)))
    assert response.outputs["y"].tolist() == [1.8, 0.4]
    assert (response.model, response.version) == ("m", "2")


def test_a_closed_engine_has_given_its_models_back(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(LINEAR)])
    asyncio.run(made.load())
    made.close()
    with pytest.raises(NotReady):
        _ = made.find("m").loaded


# -- where it runs


def test_a_short_run_is_answered_at_once_on_this_thread(
    engine: Callable[..., Engine], served: Served
) -> None:
    seen: list[int] = []
    version, loaded = served(lambda x: seen.append(threading.get_ident()) or x * 2)
    response = engine().infer(version, loaded, request(1, 2))
    assert isinstance(response, InferResponse)
    assert response.outputs["y"].tolist() == [2, 4]
    assert seen == [threading.get_ident()]
    assert response.queue_s == 0
    assert 0 < response.run_s < 5


def test_a_long_run_has_a_thread_and_many_rows_make_a_run_long(
    engine: Callable[..., Engine], served: Served
) -> None:
    seen: list[int] = []
    version, loaded = served(
        lambda x: seen.append(threading.get_ident()) or x, seconds_per_unit=0.0002
    )
    made = engine()

    async def main() -> InferResponse:
        assert isinstance(made.infer(version, loaded, request(1, 2)), InferResponse)
        version.seconds_per_unit = 0.0002
        later = made.infer(version, loaded, request(1, 2, 3))
        assert not isinstance(later, InferResponse)
        return await later

    response = asyncio.run(main())
    assert response.outputs["y"].tolist() == [1, 2, 3]
    assert response.queue_s > 0
    assert seen[0] == threading.get_ident() != seen[1]


def test_one_long_row_of_a_free_shape_makes_a_run_long(
    engine: Callable[..., Engine], served: Served
) -> None:
    seen: list[int] = []
    version, loaded = served(
        lambda x: seen.append(threading.get_ident()) or x,
        seconds_per_unit=0.0002,  # as measured with a row of one element
        signature=Signature(
            (TensorSpec("x", DType.FP64, (None, None)),),
            (TensorSpec("y", DType.FP64, (None, None)),),
        ),
    )
    made = engine()

    async def main() -> None:
        long = made.infer(version, loaded, InferRequest(inputs={"x": np.ones((1, 9000))}))
        assert not isinstance(long, InferResponse)
        await long
        version.seconds_per_unit = 0.0002
        short = made.infer(version, loaded, InferRequest(inputs={"x": np.ones((1, 2))}))
        assert isinstance(short, InferResponse)

    asyncio.run(main())
    assert seen[0] != threading.get_ident() == seen[1]


def test_a_blocking_model_always_has_a_thread_of_its_own(
    engine: Callable[..., Engine], served: Served
) -> None:
    threads: dict[str, set[int]] = {"a": set(), "b": set()}
    running: dict[str, int] = {"a": 0, "b": 0}

    def model(name: str) -> Callable[[Any], Any]:
        def function(x: Any) -> Any:
            running[name] += 1
            assert running[name] == 1
            threads[name].add(threading.get_ident())
            time.sleep(0.001)
            running[name] -= 1
            return x

        return function

    made = engine(threads=4)
    models = [served(model(name), "blocking", name=name) for name in threads]

    async def main() -> None:
        answers = [made.infer(*model, request(1)) for model in models * 10]
        await asyncio.gather(*(answered(answer) for answer in answers))

    asyncio.run(main())
    assert [len(of) for of in threads.values()] == [1, 1]
    assert len({threading.get_ident()} | threads["a"] | threads["b"]) == 3


def test_an_asynchronous_model_is_awaited_on_the_loop(
    engine: Callable[..., Engine], served: Served
) -> None:
    seen: list[int] = []

    async def function(x: Any) -> Any:
        seen.append(threading.get_ident())
        await asyncio.sleep(0)
        return x * 2

    version, loaded = served(function, "async")

    async def main() -> InferResponse:
        return await answered(engine().infer(version, loaded, request(1)))

    assert asyncio.run(main()).outputs["y"].tolist() == [2]
    assert seen == [threading.get_ident()]


def test_the_time_of_a_row_follows_the_runs_slowly(
    engine: Callable[..., Engine], served: Served
) -> None:
    version, loaded = served(lambda x: time.sleep(0.002) or x)
    made = engine()

    async def main() -> None:
        for _ in range(3):
            await answered(made.infer(version, loaded, request(1)))
        assert 0 < version.seconds_per_unit < 0.0001
        version.seconds_per_unit = 0.01
        for _ in range(20):
            await answered(made.infer(version, loaded, request(1)))

    asyncio.run(main())
    assert 0.001 < version.seconds_per_unit < 0.009


def slow_below_zero(seen: list[int], error: Exception | None = None) -> Callable[[Any], Any]:
    """A function that is quick, but for one input; notes the threads in which it runs."""

    def function(x: Any) -> Any:
        seen.append(threading.get_ident())
        if x[0] < 0:
            time.sleep(2 * SLOW_S)
            if error is not None:
                raise error
        return x

    return function


@pytest.mark.parametrize("error", [None, ValueError("odd"), InvalidInput("odd")])
def test_a_model_that_takes_long_for_some_inputs_keeps_the_loop_waiting_once(
    engine: Callable[..., Engine], served: Served, error: Exception | None
) -> None:
    seen: list[int] = []
    version, loaded = served(slow_below_zero(seen, error))
    made = engine()

    async def ask(x: float) -> None:
        with contextlib.suppress(ModelFailed, InvalidInput):
            await answered(made.infer(version, loaded, request(x)))

    async def main() -> None:
        await ask(1)
        for _ in range(3):
            await ask(-1)
            await ask(1)

    asyncio.run(main())
    here = threading.get_ident()
    assert seen[:2] == [here, here]
    assert here not in seen[2:]
    assert len(seen) == 7


def test_a_model_that_was_slow_is_back_on_the_loop_after_enough_quick_runs(
    engine: Callable[..., Engine], served: Served
) -> None:
    seen: list[int] = []
    version, loaded = served(slow_below_zero(seen))
    made = engine()

    async def main() -> None:
        made.infer(version, loaded, request(-1))
        async with asyncio.timeout(60):
            while version.probation.is_on:
                later = made.infer(version, loaded, request(1))
                assert not isinstance(later, InferResponse)
                await later
        assert len(seen) > 100
        assert version.door is None, "nothing waits that is to be counted"
        assert isinstance(made.infer(version, loaded, request(1)), InferResponse)

    asyncio.run(main())
    here = threading.get_ident()
    assert seen[0] == seen[-1] == here
    assert here not in seen[1:-1]


def test_what_was_predicted_to_be_long_says_nothing_about_short_runs(
    engine: Callable[..., Engine], served: Served
) -> None:
    version, loaded = served(
        lambda x: x if len(x) == 1 else time.sleep(2 * SLOW_S) or x, seconds_per_unit=0.0001
    )
    made = engine()

    async def main() -> None:
        await answered(made.infer(version, loaded, request(*range(100))))
        version.seconds_per_unit = 0.0001
        assert isinstance(made.infer(version, loaded, request(1)), InferResponse)
        version.probation.ran(SLOW_S)
        version.seconds_per_unit = 0.0001
        await answered(made.infer(version, loaded, request(*range(100))))
        for _ in range(50):
            version.probation.ran(0)
        assert not version.probation.is_on

    asyncio.run(main())


def test_of_a_batch_each_request_counts_with_its_part(
    engine: Callable[..., Engine], served: Served
) -> None:
    version, loaded = served(lambda x: x)
    made = engine()

    async def runs(*given: Any) -> Any:
        return {"y": np.ones(1), "z": np.ones(1)}, 0.0, 2 * SLOW_S, 100

    made._lanes.run = runs  # type: ignore[method-assign]  # a batch of others' requests, too

    async def main() -> None:
        version.probation.ran(SLOW_S)
        for _ in range(50):
            await answered(made.infer(version, loaded, request(1)))
        assert not version.probation.is_on

    asyncio.run(main())


# -- what is asked for


def test_outputs_are_those_asked_for_in_that_order(
    engine: Callable[..., Engine], served: Served
) -> None:
    version, loaded = served(lambda x: x * 2)
    made = engine()

    def outputs(*names: str) -> list[str]:
        response = made.infer(version, loaded, request(1, outputs=names))
        assert isinstance(response, InferResponse)
        return list(response.outputs)

    assert outputs() == ["y", "z"]
    assert outputs("z", "y") == ["z", "y"]
    assert outputs("z") == ["z"]
    with pytest.raises(InvalidInput, match="no output 'q'"):
        outputs("z", "q")


def test_inputs_that_do_not_fit_are_refused_before_the_model_sees_them(
    engine: Callable[..., Engine], served: Served
) -> None:
    seen: list[Any] = []
    version, loaded = served(seen.append)
    for inputs in ({}, {"x": np.ones((1, 1))}, {"x": np.ones(1, np.float32)}):
        with pytest.raises(InvalidInput):
            engine().infer(version, loaded, InferRequest(inputs=inputs))
    assert seen == []


# -- what goes wrong


@pytest.mark.parametrize("seconds_per_unit", [0.0, SLOW])
@pytest.mark.parametrize("execution", ["compute", "blocking", "async"])
def test_a_models_exception_is_in_the_log_and_not_in_the_answer(
    engine: Callable[..., Engine],
    served: Served,
    caplog: pytest.LogCaptureFixture,
    execution: str,
    seconds_per_unit: float,
) -> None:
    def function(x: Any) -> Any:
        raise KeyError("s3cret")

    version, loaded = served(function, execution, seconds_per_unit)

    async def main() -> None:
        await answered(engine().infer(version, loaded, request(1)))

    with caplog.at_level(logging.ERROR), pytest.raises(ModelFailed) as caught:
        asyncio.run(main())
    assert "s3cret" not in caught.value.message
    assert "model 'm' version 1 raised" in caplog.text
    assert "s3cret" in caplog.text


@pytest.mark.parametrize("seconds_per_unit", [0.0, SLOW])
def test_an_input_that_the_model_itself_refuses_is_the_callers_mistake(
    engine: Callable[..., Engine], served: Served, seconds_per_unit: float
) -> None:
    def function(x: Any) -> Any:
        raise InvalidInput("too odd")

    version, loaded = served(function, seconds_per_unit=seconds_per_unit)

    async def main() -> None:
        await answered(engine().infer(version, loaded, request(1)))

    with pytest.raises(InvalidInput, match="too odd"):
        asyncio.run(main())


def test_too_many_waiting_requests_are_refused_with_the_time_to_wait(
    engine: Callable[..., Engine], served: Served
) -> None:
    gate = threading.Event()
    version, loaded = served(lambda x: gate.wait(20) and x, seconds_per_unit=SLOW)
    made = engine(queue_limit=3)

    async def main() -> None:
        waiting = [
            asyncio.create_task(answered(made.infer(version, loaded, request(1)))) for _ in range(4)
        ]
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded) as caught:
            await answered(made.infer(version, loaded, request(1)))
        assert caught.value.retry_after_s == 1
        gate.set()
        assert len(await asyncio.gather(*waiting)) == 4

    asyncio.run(main())


@pytest.mark.parametrize("execution", ["compute", "blocking"])
def test_a_deadline_that_passes_while_the_model_runs_ends_the_wait(
    engine: Callable[..., Engine], served: Served, execution: str
) -> None:
    gate = threading.Event()
    version, loaded = served(lambda x: gate.wait(20) and x, execution, SLOW)

    async def main() -> None:
        late = request(1, deadline=time.monotonic() + 0.03)
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="'m' did not answer before the request's"):
            await answered(engine().infer(version, loaded, late))
        assert time.monotonic() - started < 5
        gate.set()

    asyncio.run(main())


def test_an_asynchronous_run_is_cancelled_at_the_deadline(
    engine: Callable[..., Engine], served: Served
) -> None:
    ended: list[str] = []

    async def function(x: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    version, loaded = served(function, "async")

    async def main() -> None:
        late = request(1, deadline=time.monotonic() + 0.02)
        with pytest.raises(DeadlineExceeded):
            await answered(engine().infer(version, loaded, late))

    asyncio.run(main())
    assert ended == ["cancelled"]


def test_a_deadline_that_passed_before_is_told_and_the_model_never_runs(
    engine: Callable[..., Engine], served: Served
) -> None:
    seen: list[Any] = []
    version, loaded = served(seen.append, seconds_per_unit=SLOW)
    made = engine()

    async def main() -> None:
        late = request(1, deadline=time.monotonic() - 1)
        with pytest.raises(DeadlineExceeded):
            await answered(made.infer(version, loaded, late))
        await answered(made.infer(*served(lambda x: x, seconds_per_unit=SLOW), request(1)))

    asyncio.run(main())
    assert seen == []


def test_a_deadline_in_the_future_changes_nothing(
    engine: Callable[..., Engine], served: Served
) -> None:
    version, loaded = served(lambda x: x, seconds_per_unit=SLOW)

    async def main() -> InferResponse:
        soon = request(1, deadline=time.monotonic() + 20)
        return await answered(engine().infer(version, loaded, soon))

    assert asyncio.run(main()).outputs["y"].tolist() == [1]


def test_closing_drops_what_waits(engine: Callable[..., Engine], served: Served) -> None:
    gate = threading.Event()
    blocking = served(lambda x: gate.wait(20) and x, "blocking")
    made = engine()

    async def main() -> None:
        waiting = [
            asyncio.create_task(answered(made.infer(*blocking, request(1)))) for _ in range(2)
        ]
        await asyncio.sleep(0.05)
        made.close()
        gate.set()
        first, second = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, InferResponse)
        assert isinstance(second, asyncio.CancelledError)

    asyncio.run(main())


# -- what changes while it serves


def test_an_alias_says_which_version_is_meant(engine: Callable[..., Engine]) -> None:
    made = engine()
    made.route(names(("a", "1"), ("a", "2"), ("a", "3")), {"a": {"canary": "2"}})
    assert made.find("a", "canary").version == "2"
    assert made.find("a").version == made.find("a", "latest").version == "3"
    made.route(names(("a", "1"), ("a", "2"), ("a", "3")), {"a": {"production": "1", "latest": "2"}})
    assert made.find("a").version == "1"
    assert made.find("a", "latest").version == "2"
    with pytest.raises(ModelNotFound, match="model 'a' has no version or alias 'canary'"):
        made.find("a", "canary")


def test_the_latest_is_one_that_is_ready_while_a_newer_one_is_loaded(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(LINEAR)])
    asyncio.run(made.load())
    made.route([source(LINEAR), source(LINEAR, version="2")], {})
    assert made.find("m").version == "1"
    asyncio.run(made.load())
    assert made.find("m").version == "2"


def test_a_version_that_is_routed_again_is_not_loaded_again(
    engine: Callable[..., Engine], source: Sources
) -> None:
    told: list[Version | None] = []
    made = engine([source(LINEAR)], told=told.append)
    asyncio.run(made.load())
    version, loaded = made.find("m"), made.find("m").loaded
    assert told == [version, None]
    made.route([source(LINEAR), source(b"damaged", version="2")], {})
    asyncio.run(made.load())
    asyncio.run(made.load())
    second = made.find("m", "2")
    assert told == [version, None, second, None]
    assert made.find("m", "1") is version
    assert version.loaded is loaded
    asyncio.run(made.load(again=True))
    assert told == [version, None, second, None, second, None]


def test_a_version_that_goes_answers_what_it_accepted_and_is_then_given_back(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(LINEAR)])
    asyncio.run(made.load())
    version, loaded = made.find("m"), made.find("m").loaded
    made.route([], {})
    assert version.state is State.DRAINING
    with pytest.raises(NotReady):
        _ = version.loaded
    with pytest.raises(ModelNotFound):
        made.find("m")
    rows = InferRequest(inputs={"x": np.array([[1.0, 2.0, 3.0]])})
    response = asyncio.run(answered(made.infer(version, loaded, rows)))
    assert response.outputs["y"].tolist() == [1.8]
    del loaded
    assert version.state is State.UNLOADED


def test_a_version_that_was_never_loaded_goes_at_once(
    engine: Callable[..., Engine], source: Sources
) -> None:
    made = engine([source(LINEAR)])
    version = made.find("m")
    made.route([], {})
    assert version.state is State.UNLOADED


@pytest.mark.parametrize("execution", ["compute", "blocking", "async"])
def test_parameters_reach_the_model_wherever_it_runs(
    engine: Callable[..., Engine], served: Served, execution: str
) -> None:
    async def later(x: Any) -> Any:
        return x

    version, loaded = served(later if execution == "async" else lambda x: x, execution)
    seen: list[Mapping[str, Parameter]] = []

    class Taking:
        description = loaded.model.description
        predict = loaded.model.predict

        def given(self, parameters: Mapping[str, Parameter]) -> Model:
            seen.append(parameters)
            return loaded.model

    taking = dataclasses.replace(loaded, model=Taking())
    one = engine()

    async def main() -> None:
        for said in ({}, {"top": 3}):
            response = await answered(one.infer(version, taking, request(1, parameters=said)))
            assert response.outputs["y"].tolist() == [1]

    asyncio.run(main())
    assert seen == [{"top": 3}]


def test_what_waits_for_a_version_that_is_served_no_longer_is_answered(
    source: Callable[..., Source], trusted: Callable[[Source], frozenset[str]]
) -> None:
    program = source(
        "import time\ndef answer(a: float) -> float:\n    time.sleep(0.05)\n    return a + 1\n",
        file="app.py",
        attribute="answer",
    )

    async def main() -> None:
        made = Engine([program], Settings(trusted=trusted(program)))
        await made.load()
        version = made.find("m")
        loaded = version.loaded
        tasks = [
            asyncio.ensure_future(
                answered(made.infer(version, loaded, InferRequest(inputs={"a": np.array([[n]])})))
            )
            for n in (1.0, 2.0, 3.0, 4.0)
        ]
        await asyncio.sleep(0.02)
        made.route([], {})
        del loaded
        values = [next(iter((await task).outputs.values())).ravel()[0] for task in tasks]
        assert values == [2.0, 3.0, 4.0, 5.0]
        tasks.clear()
        await asyncio.sleep(0.1)
        assert not made._lanes._lanes
        made.close()

    asyncio.run(main())
