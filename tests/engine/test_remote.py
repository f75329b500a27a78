"""A worker's side and the engine process' side, over a real socket, here both in one process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from modelport.core.errors import (
    CorruptModel,
    DeadlineExceeded,
    Internal,
    InvalidInput,
    ModelFailed,
    NotReady,
    Overloaded,
)
from modelport.core.messages import InferRequest, InferResponse
from modelport.engine.facade import Engine
from modelport.engine.host import Host
from modelport.engine.lanes import Lanes
from modelport.engine.lifecycle import State, Version
from modelport.engine.limits import Limits
from modelport.engine.opening import Settings
from modelport.engine.placement import Placing
from modelport.engine.remote import EngineLink, RemoteModel
from modelport.repository.layout import Source
from tests.engine.test_padding import CUT, MASK, MASKED, PAD

DATA = Path(__file__).parents[1] / "data"
ROW = np.array([[1.0, 2.0, 3.0]])
SLOW = """
import time


def answer(x: float) -> float:
    time.sleep(0.2)
    return x
"""
SCALING = """
def scale(x: float, parameters: dict) -> float:
    return x * parameters.get("by", 1)
"""
TRUSTED = frozenset(hashlib.sha256(text.encode()).hexdigest() for text in (SLOW, SCALING))


class Sharing:
    """An engine process' host on a socket, and workers that are connected to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "engine.sock")
        self.loads: list[str] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.setblocking(False)
        self.tasks: list[asyncio.Task[None]] = []
        self.links: list[socket.socket] = []

    def start(self, **settings: Any) -> None:
        """The engine process begins."""
        made = Settings(trusted=TRUSTED, place="shared", **settings)
        self.host = Host(made, Lanes(2, Limits()), self._told)
        self.tasks.append(asyncio.create_task(self._accept(self.host)))

    def _told(self, version: Version | None) -> None:
        if version is not None:
            self.loads.append(version.name)

    async def _accept(self, host: Host) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
            self.links.append(sock.dup())
            await host.serve(sock)

    async def die(self) -> None:
        """The engine process is gone for its workers."""
        self.tasks.pop().cancel()
        for sock in self.links:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.links.clear()
        await self.host.left.wait()

    async def worker(self, *sources: Source, most: int = 64, **placing: Any) -> Engine:
        """The engine of a worker that has loaded these."""
        link = EngineLink(self.path, Limits(queue_jobs=most))
        task = asyncio.create_task(link.run())
        self.tasks.insert(0, task)
        made = Placing(open=link.open, **{"workers": 2, "wanted": "shared", **placing})
        settings = Settings(trusted=TRUSTED, placing=made)
        engine = Engine(sources, settings)
        await engine.load()
        return engine

    def source(self, name: str, file: str | None = None, **given: Any) -> Source:
        """A version whose file lies among the tests' data."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        path = Path(shutil.copy(DATA / (file or f"{name}.onnx"), folder))
        toml = str(folder / "model.toml")
        return Source(name=name, version="1", path=str(path), toml=toml, **given)

    def slow(self) -> Source:
        """A trusted program that takes a fifth of a second."""
        path = self.folder / "slow.py"
        path.write_text(SLOW)
        return Source(name="slow", version="1", path=str(path), toml="", attribute="answer")

    def scaling(self) -> Source:
        """A trusted program that takes a parameter."""
        path = self.folder / "scaling.py"
        path.write_text(SCALING)
        return Source(name="scaling", version="1", path=str(path), toml="", attribute="scale")


def sharing(
    tmp_path: Path, work: Callable[[Sharing], Awaitable[None]], *, start: bool = True
) -> None:
    async def run() -> None:
        async with _open(tmp_path, start) as shared, asyncio.timeout(60):
            await work(shared)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def _open(tmp_path: Path, start: bool) -> AsyncIterator[Sharing]:
    shared = Sharing(tmp_path)
    if start:
        shared.start()
    try:
        yield shared
    finally:
        for task in shared.tasks:
            task.cancel()
        await asyncio.gather(*shared.tasks, return_exceptions=True)
        for sock in shared.links:
            sock.close()
        shared.host.close()
        await shared.host.left.wait()
        await asyncio.sleep(0.05)
        shared.listener.close()


async def ask(engine: Engine, x: Any = ROW, name: str | None = None, **given: Any) -> Any:
    """The response of a worker's engine."""
    version = engine.find(name)
    request = InferRequest(inputs={"x": np.asarray(x)}, **given)
    async with engine.hold(version, None) as loaded:
        answer = engine.infer(version, loaded, request)
        return answer if isinstance(answer, InferResponse) else await answer


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # it is about several things
            await asyncio.sleep(0.01)


