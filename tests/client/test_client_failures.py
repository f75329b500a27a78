"""What both clients make of failures, and of time; each test runs for both."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from httpx import ByteStream, Response

from modelport.client import Client
from modelport.core.errors import (
    ConfigError,
    DeadlineExceeded,
    Forbidden,
    Internal,
    InvalidInput,
    LimitExceeded,
    ModelFailed,
    ModelNotFound,
    ModelportError,
    NotFound,
    NotReady,
    Overloaded,
    PayloadTooLarge,
    Unauthenticated,
)

KEY = "mp_" + "0123456789abcdef"
PREDICTED = {"prediction": 1.8}


def fails(status, code, retry_after=None):
    """An error in Modelport's own shape."""
    body = {"error": f"it is {code}", "code": code, "detail": {"row": 3}, "request_id": "r-1"}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Response(status, json=body, headers=headers)


def test_an_error_keeps_its_class_its_words_and_its_facts(server, connect):
    server.will(fails(404, "MODEL_NOT_FOUND"))
    with pytest.raises(ModelNotFound, match=r"^it is MODEL_NOT_FOUND$") as caught:
        connect(server.url).predict(None, [1])
    assert caught.value.detail == {"row": 3, "request_id": "r-1"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (413, PayloadTooLarge),
        (418, ModelportError),
        (429, LimitExceeded),
        (500, Internal),
        (502, NotReady),
        (503, NotReady),
        (504, DeadlineExceeded),
        (599, Internal),
    ],
)
def test_an_error_page_of_something_else_is_read_by_its_status(server, connect, status, kind):
    server.will(Response(status, html="<html>from a proxy</html>"))
    with pytest.raises(ModelportError, match=f"answered {status}.* with text/html") as caught:
        connect(server.url).predict(None, [1])
    assert type(caught.value) is kind
    assert server.url in caught.value.message


def test_an_error_without_a_code_keeps_its_words(server, connect):
    server.will(Response(400, json={"error": "unexpected shape"}))
    with pytest.raises(InvalidInput, match=r"^unexpected shape$"):
        connect(server.url).predict(None, [1])


def test_facts_of_an_error_may_have_any_name(server, connect):
    detail = {"self": 1, "message": 2, "code": 3}
    body = {"error": "no", "code": "MODEL_FAILED", "detail": detail}
    server.will(Response(500, json=body))
    with pytest.raises(ModelFailed, match=r"^no$") as caught:
        connect(server.url).predict(None, [1])
    assert caught.value.detail == {"code": 3}


def test_a_redirect_names_the_right_url(server, connect):
    server.will(Response(301, headers={"Location": "https://elsewhere/predict"}))
    with pytest.raises(ConfigError, match="points to https://elsewhere/predict"):
        connect(server.url).predict(None, [1])


@pytest.mark.parametrize("page", ["<html>", "[1]", "", "null"])
def test_a_success_that_is_no_answer_is_an_error(server, connect, page):
    server.will(Response(200, html=page))
    with pytest.raises(Internal, match="is this the server's url"):
        connect(server.url).predict(None, [1])


def test_a_broken_encoding_is_an_error(server, connect):
    server.will(Response(200, headers={"Content-Encoding": "gzip"}, stream=ByteStream(b"no")))
    with pytest.raises(Internal, match="Content-Encoding is broken"):
        connect(server.url).predict(None, [1])


@pytest.mark.parametrize(
    "first",
    [
        "drops",
        "cuts",
        fails(503, "OVERLOADED", "0"),
        fails(429, "LIMIT_EXCEEDED", "0.01"),
        Response(503, headers={"Retry-After": "0"}, text="busy"),
    ],
)
def test_what_may_pass_is_tried_again(server, connect, first):
    server.will(first, Response(200, json=PREDICTED))
    assert connect(server.url).predict(None, [1]) == PREDICTED
    assert len(server.asked) == 2
    assert server.asked[0].body == server.asked[1].body == b"[1]"


def test_a_lost_inference_is_sent_again_whole(server, connect):
    server.will("drops", Response(200, json={"outputs": []}))
    connect(server.url).infer("m", {"x": np.arange(1000.0)})
    first, second = (asked.body for asked in server.asked)
    assert first == second
    assert len(first) > 8000


