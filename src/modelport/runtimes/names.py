"""Which files are models, told by their names alone."""

from __future__ import annotations

from pathlib import Path

from modelport.kit import plugins

__all__ = ["GROUP", "is_model", "known_endings"]

GROUP = "modelport.formats"


def known_endings() -> frozenset[str]:
    """Every file ending that a runtime is registered for, without the dot."""
    return frozenset(plugins.entry_points(GROUP))


def is_model(path: Path) -> bool:
    """Whether a runtime is registered for the file's ending."""
    return path.suffix.lower().lstrip(".") in known_endings()