def only(response: InferResponse) -> Any:
    """What is in the one output."""
    (output,) = response.outputs.values()
    return output.ravel().tolist()


def remote(engine: Engine, name: str | None = None) -> RemoteModel:
    model = engine.find(name).loaded.model
    assert isinstance(model, RemoteModel)
    return model


def test_a_version_is_loaded_once_for_all_workers_and_answers_as_it_does_inline(
    tmp_path: Path,
) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        one, other = await asyncio.gather(shared.worker(source), shared.worker(source))
        assert shared.loads == ["linear"]
        inline = Engine([source], Settings())
        await inline.load()
        for rows in (1, 7, 3000):
            x = np.random.default_rng(rows).normal(size=(rows, 3))
            expected = await ask(inline, x)
            for engine in (one, other):
                got = await ask(engine, x)
                assert got.outputs["y"].tobytes() == expected.outputs["y"].tobytes()
                assert got.rows == rows
                assert got.run_s > 0
                assert got.queue_s > 0
        for theirs in (one, other):
            facts = theirs.find("linear").described
            mine = inline.find("linear").described
            assert facts is not None
            assert mine is not None
            assert facts.digest == mine.digest
            assert facts.semantics == mine.semantics
            assert replace(facts.description, execution="compute") == mine.description

    sharing(tmp_path, work)


