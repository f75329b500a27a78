"""`modelport keys`: who may call."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from modelport.cli.options import ConfigFile, settings_here
from modelport.cli.output import out, print_table

__all__ = ["PriorityName", "RoleName", "app"]

app = typer.Typer(
    help="Make, list and revoke API keys; sign in with a browser.", no_args_is_help=True
)

_FACTS = ("id", "role", "name", "priority")


class RoleName(StrEnum):
    """What a key may do."""

    infer = "infer"
    admin = "admin"


class PriorityName(StrEnum):
    """The turns that a key's requests get, in proportion: 1, 4 or 16."""

    low = "low"
    normal = "normal"
    high = "high"


@app.command()
def create(
    role: Annotated[RoleName, typer.Option(help="What the key may do.")],
    name: Annotated[str, typer.Option(help="Whose key it is, for the list.")] = "",
    priority: Annotated[
        PriorityName,
        typer.Option(help="That of its requests, and the highest that they may ask for."),
    ] = PriorityName.normal,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigFile = None,
) -> None:
    """Make a key and print it, for the only time; from then on callers need one."""
    from modelport.app.keys import create_key
    from modelport.app.servers import tell_servers

    state = settings_here(config).state
    key, record = create_key(state, role.value, name, priority.value)
    if as_json:
        facts = {name: getattr(record, name) for name in _FACTS}
        out(json.dumps({"key": key, **facts}))
    else:
        out(key)
        sys.stderr.write(
            "Keep it: it is not shown again. Callers send it as 'Authorization: Bearer KEY'.\n"
        )
    tell_servers()  # after it was printed: a server that hangs does not cost the key


@app.command(name="list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigFile = None,
) -> None:
    """List the keys, without their secrets."""
    from modelport.app.keys import all_keys

    columns = (*_FACTS, "created")
    records = all_keys(settings_here(config).state)
    rows = [[getattr(record, column) for column in columns] for record in records]
    if as_json:
        out(json.dumps([dict(zip(columns, row, strict=True)) for row in rows]))
        return
    print_table(columns, rows, empty="There are no keys.")


@app.command()
def link(
    url: Annotated[
        str, typer.Option(help="Where browsers reach the server, if not at its own address.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigFile = None,
) -> None:
    """Make a link with which a browser signs in as the admin, once and within 15 minutes."""
    from modelport.app.signing_in import new_links

    links = new_links(settings_here(config).state, url)
    out(json.dumps(links) if as_json else "\n".join(links))


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")],
    config: ConfigFile = None,
) -> None:
    """Make a key stop working: here at once, and within two seconds at servers elsewhere."""
    from modelport.app.keys import all_keys, revoke_key

    state = settings_here(config).state
    revoke_key(state, key_id)
    sys.stderr.write(f"key {key_id} is revoked\n")
    if not all_keys(state):
        sys.stderr.write("warning: no key is left: callers on this machine now need none\n")
