"""How a request goes through the steps: which threads, what at once, and what is let go."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from modelport.core.errors import ModelFailed
from modelport.core.semantics import Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import Batch, DType
from modelport.engine.pipeline.declaration import Place
from modelport.engine.pipeline.flow import run_in_order, run_in_threads, run_on_loop
from modelport.engine.pipeline.plan import Plan, Step, Wire
from tests.engine.pipeline.conftest import Opened, Pipeline

SPEC = TensorSpec("x", DType.FP64, (None,))
ONES = {"x": np.ones(4)}


def never(step: Step) -> bool:
    """No step is short."""
    return False


def planned(outputs: dict[str, str], **feeds: str) -> Plan:
    """Steps that each take `x` from another one's `y`, or from the pipeline where that is ''."""
    steps, takers = {}, dict[Place, int]()
    for name, source in feeds.items():
        place = Place(source, "y" if source else "x")
        takers[place] = takers.get(place, 0) + 1
        then = tuple(other for other, fed in feeds.items() if fed == name)
        steps[name] = Step(
            name=name,
            wires=(Wire(name, SPEC, place, is_checked=False),),
            waits_for=frozenset({source} - {""}),
            then=then,
            kept=(Place(name, "y"),) if then else (),
            given=tuple((out, "y") for out, step in outputs.items() if step == name),
        )
    answered = {Place(step, "y") for step in outputs.values()}
    shared = frozenset(p for p, count in takers.items() if count > 1 or p in answered)
    specs = tuple(TensorSpec(name, DType.FP64, (None,)) for name in outputs)
    return Plan(steps, takers, shared, Signature((SPEC,), specs), Semantics(), ())


CHAIN = planned({"out": "c"}, a="", b="a", c="b")
FORK = planned({"b": "b", "d": "d"}, a="", b="a", c="a", d="c")


def test_a_chain_stays_on_the_callers_thread(pipeline: Pipeline, opened: Opened) -> None:
    toml = """
    [steps.one]
    model = "steps.py:thread"
    [steps.two]
    model = "steps.py:same"
    inputs = { before = "one.output" }
    """
    steps = """
    import threading
    def thread(a: float) -> int:
        return threading.get_ident()
    def same(before: int) -> bool:
        return threading.get_ident() == before
    """
    loaded = opened(pipeline(toml, {"steps.py": steps}))
    outputs: Any = loaded.model.predict({"a": np.ones((1, 1))})
    assert outputs["output"].tolist() == [True]


def test_two_heads_run_at_the_same_time(pipeline: Pipeline, opened: Opened) -> None:
    # Each waits for the other: one after the other, both would fail.
    toml = """
    [steps.encode]
    model = "steps.py:encode"
    [steps.left]
    model = "steps.py:left"
    inputs = { f = "encode.output" }
    [steps.right]
    model = "steps.py:right"
    inputs = { f = "encode.output" }
    [outputs]
    left = "left.output"
    right = "right.output"
    """
    meeting = "import threading\nBARRIER = threading.Barrier(2)"
    steps = """
    from meeting_place import BARRIER
    def encode(a: float) -> float:
        return a + 1
    def left(f: float) -> float:
        BARRIER.wait(10)
        return f * 2
    def right(f: float) -> float:
        BARRIER.wait(10)
        return f * 3
    """
    loaded = opened(pipeline(toml, {"steps.py": steps, "meeting_place.py": meeting}))
    for _ in range(3):
        outputs: Any = loaded.model.predict({"a": np.array([[1.0]])})
        assert {name: float(value[0]) for name, value in outputs.items()} == {"left": 4, "right": 6}


def test_a_long_step_holds_up_no_step_that_does_not_wait_for_it() -> None:
    is_d_over = threading.Event()

    def run(step: Step, batch: Batch) -> Batch:
        if step.name == "b":  # runs on the thread that ran `a`
            assert is_d_over.wait(10)
        if step.name == "d":
            is_d_over.set()
        return {"y": batch["x"] + 1}

    with ThreadPoolExecutor(3) as pool:
        outputs = run_in_threads(FORK, ONES, run, pool, never)
    assert {name: value[0] for name, value in outputs.items()} == {"b": 3, "d": 4}
    assert list(outputs) == ["b", "d"]


def test_short_steps_stay_on_their_thread_and_before_a_long_one() -> None:
    ran: list[tuple[str, bool]] = []

    def run(step: Step, batch: Batch) -> Batch:
        ran.append((step.name, threading.get_ident() == own))
        return {"y": batch["x"]}

    own = threading.get_ident()
    with ThreadPoolExecutor(3) as pool:
        run_in_threads(FORK, ONES, run, pool, lambda step: True)
        run_in_threads(FORK, ONES, run, pool, lambda step: step.name != "b")
    assert [name for name, _ in ran] == ["a", "c", "d", "b", "a", "c", "d", "b"]
    assert all(is_own for _, is_own in ran)


def test_a_failure_is_raised_when_no_step_runs_any_more() -> None:
    ended: list[str] = []
    has_failed = threading.Event()

    def run(step: Step, batch: Batch) -> Batch:
        if step.name == "b":
            has_failed.set()
            raise ModelFailed("b failed")
        if step.name == "c":
            assert has_failed.wait(10)
            threading.Event().wait(0.05)
        ended.append(step.name)
        return {"y": batch["x"]}

    with ThreadPoolExecutor(3) as pool, pytest.raises(ModelFailed, match="b failed"):
        run_in_threads(FORK, ONES, run, pool, never)
    assert ended == ["a", "c"]  # d, which waited for c, was not begun


