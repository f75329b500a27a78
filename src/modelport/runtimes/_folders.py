"""Folders that are one model: what they may not hold."""

from __future__ import annotations

from pathlib import Path

from modelport.core.errors import UnsupportedModel

__all__ = ["refuse_links"]


def refuse_links(folder: Path) -> None:
    """Refuse a folder with links, which lead to what its digest does not cover.

    Raises:
        UnsupportedModel: names the first link.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise UnsupportedModel(
                f"'{folder.name}' holds the link '{path.name}'; a model's folder must hold plain"
                " files only"
            )
