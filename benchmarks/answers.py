"""Reads just enough of an HTTP/1.1 answer to know its status and where it ends."""

from __future__ import annotations

__all__ = ["Reader"]

_HEAD_LIMIT = 65536


class Reader:
    """The answers of one connection, fed as they arrive."""

    __slots__ = ("_chunked", "_missing", "_seen", "closes", "status")

    def __init__(self) -> None:
        self.status = 0
        """Of the answer that was completed last."""
        self.closes = False
        """Whether the server closes the connection after that answer."""
        self._seen = b""
        self._missing = -1
        self._chunked = False

    def feed(self, data: bytes) -> bool:
        """Whether the answer is complete now; raises `ValueError` where it is no answer."""
        if self._missing >= 0:
            self._missing -= len(data)
            return self._is_over()
        self._seen = self._seen + data if self._seen else data
        if self._chunked:
            return self._seen.endswith(b"0\r\n\r\n") and self._over()
        return self._read_head()

    def _read_head(self) -> bool:
        seen = self._seen
        end = seen.find(b"\r\n\r\n")
        if end < 0:
            if len(seen) > _HEAD_LIMIT or not seen.startswith(b"HTTP/1."[: len(seen)]):
                raise ValueError(f"not an HTTP answer: {seen[:40]!r}")
            return False
        self.status = int(seen[9:12])
        if self.status < 200:  # an interim answer: the real one follows
            self._seen = b""
            rest = seen[end + 4 :]
            return bool(rest) and self.feed(rest)
        head = seen[:end].lower()
        self.closes = b"\r\nconnection: close" in head or head.startswith(b"http/1.0")
        start = head.find(b"\r\ncontent-length:")
        if start >= 0:
            stop = head.find(b"\r\n", start + 2)
            length = int(head[start + 17 : stop if stop > 0 else end])
            self._seen = b""
            self._missing = length - (len(seen) - end - 4)
            return self._is_over()
        if b"\r\ntransfer-encoding: chunked" in head:
            self._chunked = True
            self._seen = seen[end + 4 :]
            return self._seen.endswith(b"0\r\n\r\n") and self._over()
        raise ValueError("the answer says neither its length nor that it is chunked")

    def _is_over(self) -> bool:
        if self._missing < 0:
            raise ValueError("more bytes came than the answer has")
        return self._missing == 0 and self._over()

    def _over(self) -> bool:
        self._seen, self._missing, self._chunked = b"", -1, False
        return True
