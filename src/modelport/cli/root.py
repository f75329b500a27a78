"""The `modelport` command, and how its errors reach the terminal.

Nothing heavy is imported here: the commands import what they need when they run, so that
`--help` and shell completion answer at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from modelport import __version__
from modelport.cli import formats, inspect, keys, predict, repository, serve, trust
from modelport.cli.exits import exit_code
from modelport.cli.output import Unread
from modelport.core.errors import ModelportError

__all__ = ["app", "main"]

app = typer.Typer(
    name="modelport",
    help="From a trained model's file to a typed web API, in one command.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command(name="serve")(serve.command)
app.command(name="inspect")(inspect.command)
app.command(name="predict")(predict.command)
app.command(name="formats")(formats.command)
app.command(name="trust")(trust.command)
for each in repository.COMMANDS:
    app.command(name=each.__name__)(each)
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Entry of the command; errors are one sentence on standard error and an exit code."""
    try:
        app()
    except ModelportError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(exit_code(error))
    except Unread:
        sys.exit(141)  # what a shell says of a program that its reader left


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"modelport {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
