"""Signing in from a browser: a key or a link is exchanged for a cookie; a page is told who it is.

These routes are answered from the head, as the gate decides: who the caller is, and not what
they may do, is what they are about.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec

from modelport.core.errors import Forbidden, InvalidInput, PayloadTooLarge, Unauthenticated
from modelport.guard.auth import KeyRecord, recognise
from modelport.guard.links import link_hash
from modelport.guard.policy import (
    Caller,
    Permission,
    Policy,
    Principal,
    admit,
    check_origin,
    check_sign_in,
    granted,
)
from modelport.guard.sessions import csrf_token, new_session
from modelport.http.callers import CurrentPolicy, caller_of, is_secure
from modelport.http.cookies import clear_cookie, set_cookie
from modelport.http.routes import Route
from modelport.http.wire import JSON, Handler, Head, Reply, reply

__all__ = ["Redeem", "session_routes"]

Redeem: TypeAlias = Callable[[str], Awaitable[bool]]
"""From a link's hash to whether it was good, which it is once; raises `NotReady`."""

_LARGEST = 4096
_PATH = "/session"
_HEADERS = JSON + b"cache-control: no-store\r\n"
_WRONG_KEY = (
    "nobody can sign in with this: give a key that 'modelport keys create' made and nobody"
    " revoked, or the admin token"
)
_WRONG_LINK = (
    "nobody can sign in with this link: it was used, or is older than 15 minutes, or was never"
    " made here; 'modelport keys link' makes another"
)
_FORM = 'the body is {"key": "…"} or {"link": "…"}'


class _SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to sign in with: one of these."""

    key: str | None = None
    link: str | None = None


class _Who(msgspec.Struct):
    """Who a page calls for."""

    signed_in: bool
    """By the cookie."""
    principal: str | None
    """The name of their key, or its id where it has none."""
    role: str | None
    needs_key: bool
    """Whether they need a key, or to be signed in, to see and to use anything here."""
    csrf: str | None
    """What the header X-CSRF-Token has to say."""
    permissions: tuple[str, ...]
    public_apps: tuple[str, ...]
    """The models whose apps they may use without a key."""


def session_routes(
    policy: CurrentPolicy, redeem: Redeem, clock: Callable[[], float] = time.time
) -> list[Route]:
    """Who am I; sign in; sign out.

    Args:
        policy: what the operator decided, now.
        redeem: of control, which keeps the links.
        clock: seconds since the epoch.
    """

    def show(head: Head, params: Mapping[str, str]) -> Handler:
        head.once = True

        def handler(body: bytes) -> Reply:
            now = policy()
            caller = caller_of(head, now, clock())
            check_origin(now, caller)
            return _told(now, caller)

        return handler

    def enter(head: Head, params: Mapping[str, str]) -> Handler:
        head.once = True

        async def handler(body: bytes) -> Reply:
            check_sign_in(policy(), caller_of(head, policy(), clock()))
            record = await _shown_by(_wanted(body), policy, redeem)
            now = policy()
            caller = caller_of(head, now, clock())
            token = new_session(now.sessions, record, caller.now)
            cookie = set_cookie(token, now.sessions.lasts_s, secure=is_secure(head, now))
            return _told(now, _as_reader(caller, token), cookie)

        return handler

    def leave(head: Head, params: Mapping[str, str]) -> Handler:
        head.once = True

        def handler(body: bytes) -> Reply:
            now = policy()
            caller = caller_of(head, now, clock())
            with contextlib.suppress(Unauthenticated):
                admit(now, caller)  # whoever is signed in is not signed out by other pages
            return _told(now, _as_reader(caller, None), clear_cookie(secure=is_secure(head, now)))

        return handler

    public = Permission.PUBLIC
    return [
        Route(method="GET", path=_PATH, permission=public, prepare=show),
        Route(method="POST", path=_PATH, permission=public, prepare=enter),
        Route(method="DELETE", path=_PATH, permission=public, prepare=leave),
    ]


def _wanted(body: bytes) -> _SignIn:
    if len(body) > _LARGEST:
        raise PayloadTooLarge(f"this takes at most {_LARGEST} bytes", limit=_LARGEST)
    try:
        wanted = msgspec.json.decode(body, type=_SignIn)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{_FORM}: {error}") from error
    if (wanted.key is None) == (wanted.link is None):
        raise InvalidInput(f"{_FORM}, and one of the two")
    return wanted


async def _shown_by(wanted: _SignIn, policy: CurrentPolicy, redeem: Redeem) -> KeyRecord:
    """The record of the key, or of the admin's where a link is good."""
    if wanted.key is not None:
        record, wrong = recognise(wanted.key, policy().keys), _WRONG_KEY
    else:
        kept = link_hash(wanted.link or "")
        is_good = kept is not None and await redeem(kept)
        record, wrong = policy().keys.get(policy().admin_key_id) if is_good else None, _WRONG_LINK
    if record is None:
        raise Unauthenticated(wrong)
    return record


def _as_reader(caller: Caller, token: str | None) -> Caller:
    """The caller as they will be when they next read, with the cookie that they are given."""
    return msgspec.structs.replace(caller, authorization=None, session=token, changes=False)


def _known(policy: Policy, caller: Caller, *, public: bool = False) -> Principal | None:
    try:
        return admit(policy, caller, public=public)
    except (Unauthenticated, Forbidden):
        return None


def _told(policy: Policy, caller: Caller, cookie: bytes = b"") -> Reply:
    known = _known(policy, caller)
    session = None if known is None else known.session
    who = _Who(
        signed_in=session is not None,
        principal=None if known is None else _name(policy, known),
        role=None if known is None else known.role,
        needs_key=_known(policy, _as_reader(caller, None)) is None,
        csrf=None if session is None else csrf_token(policy.sessions, session),
        permissions=() if known is None else _permissions(known.role),
        public_apps=_public_apps(policy, caller),
    )
    return reply(b"200 OK", _HEADERS + cookie, msgspec.json.encode(who))


def _public_apps(policy: Policy, caller: Caller) -> tuple[str, ...]:
    is_let_in = policy.public_apps and _known(policy, caller, public=True) is not None
    return tuple(sorted(policy.public_apps)) if is_let_in else ()


def _permissions(role: str) -> tuple[str, ...]:
    return tuple(p.value for p in granted(role) if p is not Permission.PUBLIC)


def _name(policy: Policy, principal: Principal) -> str:
    record = policy.keys.get(principal.name)
    return principal.name if record is None or not record.name else record.name
