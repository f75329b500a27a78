"""A real server on a loopback port that follows a script, and both clients behind one face."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from modelport.client import AsyncClient, Client


@dataclass(frozen=True)
class Asked:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int
    """The client's: one for each connection."""


Answer = httpx.Response | str | Callable[[Asked], httpx.Response]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    # Nagle's algorithm and delayed acknowledgements would add 40 ms to each answer.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body, self.client_address[1])
        answer = self.server.script.next(asked)
        if isinstance(answer, str):
            getattr(self, answer)()
        else:
            self.write(answer if isinstance(answer, httpx.Response) else answer(asked))

    do_POST = do_GET

    def write(self, answer: httpx.Response) -> None:
        body = b"".join(answer.stream)
        self.send_response(answer.status_code)
        for name, value in {"content-length": str(len(body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drops(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def cuts(self) -> None:
        """Close the connection in the middle of an answer."""
        self.write(httpx.Response(200, headers={"Content-Length": "99"}, content=b'{"predic'))
        self.drops()

    def hangs(self) -> None:
        """Say nothing until the test is over."""
        self.server.script.over.wait(5)
        self.drops()

    def trickles(self) -> None:
        """Answer byte by byte, each well in time."""
        self.write(httpx.Response(200, headers={"Content-Length": "999"}))
        while not self.server.script.over.wait(0.02):
            self.wfile.write(b" ")

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Listener(ThreadingHTTPServer):
    script: Script

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that gave up is what many tests want


class Script:
    """What the server will do, one answer a request; the last one stays.

    An answer is a response, a function that makes one, or the name of a misdeed: `drops`, `cuts`,
    `hangs`, `trickles`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.came = threading.Event()
        self.over = threading.Event()
        self._answers: list[Answer] = [httpx.Response(200, json={})]

    def will(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def next(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        self.came.set()
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def server() -> Iterator[Script]:
    with _Listener(("127.0.0.1", 0), _Handler) as listener:
        script = listener.script = Script(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.005,))
        thread.start()
        yield script
        script.over.set()
        listener.shutdown()
        thread.join()


@pytest.fixture
def silent_url() -> str:
    """The url of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}"


class _Awaited:
    """An AsyncClient whose methods are called like those of a Client."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._client, name)
        return lambda *args, **named: self._runner.run(method(*args, **named))

    def __repr__(self) -> str:
        return repr(self._client)


@pytest.fixture(params=["sync", "async"])
def connect(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Client]]:
    """Makes clients, of both kinds in turn, which the end of the test closes."""
    monkeypatch.delenv("MODELPORT_API_KEY", raising=False)
    opened: list[Client] = []
    with asyncio.Runner() as runner:

        def make(url: str, **options: object) -> Client:
            kind = Client if request.param == "sync" else AsyncClient
            client = kind(url, **{"timeout_s": 5, **options})
            opened.append(client if kind is Client else _Awaited(client, runner))
            return opened[-1]

        yield make
        for client in opened:
            client.close()