@pytest.mark.parametrize(
    "only",
    [
        fails(400, "INVALID_INPUT"),
        fails(400, "INVALID_INPUT", "0"),
        fails(500, "MODEL_FAILED", "0"),
        fails(503, "NOT_READY"),
        fails(504, "DEADLINE_EXCEEDED"),
        Response(502, html="<html>"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(server, connect, only):
    server.will(only)
    with pytest.raises(ModelportError):
        connect(server.url).predict(None, [1])
    assert len(server.asked) == 1


def test_the_last_try_decides(server, connect):
    server.will("drops", fails(503, "OVERLOADED", "0"), fails(400, "INVALID_INPUT"))
    with pytest.raises(InvalidInput):
        connect(server.url, retries=2).predict(None, [1])
    assert len(server.asked) == 3


def test_a_connection_lost_again_and_again_says_so(server, connect):
    server.will("drops")
    with pytest.raises(NotReady, match=f"{server.url}/predict .*did the server restart"):
        connect(server.url, retries=1).predict(None, [1])
    assert len(server.asked) == 2


def test_a_server_that_is_not_there_is_named(connect, silent_url):
    with pytest.raises(NotReady, match=rf"{silent_url}/predict cannot be reached: \[Errno"):
        connect(silent_url).predict(None, [1])


def test_a_wait_beyond_the_deadline_is_not_begun(server, connect):
    server.will(fails(503, "OVERLOADED", "60"))
    with pytest.raises(Overloaded) as caught:
        connect(server.url, timeout_s=50).predict(None, [1])
    assert caught.value.retry_after_s == 60
    assert len(server.asked) == 1


@pytest.mark.parametrize("slow", ["hangs", "trickles"])
def test_an_answer_that_does_not_end_in_time_is_given_up(server, connect, slow):
    server.will(slow)
    with pytest.raises(DeadlineExceeded, match=f"{server.url}/predict gave no complete answer"):
        connect(server.url).predict(None, [1], timeout_s=0.2)
    assert len(server.asked) == 1


def test_the_server_is_told_how_much_time_is_left(server, connect):
    server.will(fails(429, "LIMIT_EXCEEDED", "0.1"), Response(200, json=PREDICTED))
    connect(server.url, timeout_s=5).predict(None, [1])
    first, second = (float(asked.headers["x-request-timeout"]) for asked in server.asked)
    assert 0 < second <= first - 0.09 < first <= 5


def test_a_connection_is_used_again(server, connect):
    client = connect(server.url)
    for _ in range(3):
        client.predict(None, [1])
    assert len({asked.port for asked in server.asked}) == 1


def test_the_key_is_sent_and_never_shown(server, connect):
    server.will(lambda asked: Response(401, html=repr(asked.headers)))
    client = connect(server.url, key=KEY)
    with pytest.raises(Unauthenticated) as caught:
        client.predict(None, [1])
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    shown = "".join(traceback.format_exception(caught.value)) + repr(client) + str(caught.value)
    assert KEY not in shown
    assert server.url in repr(client)


def test_the_key_comes_from_the_environment_unless_one_is_given(server, connect, monkeypatch):
    monkeypatch.setenv("MODELPORT_API_KEY", "from-environment")
    for key in (None, "given", ""):
        connect(server.url, key=key).predict(None, [1])
    sent = [asked.headers.get("authorization") for asked in server.asked]
    assert sent == ["Bearer from-environment", "Bearer given", None]


@pytest.mark.parametrize(
    "options", [{"timeout_s": 0}, {"timeout_s": float("inf")}, {"retries": -1}]
)
def test_options_that_make_no_sense_are_refused(server, connect, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        connect(server.url, **options)
    with pytest.raises(ConfigError, match="max_connections"):
        connect(server.url, max_connections=0)


def test_a_timeout_of_a_call_is_checked_too(server, connect):
    with pytest.raises(ConfigError, match="timeout_s"):
        connect(server.url).predict(None, [1], timeout_s=-1)


def test_a_full_pool_is_told_from_a_slow_server(server):
    server.will("hangs")
    with Client(server.url, max_connections=1, retries=0) as client, ThreadPoolExecutor() as pool:
        held = pool.submit(client.predict, None, [1])
        assert server.came.wait(5)
        with pytest.raises(DeadlineExceeded, match="connections of this client were busy"):
            client.predict(None, [1], timeout_s=0.05)
        server.over.set()
        assert isinstance(held.exception(), NotReady)


def test_a_closed_client_says_so(server, connect):
    client = connect(server.url)
    client.close()
    for call in (client.is_live, client.models, lambda: client.predict(None, [1])):
        with pytest.raises(ConfigError, match="this client was closed"):
            call()
    assert server.asked == []
