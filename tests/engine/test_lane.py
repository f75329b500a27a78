"""Requests of one version in, batches in threads, each request's own answer out."""

from __future__ import annotations

import asyncio
import copy
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from modelport.core.errors import DeadlineExceeded, InvalidInput, ModelFailed, Overloaded
from modelport.core.messages import InferRequest, Parameter
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.engine.cost import CostModel
from modelport.engine.executor import Run
from modelport.engine.lane import Lane
from modelport.engine.limits import Limits
from modelport.engine.opening import LoadedModel
from modelport.runtimes.base import Description
from modelport.runtimes.onnx import OnnxModel, open_session

FREE = Signature(
    (TensorSpec("x", DType.FP64, (None, None)),), (TensorSpec("y", DType.FP64, (None, None)),)
)


LOST = 0.13
"""A number that makes the model lose a row."""


class Bad(Exception):
    """What the model raises at a negative number."""


class Doubling:
    """Doubles, and refuses negative numbers; notes how many rows came each time."""

    def __init__(self) -> None:
        self.description = Description(runtime="test", signature=FREE)
        self.rows: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()

    def predict(self, batch: Batch) -> Batch:
        x = batch["x"]
        self.rows.append(len(x))
        self.started.set()
        assert self.gate.wait(20)
        if (x < 0).any():
            raise Bad
        if (x == LOST).any():
            return {"y": x[1:] * 2}
        return {"y": x * 2}

    def close(self) -> None:
        pass


def loaded(model: Any) -> LoadedModel:
    """The model as the engine holds it; the lane needs no more of it."""
    nothing: Any = None
    return LoadedModel(
        model=model,
        digest="",
        description=model.description,
        semantics=nothing,
        view=nothing,
        decode_json=nothing,
        check_limits=None,
        answer=nothing,
        count_rows=nothing,
    )


def asked(values: Any, **facts: Any) -> InferRequest:
    return InferRequest(inputs={"x": np.array(values, dtype=np.float64)}, **facts)


@asynccontextmanager
async def open_lane(model: Any, **limits: Any) -> AsyncIterator[Callable[..., Awaitable[Run]]]:
    """A lane for a model; gives what runs a request on it."""
    cost = CostModel()
    cost.learn(32, 0.0001)
    lane, held = Lane("m", cost, Limits(**limits)), loaded(model)

    def run(request: InferRequest) -> Awaitable[Run]:
        return lane.run(held, request, len(next(iter(request.inputs.values()))))

    try:
        yield run
    finally:
        lane.close()


async def settled(tasks: Sequence[asyncio.Task[Any]]) -> list[Any]:
    """What each task gave or raised."""
    async with asyncio.timeout(30):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def started(model: Doubling) -> None:
    assert await asyncio.to_thread(model.started.wait, 20)


def test_what_arrives_while_a_batch_runs_is_the_next_one() -> None:
    model = Doubling()
    model.gate.clear()

    async def main() -> list[Any]:
        async with open_lane(model) as run:
            first = asyncio.create_task(run(asked([[1, 2]])))
            await started(model)
            rest = [asyncio.create_task(run(asked([[n, n]] * n))) for n in range(1, 5)]
            await asyncio.sleep(0.02)
            model.gate.set()
            return await settled([first, *rest])

    runs = asyncio.run(main())
    assert model.rows[0] == 1
    assert sum(model.rows) == 11
    assert len(model.rows) < 5
    for n, (outputs, began, ended, rows) in enumerate(runs):
        assert outputs["y"].tolist() == ([[2, 4]] if n == 0 else [[2 * n, 2 * n]] * n)
        assert began <= ended
        assert rows >= len(outputs["y"])


def test_a_request_that_the_model_raises_at_fails_alone() -> None:
    """31 good requests and a bad one, a thousand times: no good one may notice."""
    model = Doubling()
    right = errors = 0

    async def main() -> None:
        nonlocal right, errors
        async with open_lane(model) as run:
            for turn in range(1000):
                values = [[float(n), turn] for n in range(32)]
                bad = turn % 32
                values[bad][0] = -1.0
                tasks = [asyncio.create_task(run(asked([value]))) for value in values]
                for n, result in enumerate(await settled(tasks)):
                    if n == bad:
                        assert type(result) is ModelFailed
                        assert "the model raised Bad" in result.message
                        errors += 1
                    else:
                        assert result[0]["y"].tolist() == [[2.0 * n, 2.0 * turn]]
                        right += 1

    asyncio.run(main())
    assert (right, errors) == (31_000, 1_000)
    assert max(model.rows) > 8  # they did share batches


