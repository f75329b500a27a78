"""`modelport serve`: the web API of a model or of a folder of models."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelport.cli.exits import EXIT_CODES
from modelport.cli.fetching import fetched
from modelport.cli.options import with_settings
from modelport.cli.output import Unread, console, out
from modelport.cli.trust import trusted
from modelport.core.errors import ConfigError, LoadError
from modelport.core.settings import Settings

if TYPE_CHECKING:
    from modelport.app.supervisor import Serving

__all__ = ["command"]

_LONGEST_ANSWER = 240
"""Characters of an example's answer that are shown: an embedding has thousands."""


@with_settings
def command(
    model: Annotated[
        str, typer.Argument(help="A model's file, FILE.py:NAME, a folder of models, or a URL.")
    ],
    name: Annotated[
        str | None, typer.Option(help="The model's name, in place of its file's.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line when the server is ready.")
    ] = False,
    *,
    settings: Settings,
) -> None:
    """Serve a model, or every model in a folder, as a web API."""
    from modelport.app.launch import launch

    trusted(settings.security.trust)
    path = fetched(model, settings)
    remote = "" if path == model else model
    has_docs = not settings.server.app_only

    def announce(serving: Serving) -> int:
        return _announce(serving, as_json=as_json, has_docs=has_docs)

    raise typer.Exit(launch(path, name, settings, announce, remote))


def _announce(serving: Serving, *, as_json: bool, has_docs: bool) -> int:
    """Say what is served; where nothing is, the exit code of what kept it from being served."""
    from modelport.app.signing_in import first_link

    usable = [status for status in serving.ready.models if status.is_served]
    failed = [status for status in serving.ready.models if not status.is_served]
    link = first_link(serving.url, serving.control) if usable else None
    with contextlib.suppress(Unread):  # a server is there for its callers
        if as_json:
            out(_json(serving, link))
        elif usable:
            _banner(serving, usable, failed, link, has_docs=has_docs)
    if not usable:
        for status in failed:
            sys.stderr.write(f"error: {status.reason}\n")
        wrong_toml = all(status.code == ConfigError.code for status in failed)
        return EXIT_CODES[ConfigError if wrong_toml else LoadError]
    return 0


def _json(serving: Serving, link: str | None) -> str:
    models = [
        {"name": m.name, "version": m.version, "state": m.state, "reason": m.reason}
        for m in serving.ready.models
    ]
    told = {"url": serving.url, "workers": serving.workers, "models": models, "sign_in": link}
    return json.dumps(told)


def _banner(
    serving: Serving, usable: list[Any], failed: list[Any], link: str | None, *, has_docs: bool
) -> None:
    from rich.table import Table

    shown = console(soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    for status in usable:
        how = status.runtime if status.state == "READY" else "loaded at its first request"
        table.add_row(f"  [green]●[/] [bold]{status.name}[/]", status.version, how)
    workers = f"{serving.workers} worker{'s' if serving.workers > 1 else ''}"
    shown.print(f"\n[bold]Modelport serves on {serving.url}[/]  ({workers})\n")
    shown.print(table)
    for status in failed:
        shown.print(f"  [red]✗[/] [bold]{status.name}[/]  ", end="")
        shown.print(status.reason, markup=False)
    shown.print(f"\n  in a browser   {serving.url}/")
    if has_docs:
        shown.print(f"  documentation  {serving.url}/docs")
    shown.print(f"  metrics        {serving.url}/metrics")
    if link is not None:
        shown.print(f"  sign in        {link}  (once, within 15 minutes)", markup=False)
    shown.print()
    _try_it(shown, serving.url, [status for status in usable if status.example])
    shown.print("Press Ctrl+C to stop.")


def _try_it(shown: Any, url: str, usable: list[Any]) -> None:
    """Commands to try, with the answers that the server gives to them now."""
    from modelport.app.launch import ask

    if usable:
        shown.print("[bold]Try it[/]\n")
    for status in sorted(usable, key=lambda status: len(status.example))[:3]:
        address = f"{url}/models/{status.name}/predict"
        answer = ask(address, status.example)
        if answer is None:
            continue
        quoted = status.example.replace("'", "'\\''")
        shown.print(f"  curl {address} -d '{quoted}'", markup=False)
        cut = answer if len(answer) <= _LONGEST_ANSWER else f"{answer[:_LONGEST_ANSWER]} …"
        shown.print(f"  {cut}\n", style="dim", markup=False)
