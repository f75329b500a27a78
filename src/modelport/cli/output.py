"""Standard output, whose reader may leave at any time: `modelport inspect … | head -1`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Unread", "console", "out", "print_table"]

_PIPED_WIDTH = 200
"""Columns of a table that is not read on a terminal, whose lines are better not broken."""


class Unread(Exception):
    """Nobody reads the output any more. No `OSError`, which Typer would end with exit code 1."""


def out(text: str) -> None:
    """Print text and a line's end, at once.

    Raises:
        Unread: nobody reads it.
    """
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        _leave_off()
        raise Unread from error


def console(*, soft_wrap: bool = False, width: int | None = None) -> Console:
    """Where tables are printed; raises `Unread` where nobody reads them."""
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> NoReturn:
            _leave_off()
            raise Unread

    return Printer(highlight=False, soft_wrap=soft_wrap, width=width)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print rows under the names of their columns, or what to say where there are none."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        out(empty)
        return
    table = Table(box=None, pad_edge=False)
    for at, column in enumerate(columns):  # the first is a name, which is typed somewhere
        table.add_column(column, header_style="dim", overflow="fold", no_wrap=at == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)


def _leave_off() -> None:
    """Have nothing more written, so that the interpreter does not try once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