def test_of_two_failures_the_first_is_raised() -> None:
    has_failed = threading.Event()

    def run(step: Step, batch: Batch) -> Batch:
        if step.name == "b":
            has_failed.set()
        if step.name == "c":
            assert has_failed.wait(10)
            threading.Event().wait(0.05)
        if step.name != "a":
            raise ModelFailed(f"{step.name} failed")
        return {"y": batch["x"]}

    with ThreadPoolExecutor(3) as pool, pytest.raises(ModelFailed, match="b failed"):
        run_in_threads(FORK, ONES, run, pool, never)


def test_a_pool_that_was_closed_fails_the_request() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        run_in_threads(FORK, ONES, lambda step, batch: {"y": batch["x"]}, pool, never)


@pytest.mark.parametrize("plan", [CHAIN, FORK])
def test_every_way_gives_the_same(plan: Plan) -> None:
    def run(step: Step, batch: Batch) -> Batch:
        return {"y": batch["x"] * 2 + 1, "unused": batch["x"]}

    async def await_step(step: Step, batch: Batch) -> Batch:
        await asyncio.sleep(0)
        return run(step, batch)

    with ThreadPoolExecutor(3) as pool:
        ways = [
            run_in_order(plan, ONES, run),
            run_in_threads(plan, ONES, run, pool, never),
            asyncio.run(run_on_loop(plan, ONES, await_step)),
        ]
    for outputs in ways:
        assert list(outputs) == [spec.name for spec in plan.signature.outputs]
        assert {n: v.tolist() for n, v in outputs.items()} == {
            n: v.tolist() for n, v in ways[0].items()
        }


def test_a_tensor_that_nobody_needs_any_more_is_let_go() -> None:
    made: dict[str, weakref.ref[Any]] = {}
    alive: dict[str, list[str]] = {}

    def run(step: Step, batch: Batch) -> Batch:
        alive[step.name] = [name for name, tensor in made.items() if tensor() is not None]
        y = np.array(batch["x"])
        made[step.name] = weakref.ref(y)
        return {"y": y}

    gc.disable()  # by counting references alone
    try:
        run_in_order(CHAIN, ONES, run)
    finally:
        gc.enable()
    assert alive == {"a": [], "b": ["a"], "c": ["b"]}


def test_a_failure_keeps_no_tensor_alive() -> None:
    made: list[weakref.ref[Any]] = []

    def run(step: Step, batch: Batch) -> Batch:
        if step.name != "a":
            raise ModelFailed("no")
        y = np.ones(4)
        made.append(weakref.ref(y))
        return {"y": y}

    async def await_step(step: Step, batch: Batch) -> Batch:
        return run(step, batch)

    gc.disable()
    try:
        with ThreadPoolExecutor(3) as pool, pytest.raises(ModelFailed):
            run_in_threads(FORK, ONES, run, pool, never)
        with pytest.raises(ModelFailed):
            asyncio.run(run_on_loop(FORK, ONES, await_step))
    finally:
        gc.enable()
    assert made[0]() is None


def test_what_several_take_cannot_be_written_to_and_the_answer_can() -> None:
    writeable: dict[str, bool] = {}
    plan = planned({"out": "c"}, a="", b="a", c="a", d="c")

    def run(step: Step, batch: Batch) -> Batch:
        writeable[step.name] = bool(batch["x"].flags.writeable)
        return {"y": batch["x"] + 1}

    outputs = run_in_order(plan, {"x": np.ones(4)}, run)
    assert writeable == {"a": True, "b": False, "c": False, "d": False}
    assert outputs["out"].flags.writeable


def test_a_function_that_writes_to_its_input_writes_to_its_own(
    pipeline: Pipeline, opened: Opened
) -> None:
    toml = """
    [steps.spoil]
    model = "steps.py:spoil"
    [steps.read]
    model = "steps.py:read"
    [outputs]
    spoilt = "spoil.output"
    read = "read.output"
    """
    steps = """
    Row = Annotated[NDArray[np.float64], (None, 2)]
    def spoil(x: Row) -> Row:
        x[:] = 7
        return x
    def read(x: Row) -> Row:
        return x + 0
    """
    loaded = opened(pipeline(toml, {"steps.py": steps}))
    x = np.zeros((1, 2))
    for _ in range(20):
        outputs: Any = loaded.model.predict({"x": x})
        assert outputs["read"].tolist() == [[0, 0]]
        assert outputs["spoilt"].tolist() == [[7, 7]]


def test_on_the_loop_the_first_failure_cancels_the_others() -> None:
    cancelled: list[str] = []

    async def await_step(step: Step, batch: Batch) -> Batch:
        if step.name == "b":
            raise ModelFailed("b failed")
        if step.name == "c":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(step.name)
                raise
        return {"y": batch["x"]}

    with pytest.raises(ModelFailed, match="b failed"):
        asyncio.run(run_on_loop(FORK, ONES, await_step))
    assert cancelled in ([], ["c"])  # not begun, or given up
