"""The views of examples/views, each run by its framework and with a real model."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
ONE_ROW = b'{"x": [1, 2, 3]}'
JSON = "application/json"

Post = Callable[..., tuple[int, dict[str, object]]]


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], ModuleType]:
    """Imports an example; its model.onnx lies in the current folder, as the example wants it."""
    pytest.importorskip("onnxruntime")
    monkeypatch.syspath_prepend(ROOT / "examples" / "views")
    monkeypatch.chdir(tmp_path)
    shutil.copy(DATA / "linear.onnx", "model.onnx")
    return importlib.import_module


def flask(view: Callable[[str], ModuleType]) -> Iterator[Post]:
    pytest.importorskip("flask")
    client = view("flask_view").create_app().test_client()

    def post(body: bytes) -> tuple[int, dict[str, object]]:
        answer = client.post("/predict", data=body, content_type=JSON)
        return answer.status_code, answer.json

    yield post


def django(view: Callable[[str], ModuleType]) -> Iterator[Post]:
    pytest.importorskip("django")
    module = view("django_view")
    module.load.cache_clear()
    from django.test import Client

    # Without the test runner, the test client's own host has to be allowed.
    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)

    def post(body: bytes) -> tuple[int, dict[str, object]]:
        answer = client.post("/predict", body, content_type=JSON)
        return answer.status_code, answer.json()

    yield post


def tornado(view: Callable[[str], ModuleType]) -> Iterator[Post]:
    pytest.importorskip("tornado")
    module = view("tornado_handler")
    from tornado.httpclient import AsyncHTTPClient
    from tornado.httpserver import HTTPServer
    from tornado.testing import bind_unused_port

    with asyncio.Runner() as runner:
        sock, port = bind_unused_port()

        async def start() -> tuple[HTTPServer, AsyncHTTPClient]:
            server = HTTPServer(module.make_app())
            server.add_socket(sock)
            return server, AsyncHTTPClient(force_instance=True)

        server, client = runner.run(start())

        async def ask(body: bytes) -> tuple[int, dict[str, object]]:
            url = f"http://127.0.0.1:{port}/predict"
            answer = await client.fetch(url, method="POST", body=body, raise_error=False)
            assert answer.headers["Content-Type"].startswith(JSON)
            return answer.code, json.loads(answer.body)

        yield lambda body: runner.run(ask(body))

        client.close()
        server.stop()
        runner.run(server.close_all_connections())


@pytest.fixture(params=[flask, django, tornado], ids=lambda make: make.__name__)
def post(request: pytest.FixtureRequest, view: Callable[[str], ModuleType]) -> Iterator[Post]:
    """Sends a body to the view of one framework after the other."""
    yield from request.param(view)


@pytest.fixture
def failing(view: Callable[[str], ModuleType]) -> None:
    """Puts a model there that loads, and whose every run fails."""
    shutil.copy(DATA / "fails.onnx", "model.onnx")


def test_one_row_gives_one_prediction(post):
    assert post(ONE_ROW) == (200, {"prediction": 1.8})


def test_many_rows_give_many_predictions(post):
    status, answer = post(b'{"x": [[1, 2, 3], [0, 0, 0]]}')
    assert (status, answer) == (200, {"prediction": [1.8, 0.4]})


@pytest.mark.parametrize("body", [b'{"x": [1, 2]}', b'{"y": [1, 2, 3]}', b'{"x": ["a", "b", "c"]}'])
def test_wrong_input_is_the_callers_fault_and_says_why(post, body):
    status, answer = post(body)
    assert status == 400
    assert answer["code"] == "INVALID_INPUT"
    assert "'x'" in answer["error"]


@pytest.mark.usefixtures("failing")
def test_a_model_that_fails_is_the_servers_fault_and_keeps_its_reasons(post, caplog):
    status, answer = post(ONE_ROW)
    assert (status, answer) == (500, {"error": "the model failed", "code": "MODEL_FAILED"})
    assert "the model failed" in caplog.text


def test_a_body_that_is_no_json_is_the_callers_fault(post):
    status, answer = post(b"{x")
    assert status == 400
    assert isinstance(answer["error"], str)
