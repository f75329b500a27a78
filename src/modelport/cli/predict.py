"""`modelport predict`: answers without a server."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from modelport.cli.fetching import fetched
from modelport.cli.output import out
from modelport.cli.trust import trusted

__all__ = ["command"]


_FILE = re.compile(r'[^{\["].*\.[A-Za-z][A-Za-z0-9]{1,4}')
"""What is the name of a file, and no JSON."""


def command(
    model: Annotated[str, typer.Argument(help="A model's file, FILE.py:NAME, or a URL.")],
    data: Annotated[
        str | None, typer.Argument(help="A request in plain JSON, or a file as with --input.")
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input", help="Rows from a .csv, .json or .npy file; a picture, recording or text."
        ),
    ] = None,
    trust: Annotated[
        list[str] | None, typer.Option(help="The digest of a file that may run code when loaded.")
    ] = None,
) -> None:
    """Print a model's answer to one request, or to the rows of a file."""
    from modelport.app.prediction import predict_bytes
    from modelport.core.errors import ConfigError

    if (data is None) == (input_file is None):
        raise ConfigError("give one request as JSON, or a file with --input FILE")
    if data is not None and _FILE.fullmatch(data):
        input_file = Path(data)
    model = fetched(model)
    allowed = trusted(trust or ())
    if input_file is None:
        assert data is not None
        # The bytes that the shell gave, whatever they are in its encoding.
        answer = predict_bytes(model, allowed, os.fsencode(data), "json")
    else:
        if not input_file.is_file():
            raise ConfigError(f"there is no file '{input_file}'")
        answer = predict_bytes(
            model, allowed, input_file.read_bytes(), input_file.suffix.lower().lstrip(".")
        )
    out(answer.decode().rstrip("\n"))
