"""Server-sent events: sent as they come, to whoever may watch, and for no longer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from modelport.core.settings import HttpLimits
from modelport.guard.auth import KeyRecord, new_key
from modelport.guard.policy import Policy, Principal
from modelport.guard.sessions import Sessions, new_session
from modelport.http.cookies import cookie_name
from modelport.http.live import Live
from tests.http.serving import LINEAR, Served, serving

INFER, _INFER = new_key("infer")
OTHER, _OTHER = new_key("infer")
FIRST = b'{"at":1}'


def policy(*records: KeyRecord, **more: object) -> Policy:
    return Policy(keys={record.id: record for record in records}, **more)  # type: ignore[arg-type]  # any fields


@pytest.fixture
def server() -> Iterator[Served]:
    with serving([LINEAR]) as server:
        server.answers["figures.overview"] = FIRST
        yield server


class Stream:
    """A client of the events, on a bare connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.text = b""

    def until(self, words: bytes, times: int = 1, within_s: float = 10.0) -> float:
        """Read until the words have come so often; how long that took."""
        began = time.monotonic()
        while self.text.count(words) < times:
            self.sock.settimeout(began + within_s - time.monotonic())
            part = self.sock.recv(65536)
            assert part, self.text
            self.text += part
        return time.monotonic() - began

    def rest(self, within_s: float = 10.0) -> bytes:
        """Read until the connection, or the answer, ends."""
        self.sock.settimeout(within_s)
        while not self.text.endswith(b"0\r\n\r\n") and (part := self.sock.recv(65536)):
            self.text += part
        return self.text


@contextmanager
def watching(
    server: Served, *headers: str, method: str = "GET", version: str = "1.1"
) -> Iterator[Stream]:
    with server.connect() as sock:
        lines = [f"{method} /server/events HTTP/{version}", "Host: localhost", *headers]
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        yield Stream(sock)


def test_events_are_sent_one_by_one_each_second(server: Served) -> None:
    with watching(server) as stream:
        assert stream.until(b"event: overview") < 0.9
        head, _, _ = stream.text.partition(b"\r\n\r\n")
        assert b"HTTP/1.1 200 OK" in head
        assert b"content-type: text/event-stream; charset=utf-8" in head
        assert b"cache-control: no-store" in head
        assert b"x-accel-buffering: no" in head
        assert b"retry: 1000\n\n" in stream.text
        server.answers["figures.overview"] = b'{"at":2}'
        took_s = stream.until(b'data: {"at":2}\n\n')
        assert took_s < 2
        assert stream.until(b"event: overview", 4) + took_s > 1.5


def test_many_watchers_are_one_question(server: Served) -> None:
    with watching(server) as one, watching(server) as two, watching(server) as three:
        for stream in (one, two, three):
            stream.until(b"event: overview", 3)
        asked = len(server.asked)
        assert 2 <= asked <= 4


def test_one_more_than_may_watch_is_refused_until_another_leaves(server: Served) -> None:
    with watching(server) as one, watching(server) as two, watching(server) as three:
        for stream in (one, two, three):
            stream.until(b"retry")
        refused = server.get("/server/events")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert refused.json["code"] == "OVERLOADED"
        one.sock.close()
        server.until(lambda: server.live._watchers < 3)
        with watching(server) as another:
            another.until(b"event: overview")


def request_of(principal: Principal) -> Request:
    state = {"principal": principal}
    return Request({"type": "http", "method": "GET", "headers": [], "state": state})


def test_the_bound_holds_for_those_who_ask_at_once_and_a_place_is_always_given_back() -> None:
    async def ask(operation: str, body: bytes) -> bytes:
        return FIRST

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def gone(message: Message) -> None:
        raise OSError

    async def run() -> None:
        live = Live(ask, Policy, most=3)
        for _ in range(2):
            requests = [request_of(Principal("a", "infer")) for _ in range(9)]
            streams = await asyncio.gather(*map(live.endpoint, requests), return_exceptions=True)
            begun = [stream for stream in streams if isinstance(stream, Response)]
            assert len(begun) == 3, "and none has sent anything"
            for request, stream in zip(requests, begun, strict=False):
                with contextlib.suppress(OSError, BaseExceptionGroup):
                    await stream(request.scope, leave, gone)
            assert live._watchers == 0

    asyncio.run(run())


def test_nobody_is_asked_once_nobody_watches(server: Served) -> None:
    with watching(server) as stream:
        stream.until(b"event: overview")
    server.until(lambda: server.live._watchers == 0 and server.live._looking is None)
    asked = len(server.asked)
    time.sleep(1.3)
    assert len(server.asked) == asked


class Watcher:
    """Who watches a `Live`, and what they were sent."""

    def __init__(self, live: Live) -> None:
        self.sent = b""
        self.leaves = asyncio.Event()
        self._task = asyncio.create_task(self._watch(live))

    async def until(self, words: bytes) -> None:
        async with asyncio.timeout(10):
            while words not in self.sent:  # noqa: ASYNC110  # nobody tells of it
                await asyncio.sleep(0.005)

    async def left(self) -> None:
        self.leaves.set()
        await self._task

    async def _watch(self, live: Live) -> None:
        request = request_of(Principal("local", "infer"))
        stream = await live.endpoint(request)
        await stream(request.scope, self._receive, self._send)

    async def _receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent += message.get("body", b"")


