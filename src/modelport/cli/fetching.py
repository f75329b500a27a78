"""URLs in place of paths, with a bar that shows how far they are fetched."""

from __future__ import annotations

import sys

from modelport.core.settings import Settings

__all__ = ["fetched"]


def fetched(argument: str, settings: Settings | None = None) -> str:
    """An argument as a path of this machine, fetched first where it is a URL.

    Args:
        argument: a path or a URL.
        settings: those of the command; None: those of the environment and of `modelport.toml`.
    """
    if "://" not in argument:  # nothing is imported for a path
        return argument
    from modelport.app.fetching import local
    from modelport.cli.options import settings_here

    limits = (settings or settings_here()).fetching
    if not sys.stderr.isatty():
        return local(argument, limits)
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        return local(
            argument, limits, lambda done, total: bar.update(task, completed=done, total=total)
        )
