"""The session's cookie: its name, how it is read, and how it is set and taken back.

With TLS its name begins with `__Host-`: browsers take such a cookie only from the host itself, over
TLS and for all its paths, so that no neighbour can put one in its place
(https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis, section 4.1.3.2).
"""

from __future__ import annotations

from modelport.http.wire import Head

__all__ = ["clear_cookie", "cookie_name", "session_in", "set_cookie"]

_NAME = "modelport-session"


def cookie_name(*, secure: bool) -> str:
    """What the cookie is called, by whether browsers speak TLS with the server."""
    return f"__Host-{_NAME}" if secure else _NAME


def session_in(head: Head, *, secure: bool) -> str | None:
    """The session's token in a head; None where there is none, or more than one."""
    name = cookie_name(secure=secure).encode()
    found = [
        value.strip()
        for header, line in head.headers
        if header == b"cookie"
        for key, _, value in (pair.partition(b"=") for pair in line.split(b";"))
        if key.strip() == name
    ]
    return found[0].decode("latin-1") if len(found) == 1 else None


def set_cookie(token: str, lasts_s: int, *, secure: bool) -> bytes:
    """The header line that has a browser keep a session."""
    attributes = f"; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict"
    if secure:
        attributes += "; Secure"
    return f"set-cookie: {cookie_name(secure=secure)}={token}{attributes}\r\n".encode()


def clear_cookie(*, secure: bool) -> bytes:
    """The header line that has a browser forget it."""
    return set_cookie("", 0, secure=secure)