def test_who_comes_before_the_first_look_is_over_is_told_nothing_old() -> None:
    async def run() -> None:
        answer, may_answer = FIRST, asyncio.Event()

        async def ask(operation: str, body: bytes) -> bytes:
            await may_answer.wait()
            return answer

        live = Live(ask, Policy)
        may_answer.set()
        before = Watcher(live)
        await before.until(FIRST)
        await before.left()
        async with asyncio.timeout(10):
            while live._looking is not None:  # noqa: ASYNC110  # nobody tells of it
                await asyncio.sleep(0.005)
        answer = b'{"at":2}'
        may_answer.clear()
        watchers = [Watcher(live)]
        await watchers[0].until(b"retry")
        watchers.append(Watcher(live))
        await watchers[1].until(b"retry")
        await asyncio.sleep(0.05)
        may_answer.set()
        for each in watchers:
            await each.until(answer)
            assert FIRST not in each.sent
            await each.left()

    asyncio.run(run())


def test_while_control_is_away_the_stream_lives(server: Served) -> None:
    server.answers["figures.overview"] = FIRST
    with watching(server) as stream:
        stream.until(b"event: overview")
        server.answers["figures.overview"] = b"unknown"  # see `serving`
        stream.until(b": control is being restarted\n\n")
        server.answers["figures.overview"] = FIRST
        stream.until(b"event: overview", stream.text.count(b"event: overview") + 1)


def test_a_drain_ends_it_at_once(server: Served) -> None:
    with watching(server) as stream:
        stream.until(b"event: overview")
        server.loop.call_soon_threadsafe(server.live.close)
        began = time.monotonic()
        assert stream.rest().endswith(b"0\r\n\r\n")
        assert time.monotonic() - began < 0.5
        assert stream.text.count(b"HTTP/1.1") == 1
    with watching(server) as late:
        # A browser connects anew by itself after an answer that ended, and not after an error.
        assert b"HTTP/1.1 200 OK" in late.rest()
        assert b"event: overview" not in late.text


def test_it_ends_when_who_may_watch_has_changed(server: Served) -> None:
    server.decides(policy(_INFER, _OTHER))
    with watching(server, f"Authorization: Bearer {INFER}") as stream:
        stream.until(b"event: overview")
        server.decides(policy(_OTHER))
        began = time.monotonic()
        stream.rest()
        assert time.monotonic() - began < 0.5
    assert server.ask("GET", "/server/events", None, bearer(INFER)).status == 401


def test_who_lost_their_key_while_they_sent_the_request_sees_nothing(server: Served) -> None:
    server.decides(policy(_INFER, _OTHER))
    with server.connect() as sock:
        lines = "Host: localhost", f"Authorization: Bearer {INFER}", "Content-Length: 1"
        sock.sendall("\r\n".join(["GET /server/events HTTP/1.1", *lines, "", ""]).encode())
        time.sleep(0.2)
        server.decides(policy(_OTHER))
        sock.sendall(b"x")
        stream = Stream(sock)
        assert b"event: overview" not in stream.rest()


def test_it_ends_with_the_session_of_who_watches() -> None:
    now = [1000.0]
    sessions = Sessions(lasts_s=60)
    with serving([LINEAR], clock=lambda: now[0]) as server:
        server.decides(policy(_INFER, sessions=sessions))
        cookie = f"Cookie: {cookie_name(secure=False)}={new_session(sessions, _INFER, now[0])}"
        with watching(server, cookie) as stream:
            stream.until(b"event: overview")
            now[0] += 61
            stream.rest()


def test_it_ends_after_its_time() -> None:
    now = [1000.0]
    with serving([LINEAR], clock=lambda: now[0], stream_s=900) as server, watching(server) as long:
        long.until(b"event: overview")
        now[0] += 901
        long.rest()


def test_an_idle_limit_does_not_cut_it() -> None:
    limits = HttpLimits(idle_s=0.5, head_s=0.5, body_s=0.5, write_s=0.5)
    with serving([LINEAR], limits=limits) as server, watching(server) as stream:
        stream.until(b"event: overview", 4)


def test_a_client_that_does_not_read_is_closed() -> None:
    limits = HttpLimits(write_s=0.5)
    with serving([LINEAR], limits=limits) as server:
        server.answers["figures.overview"] = b"x" * 2**23
        with watching(server) as stream:
            stream.until(b"event: overview")
            server.until(lambda: server.live._watchers == 0)


def test_http_1_0_has_no_chunks_and_ends_with_the_connection(server: Served) -> None:
    with watching(server, "Connection: keep-alive", version="1.0") as stream:
        stream.until(b"event: overview", 2)
        head, _, body = stream.text.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert head.count(b"connection: ") == head.count(b"connection: close") == 1
        assert body.startswith(b"retry: 1000\n\nevent: overview\ndata: ")
        server.loop.call_soon_threadsafe(server.live.close)
        assert not stream.rest().endswith(b"0\r\n\r\n")


def test_other_answers_to_http_1_0_keep_the_connection(server: Served) -> None:
    with server.connect() as sock:
        lines = "GET /v2/health/live HTTP/1.0", "Host: localhost", "Connection: keep-alive"
        for _ in range(2):
            sock.sendall("\r\n".join([*lines, "", ""]).encode())
            stream = Stream(sock)
            stream.until(b'{"live":true}')
            assert b"connection: keep-alive" in stream.text


def test_a_head_is_answered_without_a_stream(server: Served) -> None:
    with watching(server, "Connection: close", method="HEAD") as stream:
        answer = stream.rest()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"text/event-stream" in answer
    assert server.asked == []


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
