"""`modelport formats`: which model files can be served, and which of them are safe to load."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from modelport.cli.output import console, out

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
        out(json.dumps(rows, indent=2))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("format", "files", "extra", "installed", "grade", "safe to load"):
        table.add_column(column, header_style="dim", overflow="fold")
    for row in rows:
        installed = "[green]yes[/]" if row["installed"] else "[yellow]no[/]"
        safe = f"[green]yes[/]: {row['why']}" if row["safe"] else f"[red]no[/]: {row['why']}"
        extra = str(row["extra"] or "")
        table.add_row(
            str(row["name"]), str(row["files"]), extra, installed, str(row["grade"]), safe
        )
    console().print(table)
