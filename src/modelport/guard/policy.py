"""The gate's decisions: who a caller is, and whether a permission is theirs."""

from __future__ import annotations

import hmac
import ipaddress
import math
from collections.abc import Mapping
from enum import Enum

import msgspec

from modelport.core.errors import Forbidden, Unauthenticated
from modelport.core.messages import PRIORITIES, Priority
from modelport.guard.auth import KeyRecord, recognise
from modelport.guard.sessions import Session, Sessions, csrf_token, session_of

__all__ = [
    "Caller",
    "Permission",
    "Policy",
    "Principal",
    "admit",
    "check_origin",
    "check_sign_in",
    "granted",
    "is_admitted",
    "is_anybody",
    "is_public",
    "permit",
    "prioritise",
]


class Permission(Enum):
    """What a route asks of its caller."""

    PUBLIC = "public"
    """Nothing: whether the server lives and is ready."""
    READ = "read"
    """To see the models that are served, their documentation and the metrics."""
    INFER = "infer"
    """To use a model."""
    ADMIN = "admin"
    """To change what is served and who may call."""


_GRANTS: Mapping[str, frozenset[Permission]] = {
    "public": frozenset({Permission.PUBLIC, Permission.READ, Permission.INFER}),
    "infer": frozenset({Permission.PUBLIC, Permission.READ, Permission.INFER}),
    "admin": frozenset(Permission),
}

_ORDER = tuple(PRIORITIES)
_WITHOUT_KEY = ("local", "anyone")
_ANYBODY = "public"
"""The name and role of whoever uses a public app: together they have one share of a model."""

_NEEDS_KEY = (
    "this server needs a key: send the header 'Authorization: Bearer KEY'"
    " (its operator makes one with 'modelport keys create')"
)
_ENDED = (
    "this server needs a key, and the session of this cookie has ended: sign in again, or send"
    " the header 'Authorization: Bearer KEY'"
)
_BY_COOKIE_ALONE = (
    "a request with the session's cookie that may change something needs two headers more:"
    " 'X-CSRF-Token' with the value that GET /session gives as 'csrf', and an 'Origin' that is"
    " this server's (or 'Sec-Fetch-Site: same-origin'), both of which its own pages send"
)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What a request shows of who sends it."""

    loopback: bool
    """Whether the connection comes from this machine."""
    host: str | None = None
    """The Host header."""
    origin: str | None = None
    """The Origin header, which browsers send for pages."""
    fetch_site: str | None = None
    """The Sec-Fetch-Site header, in which browsers say how far off that page is."""
    authorization: str | None = None
    """The Authorization header."""
    session: str | None = None
    """The token in the session's cookie."""
    csrf: str | None = None
    """The X-CSRF-Token header."""
    changes: bool = True
    """Whether the method may change something, as all may but GET, HEAD and OPTIONS."""
    now: float = math.inf
    """Seconds since the epoch; by itself a time at which every session has ended."""


class Principal(msgspec.Struct, frozen=True):
    """Who is calling."""

    name: str
    role: str
    """Of a key; `public` is nobody in particular, at an address of a public app."""
    priority: Priority = "normal"
    """That of requests which ask for none."""
    highest: Priority = "high"
    """What its requests may ask for at most."""
    session: Session | None = None
    """Where a cookie says who it is: what is decided for them holds for this request alone."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided."""

    keys: Mapping[str, KeyRecord] = {}
    """By id. As soon as there is an `infer` key, callers without one are refused."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, besides those of loopback, under which this server may be addressed."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call, as `https://app.example`."""
    open_to_all: bool = False
    """Callers from other machines need no key either (`--insecure`)."""
    admin_key_id: str = ""
    """The admin token that the first start makes; it does not close the door for others."""
    sessions: Sessions = msgspec.field(default_factory=Sessions)
    behind_tls: bool = False
    """A proxy in front does TLS."""
    public_apps: frozenset[str] = frozenset()
    """The models whose apps need no key now: those whose owner and operator both say so."""

    @property
    def needs_key(self) -> bool:
        """Whether inference and reading need a key."""
        return any(key_id != self.admin_key_id for key_id in self.keys)


def is_public(policy: Policy, model: str | None) -> bool:
    """Whether a model's app needs no key; without a model, whether that of any does."""
    return bool(policy.public_apps) if model is None else model in policy.public_apps


def admit(policy: Policy, caller: Caller, *, public: bool = False) -> Principal:
    """Who the caller is.

    Args:
        policy: what the operator decided.
        caller: what the request shows.
        public: whether it is for a public app. That opens it for callers without any credentials
            only: who shows a wrong key, or a session that has ended, is told so.

    Raises:
        Forbidden: a page of another origin, a Host that is not this server's name, or a change
            by the cookie alone.
        Unauthenticated: a key is needed and none came, or one that nobody issued.
    """
    check_origin(policy, caller)
    if caller.authorization is not None:
        return _by_key(policy, caller.authorization)
    if caller.session is not None and (known := _by_session(policy, caller)) is not None:
        return known
    if policy.needs_key or not (policy.open_to_all or caller.loopback):
        if public and caller.session is None:
            _check_host(policy, caller, literal=True)
            return Principal(_ANYBODY, _ANYBODY, "low", "low")
        raise Unauthenticated(_NEEDS_KEY if caller.session is None else _ENDED)
    if policy.open_to_all:
        return Principal("anyone", "infer")
    _check_host(policy, caller)
    return Principal("local", "infer")