def test_a_request_that_makes_the_model_lose_a_row_fails_alone() -> None:
    model = Doubling()

    async def main() -> list[Any]:
        async with open_lane(model) as run:
            values = [n / 100 for n in range(10, 20)]
            return await settled([asyncio.create_task(run(asked([[v]]))) for v in values])

    for n, result in zip(range(10, 20), asyncio.run(main()), strict=True):
        if n == 13:
            assert type(result) is ModelFailed
            assert "the model gave 0 rows of 'y' for the 1 that it was given" in result.message
        else:
            assert result[0]["y"].tolist() == [[2 * (n / 100)]]


@pytest.mark.parametrize("merges", [True, False])
def test_a_batch_whose_last_caller_left_is_not_run(merges: bool) -> None:
    model = Doubling()
    model.gate.clear()

    async def main() -> None:
        async with open_lane(model, merges=merges) as run:
            first = asyncio.create_task(run(asked([[1]])))
            await started(model)
            leaves = [asyncio.create_task(run(asked([[n]]))) for n in (2, 3)]
            stays = asyncio.create_task(run(asked([[4]])))
            await asyncio.sleep(0)
            for task in leaves:
                task.cancel()
            await asyncio.sleep(0)
            model.gate.set()
            results = await settled([first, *leaves, stays])
            assert [type(r) for r in results[1:3]] == [asyncio.CancelledError] * 2
            assert results[3][0]["y"].tolist() == [[8]]

    asyncio.run(main())
    assert model.rows == [1, 1]


def test_what_waits_longer_than_its_deadline_is_never_run() -> None:
    model = Doubling()
    model.gate.clear()

    async def main() -> None:
        async with open_lane(model) as run:
            first = asyncio.create_task(run(asked([[1]])))
            await started(model)
            late = asyncio.create_task(run(asked([[2]], deadline=time.monotonic() + 0.02)))
            await asyncio.sleep(0.05)
            model.gate.set()
            results = await settled([first, late])
            assert results[0][0]["y"].tolist() == [[2]]
            assert type(results[1]) is DeadlineExceeded

    asyncio.run(main())
    assert model.rows == [1]


def test_a_full_queue_refuses_at_once_and_what_waits_is_answered() -> None:
    model = Doubling()
    model.gate.clear()

    async def main() -> None:
        async with open_lane(model, queue_jobs=4, merges=False) as run:
            first = asyncio.create_task(run(asked([[0]])))
            await started(model)
            waiting = [asyncio.create_task(run(asked([[n]]))) for n in range(1, 5)]
            await asyncio.sleep(0)
            before = time.monotonic()
            with pytest.raises(Overloaded, match="4 requests wait already"):
                await run(asked([[9]]))
            assert time.monotonic() - before < 1
            model.gate.set()
            for n, result in enumerate(await settled([first, *waiting])):
                assert result[0]["y"].tolist() == [[2 * n]]

    asyncio.run(main())


