"""Standard output, whose reader may leave at any time: `modelport inspect … | head -1`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Unread", "console", "out"]


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


def console(*, soft_wrap: bool = False) -> Console:
    """Where tables are printed; raises `Unread` where nobody reads them."""
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> NoReturn:
            _leave_off()
            raise Unread

    return Printer(highlight=False, soft_wrap=soft_wrap)


def _leave_off() -> None:
    """Have nothing more written, so that the interpreter does not try once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
