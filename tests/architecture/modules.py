"""Every module of the package, found on disk."""

from __future__ import annotations

from pathlib import Path

import modelport

__all__ = ["NAMES", "ROOT"]

ROOT = Path(modelport.__file__).parent


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = sorted(_name(path) for path in ROOT.rglob("*.py"))
