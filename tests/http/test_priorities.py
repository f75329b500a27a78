"""Whose requests come first, where more arrive than a model can answer."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelport.core.errors import Overloaded
from modelport.guard.auth import new_key
from modelport.guard.policy import Policy
from tests.http.serving import LINEAR, Served, serving, source

SLOW = """
import time
from typing import Annotated
import numpy as np
from numpy.typing import NDArray

def slow(x: Annotated[NDArray[np.float64], (None, 1)]) -> NDArray[np.float64]:
    time.sleep(0.005)
    return np.full(len(x), float(len(x)))
"""
"""Answers how many rows came, so that its requests never share a batch."""

ADMIN, _ADMIN = new_key("admin")
LOW, _LOW = new_key("infer", priority="low")
NORMAL, _NORMAL = new_key("infer")
HIGH, _HIGH = new_key("infer", priority="high")
KEYS = Policy(
    keys={record.id: record for record in (_ADMIN, _LOW, _NORMAL, _HIGH)}, admin_key_id=_ADMIN.id
)
TENSORS = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}]}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("models")
    (folder / "slow.py").write_text(SLOW)
    with serving([LINEAR, source(folder / "slow.py", attribute="slow")]) as server:
        yield server


@pytest.fixture
def server(running: Served) -> Served:
    running.decides(Policy())
    return running


def plain(server: Served, **headers: str) -> tuple[int, Any]:
    answer = server.post("/models/linear/predict", '{"x":[1,2,3]}', **headers)
    return answer.status, answer.json


def oip(server: Served, priority: object, **headers: str) -> tuple[int, Any]:
    request = {**TENSORS, "parameters": {"priority": priority}}
    answer = server.post("/v2/models/linear/infer", json.dumps(request), **headers)
    return answer.status, answer.json


@pytest.mark.parametrize("priority", ["low", "normal", "high", "HIGH"])
def test_a_request_may_say_its_priority_in_a_header(server: Served, priority: str) -> None:
    assert plain(server, X_Priority=priority) == (200, {"prediction": 1.8})


@pytest.mark.parametrize("priority", ["urgent", "1", "", "high, low"])
def test_a_priority_that_is_none_is_told_what_is_right(server: Served, priority: str) -> None:
    status, told = plain(server, X_Priority=priority)
    assert (status, told["code"]) == (400, "INVALID_INPUT")
    assert told["error"] == f"X-Priority is low, normal or high, and {priority!r} came"


@pytest.mark.parametrize("priority", [0, 1, 2, 3, 10**30, "low", "normal", "high"])
def test_the_inference_protocol_has_words_and_numbers(server: Served, priority: object) -> None:
    assert oip(server, priority)[0] == 200


@pytest.mark.parametrize("priority", [-1, 1.0, True, None, "1", "urgent", [1]])
def test_a_wrong_priority_parameter_is_told_what_is_right(server: Served, priority: object) -> None:
    status, told = oip(server, priority)
    assert (status, told["code"]) == (400, "INVALID_INPUT")
    assert "1 for high, 2 for normal, 3 and more for low" in told["error"]


def test_a_key_keeps_its_requests_from_more_than_its_own_priority(server: Served) -> None:
    server.decides(KEYS)

    def statuses(key: str) -> list[int]:
        bearer = f"Bearer {key}"
        words = ("low", "normal", "high")
        by_header = [plain(server, Authorization=bearer, X_Priority=p)[0] for p in words]
        assert [oip(server, p, Authorization=bearer)[0] for p in words] == by_header
        assert [oip(server, n, Authorization=bearer)[0] for n in (3, 2, 1)] == by_header
        return by_header

    assert statuses(LOW) == [200, 403, 403]
    assert statuses(NORMAL) == [200, 200, 403]
    assert statuses(HIGH) == [200, 200, 200]
    assert statuses(ADMIN) == [200, 200, 200]
    told = plain(server, Authorization=f"Bearer {NORMAL}", X_Priority="high")[1]
    assert "'normal' at most, and 'high' was asked for" in told["error"]
    assert told["detail"] == {"highest": "normal"}


class Caller:
    """A client that keeps its connection, and how long it waited each time."""

    def __init__(self, server: Served, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        self._headers = headers
        self.waited: list[float] = []

    def ask(self) -> None:
        started = time.monotonic()
        self._connection.request("POST", "/models/slow/predict", '{"x":1}', self._headers)
        response = self._connection.getresponse()
        assert (response.status, response.read()) == (200, b'{"prediction":1.0}')
        self.waited.append(time.monotonic() - started)

    def close(self) -> None:
        self._connection.close()


def waits(
    server: Served, flood: dict[str, str], other: dict[str, str]
) -> tuple[list[float], list[float]]:
    """How long 24 clients that ask without a pause waited, and how long another one beside."""
    many, one = [Caller(server, flood) for _ in range(24)], Caller(server, other)
    over = threading.Event()

    def go_on(caller: Caller) -> None:
        while not over.is_set():
            caller.ask()

    end = time.monotonic() + 10
    threads = [threading.Thread(target=go_on, args=(caller,)) for caller in many]
    try:
        for thread in threads:
            thread.start()
        while any(not caller.waited for caller in many) and time.monotonic() < end:
            time.sleep(0.01)
        for _ in range(20):
            one.ask()
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
        for caller in (*many, one):
            caller.close()
    return [wait for caller in many for wait in caller.waited[1:]], one.waited


def test_a_flood_of_low_does_not_keep_high_waiting(server: Served) -> None:
    low, high = waits(server, {"X-Priority": "low"}, {"X-Priority": "high"})
    assert statistics.median(high) * 3 < statistics.median(low)


def test_a_body_that_asks_for_another_turn_is_not_refused_at_the_door(server: Served) -> None:
    assert oip(server, "high")[0] == 200
    version = server.engine.find("linear")

    def full(caller: str, priority: str) -> None:
        if priority != "high":
            raise Overloaded("many wait already")

    version.door = full
    try:
        assert [oip(server, p)[0] for p in ("high", "low", 1)] == [200, 200, 200]
        assert server.post("/v2/models/linear/infer", json.dumps(TENSORS)).status == 503
        assert plain(server)[0] == 503
        assert plain(server, X_Priority="high")[0] == 200
    finally:
        version.door = None


def test_low_is_answered_beside_a_flood_of_high(server: Served) -> None:
    high, low = waits(server, {"X-Priority": "high"}, {"X-Priority": "low"})
    assert statistics.median(high) < 2
    assert max(low) < 2


def test_a_key_that_floods_does_not_keep_another_waiting(server: Served) -> None:
    server.decides(KEYS)
    many, other = waits(
        server,
        {"Authorization": f"Bearer {NORMAL}"},
        {"Authorization": f"Bearer {HIGH}", "X-Priority": "normal"},
    )
    assert statistics.median(other) * 3 < statistics.median(many)
