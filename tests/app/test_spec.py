"""What a worker tells over the socket that lives as long as it does."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from modelport.app.spec import Heard, Loaded, Loading, Unfit, tell
from modelport.repository.layout import Source

SOURCE = Source(name="m", version="1", path="/m.onnx", toml="/m.toml")


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The supervisor's end, and the worker's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_messages_that_come_together_or_in_parts_are_heard_in_order(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    heard = Heard(ours)
    assert heard.take() == []
    tell(theirs, Loading(SOURCE))
    tell(theirs, Loaded())
    theirs.sendall(b'{"type":"Unfit",')
    assert heard.take() == [Loading(SOURCE), Loaded()]
    theirs.sendall(b'"reason":"why"}\n')
    assert heard.take() == [Unfit("why")]
    assert not heard.is_over


def test_the_last_words_are_heard_after_the_end(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    tell(theirs, Loading(SOURCE))
    theirs.close()
    heard = Heard(ours)
    assert heard.take() == [Loading(SOURCE)]
    assert heard.is_over


def test_telling_a_supervisor_that_is_gone_is_no_failure(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    ours.close()
    tell(theirs, Loaded())
