"""A web server on loopback, whose files a test changes."""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Files by path; `/status/N`, `/to/URL`, `/slow`, `/endless` and `/broken` behave so."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        """The paths of all GET requests."""
        self.has_etags = True
        self.has_heads = True
        self.redirects_by = "Location"
        """The name of the header."""


class _Handler(BaseHTTPRequestHandler):
    web: Web

    def do_HEAD(self) -> None:
        if self.web.has_heads:
            self._answer()
        else:
            self.send_error(403)

    def do_GET(self) -> None:
        self.web.fetched.append(self.path)
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/status/"):
            self.send_error(int(path.rpartition("/")[2]))
        elif path.startswith("/to/"):
            self.send_response(302)
            self.send_header(self.web.redirects_by, path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/slow":
            time.sleep(1.5)
            self._send(b"late")
        elif path == "/endless":
            self._endless()
        elif path == "/broken":
            self._send(b"half", said=8)
        elif path in self.web.files:
            self._send(self.web.files[path])
        else:
            self.send_error(404)

    def _send(self, data: bytes, said: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(said or len(data)))
        if self.web.has_etags:
            self.send_header("ETag", hashlib.sha256(data).hexdigest())
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        if self.command == "GET":
            try:
                for _ in range(10_000):
                    self.wfile.write(bytes(65536))
            except OSError:
                return

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def web(certificate: tuple[str, str] | None = None) -> Iterator[Web]:
    """A server until the block ends; over TLS where a certificate and its key are given."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Web(server.server_address[1], "http" if certificate is None else "https")
    handler.web = found  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
