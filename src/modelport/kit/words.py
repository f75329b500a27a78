"""Words that messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that says a word is not known: the nearest that is, else all."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.4)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known are {', '.join(names)}" if names else "; there are none"
