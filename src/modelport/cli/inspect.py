"""`modelport inspect`: what a model's file says, and how it would be served."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from modelport.cli.fetching import fetched
from modelport.cli.output import console, out
from modelport.cli.trust import trusted
from modelport.core.errors import ConfigError

__all__ = ["command"]


def command(
    model: Annotated[str, typer.Argument(help="A model's file, FILE.py:NAME, or a URL.")],
    trust: Annotated[
        list[str] | None, typer.Option(help="The digest of a file that may run code when loaded.")
    ] = None,
    write_toml: Annotated[
        bool, typer.Option(help="Write a commented model.toml beside the model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a model's signature, meaning, runtime, size, digest and warnings."""
    from modelport.app.inspection import inspect_model, write_starting_toml

    path = fetched(model)
    if write_toml and path != model:
        raise ConfigError("--write-toml writes beside a file of this machine, and this is a URL")
    found = inspect_model(path, trusted(trust or ()))
    if write_toml:
        written = write_starting_toml(model, found)
        sys.stderr.write(f"wrote {written}\n")
    elif as_json:
        out(json.dumps(found.facts, indent=2))
    else:
        _show(found.facts)


def _show(facts: dict[str, Any]) -> None:
    from rich.table import Table

    shown = console(soft_wrap=True)
    head = Table(box=None, show_header=False, pad_edge=False)
    head.add_row("[bold]model[/]", facts["title"] or Path(facts["file"]).name)
    if facts["description"]:
        head.add_row("", facts["description"])
    head.add_row("[bold]runtime[/]", facts["runtime"])
    head.add_row("[bold]size[/]", f"{facts['size_bytes']:,} bytes")
    head.add_row("[bold]digest[/]", facts["digest"])
    shown.print(head)
    _tensors(shown, "inputs", facts["inputs"])
    if facts["fields"] != facts["inputs"]:
        _fields(shown, facts["fields"])
    _tensors(shown, "outputs", facts["outputs"])
    if facts["example"] is not None:
        shown.print("\n[bold]example[/]")
        shown.print(f"  {json.dumps(facts['example'])}", markup=False)
    for note in facts["notes"]:
        shown.print(f"\n[bold]note[/]  {note}")
    for warning in facts["warnings"]:
        shown.print(f"\n[yellow]warning[/]  {warning}")


def _tensors(shown: Any, title: str, tensors: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for tensor in tensors:
        classes = tensor.get("classes")
        kind = tensor.get("kind", "")
        more = f"{kind}: {', '.join(map(str, classes))}" if classes else ""
        table.add_row(f"  {tensor['name']}", tensor["datatype"], str(tensor["shape"]), more)
    shown.print(f"\n[bold]{title}[/]")
    shown.print(table, markup=False)


def _fields(shown: Any, fields: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("  field", "type", "unit", "range", "choices", "may be missing"):
        table.add_column(column, header_style="dim")
    for field in fields:
        low, high = field.get("minimum"), field.get("maximum")
        spread = "" if low is None and high is None else f"{_or(low)} to {_or(high)}"
        table.add_row(
            f"  {field['name']}",
            field.get("kind", field["datatype"]),
            field.get("unit", ""),
            spread,
            ", ".join(map(str, field.get("choices", ()))),
            "yes" if field.get("nullable") else "",
        )
    shown.print("\n[bold]fields[/]")
    shown.print(table, markup=False)


def _or(bound: float | None) -> str:
    return "…" if bound is None else f"{bound:g}"
