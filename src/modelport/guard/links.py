"""Sign-in links: good once and for a short time, kept without what makes them good.

The link is the part of an address after `#`, which browsers keep to themselves: it is in no log of
a server or a proxy, and a page hands it over in a body.
"""

from __future__ import annotations

import hashlib
import re
import secrets

__all__ = ["LINK_S", "link_address", "link_hash", "new_link"]

LINK_S = 15 * 60
"""How long a link is good."""
_LINK = re.compile(r"[A-Za-z0-9_-]{43}")


def new_link() -> tuple[str, str]:
    """A new link of 256 random bits, to be shown once, and its hash."""
    link = secrets.token_urlsafe(32)
    return link, _hash(link)


def link_hash(link: str) -> str | None:
    """What a link is kept as; None where it is none."""
    return _hash(link) if _LINK.fullmatch(link) else None


def link_address(url: str, link: str) -> str:
    """What to open in a browser, of the server at that URL."""
    return f"{url.rstrip('/')}/sign-in#link={link}"


def _hash(link: str) -> str:
    return hashlib.sha256(link.encode()).hexdigest()
