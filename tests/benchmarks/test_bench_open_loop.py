"""The open-loop generator against small real servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.open_loop import main, request_bytes, run
from benchmarks.open_plan import Latency, Plan, latency
from benchmarks.sweep import parse

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
_BODY = b'{"x":[1,2,3]}'
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@contextlib.contextmanager
def _server(serve: Serve) -> Iterator[str]:
    """A server in a thread of its own; `serve` is called with each request's bytes."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    address: list[int] = []
    stop = asyncio.Event()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                await serve(head + await reader.readexactly(len(_BODY)), writer)
        writer.close()

    async def live() -> None:
        server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=512)
        address.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    assert ready.wait(5)
    try:
        yield f"http://127.0.0.1:{address[0]}/predict?a=1"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _request(url: str) -> bytes:
    return request_bytes(url, _BODY, {"Content-Type": "application/json"})


def test_a_request_is_written_once_as_it_goes_over_the_wire() -> None:
    assert _request("http://127.0.0.1:80/a?b=1") == (
        b"POST /a?b=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Length: 13\r\n"
        b"Content-Type: application/json\r\n\r\n" + _BODY
    )


def test_percentiles_are_of_the_nearest_rank_in_milliseconds() -> None:
    assert latency([]) == Latency(0)
    seen = latency([index / 1000 for index in range(1, 101)])
    assert (seen.p50_ms, seen.p90_ms, seen.p99_ms, seen.max_ms) == (50, 90, 99, 100)


def test_every_arrival_is_sent_at_its_time_and_answered() -> None:
    bodies = []

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        bodies.append(request)
        writer.write(_OK)

    with _server(serve) as url:
        load = run(url, _request(url), Plan(rate=400, seconds=1, connections=8))
    assert load.statuses == {200: 400}
    assert load.failures == {}
    assert set(bodies) == {_request(url)}
    assert load.goodput >= 380
    assert load.wall_s >= 0.99
    assert 0 < load.cpu_s < load.wall_s


def test_latency_counts_from_the_planned_moment_so_that_no_wait_is_omitted() -> None:
    """One connection at 20 ms an answer and 100 arrivals/s: the last waits for all before it."""

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(_OK)

    with _server(serve) as url:
        load = run(url, _request(url), Plan(rate=100, seconds=0.5, connections=1))
    assert load.statuses == {200: 50}
    # 50 answers take a second at least; the last was due after half a second.
    assert load.good.max_ms > 450
    assert load.late_p99_ms < 200  # it was the server that was slow, not the generator
    assert load.goodput < 60


def test_refusals_are_told_apart_from_good_answers() -> None:
    count = 0

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        writer.write(_OK if count % 2 else _BUSY)

    with _server(serve) as url:
        load = run(url, _request(url), Plan(rate=200, seconds=0.5, connections=4))
    assert load.statuses == {200: 50, 503: 50}
    assert (load.good.count, load.refused.count) == (50, 50)
    assert load.refused.p99_ms > 0
    assert sum(load.good_per_second) == 50


def test_who_is_not_answered_in_time_waits_no_longer() -> None:
    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    with _server(serve) as url:
        load = run(url, _request(url), Plan(rate=50, seconds=0.4, connections=4, timeout_s=0.3))
    assert load.statuses == {}
    assert set(load.failures) <= {"timeout", "unsent"}
    assert sum(load.failures.values()) == load.arrivals == 20
    assert load.failures["timeout"] >= 4
    assert load.wall_s < 2
    assert load.goodput == 0


def test_a_connection_that_the_server_ends_is_counted_and_replaced() -> None:
    count = 0

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        if count % 5 == 0:
            writer.close()
        else:
            writer.write(_OK)

    with _server(serve) as url:
        load = run(url, _request(url), Plan(rate=100, seconds=0.5, connections=2))
    assert load.failures == {"reset": 10}
    assert load.statuses == {200: 40}


def test_a_server_that_closes_after_each_answer_gets_a_new_connection_for_the_next() -> None:
    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(_OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        writer.close()

    with _server(serve) as url:
        load = run(url, _request(url), Plan(rate=100, seconds=0.3, connections=3))
    assert load.statuses == {200: 30}
    assert load.failures == {}


def test_a_body_that_the_kernel_does_not_take_at_once_is_sent_in_parts() -> None:
    body = bytes(8 * 2**20)
    sizes = []

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        raise AssertionError

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        sizes.append(len(await reader.readexactly(len(body))))
        writer.write(_OK)
        await reader.read()
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(whole, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        plan = Plan(rate=10, seconds=0.1, connections=1)
        load = await asyncio.to_thread(run, url, request_bytes(url, body, {}), plan)
        assert load.statuses == {200: 1}
        server.close()

    asyncio.run(scenario())
    assert sizes == [len(body)]


def test_nobody_listens_and_all_arrivals_are_unsent() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/"
        load = run(url, _request(url), Plan(rate=50, seconds=0.2, connections=2, timeout_s=0.2))
    assert load.failures == {"unsent": 10}


def test_what_the_program_prints_is_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        assert b"\r\nX-Key: a:b\r\n" in request
        writer.write(_OK)

    (tmp_path / "body").write_bytes(_BODY)
    with _server(serve) as url:
        options = ["--body", str(tmp_path / "body"), "--header", "X-Key: a:b"]
        assert main([url, *options, "--rate", "100", "--seconds", "0.2"]) == 0
    printed = capsys.readouterr().out
    load = parse(printed)
    assert load.statuses == {200: 20}
    assert json.loads(printed)["goodput"] == load.goodput