def check_origin(policy: Policy, caller: Caller) -> None:
    """Refuse pages of other origins, but for those that the operator allows.

    Raises:
        Forbidden: it is such a page.
    """
    origin = caller.origin
    if origin is None or origin in policy.cors_origins or _is_own_origin(caller):
        return
    raise Forbidden(
        f"pages of the origin {origin[:200]!r} may not call this server; its operator can allow"
        " it with --cors-origin"
    )


def check_sign_in(policy: Policy, caller: Caller) -> None:
    """Refuse to let a page of another origin sign its visitor in as somebody else.

    Raises:
        Forbidden: a browser says that it is such a page, whatever the operator allows it besides.
    """
    check_origin(policy, caller)
    is_page = caller.origin is not None or caller.fetch_site not in (None, "none")
    if is_page and not _is_own_page(caller):
        raise Forbidden("only this server's own pages may sign in here")


def granted(role: str) -> tuple[Permission, ...]:
    """What a role allows."""
    return tuple(permission for permission in Permission if permission in _GRANTS[role])


def is_admitted(policy: Policy, principal: Principal) -> bool:
    """Whether somebody who was admitted before still would be, as far as keys tell."""
    if principal.name in _WITHOUT_KEY:
        return not policy.needs_key
    return principal.name in policy.keys


def is_anybody(principal: Principal) -> bool:
    """Whether it is nobody in particular, who uses a public app."""
    return principal.role == _ANYBODY


def permit(principal: Principal, permission: Permission) -> None:
    """Refuse what the caller's role does not grant.

    Raises:
        Unauthenticated: an admin operation without a key.
        Forbidden: the key's role does not allow it.
    """
    if permission in _GRANTS[principal.role]:
        return
    if principal.name in _WITHOUT_KEY:
        raise Unauthenticated(
            "admin operations need the admin token or a key of the role 'admin': send"
            " 'Authorization: Bearer KEY', or sign in with it (the first start wrote the token to"
            " the file 'admin-token' in its state folder, unless servers share a store; 'modelport"
            " keys create --role admin' makes a key)"
        )
    raise Forbidden(
        f"a key of role '{principal.role}' may not do this: it needs '{permission.value}'",
        needs=permission.value,
    )


def prioritise(principal: Principal, asked: Priority | None) -> Priority:
    """The priority of a caller's request: the one that it asks for, else the caller's own.

    Raises:
        Forbidden: it asks for a higher one than the caller may.
    """
    if asked is None:
        return principal.priority
    if _ORDER.index(asked) > _ORDER.index(principal.highest):
        whose = "without a key" if is_anybody(principal) else "with this key"
        raise Forbidden(
            f"requests {whose} have the priority '{principal.highest}' at most, and"
            f" '{asked}' was asked for; a key for that is made with"
            f" 'modelport keys create --priority {asked}'",
            highest=principal.highest,
        )
    return asked


def _by_key(policy: Policy, authorization: str) -> Principal:
    scheme, _, key = authorization.partition(" ")
    record = recognise(key.strip(), policy.keys) if scheme.lower() == "bearer" else None
    if record is None:
        raise Unauthenticated(
            "this key is not known here: send 'Authorization: Bearer KEY' with a key that"
            " 'modelport keys create' made and nobody revoked"
        )
    return _principal(policy, record)


def _by_session(policy: Policy, caller: Caller) -> Principal | None:
    session = session_of(policy.sessions, caller.session or "", policy.keys, caller.now)
    if session is None:
        return None
    # Browsers send the cookie whoever made the request. What only a page of this server could
    # have read, and what the browser says of the page, tell that it was one of ours.
    own = csrf_token(policy.sessions, session)
    is_told = hmac.compare_digest((caller.csrf or "").encode(), own.encode())
    if caller.changes and not (is_told and _is_own_page(caller)):
        raise Forbidden(_BY_COOKIE_ALONE)
    return _principal(policy, policy.keys[session.key_id], session)


def _principal(policy: Policy, record: KeyRecord, session: Session | None = None) -> Principal:
    highest = "high" if record.id == policy.admin_key_id else record.priority
    return Principal(record.id, record.role, record.priority, highest, session)


def _is_own_origin(caller: Caller) -> bool:
    origin, host = caller.origin or "", caller.host or ""
    return bool(host) and origin.partition("://")[2].lower() == host.lower()


def _is_own_page(caller: Caller) -> bool:
    """Whether the browser says that a page of this server sends it."""
    return caller.fetch_site == "same-origin" or _is_own_origin(caller)


def _check_host(policy: Policy, caller: Caller, *, literal: bool = False) -> None:
    """Refuse a name that is not this server's; a literal address is one for callers from afar."""
    # Without keys, the Host header is what tells a call that its user meant from one that a web
    # page made through a name of its own that resolves to 127.0.0.1 (DNS rebinding).
    name = _host_name(caller.host or "")
    if literal and _address(name) is not None:
        return
    if not _is_loopback(name) and name not in map(str.lower, policy.allowed_hosts):
        raise Forbidden(
            f"this server is not called {name[:200]!r}: address it as localhost, or let its"
            " operator add the name with --allowed-host"
        )


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_loopback(name: str) -> bool:
    """Whether it is this machine's own name or a literal address, which no other name can be."""
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The literal address that a name is."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
