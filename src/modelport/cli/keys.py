"""`modelport keys`: who may call."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from modelport.cli.output import out, print_table

__all__ = ["RoleName", "app"]

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


class RoleName(StrEnum):
    """What a key may do."""

    infer = "infer"
    admin = "admin"


@app.command()
def create(
    role: Annotated[RoleName, typer.Option(help="What the key may do.")],
    name: Annotated[str, typer.Option(help="Whose key it is, for the list.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a key and print it, for the only time; from then on callers need one."""
    from modelport.app.keys import create_key, tell_servers

    key, record = create_key(role.value, name)
    if as_json:
        out(json.dumps({"key": key, "id": record.id, "role": record.role, "name": record.name}))
    else:
        out(key)
        sys.stderr.write(
            "Keep it: it is not shown again. Callers send it as 'Authorization: Bearer KEY'.\n"
        )
    tell_servers()  # after it was printed: a server that hangs does not cost the key


@app.command(name="list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the keys, without their secrets."""
    from modelport.app.keys import all_keys

    rows = [{"id": r.id, "role": r.role, "name": r.name, "created": r.created} for r in all_keys()]
    if as_json:
        out(json.dumps(rows))
        return
    columns = ("id", "role", "name", "created")
    print_table(columns, [[*row.values()] for row in rows], empty="There are no keys.")


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")]) -> None:
    """Make a key stop working, at once."""
    from modelport.app.keys import all_keys, revoke_key

    revoke_key(key_id)
    sys.stderr.write(f"key {key_id} is revoked\n")
    if not all_keys():
        sys.stderr.write("warning: no key is left: callers on this machine now need none\n")