def test_a_run_that_nobody_waits_for_is_stopped() -> None:
    """A graph of a thousand heavy nodes: stopped between two of them, or it takes minutes."""
    side = 500
    names = ["x", *(f"h{n}" for n in range(1000)), "y"]
    nodes = [helper.make_node("MatMul", [one, "w"], [other]) for one, other in pairwise(names)]
    graph = helper.make_graph(
        nodes,
        "heavy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, side])],
        [numpy_helper.from_array(np.zeros((side, side), np.float32), "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = OnnxModel(open_session(made.SerializeToString(), 1))
    heavy = InferRequest(inputs={"x": np.zeros((4000, side), np.float32)})
    light = InferRequest(inputs={"x": np.zeros((1, side), np.float32)})

    async def main() -> float:
        async with open_lane(model) as run:
            task = asyncio.create_task(run(heavy))
            await asyncio.sleep(0.2)
            task.cancel()
            before = time.monotonic()
            await run(light)
            return time.monotonic() - before

    assert asyncio.run(main()) < 10
    assert onnx.__version__


class Case:
    """A mix of requests: what each holds, when it is sent, and whether its caller leaves."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.requests: list[tuple[Any, str, bool, bool]] = []
        for _ in range(chance.randint(2, 14)):
            rows, width = chance.randint(1, 4), chance.choice((1, 1, 2, 3))
            x = np.array([[chance.uniform(0, 9) for _ in range(width)] for _ in range(rows)])
            kind = chance.random()
            if kind < 0.1:
                x[chance.randrange(rows)] = -1  # the model raises
            elif kind < 0.15:
                x[chance.randrange(rows)] = LOST  # the model loses a row
            leaves, pauses = chance.random() < 0.1, chance.random() < 0.2
            priority = chance.choice(("low", "normal", "high"))
            self.requests.append((x, priority, leaves, pauses))


@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**40), at_once=st.integers(1, 2), rows=st.sampled_from((1, 3, 1024)))
def test_answers_are_those_of_each_request_alone(seed: int, at_once: int, rows: int) -> None:
    model, case = Doubling(), Case(seed)

    async def main() -> list[Any]:
        async with open_lane(model, at_once=at_once, rows=rows) as run:
            tasks = []
            for x, priority, leaves, pauses in case.requests:
                request = InferRequest(inputs={"x": x}, priority=priority)  # type: ignore[arg-type]
                tasks.append(asyncio.create_task(run(request)))  # type: ignore[arg-type]
                if pauses:
                    await asyncio.sleep(0)
                if leaves:
                    tasks[-1].cancel()
            return await settled(tasks)

    for (x, _, leaves, _), result in zip(case.requests, asyncio.run(main()), strict=True):
        if leaves:
            assert isinstance(result, asyncio.CancelledError)
        elif (x < 0).any() or (x == LOST).any():
            assert type(result) is ModelFailed
        else:
            assert np.array_equal(result[0]["y"], x * 2)


def test_sums_in_another_order_differ_by_less_than_a_hundred_thousandth() -> None:
    """A real graph, whose kernels may sum in another order for another number of rows."""
    chance = np.random.default_rng(5)
    weights = [chance.normal(size=(64, 64)).astype(np.float32) for _ in range(3)]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w1"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "w2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 64])],
        [numpy_helper.from_array(w, f"w{n}") for n, w in enumerate(weights)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = OnnxModel(open_session(made.SerializeToString(), 1))
    inputs = [chance.normal(size=(1 + n % 5, 64)).astype(np.float32) for n in range(200)]
    alone = [model.predict({"x": x})["y"] for x in inputs]

    async def main() -> list[Any]:
        async with open_lane(model, at_once=2) as run:
            requests = [InferRequest(inputs={"x": x}) for x in inputs]
            return await settled([asyncio.create_task(run(r)) for r in requests])  # type: ignore[arg-type]

    together = asyncio.run(main())
    assert max(run[3] for run in together) > 8
    for one, (outputs, *_) in zip(alone, together, strict=True):
        largest = np.abs(one).max(axis=1, keepdims=True)
        assert (np.abs(outputs["y"] - one) <= 1e-5 * largest).all()


def test_an_input_that_the_runtime_refuses_is_the_callers_fault_and_only_theirs() -> None:
    class Choosy(Doubling):
        def predict(self, batch: Batch) -> Batch:
            if (batch["x"] == 7).any():
                raise InvalidInput("no sevens")
            return super().predict(batch)

    async def main() -> list[Any]:
        async with open_lane(Choosy()) as run:
            return await settled([asyncio.create_task(run(asked([[n]]))) for n in range(10)])  # type: ignore[arg-type]

    results = asyncio.run(main())
    assert [type(r) for r in results if isinstance(r, Exception)] == [InvalidInput]
    assert type(results[7]) is InvalidInput


class Telling(Doubling):
    """Multiplies by a parameter; notes with which parameters it ran, and how many rows."""

    def __init__(self) -> None:
        super().__init__()
        self.description = Description(runtime="test", signature=FREE, takes_parameters=True)
        self.ran: list[tuple[dict[str, Any], int]] = []

    def given(self, parameters: Mapping[str, Parameter]) -> Telling:
        other = copy.copy(self)
        other.by = dict(parameters)
        return other

    by: ClassVar[dict[str, Any]] = {}

    def predict(self, batch: Batch) -> Batch:
        doubled = super().predict(batch)
        self.ran.append((self.by, len(batch["x"])))
        return {"y": doubled["y"] * float(self.by.get("by", 1))}


def test_requests_with_different_parameters_never_share_a_batch() -> None:
    model = Telling()
    model.gate.clear()
    said: list[dict[str, Any]] = [{"by": n} for n in (1, True, 2, 2, 1.0, 1)]

    async def main() -> list[Any]:
        async with open_lane(model) as run:
            first = asyncio.create_task(run(asked([[1, 2]])))
            await started(model)
            rest = [asyncio.create_task(run(asked([[1, 2]], parameters=each))) for each in said]
            await asyncio.sleep(0.02)
            model.gate.set()
            return await settled([first, *rest])

    runs = asyncio.run(main())
    assert [outputs["y"].tolist() for outputs, *_ in runs[1:]] == [
        [[2.0 * each["by"], 4.0 * each["by"]]] for each in said
    ]
    assert model.ran[0] == ({}, 1)
    together = [(*by.items(), type(by["by"]), rows) for by, rows in model.ran[1:]]
    assert set(together) == {
        (("by", 1), int, 2),
        (("by", True), bool, 1),
        (("by", 2), int, 2),
        (("by", 1.0), float, 1),
    }
    assert len(together) == 4