def test_a_version_is_unloaded_when_the_last_worker_needs_it_no_longer(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        one, other = await shared.worker(source), await shared.worker(source)
        one.route([], {})
        await asyncio.sleep(0.05)
        assert (await ask(other)).outputs["y"].tolist() == [1.8]
        other.route([], {})
        await until(lambda: not shared.host.versions)
        await shared.worker(source)
        assert shared.loads == ["linear", "linear"]

    sharing(tmp_path, work)


def test_a_version_goes_with_the_connection_of_the_only_worker(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        await shared.worker(source)
        shared.tasks[0].cancel()
        for sock in shared.links:
            sock.shutdown(socket.SHUT_RDWR)
        await shared.host.left.wait()
        await shared.worker(source)
        assert shared.loads == ["linear", "linear"]

    sharing(tmp_path, work)


def test_why_a_version_cannot_be_loaded_is_told_to_callers_and_in_full_to_the_operator(
    tmp_path: Path,
) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        (tmp_path / "linear" / "linear.onnx").write_bytes(b"damaged")
        version = (await shared.worker(source)).find("linear")
        inline = Engine([source], Settings())
        await inline.load()
        expected = inline.find("linear")
        assert version.state is State.FAILED
        assert version.code == expected.code == CorruptModel.code
        assert version.reason == expected.reason
        assert version.whole_reason == expected.whole_reason
        missing = shared.source("gone", "linear.onnx", problem="it has no file")
        assert (await shared.worker(missing)).find("gone").reason == "it has no file"
        assert shared.loads == ["linear"]

    sharing(tmp_path, work)


def test_a_version_whose_loading_ended_the_process_is_not_tried_again(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        told = msgspec.structs.replace(source, problem="loading 'linear.onnx' ended the process")
        lanes = Lanes(1, Limits())
        shared.host = Host(Settings(), lanes, fatal={("linear", "1"): told})
        shared.tasks.append(asyncio.create_task(shared._accept(shared.host)))
        version = (await shared.worker(source)).find("linear")
        assert version.state is State.FAILED
        assert version.reason == told.problem

    sharing(tmp_path, work, start=False)


def test_errors_of_runs_are_what_they_are_inline(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("fails"))
        with pytest.raises(ModelFailed, match="its owner finds the reason in the server's log"):
            await ask(engine)
        with pytest.raises(InvalidInput, match="takes the shape"):
            await ask(engine, np.zeros((1, 4)))
        with pytest.raises(DeadlineExceeded):
            await ask(engine, deadline=time.monotonic() - 1)

    sharing(tmp_path, work)


def test_only_the_outputs_that_are_asked_for_come_back(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"))
        got = await ask(engine, outputs=("y",))
        assert list(got.outputs) == ["y"]
        outputs = await remote(engine).predict({"x": ROW})
        assert outputs["y"].tolist() == [1.8]

    sharing(tmp_path, work)


def test_parameters_reach_the_model_there(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.scaling())
        assert only(await ask(engine, [[2.0]])) == [2.0]
        assert only(await ask(engine, [[2.0]], parameters={"by": 3})) == [6.0]

    sharing(tmp_path, work)


@pytest.mark.parametrize("value", [2**70, "\ud800", "x" * (65 * 1024 * 1024)])
def test_parameters_that_cannot_be_passed_on_cost_nobody_else_anything(
    tmp_path: Path, value: Any
) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.slow(), most=4)
        version = engine.find(None)
        async with engine.hold(version, None) as loaded:
            model = loaded.model
            assert isinstance(model, RemoteModel)
            other = asyncio.create_task(ask(engine, [[1.0]]))
            await asyncio.sleep(0)
            request = InferRequest(inputs={"x": np.asarray([[1.0]])}, parameters={"p": value})
            for _ in range(6):
                with pytest.raises(InvalidInput, match="parameters"):
                    await model.run(request, 1)
            await other
            await ask(engine, [[1.0]])

    sharing(tmp_path, work)


def test_what_is_padding_there_is_counted_here(tmp_path: Path) -> None:
    folder = tmp_path / "masked"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(MASKED)
    (folder / "model.toml").write_text(MASK + PAD + CUT)
    toml, path = str(folder / "model.toml"), str(folder / "model.onnx")
    source = Source(name="masked", version="1", path=path, toml=toml)

    async def work(shared: Sharing) -> None:
        workers = [await shared.worker(source), await shared.worker(source)]
        rows = [np.ones((1, 33 + n % 7), np.float32) for n in range(60)]
        asked = [ask(workers[n % 2], x) for n, x in enumerate(rows)]
        for x, response in zip(rows, await asyncio.gather(*asked), strict=True):
            assert response.outputs["total"].tolist() == [[x.size]]
            assert response.outputs["y"].shape == x.shape
        wastes = [engine.find("masked").waste for engine in workers]
        real = 2 * sum(x.size for x in rows)
        padding = sum(waste.padding for waste in wastes)
        assert sum(waste.elements for waste in wastes) == real + padding
        assert padding > 0
        assert all(engine.batch_rows(engine.find("masked")) == 1024 for engine in workers)

    sharing(tmp_path, work)


def test_more_than_may_be_in_the_air_is_refused(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"), most=2)
        asked = [ask(engine) for _ in range(5)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = [a for a in answers if isinstance(a, Overloaded)]
        assert len(refused) == 3
        assert (await ask(engine)).outputs["y"].tolist() == [1.8]

    sharing(tmp_path, work)


def test_what_is_given_up_is_dropped_and_its_number_comes_back(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.slow(), most=3)
        for _ in range(3):
            tasks = [asyncio.create_task(ask(engine, [[1.0]])) for _ in range(3)]
            await asyncio.sleep(0.01)
            for task in tasks[:2]:
                task.cancel()
            assert only(await tasks[2]) == [1.0]
            await asyncio.sleep(0.25)

    sharing(tmp_path, work)


def test_a_process_that_dies_of_what_nobody_waits_for_is_known_to_die_of_it(
    tmp_path: Path,
) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.slow())
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                await ask(engine, [[1.0]], deadline=time.monotonic() + 0.05)
            await shared.die()
            shared.start()
            assert only(await ask(engine, [[2.0]])) == [2.0]
        with pytest.raises(InvalidInput, match="ended the process of the model twice"):
            await ask(engine, [[1.0]])

    sharing(tmp_path, work)


def test_the_board_says_what_waits(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.slow())
        assert remote(engine).backlog == (0, 0, 0)
        await ask(engine, [[1.0]])
        tasks = [asyncio.create_task(ask(engine, [[1.0]])) for _ in range(4)]
        await asyncio.sleep(0.1)
        assert 0.3 < remote(engine).backlog.seconds < 2
        assert remote(engine).backlog[1:] == (3, 1)
        await asyncio.gather(*tasks)
        await asyncio.sleep(0.01)
        assert remote(engine).backlog == (0, 0, 0)

    sharing(tmp_path, work)


def test_after_a_death_requests_go_to_the_process_that_takes_the_place(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"))
        await shared.die()
        asked = asyncio.create_task(ask(engine))
        await asyncio.sleep(0.1)
        assert engine.is_ready, "it only waits"
        shared.start()
        assert (await asked).outputs["y"].tolist() == [1.8]
        assert shared.loads == ["linear", "linear"]

    sharing(tmp_path, work)


def test_what_ran_at_a_death_runs_again_where_the_model_only_computes(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"))
        hold = asyncio.Event()
        lanes = shared.host._lanes

        async def waits(*given: Any) -> Any:
            given[-1].begin()
            await hold.wait()

        lanes.run = waits  # type: ignore[method-assign]  # a run that is in the air
        asked = [asyncio.create_task(ask(engine, ROW * n)) for n in range(4)]
        await asyncio.sleep(0.05)
        await shared.die()
        shared.start()
        answers = [float((await each).outputs["y"][0]) for each in asked]
        assert answers == pytest.approx([0.4, 1.8, 3.2, 4.6])

    sharing(tmp_path, work)


def test_what_ran_at_a_death_and_may_have_effects_is_not_run_again(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.slow())
        running = asyncio.create_task(ask(engine, [[1.0]]))
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(ask(engine, [[2.0]]))
        await asyncio.sleep(0.05)
        await shared.die()
        shared.start()
        with pytest.raises(NotReady, match="the process that ran the model ended"):
            await running
        assert only(await waiting) == [2.0]

    sharing(tmp_path, work)


def test_a_request_that_two_processes_died_of_is_refused_by_all_workers(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.slow()
        one, other = await shared.worker(source), await shared.worker(source)
        for engine in (one, other):
            asked = asyncio.create_task(ask(engine, [[1.0]]))
            await asyncio.sleep(0.1)
            await shared.die()
            shared.start()
            with pytest.raises((NotReady, InvalidInput)):
                await asked
            await asyncio.gather(ask(one, [[2.0]]), ask(other, [[2.0]]))
        for engine in (one, other):
            with pytest.raises(InvalidInput, match="ended the process of the model twice"):
                await ask(engine, [[1.0]])
            assert only(await ask(engine, [[3.0]])) == [3.0]

    sharing(tmp_path, work)


def test_a_suspect_that_runs_well_alone_is_cleared(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.slow())
        for _ in range(2):
            asked = asyncio.create_task(ask(engine, [[1.0]]))
            await asyncio.sleep(0.1)
            await shared.die()
            shared.start()
            with pytest.raises(NotReady):
                await asked
            assert only(await ask(engine, [[1.0]])) == [1.0]

    sharing(tmp_path, work)


def test_files_that_changed_meanwhile_are_not_taken_for_the_same_version(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        engine = await shared.worker(source)
        shutil.copy(DATA / "fails.onnx", source.path)
        await shared.die()
        shared.start()
        with pytest.raises(NotReady, match="have changed since it was first loaded"):
            await ask(engine)

    sharing(tmp_path, work)


def test_a_version_that_cannot_be_loaded_again_is_tried_until_it_can(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        engine = await shared.worker(source)
        (tmp_path / "linear" / "linear.onnx").rename(tmp_path / "away")
        await shared.die()
        shared.start()
        with pytest.raises(NotReady, match="could not be loaded again"):
            await ask(engine)
        (tmp_path / "away").rename(source.path)
        await asyncio.sleep(2.5)
        assert (await ask(engine)).outputs["y"].tolist() == [1.8]

    sharing(tmp_path, work)


def test_auto_moves_what_proves_long_and_leaves_what_is_short(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        engine = await shared.worker(source, wanted="auto")
        assert not isinstance(engine.find("linear").loaded.model, RemoteModel)
        known = iter([None, 0.5])
        engine = await shared.worker(source, wanted="auto", known_s=lambda digest: next(known))
        assert isinstance(engine.find("linear").loaded.model, RemoteModel)
        program = shared.slow()
        engine = await shared.worker(program, wanted="auto", known_s=lambda digest: 0.5)
        assert not isinstance(engine.find("slow").loaded.model, RemoteModel)
        assert only(await ask(engine, [[1.0]])) == [1.0]

    sharing(tmp_path, work)


def test_a_shared_version_counts_for_a_workers_part_of_it(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"), workers=4)
        assert engine.find("linear").size_bytes == remote(engine).size_bytes // 4

    sharing(tmp_path, work)


def test_a_worker_waits_for_an_engine_process_that_cannot_be_reached_yet(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        hidden = (tmp_path / "engine.sock").rename(tmp_path / "hidden")
        loading = asyncio.create_task(shared.worker(shared.source("linear")))
        await asyncio.sleep(0.1)
        hidden.rename(shared.path)
        assert only(await ask(await loading)) == [1.8]

    sharing(tmp_path, work)


def test_what_cannot_be_loaded_there_after_all_stays_in_the_worker(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        source = shared.source("linear")
        told = msgspec.structs.replace(source, problem="it ended the process")
        shared.host = Host(Settings(), Lanes(1, Limits()), fatal={("linear", "1"): told})
        shared.tasks.append(asyncio.create_task(shared._accept(shared.host)))
        known = iter([None, 0.5])
        engine = await shared.worker(source, wanted="auto", known_s=lambda digest: next(known))
        assert not isinstance(engine.find("linear").loaded.model, RemoteModel)
        assert only(await ask(engine)) == [1.8]

    sharing(tmp_path, work, start=False)


def test_a_load_that_ends_each_process_is_given_up(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        loading = asyncio.create_task(shared.worker(shared.slow()))
        for number in range(1, 5):
            await until(lambda number=number: len(shared.loads) == number)  # type: ignore[misc]
            await shared.die()
            shared.start()
        version = (await loading).find("slow")
        assert version.state is State.FAILED
        assert version.reason == "the process ended that was to load model 'slow'"

    sharing(tmp_path, work)


def test_a_model_that_was_closed_takes_no_requests(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        model = remote(await shared.worker(shared.source("linear")))
        model.close()
        await until(lambda: not shared.host.versions)
        assert model.backlog.jobs == 0
        with pytest.raises(NotReady, match="was closed"):
            await model.predict({"x": ROW})

    sharing(tmp_path, work)


def test_a_request_waits_for_another_process_no_longer_than_its_deadline(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        model = remote(await shared.worker(shared.source("linear")))
        await shared.die()
        began = time.monotonic()
        request = InferRequest(inputs={"x": ROW}, deadline=began + 0.2)
        with pytest.raises(NotReady, match="is being replaced") as raised:
            await model.run(request, 1)
        assert raised.value.retry_after_s == 1
        assert time.monotonic() - began < 1
        shared.start()
        assert (await model.predict({"x": ROW}))["y"].tolist() == [1.8]

    sharing(tmp_path, work)


def test_a_request_is_not_sent_for_ever(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"))
        asked = None
        for _ in range(3):
            arrived = asyncio.Event()

            async def waits(*given: Any, arrived: asyncio.Event = arrived) -> Any:
                arrived.set()
                await asyncio.Event().wait()

            shared.host._lanes.run = waits  # type: ignore[method-assign]  # it never begins
            asked = asked or asyncio.create_task(ask(engine))
            await arrived.wait()
            await shared.die()
            shared.start()
        assert asked is not None
        with pytest.raises(NotReady, match="the process that ran the model ended"):
            await asked

    sharing(tmp_path, work)


def test_a_fault_of_the_engine_process_itself_is_one_of_the_server(tmp_path: Path) -> None:
    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"))

        async def breaks(*given: Any) -> Any:
            raise ZeroDivisionError

        shared.host._lanes.run = breaks  # type: ignore[method-assign]  # a fault of ours
        with pytest.raises(Internal, match="ZeroDivisionError in the engine process"):
            await ask(engine)

    sharing(tmp_path, work)


@pytest.mark.parametrize(
    "reply",
    [
        ({"\ud800": np.zeros(2000)}, 0.0, 0.0, 1),
        ({"y": np.zeros(2000), "y" * (65 * 1024 * 1024): np.zeros(1)}, 0.0, 0.0, 1),
        ({"y": np.zeros(2000)}, 0.0, 0.0, np.int64(1)),
    ],
    ids=["name", "length", "type"],
)
def test_a_reply_that_cannot_be_passed_on_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, reply: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # What is logged holds what pytest-xdist cannot pass on either.
    caplog.set_level(logging.CRITICAL, logger="modelport.engine.host")

    async def work(shared: Sharing) -> None:
        engine = await shared.worker(shared.source("linear"), most=2)
        lanes = shared.host._lanes
        runs = lanes.run

        async def replies(*given: Any) -> Any:
            return reply

        lanes.run = replies  # type: ignore[method-assign]  # what no model of the tests says
        for _ in range(3):
            with pytest.raises(Internal, match="cannot be passed on"):
                await ask(engine, deadline=time.monotonic() + 10)
        lanes.run = runs  # type: ignore[method-assign]  # as it was
        assert only(await ask(engine)) == [1.8]
        (link,) = shared.host._links
        assert link._arena.taken_bytes == 0

    sharing(tmp_path, work)
