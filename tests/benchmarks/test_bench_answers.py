"""Where an HTTP answer ends."""

from __future__ import annotations

import pytest

from benchmarks.answers import Reader

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"  # no trailers
)


@pytest.mark.parametrize("answer", [_OK, _CHUNKED])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_ends_where_it_says_however_it_is_cut(answer: bytes, size: int) -> None:
    reader = Reader()
    parts = [answer[i : i + size] for i in range(0, len(answer), size)]
    for _ in range(2):  # the connection lives on
        assert [reader.feed(part) for part in parts] == [False] * (len(parts) - 1) + [True]
        assert reader.status == 200
        assert not reader.closes


def test_an_answer_without_a_body_ends_with_its_head() -> None:
    reader = Reader()
    assert reader.feed(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
    assert reader.status == 503


def test_an_interim_answer_is_passed_over() -> None:
    reader = Reader()
    assert not reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert reader.feed(b"HTTP/1.1 102 Processing\r\n\r\n" + _OK)
    assert reader.status == 200


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close", b"HTTP/1.0 200 OK"])
def test_a_server_that_closes_is_believed(head: bytes) -> None:
    reader = Reader()
    assert reader.feed(head + b"\r\nContent-Length: 0\r\n\r\n")
    assert reader.closes


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n\r\n", _OK + b"more", b"HTTP/1.1 abc\r\n\r\n"]
)
def test_what_is_no_answer_of_a_known_length_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Reader().feed(data)
