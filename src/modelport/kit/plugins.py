"""Entry points of installed packages, read once per process."""

from __future__ import annotations

import functools
import importlib.metadata
from importlib.metadata import EntryPoint

__all__ = ["entry_points"]


@functools.cache
def entry_points(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; of two with one name, the first found wins."""
    found: dict[str, EntryPoint] = {}
    for entry in importlib.metadata.entry_points(group=group):
        found.setdefault(entry.name, entry)
    return found
