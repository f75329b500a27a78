"""Words that messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

__all__ = ["close", "nearest"]

_ALIKE = 0.7
"""Less alike than this, a word is another one, and no slip of the fingers."""


def nearest(word: str, known: Iterable[str], meant: Mapping[str, str] | None = None) -> str:
    """The end of a sentence that says a word is not known: the nearest that is, else all.

    Args:
        word: what came.
        known: the right ones.
        meant: what people mean by words of other libraries, as it should be written.
    """
    names = list(known)
    said = (meant or {}).get(word.lower())
    if said is not None:
        return f"; did you mean {said}?"
    found = close(word, names)
    if found is not None:
        return f"; did you mean '{found}'?"
    return f"; known are {', '.join(names)}" if names else "; there are none"


def close(word: str, known: Iterable[str]) -> str | None:
    """The known word of which another is surely a slip of the fingers, if there is one."""
    by_small = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_small, n=1, cutoff=_ALIKE)
    return by_small[found[0]] if found else None
