"""The wire to a real Redis, and to servers that are none."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from modelport.core.errors import ConfigError, MissingLibrary
from modelport.engine.cache.redis_link import (
    CALL_S,
    CONNECT_S,
    LinkBusy,
    LinkFailed,
    RedisLink,
)
from tests.engine.cache.redis_server import Fault, Proxy, RedisServer, redis_server

SRC = Path(__file__).parents[3] / "src" / "modelport"
SLACK_S = 0.5
"""For a machine that does other things as well."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


def run(url: str, test: Callable[[RedisLink], Awaitable[None]]) -> None:
    async def main() -> None:
        link = RedisLink(url)
        try:
            async with asyncio.timeout(20):
                await test(link)
        finally:
            await link.close()

    asyncio.run(main())


def test_what_is_put_is_got_until_its_time_is_over(redis: RedisServer) -> None:
    async def test(link: RedisLink) -> None:
        assert await link.get(b"absent") is None
        await link.put(b"key\xff", b"value\x00\r\n", 60)
        await link.put(b"short", b"value", 0.01)
        assert await link.get(b"key\xff") == b"value\x00\r\n"
        await asyncio.sleep(0.05)
        assert await link.get(b"short") is None

    run(redis.url, test)


def test_a_unix_socket_and_a_password_work(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    options = ("--unixsocket", str(path), "--requirepass", "s3cret/word")
    with redis_server(tmp_path, *options):

        async def test(link: RedisLink) -> None:
            await link.put(b"k", b"v", 60)
            assert await link.get(b"k") == b"v"

        run(f"unix://:s3cret%2Fword@{path}", test)

        async def refused(link: RedisLink) -> None:
            with pytest.raises(LinkFailed) as caught:
                await link.get(b"k")
            assert caught.value.kind == "AuthenticationError"

        run(f"unix://:other@{path}", refused)


@pytest.mark.parametrize("fault", ["refuses", "deaf", "swallows", "delays", "resets", "truncates"])
def test_a_call_fails_in_time_whatever_stands_between(redis: RedisServer, fault: Fault) -> None:
    async def main() -> None:
        proxy = Proxy(redis.port)
        await proxy.set("none")
        link = RedisLink(proxy.url)
        try:
            await link.put(b"k", b"v" * 1000, 60)
            await proxy.set(fault)
            for _ in range(4):  # on the connection that is open, and on new ones
                started = time.monotonic()
                with pytest.raises(LinkFailed):
                    await link.get(b"k")
                assert time.monotonic() - started < CALL_S + CONNECT_S + SLACK_S
            await proxy.set("none")
            assert await patient(link) == b"v" * 1000
        finally:
            await link.close()
            await proxy.close()

    asyncio.run(main())


async def patient(link: RedisLink) -> bytes | None:
    """The value; on a busy machine a single call may take longer than it is given."""
    for _ in range(9):
        with contextlib.suppress(LinkFailed):
            return await link.get(b"k")
    return await link.get(b"k")


def test_a_call_that_is_cancelled_never_leaves_its_reply_for_the_next(redis: RedisServer) -> None:
    async def test(link: RedisLink) -> None:
        for number in range(20):
            await link.put(b"%d" % number, b"value %d" % number, 60)
        wrong = 0
        for turn in range(300):
            asked = asyncio.create_task(link.get(b"%d" % (turn % 20)))
            for _ in range(turn % 9):
                await asyncio.sleep(0)
            asked.cancel()
            after = (turn + 1) % 20
            wrong += await link.get(b"%d" % after) != b"value %d" % after
            await asyncio.gather(asked, return_exceptions=True)
        assert wrong == 0

    run(redis.url, test)


def test_a_reply_that_came_too_late_is_not_the_next_ones(redis: RedisServer) -> None:
    """The server stops for a moment after a question, and then answers it."""
    import os
    import signal

    async def test(link: RedisLink) -> None:
        await link.put(b"a", b"of a", 60)
        await link.put(b"b", b"of b", 60)
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            with pytest.raises(LinkFailed):
                await link.get(b"a")
        finally:
            os.kill(redis.pid, signal.SIGCONT)
        assert await link.get(b"b") == b"of b"
        assert await link.get(b"a") == b"of a"

    run(redis.url, test)


def test_many_calls_at_once_share_few_connections(redis: RedisServer) -> None:
    async def test(link: RedisLink) -> None:
        await link.put(b"k", b"v", 60)
        calls = (link.get(b"k") for _ in range(100))
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert b"v" in results
        assert all(result == b"v" or isinstance(result, LinkFailed) for result in results)
        clients = redis.ask("CLIENT", "LIST").count(b" laddr=")
        assert clients <= 16 + 4

    run(redis.url, test)


def test_calls_that_wait_for_each_other_too_long_do_not_blame_the_server(
    redis: RedisServer,
) -> None:
    async def test(link: RedisLink) -> None:
        await link.put(b"k", b"v", 60)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(16):
                await stack.enter_async_context(link._slots)
            with pytest.raises(LinkBusy):
                await link.get(b"k")
        assert await link.get(b"k") == b"v"

    run(redis.url, test)


def test_a_loop_that_is_too_busy_to_look_at_a_reply_does_not_blame_the_server(
    redis: RedisServer,
) -> None:
    async def test(link: RedisLink) -> None:
        await link.put(b"k", b"v", 60)
        for _ in range(5):
            asked = asyncio.create_task(link.get(b"k"))
            await asyncio.sleep(0)
            time.sleep(CALL_S * 1.5)  # noqa: ASYNC251  # what is tested
            with contextlib.suppress(LinkBusy):
                assert await asked == b"v"
        assert await link.get(b"k") == b"v"

    run(redis.url, test)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$abc\r\n",
        b"$99999999999\r\nx",
        b"*1\r\n" * 5000,
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"\xff\xfe\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"",
    ],
)
def test_what_is_no_redis_is_a_failure_and_nothing_worse(reply: bytes) -> None:
    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(reply)
            with contextlib.suppress(OSError):
                await writer.drain()
                await reader.read()
            writer.close()
            ended.set()

        ended = asyncio.Event()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        link = RedisLink(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(LinkFailed):
            await link.get(b"k")
        assert time.monotonic() - started < CALL_S + CONNECT_S + SLACK_S
        await link.close()
        await ended.wait()
        server.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "url",
    [
        *("memroy", "http://:pw1@host", "redis://:pw1@host:777777/0", "redis://:pw1@[host/0"),
        "redis://:pw1@host/0?socket_timeout=pw1",
    ],
)
def test_what_is_no_address_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisLink(url)
    told = f"{caught.value} {caught.value.__cause__} {caught.value.__suppress_context__}"
    assert "redis://HOST:PORT/0" in told
    assert "pw1" not in told


def test_one_module_imports_the_client() -> None:
    importers = [
        path.relative_to(SRC)
        for path in SRC.rglob("*.py")
        if re.search(r"import_module\(\"redis|^\s*(import|from) redis", path.read_text(), re.M)
    ]
    assert importers == [Path("engine/cache/redis_link.py")]


def test_without_the_client_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)  # as if it were not installed
    with pytest.raises(MissingLibrary) as caught:
        RedisLink("redis://:pw@host:1/0")
    told = "a cache at redis://host:1/0 needs a library: pip install 'modelport[redis]'"
    assert caught.value.message == told
