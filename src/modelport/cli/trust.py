"""`modelport trust`: which files may run code when they are loaded; and `--trust` everywhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from modelport.cli.output import out

__all__ = ["command", "trusted"]


def command(
    forget: Annotated[
        str | None, typer.Option(help="A digest (sha256:...) to trust no longer.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the digests that you allowed with --trust, or take one back."""
    from modelport.app.trust import distrust, trusted_before

    if forget is not None:
        distrust(forget)
        sys.stderr.write(f"{forget} is trusted no longer; a server that runs has loaded it\n")
        return
    digests = [f"sha256:{digest}" for digest in sorted(trusted_before())]
    if as_json:
        out(json.dumps(digests))
    else:
        out("\n".join(digests) if digests else "No file is trusted.")


def trusted(given: Iterable[str]) -> frozenset[str]:
    """Everything that this user trusts, with what `--trust` adds; says what is new."""
    from modelport.app.trust import trust

    everything, new = trust(given)
    for digest in sorted(new):
        sys.stderr.write(
            f"sha256:{digest} is trusted from now on; 'modelport trust --forget' takes it back\n"
        )
    return everything
