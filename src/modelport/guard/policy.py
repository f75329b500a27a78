"""The gate's decisions: who a caller is, and whether a permission is theirs."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import Enum

import msgspec

from modelport.core.errors import Forbidden, Unauthenticated
from modelport.core.messages import PRIORITIES, Priority
from modelport.guard.auth import KeyRecord, recognise

__all__ = ["Caller", "Permission", "Policy", "Principal", "admit", "permit", "prioritise"]


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
    "infer": frozenset({Permission.PUBLIC, Permission.READ, Permission.INFER}),
    "admin": frozenset(Permission),
}

_ORDER = tuple(PRIORITIES)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What a request shows of who sends it."""

    loopback: bool
    """Whether the connection comes from this machine."""
    host: str | None = None
    """The Host header."""
    origin: str | None = None
    """The Origin header, which browsers send for pages."""
    authorization: str | None = None
    """The Authorization header."""


class Principal(msgspec.Struct, frozen=True):
    """Who is calling."""

    name: str
    role: str
    priority: Priority = "normal"
    """That of requests which ask for none."""
    highest: Priority = "high"
    """What its requests may ask for at most."""


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

    @property
    def needs_key(self) -> bool:
        """Whether inference and reading need a key."""
        return any(key_id != self.admin_key_id for key_id in self.keys)


def admit(policy: Policy, caller: Caller) -> Principal:
    """Who the caller is.

    Raises:
        Forbidden: a page of another origin, or a Host that is not this server's name.
        Unauthenticated: a key is needed and none came, or one that nobody issued.
    """
    _check_origin(policy, caller)
    if caller.authorization is not None:
        return _by_key(policy, caller.authorization)
    if policy.open_to_all and not policy.needs_key:
        return Principal("anyone", "infer")
    if policy.needs_key or not caller.loopback:
        raise Unauthenticated(
            "this server needs a key: send the header 'Authorization: Bearer KEY'"
            " (its operator makes one with 'modelport keys create')"
        )
    _check_host(policy, caller)
    return Principal("local", "infer")


def permit(principal: Principal, permission: Permission) -> None:
    """Refuse what the caller's role does not grant.

    Raises:
        Unauthenticated: an admin operation without a key.
        Forbidden: the key's role does not allow it.
    """
    if permission in _GRANTS[principal.role]:
        return
    if principal.name in ("local", "anyone"):
        raise Unauthenticated(
            "admin operations need the admin token: send 'Authorization: Bearer TOKEN'"
            " (the first start wrote it to the file 'admin-token' in its state folder)"
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
        raise Forbidden(
            f"requests with this key have the priority '{principal.highest}' at most, and"
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
    is_operator = record.id == policy.admin_key_id
    highest = "high" if is_operator else record.priority
    return Principal(record.id, record.role, record.priority, highest)


def _check_origin(policy: Policy, caller: Caller) -> None:
    origin = caller.origin
    if origin is None or origin in policy.cors_origins:
        return
    if caller.host and origin.partition("://")[2].lower() == caller.host.lower():
        return
    raise Forbidden(
        f"pages of the origin {origin[:200]!r} may not call this server; its operator can allow"
        " it with --cors-origin"
    )


def _check_host(policy: Policy, caller: Caller) -> None:
    # Without keys, the Host header is what tells a call that its user meant from one that a web
    # page made through a name of its own that resolves to 127.0.0.1 (DNS rebinding).
    name = _host_name(caller.host or "")
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
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
