"""Where a client sends to and how it shows who it is: the url and the key, checked once."""

from __future__ import annotations

import ipaddress
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from modelport.core.errors import ConfigError

__all__ = ["Target", "resolve"]

_KEY_VARIABLE = "MODELPORT_API_KEY"


@dataclass(frozen=True)
class Target:
    """A server, and the headers that every request to it carries."""

    url: str
    """Without a slash at its end."""
    headers: Mapping[str, str] = field(repr=False)
    """Holds the key, so it is never shown."""


def resolve(url: str, key: str | None) -> Target:
    """Check a url and find its key; warns when the key would travel in the clear.

    Args:
        url: `http://` or `https://`, a host, and maybe a path under which the server answers.
        key: None takes the environment's MODELPORT_API_KEY, and the empty text sends none.

    Raises:
        ConfigError: the url or the key cannot be used; the message never shows the key.
    """
    parts = _split(url)
    headers = {"User-Agent": "modelport-client"}
    secret = os.environ.get(_KEY_VARIABLE, "") if key is None else key
    if secret:
        _check_key(secret)
        headers["Authorization"] = f"Bearer {secret}"
        if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            # The frames between: resolve, the client's __init__, and then the caller's line.
            warnings.warn(
                f"the key travels unencrypted to {parts.hostname}: use https:// outside of"
                " trusted networks",
                stacklevel=3,
            )
    return Target(url.rstrip("/"), headers)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # A url that cannot be split could still hold a password, so only one that can is shown.
    if not usable:
        raise ConfigError("the server's url starts with http:// or https:// and names a host")
    if any(mark.isspace() or not mark.isprintable() for mark in url):
        raise ConfigError("the server's url holds a space or a mark that cannot be printed")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "the server's url holds a user name or a password: give the secret as"
            f" Client(url, key=...) or in {_KEY_VARIABLE}"
        )
    if parts.query or parts.fragment:
        raise ConfigError(f"the server's url ends before '?' and '#', and {url!r} came")
    return parts


def _check_key(key: str) -> None:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            "the key holds a space, a line break or a character outside ASCII, which no key does:"
            " look at how it was copied"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
