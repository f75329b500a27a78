"""`modelport formats`: which model files can be served, and which of them are safe to load."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the formats: their files, what they need, whether loading one can run code."""
    from modelport.runtimes.formats import known_formats

    rows = [
        {
            "name": known.name,
            "files": known.shown,
            "safe": known.safe,
            "why": known.why,
            "grade": known.grade,
            "extra": known.extra,
            "installed": known.is_installed,
            "install": known.install,
        }
        for known in known_formats()
    ]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("format", "files", "extra", "installed", "grade", "safe to load"):
        name = column == "format"
        table.add_column(column, header_style="dim", overflow="fold", no_wrap=name)
    for row in rows:
        installed = "[green]yes[/]" if row["installed"] else "[yellow]no[/]"
        safe = f"[green]yes[/]: {row['why']}" if row["safe"] else f"[red]no[/]: {row['why']}"
        extra = str(row["extra"] or "")
        table.add_row(
            str(row["name"]), str(row["files"]), extra, installed, str(row["grade"]), safe
        )
    Console(highlight=False).print(table)
