"""Tables for people: fitted to the terminal, unbroken lines where the output is piped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["print_table"]

_PIPED_WIDTH = 200


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print rows under the names of their columns, or what to say where there are none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    console = Console(highlight=False, width=width)
    if not rows:
        console.print(empty, markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
