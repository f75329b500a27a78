"""The connection, driven with bytes: framing, order, bounds, deadlines, and who is let go."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelport.core.settings import HttpLimits
from modelport.http.shared import Shared
from modelport.http.wire import Head
from tests.http.wires import Client, Clock, Server, chunked, parsed, request

Serve = Callable[..., Server]

LIMITS = HttpLimits(
    max_body_bytes=100_000,
    max_line_bytes=200,
    max_head_bytes=2000,
    max_headers=20,
    max_connections=4,
    head_s=10,
    body_s=60,
    idle_s=75,
    write_s=30,
)


class Forgetful(Shared):
    """A server without a memo: every request goes through the parser."""

    def remember(self, raw: bytes, head: Head) -> None:
        pass


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    yield clock
    clock.passes(1000)
    clock.close()


@pytest.fixture
def serve(clock: Clock) -> Serve:
    return lambda limits=LIMITS, kind=Shared: Server(clock, limits, kind)


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


@pytest.fixture
def client(server: Server) -> Client:
    return server.connect()


# -- what is sent, whole or in pieces

STREAM = b"".join(
    [
        request("/echo?a=1", b"first", "X-Request-Id: one"),
        request("/cold/a", method="GET"),
        chunked("/echo", b"ab", b"cde"),
        request("/bad", b"body"),
        request("/wait/x", b"later"),
        request("/refused", b"read to its end"),
        request("/echo", b"", method="HEAD"),
        request("/echo", b"last"),
    ]
)


def talk(server: Server, data: bytes, pieces: list[int]) -> bytes:
    server.opens(b"x")
    client = server.connect()
    for start, end in zip([0, *pieces], [*pieces, len(data)], strict=True):
        client.sends(data[start:end])
    client.ends()
    assert client.is_closed
    return client.sent


def test_a_stream_cut_in_two_anywhere_is_answered_as_the_whole(serve: Serve) -> None:
    whole = talk(serve(), STREAM, [])
    for at in range(1, len(STREAM)):
        assert talk(serve(), STREAM, [at]) == whole, at


def test_a_stream_that_comes_byte_by_byte_is_answered_as_the_whole(serve: Serve) -> None:
    pieces = list(range(1, len(STREAM)))
    assert talk(serve(), STREAM, pieces) == talk(serve(), STREAM, [])


def test_answers_of_every_kind_are_in_the_order_of_the_requests(server: Server) -> None:
    client = server.connect()
    client.sends(
        request("/wait/a", b"1")
        + request("/echo", b"2")
        + request("/wait/b", b"3")
        + request("/cold/x", b"4")
        + request("/fault", b"5")
        + request("/wait/c", b"6")
    )
    for name in (b"c", b"b"):
        server.opens(name)
        assert client.sent == b""
    server.opens(b"a")
    statuses = [answer.status for answer in client.answers]
    bodies = [answer.body for answer in client.answers]
    assert statuses == [200, 200, 200, 200, 500, 200]
    assert bodies[:4] == [b"a:1", b"/echo :2", b"b:3", b"/cold/x:4"]
    assert bodies[5] == b"c:6"
    assert b"a secret" not in client.sent


def test_a_request_behind_a_cold_one_waits_for_its_turn(client: Client) -> None:
    client.sends(request("/echo", b"0"))  # so that the head is known
    client.sends(request("/cold/slow", method="GET"))
    client.sends(request("/echo", b"0"))
    client.waits(21)
    assert [a.body for a in client.answers] == [b"/echo :0", b"/cold/slow:", b"/echo :0"]


def test_many_pipelined_requests_are_answered_a_few_at_a_time(server: Server) -> None:
    client = server.connect()
    client.protocol.data_received(request("/echo", b"x") * 100)
    assert 0 < len(client.answers) < 100
    assert not client.wire.reading
    client.flows()
    assert len(client.answers) == 100
    assert client.wire.reading


def test_reading_stops_while_a_large_body_waits_for_its_turn(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a") + request("/echo", b"x" * 70_000))
    assert not client.wire.reading
    server.opens(b"a")
    assert client.wire.reading
    assert [len(answer.body) for answer in client.answers] == [2, 70_007]


# -- errors of a model's own


def test_a_model_s_own_error_is_answered_as_the_nearest_of_ours(
    server: Server, client: Client
) -> None:
    client.sends(request("/own", b"x"))
    assert client.only.status == 400
    assert json.loads(client.only.body)["error"] == "the model's own"
    assert server.counted == {"INVALID_INPUT": 1}


@pytest.mark.parametrize("what", ["status", "retry", "detail", "bare"])
def test_an_error_that_cannot_be_written_is_a_logged_500(
    server: Server, client: Client, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    client.sends(request(f"/unsaid/{what}", b"x") + request("/echo", b"x"))
    failed, good = client.answers
    assert failed.status == 500
    assert set(json.loads(failed.body)) == {"error", "code", "detail", "request_id"}
    assert json.loads(failed.body)["code"] == "INTERNAL"
    assert "secret" not in failed.body.decode()
    assert good.status == 200
    assert server.counted == {"INTERNAL": 1}
    assert "request r1 failed" in caplog.text
    assert "Traceback" in caplog.text


# -- the memo


def test_a_remembered_head_is_answered_byte_for_byte_as_a_parsed_one(serve: Serve) -> None:
    requests = [
        request("/echo", b"same", "Authorization: a"),
        request("/echo", b""),
        request("/bad", b"x"),
        request("/fault", b"x"),
        request("/wait/x", b"x"),
        request("/echo", b"x", "Connection: keep-alive", version="1.0"),
        request("/echo", b"x", "Connection: close"),
    ]
    for sent in requests:
        server = serve()
        server.opens(b"x")
        answers = []
        for number in range(1, 4):
            client = server.connect()
            client.sends(sent)
            client.ends()
            answers.append(client.sent.replace(b"r%d" % number, b"ID"))
        asked = len(server.resolved)
        assert answers[0] == answers[1] == answers[2]
        client = server.connect()
        client.sends(sent)
        client.goes()
        assert len(server.resolved) == asked, "the gate was asked again"


def test_a_memo_is_of_one_kind_of_peer(server: Server) -> None:
    local = [("127.0.0.1", 1), ("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1, 0, 0), ""]
    for peer in [*local, ("10.1.1.1", 1), ("fe80::1%eth0", 1, 0, 2)]:
        client = server.connect(peer)
        client.sends(request("/echo", b"x"))
        client.goes()
    assert len(server.resolved) == 2
    assert {loopback: len(memo) for loopback, memo in server.shared.memos.items()} == {
        True: 1,
        False: 1,
    }


def test_a_peer_without_an_address_is_not_taken_for_a_local_one(server: Server) -> None:
    server.connect(None).sends(request("/echo", b"x"))
    assert not server.shared.memos[True]


def test_forgetting_asks_the_gate_again(server: Server, client: Client) -> None:
    for _ in range(2):
        client.sends(request("/echo", b"x"))
        server.shared.forget()
    assert len(server.resolved) == 2


def test_a_head_whose_body_comes_later_is_remembered_at_once(
    server: Server, client: Client
) -> None:
    sent = request("/echo", b"x" * 9)
    for cut in (1, 5, 9):
        client.sends(sent[:-cut])
        client.sends(sent[-cut:])
    assert len(server.resolved) == 1
    assert [answer.body for answer in client.answers] == [b"/echo :" + b"x" * 9] * 3


def test_what_was_taken_back_while_a_body_came_is_not_remembered(
    server: Server, client: Client
) -> None:
    sent = request("/echo", b"x")
    client.sends(sent[:-1])
    server.shared.forget()
    client.sends(sent[-1:])
    assert not server.shared.memos[True]


def test_a_known_head_whose_body_does_not_come_is_refused_alone(
    server: Server, client: Client
) -> None:
    sent = request("/echo", b"x" * 9)
    client.sends(sent)
    late = server.connect()
    late.sends(sent[:-1])
    late.waits(61)
    assert late.only.status == 408
    client.sends(sent)
    assert [answer.status for answer in client.answers] == [200, 200]
    assert len(server.resolved) == 1


@pytest.mark.parametrize("length", [1, 1000, 70_000])
def test_a_body_in_pieces_and_what_follows_it_is_read(client: Client, length: int) -> None:
    bodies = [bytes([65 + n]) * length for n in range(4)]
    sent = b"".join(request("/echo", body) for body in bodies)
    for size in (7, 4096, 50_000):
        if len(sent) // size < 10_000:
            for at in range(0, len(sent), size):
                client.sends(sent[at : at + size])
    answers = [answer.body.removeprefix(b"/echo :") for answer in client.answers]
    assert answers[-4:] == bodies
    assert len(client.answers) % 4 == 0


def test_the_memo_stays_bounded(server: Server, client: Client) -> None:
    for number in range(600):
        client.sends(request("/echo", b"x", f"X-N: {number}"))
    assert len(server.shared.memos[True]) < 513
    assert len(client.answers) == 600


@pytest.mark.parametrize(
    "poison",
    [
        b"\r\n\r\n" + request("/echo", b"x", "Authorization: thief"),
        b"\r\n" + request("/echo", b"x", "Authorization: thief"),
        b"\n" + request("/echo", b"x", "Authorization: thief"),
        chunked("/echo", b"x"),
        request("/echo", b"x", "Connection: upgrade", "Upgrade: h2c"),
        request("/echo", b"x", "Expect: 100-continue"),
        request("/refused", b"x"),
        request("/cold", b"x"),
        request("/echo", b"x" * 100_001),
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"[:-2] + b"\r\nx",
    ],
)
def test_what_must_not_be_remembered_is_not(server: Server, poison: bytes) -> None:
    server.connect().sends(poison)
    for raw in server.shared.memos[True]:
        assert raw.startswith(b"POST ")
        assert raw == b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("name", ["X-Request-ID", "traceparent", "Idempotency-Key"])
def test_heads_that_are_met_once_leave_the_memo_to_the_others(
    server: Server, client: Client, name: str
) -> None:
    client.sends(request("/echo", b"x"))
    for number in range(600):
        client.sends(request("/echo", b"x", f"{name}: {number}"))
    assert [answer.status for answer in client.answers] == [200] * 601
    (raw,) = server.shared.memos[True]
    assert name.encode() not in raw


def test_an_empty_line_and_a_body_are_no_request(server: Server) -> None:
    server.connect().sends(b"\r\n\r\n" + request("/echo", b"12345", "Authorization: thief"))
    victim = server.connect()
    victim.sends(b"\r\n\r\n12345")
    assert victim.only.status == 400


# -- bounds


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request("/" + "a" * 200), 414),
        (request("/", b"", "X-Long: " + "a" * 2000), 431),
        (request("/", b"", *(f"X-{n}: 1" for n in range(20))), 431),
        (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 4000, 431),
        (b"\r\n" * 2000, 431),
        (b"POST /" + b"a" * 4000, 414),
        (b"A" * 4000, 400),
        (chunked("/echo", b"x", end=b"0\r\n" + b"X: 1\r\n" * 50), 431),
    ],
)
def test_a_head_beyond_its_bounds_is_refused_however_it_comes(
    server: Server, head: bytes, status: int, step: int
) -> None:
    client = server.connect()
    client.sends(head, in_pieces_of=step)
    assert client.only.status == status
    assert client.only.closes
    assert client.is_closed
    assert not server.shared.memos[True]
    assert sum(server.counted.values()) == 1


def test_a_trailer_without_an_end_is_refused(client: Client) -> None:
    client.sends(chunked("/echo", b"x", end=b"0\r\nX-Trailer: "))
    client.sends(b"a" * 4000, in_pieces_of=100)
    assert client.only.status == 431
    assert client.is_closed


@pytest.mark.parametrize("step", [0, 1])
def test_a_head_just_within_its_bounds_is_answered(server: Server, step: int) -> None:
    client = server.connect()
    client.sends(
        request("/" + "a" * 199, b"x", *(f"X-{n}: {'v' * 70}" for n in range(18))),
        in_pieces_of=step,
    )
    assert client.only.status == 200


def test_a_body_over_its_bound_is_refused_before_it_is_read(server: Server) -> None:
    client = server.connect()
    head = (
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: big\r\nContent-Length: %d\r\n\r\n"
    )
    client.sends(head % 100_001)
    assert client.only.status == 413
    assert client.only.closes
    assert client.only.headers["x-request-id"] == "big"
    assert server.resolved == []


@pytest.mark.parametrize("step", [0, 1000])
def test_a_chunked_body_over_its_bound_is_refused_while_it_is_read(
    server: Server, step: int
) -> None:
    client = server.connect()
    client.sends(chunked("/echo", *[b"x" * 999] * 101, end=b""), in_pieces_of=step)
    assert client.only.status == 413
    assert client.is_closed


def test_a_body_of_exactly_the_bound_is_read(client: Client) -> None:
    client.sends(request("/echo", b"x" * 100_000))
    client.sends(chunked("/echo", b"x" * 50_000, b"y" * 50_000), in_pieces_of=999)
    assert [len(answer.body) for answer in client.answers] == [100_007, 100_007]


def test_a_small_body_over_a_smaller_bound_counts_once(serve: Serve) -> None:
    server = serve(HttpLimits(max_body_bytes=10))
    client = server.connect()
    client.sends(request("/echo", b"x" * 11))
    assert client.only.status == 413
    assert server.counted == {"PAYLOAD_TOO_LARGE": 1}


def test_one_connection_too_many_is_told_so(server: Server) -> None:
    clients = [server.connect() for _ in range(5)]
    server.clock.passes()
    assert [len(client.answers) for client in clients] == [0, 0, 0, 0, 1]
    assert clients[4].only.status == 503
    assert clients[4].only.headers["retry-after"] == "1"
    assert clients[4].only.closes
    clients[0].sends(request("/echo", b"x"))
    clients[4].sends(request("/echo", b"x"))  # a head that is known meanwhile
    assert clients[0].only.status == 200
    assert len(clients[4].answers) == 1
    clients[4].ends()
    clients[0].goes()
    assert len(server.state.connections) == 3
    another = server.connect()
    another.sends(request("/echo", b"x"))
    assert another.only.status == 200


# -- deadlines


def test_a_head_that_does_not_arrive_is_a_408(client: Client) -> None:
    client.sends(b"POST /echo HTTP/1.1\r\nHo")
    client.waits(9)
    client.sends(b"st")  # a byte now and then buys no time
    assert client.sent == b""
    client.waits(1.1)
    assert client.only.status == 408
    assert client.only.closes
    client.waits(2.1)
    assert client.wire.closed


def test_a_body_that_does_not_arrive_is_a_408(client: Client) -> None:
    client.sends(request("/echo", b"12345")[:-3])
    for _ in range(5):
        client.waits(11)
        client.sends(b"x" if _ == 4 else b"")
    assert client.sent == b""
    client.waits(6)
    assert client.only.status == 408


def test_an_idle_connection_is_closed_without_a_word(client: Client) -> None:
    client.sends(request("/echo", b"x"))
    client.waits(74)
    assert not client.is_closed
    client.waits(1.1)
    assert client.wire.closed
    assert len(client.answers) == 1


def test_a_connection_that_never_asks_is_closed_without_a_word(client: Client) -> None:
    client.waits(10.1)
    assert client.wire.closed
    assert client.sent == b""


def test_a_short_idle_time_holds_after_a_slow_body(serve: Serve) -> None:
    client = serve(HttpLimits(idle_s=1, head_s=10, body_s=60)).connect()
    client.sends(request("/echo", b"12")[:-1])
    client.waits(20)
    client.sends(b"2")
    assert client.only.status == 200
    client.waits(1.5)
    assert client.wire.closed


def test_no_deadline_ends_a_request_that_runs(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x"))
    client.waits(1000)
    assert not client.is_closed
    server.opens(b"a")
    assert client.only.body == b"a:x"
    client.waits(74)
    assert not client.is_closed
    client.waits(2)
    assert client.is_closed


def test_a_late_head_behind_a_running_request_is_refused_after_its_answer(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x"))
    client.sends(b"POST /ec")
    client.waits(11)
    assert client.sent == b""
    server.opens(b"a")
    assert [answer.status for answer in client.answers] == [200, 408]
    assert [answer.closes for answer in client.answers] == [False, True]


def test_a_client_that_reads_nothing_is_let_go(client: Client) -> None:
    client.wire.is_read = False
    client.sends(request("/large", b"x"))
    client.waits(29)
    assert not client.wire.aborted
    client.waits(1.1)
    assert client.wire.aborted


def test_a_client_that_reads_slowly_is_served(client: Client) -> None:
    client.wire.is_read = False
    client.sends(request("/large", b"x") + request("/echo", b"next"))
    while client.wire.unsent:
        client.waits(20)
        client.wire.takes(20_000)
        assert not client.wire.aborted
    assert [len(answer.body) for answer in client.answers] == [200_000, 11]


def test_nothing_is_begun_for_a_client_that_does_not_read(server: Server) -> None:
    client = server.connect()
    client.wire.is_read = False
    client.sends(request("/large", b"x") * 3)
    assert len(client.wire.unsent) < 210_000
    client.sends(request("/echo", b"y") * 50)
    assert not client.wire.reading
    client.wire.is_read = True
    for _ in range(4):
        client.wire.takes(10**6)
    client.flows()
    assert len(client.answers) == 53


def test_a_cold_answer_waits_for_its_reader(client: Client) -> None:
    client.wire.is_read = False
    client.sends(request("/cold/large", method="GET") + request("/echo", b"x"))
    assert len(client.wire.unsent) < 130_000
    for _ in range(10):
        client.waits(20)
        client.wire.takes(50_000)
    assert [len(answer.body) for answer in client.answers] == [240_000, 8]


def test_a_cold_answer_is_not_kept_for_nobody(server: Server) -> None:
    for leave in (lambda c: c.waits(31), lambda c: c.goes()):
        client = server.connect()
        client.wire.is_read = False
        client.sends(request("/cold/large", method="GET"))
        leave(client)
        assert client.wire.closed
        server.clock.passes(1)
    assert not server.state.connections


def test_an_idle_client_that_left_its_answer_is_let_go(client: Client) -> None:
    client.wire.is_read = False
    client.sends(request("/echo", b"x"))
    client.waits(75.1)
    assert client.wire.closed
    assert not client.wire.aborted
    client.waits(30.1)
    assert client.wire.aborted


def test_the_last_answer_has_its_time_too(client: Client) -> None:
    client.wire.is_read = False
    client.sends(request("/large", b"x", "Connection: close"))
    client.waits(29)
    client.wire.takes(100_000)
    client.waits(29)
    assert not client.wire.aborted
    client.wire.takes(200_000)
    client.waits(0)
    assert client.only.closes
    assert len(client.only.body) == 200_000


# -- Expect


def test_a_client_that_waits_for_word_is_told_to_go_on_once(client: Client) -> None:
    sent = request("/echo", b"body", "Expect: 100-Continue")
    client.sends(sent[:-4], in_pieces_of=1)
    assert client.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sends(b"body")
    assert [answer.status for answer in client.answers] == [100, 200]


@pytest.mark.parametrize(("target", "status"), [("/refused", 403), ("/crash", 500), ("/echo", 413)])
def test_a_refused_request_is_not_told_to_go_on(client: Client, target: str, status: int) -> None:
    length = 200_000 if status == 413 else 5
    sent = request(target, b"x" * length, "Expect: 100-continue")
    client.sends(sent[:-length])
    assert client.only.status == status
    assert client.only.closes


def test_an_unknown_expectation_is_a_417(client: Client) -> None:
    client.sends(request("/echo", b"x", "Expect: the-unexpected"))
    assert client.only.status == 417
    assert client.is_closed


def test_http_1_0_and_a_request_without_a_body_expect_nothing(client: Client) -> None:
    client.sends(request("/echo", b"", "Expect: 100-continue"))
    client.sends(request("/echo", b"x", "Expect: 100-continue", version="1.0"))
    assert [answer.status for answer in client.answers] == [200, 200]


def test_word_to_go_on_waits_for_the_answers_before_it(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x"))
    client.sends(request("/echo", b"body", "Expect: 100-continue")[:-4])
    assert client.sent == b""
    server.opens(b"a")
    assert [answer.status for answer in client.answers] == [200, 100]
    client.sends(b"body")
    assert client.answers[2].body == b"/echo :body"


# -- framing

HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 400),
        (HEAD + b"Content-Length: 1, 1\r\n\r\nx", 400),
        (HEAD + b"Content-Length: +1\r\n\r\nx", 400),
        (HEAD + b"Content-Length: -1\r\n\r\nx", 400),
        (HEAD + b"Content-Length: 0x1\r\n\r\nx", 400),
        (HEAD + b"Content-Length:\r\n\r\n", 400),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD.replace(b"\r\n", b"\n") + b"\n", 400),
        (HEAD + b"X: a\n\r\n", 400),
        (HEAD + b"X: a\rb\r\n\r\n", 400),
        (HEAD + b"X: a\0b\r\n\r\n", 400),
        (HEAD + b"X: a\r\n folded\r\n\r\n", 400),
        (HEAD + b"X : a\r\n\r\n", 400),
        (HEAD + b": a\r\n\r\n", 400),
        (HEAD + b"no colon\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\n\r\n", 400),
        (HEAD + b"Host: localhost\r\n\r\n", 400),
        (b"post /echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /ec ho HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
        (b"POST /ech\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /echo HTTP/1.2\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /echo HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST /echo HTTP/0.9\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /echo\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (chunked("/echo", end=b"3\nabc\r\n0\r\n\r\n"), 400),
        (chunked("/echo", end=b"3 \r\nabc\r\n0\r\n\r\n"), 400),
        (chunked("/echo", end=b"-3\r\nabc\r\n0\r\n\r\n"), 400),
        (chunked("/echo", end=b"3\r\nabcd\r\n0\r\n\r\n"), 400),
        (chunked("/echo", end=b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 400),
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused_and_the_connection_closed(
    server: Server, sent: bytes, status: int, step: int
) -> None:
    client = server.connect()
    client.sends(sent + request("/smuggled", b"x"), in_pieces_of=step)
    assert client.only.status == status
    assert client.only.closes
    assert client.is_closed
    assert b"/smuggled" not in server.resolved
    client.waits(2.1)
    assert client.wire.closed
    another = server.connect()
    another.sends(request("/echo", b"x"))
    assert another.only.status == 200


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (HEAD + b"Content-Length: 2 \t\r\n\r\nab", b"/echo :ab"),
        (HEAD + b"Content-Length: 002\r\n\r\nab", b"/echo :ab"),
        (HEAD + b"TRANSFER-encoding:\t Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"/echo :ab"),
        (chunked("/echo", b"abc", end=b"0\r\nX-T: 1\r\nHost: evil\r\n\r\n"), b"/echo :abc"),
        (chunked("/echo", end=b'3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n'), b"/echo :abc"),
        (b"\r\n" + HEAD + b"\r\n", b"/echo :"),
        (b"POST /echo HTTP/1.0\r\n\r\n", b"/echo :"),
        (b"POST http://elsewhere:1/echo?q=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"/echo?q=1 :"),
        (b"POST http://elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n", b"/ :"),
        (b"POST HTTPS://elsewhere?q HTTP/1.1\r\nHost: localhost\r\n\r\n", b"/?q :"),
    ],
)
def test_what_rfc_9112_allows_is_read(client: Client, sent: bytes, body: bytes) -> None:
    client.sends(sent)
    assert client.only.status == 200
    assert client.only.body == body


def test_the_address_in_an_absolute_target_stands_for_the_host(server: Server) -> None:
    heads: list[Head] = []
    server.shared.resolve = heads.append  # type: ignore[method-assign]
    server.connect().sends(b"GET http://evil.example:81/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert heads[0].get(b"host") == b"evil.example:81"
    assert heads[0].target == b"/x"


@pytest.mark.parametrize(
    "offer",
    [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
    ],
)
@pytest.mark.parametrize("target", ["/echo", "/cold"])
def test_an_offer_of_another_protocol_is_answered_as_http_1_1_and_closed(
    server: Server, offer: str, target: str
) -> None:
    for _ in range(2):
        client = server.connect()
        client.sends(request(target, b"body", offer) + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.only.status == 200
        assert client.only.body.endswith(b":body")
        assert client.only.closes
        assert client.is_closed


def test_connect_opens_no_tunnel(client: Client) -> None:
    client.sends(b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\nSSH-2.0")
    assert client.only.closes
    assert client.is_closed


@pytest.mark.parametrize("target", ["/echo", "/cold", "/bad"])
def test_http_1_0_is_kept_alive_only_where_it_asks(client: Client, target: str) -> None:
    client.sends(request(target, b"x", "Connection: keep-alive", version="1.0"))
    assert client.only.headers["connection"] == "keep-alive"
    client.sends(request(target, b"x", version="1.0"))
    assert client.answers[1].closes
    assert client.is_closed


@pytest.mark.parametrize("target", ["/echo", "/cold", "/bad", "/fault"])
def test_connection_close_is_the_last_answer(client: Client, target: str) -> None:
    client.sends(request(target, b"x", "Connection: close") + request("/echo", b"y"))
    assert client.only.closes
    assert client.is_closed


@pytest.mark.parametrize(
    ("target", "length"), [("/echo", 7), ("/cold", 6), ("/bad", None), ("/refused", None)]
)
def test_head_has_the_headers_of_an_answer_and_no_body(
    client: Client, target: str, length: int | None
) -> None:
    client.sends(request(target, method="HEAD"))
    (answer,) = parsed(client.sent, heads=True)
    assert answer.body == b""
    assert int(answer.headers["content-length"]) == length or length is None
    assert not client.is_closed


def test_a_refused_head_request_has_no_body_either(client: Client) -> None:
    client.sends(
        request("/refused", b"", "Expect: 100-continue", "Content-Length: 9", method="HEAD")
    )
    assert client.sent.endswith(b"\r\n\r\n")


# -- errors


@pytest.mark.parametrize("target", ["/fault", "/crash"])
def test_a_fault_of_ours_is_a_500_that_keeps_its_secret(
    client: Client, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.sends(request(target, b"x", "X-Request-Id: abc"))
    client.sends(request("/echo", b"x"))
    assert [answer.status for answer in client.answers] == [500, 200]
    assert b"secret" not in client.sent
    assert client.answers[0].headers["x-request-id"] == "abc"
    assert "request abc failed" in caplog.text


@pytest.mark.parametrize("target", ["/cold/raises", "/cold/short"])
def test_an_application_that_fails_costs_its_connection_only(
    server: Server, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = server.connect()
    client.sends(request(target, method="GET"))
    assert client.is_closed
    assert b"secret" not in client.sent
    assert "ASGI" in caplog.text
    another = server.connect()
    another.sends(request("/echo", b"x"))
    assert another.only.status == 200


def test_every_answered_error_counts_once(server: Server) -> None:
    client = server.connect()
    for target in ("/refused", "/bad", "/fault"):
        client.sends(request(target, b"x"))
    client.sends(b"nonsense\r\n\r\n")
    assert server.counted == {"FORBIDDEN": 1, "INVALID_INPUT": 2, "INTERNAL": 1}


@pytest.mark.parametrize("value", ["a b", 'a"b', "a" * 129, "é"])
def test_a_request_id_that_could_do_harm_is_replaced(client: Client, value: str) -> None:
    client.sends(request("/echo", b"x", f"X-Request-Id: {value}"))
    assert client.only.headers["x-request-id"] == "r1"


# -- the end


def test_a_disconnect_cancels_a_handler_that_waits(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x") + request("/wait/b", b"y"))
    client.goes()
    assert server.cancelled == [b"a"]
    assert not server.state.connections
    server.opens(b"b")
    assert client.sent == b""


def test_a_disconnect_lets_a_cold_request_end_in_peace(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    client = server.connect()
    client.sends(request("/cold/slow", method="GET"))
    client.goes()
    server.clock.passes(30)
    assert caplog.text == ""


def test_a_disconnect_cancels_the_timers(server: Server) -> None:
    client = server.connect()
    client.sends(request("/echo", b"x"))
    client.goes()
    client.waits(1000)
    assert not client.wire.aborted


def test_a_client_that_ends_its_side_is_still_answered(server: Server) -> None:
    client = server.connect()
    client.sends(request("/cold/slow", b"x") + request("/echo", b"y"))
    client.ends()
    assert not client.is_closed
    client.waits(21)
    assert [answer.closes for answer in client.answers] == [False, True]
    assert client.wire.closed


def test_many_requests_and_an_end_are_still_answered(client: Client) -> None:
    client.protocol.data_received(request("/echo", b"x") * 100)
    client.ends()
    assert len(client.answers) == 100
    assert client.wire.closed


def test_requests_and_an_end_in_one_turn_are_answered(client: Client) -> None:
    client.protocol.data_received(request("/echo", b"x") * 3)
    client.ends()
    assert [answer.body for answer in client.answers] == [b"/echo :x"] * 3
    assert client.wire.closed


def test_an_answer_does_not_wait_for_a_long_body_of_another(server: Server) -> None:
    first, second = server.connect(), server.connect()
    for body in (b"x", b"x" * 5000):
        first.protocol.data_received(request("/echo", b"1") * 2)  # several: they leave together
        held = first.sent
        second.protocol.data_received(request("/bad", body))
        assert (first.sent == held) == (len(body) == 1)
        server.clock.passes()
    assert len(first.answers) == 4
    assert len(second.answers) == 2


def test_a_client_that_ends_its_side_is_answered_by_a_model_that_takes_long(
    server: Server,
) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x") + request("/echo", b"y"))
    client.ends()
    client.waits(5)
    assert client.sent == b"HTTP/1.1 100 Continue\r\n\r\n"  # so that its kernel can say if it left
    client.wire.sent.clear()
    server.opens(b"a")
    client.waits(1)
    assert [answer.body for answer in client.answers] == [b"a:x", b"/echo :y"]
    assert client.wire.closed


def test_a_client_that_ends_its_side_and_has_left_is_not_waited_for(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x"))
    client.wire.socket.error = errno.EPIPE
    client.ends()
    assert server.cancelled == []
    client.waits(1)
    assert server.cancelled == [b"a"]
    assert client.wire.closed


def test_a_client_of_http_1_0_gets_nothing_before_its_answer(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x", version="1.0"))
    client.ends()
    client.waits(1)
    assert client.sent == b""
    server.opens(b"a")
    client.waits(1)
    assert client.only.body == b"a:x"


def test_an_answer_that_came_meanwhile_is_not_given_up(server: Server) -> None:
    client = server.connect()
    client.sends(request("/wait/a", b"x") + request("/wait/b", b"y"))
    client.ends()
    client.wire.sent.clear()
    server.opens(b"a")
    client.wire.socket.error = errno.EPIPE  # of a later time: it is asked about the first request
    client.waits(1)
    assert client.only.body == b"a:x"
    assert server.cancelled == []


@pytest.mark.parametrize("part", [b"", b"POST /ec", request("/echo", b"xyz")[:-1]])
def test_a_client_that_ends_its_side_early_gets_no_answer(client: Client, part: bytes) -> None:
    if part:
        client.sends(part)
    client.ends()
    assert client.wire.closed
    assert client.sent == b""


def test_a_refused_client_may_finish_sending(client: Client) -> None:
    client.sends(b"nonsense\r\n\r\n")
    assert client.wire.ended
    assert not client.wire.closed
    client.sends(b"x" * 100_000)
    assert client.wire.reading
    client.ends()
    assert client.wire.closed
    assert len(client.answers) == 1


def test_a_refused_client_that_never_finishes_is_let_go(client: Client) -> None:
    client.sends(b"nonsense\r\n\r\n")
    client.waits(2.1)
    assert client.wire.aborted


# -- draining


def test_draining_answers_and_closes(server: Server) -> None:
    client = server.connect()
    client.sends(request("/echo", b"x"))
    server.shared.draining = True
    client.sends(request("/echo", b"x"))
    assert [answer.closes for answer in client.answers] == [False, True]
    assert client.is_closed


def test_draining_gives_an_idle_connection_a_moment(server: Server) -> None:
    idle, late = server.connect(), server.connect()
    for client in (idle, late):
        client.sends(request("/echo", b"x"))
    for client in (idle, late):
        client.protocol.shutdown()
    late.waits(0.4)
    late.sends(request("/echo", b"y"))
    assert [answer.status for answer in late.answers] == [200, 200]
    assert late.is_closed
    idle.waits(0.2)
    assert idle.wire.closed


@pytest.mark.parametrize("target", ["/wait/a", "/cold/slow"])
def test_draining_waits_for_what_runs_and_for_what_waits_behind_it(
    server: Server, target: str
) -> None:
    client = server.connect()
    client.sends(request(target, b"x") + request("/echo", b"y") + request("/cold/x", b"z"))
    client.protocol.shutdown()
    client.waits(5)
    assert not client.is_closed
    server.opens(b"a")
    client.waits(20)
    assert [answer.closes for answer in client.answers] == [False, False, True]
    assert client.is_closed


@pytest.mark.parametrize("target", ["/wait/a", "/cold/slow"])
def test_draining_closes_after_what_ran_when_it_began(server: Server, target: str) -> None:
    client = server.connect()
    client.sends(request(target, b"x"))
    client.protocol.shutdown()
    server.opens(b"a")
    client.waits(20)
    assert client.only.closes
    assert client.is_closed


def test_draining_waits_for_a_request_that_is_arriving(server: Server) -> None:
    client = server.connect()
    client.sends(request("/echo", b"xyz")[:-1])
    client.protocol.shutdown()
    client.waits(5)
    client.sends(b"z")
    assert client.only.body == b"/echo :xyz"
    assert client.only.closes


def test_draining_waits_for_a_client_that_is_reading(server: Server) -> None:
    client = server.connect()
    client.wire.is_read = False
    client.sends(request("/large", b"x"))
    client.protocol.shutdown()
    client.waits(5)
    assert not client.is_closed
    client.wire.is_read = True
    client.wire.takes(10**6)
    client.waits(0.6)
    assert len(client.only.body) == 200_000
    assert client.wire.closed


# -- anything at all

PIECES = [
    b"POST /echo HTTP/1.1\r\n",
    b"POST /echo HTTP/1.0\r\n",
    b"GET /cold HTTP/1.1\r\n",
    b"HEAD /echo HTTP/1.1\r\n",
    b"POST http://a/echo HTTP/1.1\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
    b"Host: localhost\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length : 5\r\n",
    b"Content-Length: 5\n",
    b"Content-Length: 500\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: x\r\n",
    b"Authorization: a\r\n",
    b"X-Request-Id: b\r\n",
    b" folded\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"hello",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\nTrailer: 1\r\n\r\n",
    b"ffffffff\r\n",
    request("/echo", b"hello"),
    request("/echo", b"12345"),
    b"\r\n\r\n" + request("/echo", b"hello"),
    b"\r\n" + request("/echo", b"hello", "Authorization: b"),
    request("/echo", b"hello", "Connection: upgrade", "Upgrade: h2c"),
    request("/wait/x", b"hello"),
    request("/refused", b"hello"),
    request("/crash", b"hello"),
    request("/large"),
    chunked("/echo", b"hello"),
]
GOOD = request("/echo", b"hello", "X-Request-Id: good")


@st.composite
def conversations(draw: st.DrawFn) -> list[list[bytes]]:
    """For each of a few connections, what it sends; the same bytes come again and again."""
    packet = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=8).map(b"".join)
    pool = draw(st.lists(packet, min_size=1, max_size=3))
    # What a memo would take for a head, with a body that was never meant to follow it.
    heads = [data[: data.find(b"\r\n\r\n") + 4] for data in pool if b"\r\n\r\n" in data]
    pool += [head + body for head in heads for body in (b"", b"hello", b"12345")]
    sent = st.lists(st.sampled_from(pool), min_size=1, max_size=4)
    return draw(st.lists(sent, min_size=1, max_size=4))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conversations())
def test_anything_ends_in_answers_or_a_closed_connection(streams: list[list[bytes]]) -> None:
    clock = Clock()
    try:
        # The same bytes on two servers, of which one never remembers: what a memo makes of a
        # request must be what the parser makes of it, whoever filled the memo before.
        told = []
        for kind in (Shared, Forgetful):
            server = Server(clock, LIMITS, kind)
            server.opens(b"x")
            heard = []
            for stream in streams:
                client = server.connect()
                for data in stream:
                    client.sends(data)
                client.waits(200)
                assert client.wire.closed
                heard.append(client.sent)
            client = server.connect()
            client.sends(GOOD)
            assert client.only.body == b"/echo :hello"
            client.goes()
            assert not server.state.connections
            told.append(heard)
        assert told[0] == told[1]
    finally:
        clock.close()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.binary(max_size=3)), max_size=4),
    st.lists(st.integers(1, len(STREAM) - 1), max_size=3),
)
def test_a_garbled_stream_never_harms_the_server(
    changes: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = bytearray(STREAM)
    for at, new in changes:
        data[at : at + 1] = new
    clock = Clock()
    try:
        server = Server(clock, LIMITS)
        server.opens(b"x")
        client = server.connect()
        edges = sorted(min(cut, len(data)) for cut in cuts)
        for start, end in zip([0, *edges], [*edges, len(data)], strict=True):
            client.sends(bytes(data[start:end]))
        for name in list(server.gates):  # `/wait/x` may have become `/wait/y`
            server.opens(name)
        client.waits(200)
        assert client.wire.closed
        another = server.connect()
        another.sends(GOOD)
        assert another.only.status == 200
        another.goes()
    finally:
        clock.close()
