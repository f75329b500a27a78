"""Addresses of other machines' services, as logs and errors may have them."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["shown"]


def shown(url: str) -> str:
    """An address without name, password and options."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "the given address"
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":  # of a password with '#' or '/' in it
        return "the given address"
    return f"{parts.scheme}://{host}{parts.path}"
