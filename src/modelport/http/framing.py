"""From what llhttp parsed to a `Head`, with the refusals that RFC 9112 asks for and llhttp leaves.

A request that two servers could read differently is refused, whatever this one makes of it.
"""

from __future__ import annotations

import re

import httptools

from modelport.core.errors import InvalidInput, ModelportError
from modelport.http.wire import Head

__all__ = ["check_framing", "complete_head", "expects_continue", "refusal", "without_offer"]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def complete_head(
    parser: httptools.HttpRequestParser,
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    loopback: bool,
) -> Head:
    """The head of the request that the parser is at."""
    absolute = None if target.startswith(b"/") else _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        # What a client sends to a proxy: the address it names is the one it means, whatever its
        # Host header says (RFC 9112, section 3.2.2).
        authority, path = absolute.groups()
        target = path if path.startswith(b"/") else b"/" + path
        headers = [(n, authority if n == b"host" else v) for n, v in headers]
    head = Head(parser.get_method(), target, tuple(headers))
    head.version = parser.get_http_version()
    head.keep_alive = parser.should_keep_alive()
    head.loopback = loopback
    request_id = head.get(b"x-request-id")
    if request_id is not None and _REQUEST_ID.fullmatch(request_id):
        head.request_id = request_id
    length = head.get(b"content-length")
    if length is not None and length.isdigit():
        head.length = int(length)
    elif head.get(b"transfer-encoding") is None:
        head.length = 0
    return head


def check_framing(head: Head) -> None:
    """Refuse what two servers could read differently (RFC 9112, sections 2.3, 3.2, 6.1 and 6.3).

    Raises:
        InvalidInput: says what is wrong; the connection is of no use afterwards.
    """
    if head.version not in ("1.0", "1.1"):
        raise InvalidInput(f"this server speaks HTTP/1.1, not HTTP/{head.version}", status=505)
    encodings: list[bytes] = []
    lengths = hosts = 0
    for name, value in head.headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            lengths += 1
        elif name == b"transfer-encoding":
            encodings.append(value)
    if lengths > 1 or (lengths and head.length is None):
        raise InvalidInput("Content-Length is given once, as a number")
    if hosts > 1 or (hosts == 0 and head.version == "1.1"):
        raise InvalidInput(f"a request has one Host header, and {hosts} came")
    if encodings:
        _check_encodings(encodings, lengths, head.version)


def _check_encodings(encodings: list[bytes], lengths: int, version: str) -> None:
    if lengths:
        raise InvalidInput("a request has Content-Length or Transfer-Encoding, not both")
    if version == "1.0":
        raise InvalidInput("HTTP/1.0 has no Transfer-Encoding")
    if len(encodings) > 1 or encodings[0].lower() != b"chunked":
        raise InvalidInput("the only Transfer-Encoding known is chunked", status=501)


def expects_continue(head: Head) -> bool:
    """Whether the client waits for word from us before it sends the body.

    Raises:
        InvalidInput: it expects something else (417).
    """
    expectation = head.get(b"expect")
    if expectation is None or head.version == "1.0":  # RFC 9110, section 10.1.1
        return False
    if expectation.lower() != b"100-continue":
        raise InvalidInput("the only expectation known is 100-continue", status=417)
    return head.length != 0


def without_offer(
    parser: httptools.HttpRequestParser, target: bytes, headers: list[tuple[bytes, bytes]]
) -> bytes:
    """The head that the parser read, without the offer to go on in another protocol."""
    kept = [header for header in headers if header[0] not in (b"connection", b"upgrade")]
    lines = [b"%b: %b\r\n" % header for header in (*kept, (b"connection", b"close"))]
    start = parser.get_method(), target, parser.get_http_version().encode()
    return b"%b %b HTTP/%b\r\n%b\r\n" % (*start, b"".join(lines))


def refusal(error: httptools.HttpParserError) -> Exception:
    """What stopped the parser: our own decision in one of its callbacks, or bytes it refuses."""
    if isinstance(error, httptools.HttpParserCallbackError) and isinstance(
        error.__context__, Exception
    ):
        return error.__context__
    return _not_http(error)


def _not_http(error: httptools.HttpParserError) -> ModelportError:
    words = str(error).split("\n")[0][:200] or type(error).__name__
    return InvalidInput(f"this is not HTTP/1.1 as RFC 9112 has it: {words}")
