"""`modelport formats`: which model files can be served, and which of them are safe to load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from modelport.cli.output import out, print_table

if TYPE_CHECKING:
    from modelport.runtimes.formats import Format

__all__ = ["command"]


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the formats: their files, what they need, whether loading one can run code."""
    from modelport.runtimes.formats import known_formats

    if as_json:
        out(json.dumps([_facts(known) for known in known_formats()], indent=2))
        return
    print_table(
        ("format", "files", "extra", "installed", "grade", "safe to load"),
        [
            (
                known.name,
                known.shown,
                known.extra or "",
                "yes" if known.is_installed else "no",
                known.grade,
                f"{known.safety}: {known.why}",
            )
            for known in known_formats()
        ],
        empty="",
    )


def _facts(known: Format) -> dict[str, object]:
    return {
        "name": known.name,
        "files": known.shown,
        "safe_to_load": known.safety,
        "why": known.why,
        "grade": known.grade,
        "extra": known.extra,
        "installed": known.is_installed,
        "install": known.install,
    }
