"""API keys: how they are made, stored and recognised.

A key is `mp_<id>_<secret>`: the id finds the record, and the SHA-256 of the secret is compared in
constant time. The secret has 256 random bits, so a slow password hash would add cost, not safety
(OWASP Password Storage Cheat Sheet speaks of secrets that people choose).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Literal

import msgspec

from modelport.core.messages import Priority

__all__ = ["KeyRecord", "Role", "new_key", "recognise", "record_of"]

Role = Literal["infer", "admin"]

_KEY = re.compile(r"mp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is stored: without the secret."""

    id: str
    role: Role
    hash: str
    """The SHA-256 of the secret, in hexadecimal."""
    name: str = ""
    """What its maker called it."""
    created: str = ""
    """ISO 8601, UTC."""
    priority: Priority = "normal"
    """That of its requests, and the highest that they may ask for."""


def new_key(
    role: Role, name: str = "", created: str = "", priority: Priority = "normal"
) -> tuple[str, KeyRecord]:
    """A new key, to be shown once, and its record."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    record = KeyRecord(
        id=key_id,
        role=role,
        hash=_hash(secret),
        name=name,
        created=created,
        priority=priority,
    )
    return f"mp_{key_id}_{secret}", record


def recognise(key: str, records: Mapping[str, KeyRecord]) -> KeyRecord | None:
    """The record of a key, or None where nobody issued it."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    record = records.get(match[1])
    stored = record.hash if record is not None else "0" * 64
    same = hmac.compare_digest(_hash(match[2]), stored)
    return record if same else None


def record_of(key: str, role: Role, name: str) -> KeyRecord | None:
    """The record that a key would be stored as; None where it is no key."""
    match = _KEY.fullmatch(key)
    return (
        None
        if match is None
        else KeyRecord(id=match[1], role=role, hash=_hash(match[2]), name=name)
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
