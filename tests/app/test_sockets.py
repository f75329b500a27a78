"""Listening sockets that stop taking connections without losing one."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from modelport.app.sockets import listening, refuse_new_connections, reserve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="socket filters are Linux's")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with (
        reserve("127.0.0.1", 0) as held,
        listening("127.0.0.1", held.getsockname()[1], 16) as sock,
    ):
        sock.settimeout(5)
        yield sock


def client_of(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), timeout=5)


def test_connections_that_wait_are_kept_and_no_more_come(listener: socket.socket) -> None:
    with client_of(listener) as waiting:
        refuse_new_connections(listener)
        late = socket.socket()
        late.settimeout(0.2)
        with late, pytest.raises(TimeoutError):
            late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            waiting.sendall(b"asked")
            assert accepted.recv(16) == b"asked"
            accepted.sendall(b"answered")
            assert waiting.recv(16) == b"answered"


def test_a_handshake_that_has_begun_ends(listener: socket.socket) -> None:
    # With this option the kernel answers the handshake, and has the connection only when data
    # comes: the moment between the two, held open.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    with client_of(listener) as half:
        refuse_new_connections(listener)
        half.sendall(b"asked")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(16) == b"asked"
