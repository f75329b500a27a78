"""`multipart/form-data`: the parts of a form, as browsers and `curl -F` send them.

Source: RFC 7578.
"""

from __future__ import annotations

import logging

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from modelport.core.errors import InvalidInput
from modelport.http.wire import Head

__all__ = ["boundary", "form_parts"]

# What is wrong with a body is told to who sent it; the log is not theirs to fill.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_PARTS = 1024
"""More values than this are a table, and no form."""


def boundary(head: Head) -> bytes:
    """The line that separates the parts.

    Raises:
        InvalidInput: the head does not say it.
    """
    _, options = parse_options_header(head.get(b"content-type"))
    found = options.get(b"boundary")
    if not found or len(found) > 70:
        raise InvalidInput("multipart/form-data needs a boundary of 1 to 70 characters")
    return found


def form_parts(body: bytes, separator: bytes) -> dict[str, list[bytes]]:
    """The contents of the parts by their names, in order.

    Raises:
        InvalidInput: the body is no such form, ends too early, or a part has no name.
    """
    reading = _Reading()
    parser = MultipartParser(
        separator,
        {
            "on_part_begin": reading.begin,
            "on_part_data": reading.data,
            "on_part_end": reading.end,
            "on_header_field": reading.field,
            "on_header_value": reading.value,
            "on_header_end": reading.header,
            "on_end": reading.finish,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise InvalidInput(f"the body is no multipart/form-data: {error}") from error
    if not reading.is_whole:
        raise InvalidInput("the multipart/form-data ends too early: its last boundary is missing")
    return reading.parts


class _Reading:
    """What the parser has seen."""

    def __init__(self) -> None:
        self.parts: dict[str, list[bytes]] = {}
        self.is_whole = False
        self._count = 0
        self._name: str | None = None
        self._content: list[bytes] = []
        self._field = self._value = b""

    def begin(self) -> None:
        self._count += 1
        if self._count > _PARTS:
            raise InvalidInput(f"a form has at most {_PARTS} parts; send a table as CSV or JSON")
        self._name, self._content = None, []

    def field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            name = options.get(b"name")
            self._name = None if name is None else name.decode("utf-8", "replace")
        self._field = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def end(self) -> None:
        if self._name is None:
            raise InvalidInput("a part of the form has no name")
        self.parts.setdefault(self._name, []).append(b"".join(self._content))

    def finish(self) -> None:
        self.is_whole = True
