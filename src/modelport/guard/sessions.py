"""Sessions: what a browser's cookie says of who signed in, and for how long it holds.

A session is a text that this server, or another with the same secret, has signed. Nothing of it
is stored:

    1.<key id>.<begun>.<ends>.<random id>.<HMAC-SHA256 of all before, and of the key's hash>

Its parts are hexadecimal, seconds since the epoch, and base64url. Because the key's hash is signed
with it, a session is worth no more than its key: without that it is nobody's.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Mapping

import msgspec

from modelport.guard.auth import KeyRecord

__all__ = ["Session", "Sessions", "csrf_token", "new_session", "session_of"]

_SESSION, _CSRF = b"modelport session", b"modelport csrf"
"""What a signature is for: one of the one kind is none of the other."""
_TOKEN = re.compile(
    r"(1\.([0-9a-f]{12})\.([0-9]{1,11})\.([0-9]{1,11})\.([A-Za-z0-9_-]{22}))\.([A-Za-z0-9_-]{43})"
)


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """How sessions are signed, and how long they last."""

    secret: bytes = msgspec.field(default_factory=lambda: secrets.token_bytes(32))
    """Servers that share it accept each other's sessions; by itself one that nobody knows."""
    lasts_s: int = 12 * 3600

    def __repr__(self) -> str:
        # What holds this may be written to a log.
        return f"Sessions(lasts_s={self.lasts_s})"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody signed in."""

    key_id: str
    """The key that they had, or for whose owner a link was made."""
    begun: int
    """Seconds since the epoch."""
    ends: int
    id: str
    """128 random bits, so that no two sessions have one CSRF token."""

    @property
    def text(self) -> str:
        """What is signed of it."""
        return f"1.{self.key_id}.{self.begun}.{self.ends}.{self.id}"


def new_session(sessions: Sessions, record: KeyRecord, now: float) -> str:
    """The token of a session that begins now, for whoever has shown the key of that record."""
    begun = int(now)
    session = Session(
        key_id=record.id, begun=begun, ends=begun + sessions.lasts_s, id=secrets.token_urlsafe(16)
    )
    return f"{session.text}.{_signature(sessions, _SESSION, session.text, record.hash)}"


def session_of(
    sessions: Sessions, token: str, records: Mapping[str, KeyRecord], now: float
) -> Session | None:
    """The session of a token; None where nobody signed it, it has ended, or its key has."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    text, key_id, begun, ends, random_id, signature = match.groups()
    record = records.get(key_id)
    expected = _signature(sessions, _SESSION, text, record.hash if record is not None else "")
    if not hmac.compare_digest(signature, expected) or record is None:
        return None
    session = Session(key_id=key_id, begun=int(begun), ends=int(ends), id=random_id)
    # The present setting counts, too: an operator who shortens it means sessions that there are.
    return session if now < min(session.ends, session.begun + sessions.lasts_s) else None


def csrf_token(sessions: Sessions, session: Session) -> str:
    """What a page sends beside the cookie, to show that it could read what the server told it."""
    return _signature(sessions, _CSRF, session.text, "")


def _signature(sessions: Sessions, purpose: bytes, text: str, key_hash: str) -> str:
    said = b"\0".join((purpose, text.encode(), key_hash.encode()))
    digest = hmac.digest(sessions.secret, said, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
