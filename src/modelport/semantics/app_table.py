"""The table `[app]` of a `model.toml`, as its owner writes it."""

from __future__ import annotations

import re

import msgspec

from modelport.core.errors import ConfigError
from modelport.core.semantics import App
from modelport.kit.tables import read_table
from modelport.kit.words import nearest
from modelport.semantics.meant import APP_KEYS

__all__ = ["PALETTE", "read_app"]

PALETTE = {
    "red": "#e03131",
    "pink": "#c2255c",
    "grape": "#9c36b5",
    "violet": "#6741d9",
    "indigo": "#3b5bdb",
    "blue": "#1971c2",
    "cyan": "#0c8599",
    "teal": "#099268",
    "green": "#2f9e44",
    "lime": "#66a80f",
    "yellow": "#f08c00",
    "orange": "#e8590c",
    "gray": "#495057",
}
"""The colours that have a name; https://yeun.github.io/open-color, the eighth of each."""
_COLOUR = re.compile(r"#[0-9a-f]{6}")


def read_app(where: str, table: object) -> App:
    """The table as plain data, its colour by number.

    Args:
        where: the file and the table, as messages name them.
        table: what the file has there.

    Raises:
        ConfigError: an unknown key, or a value that is not what it should be.
    """
    app = read_table(where, table, App, APP_KEYS)
    return msgspec.structs.replace(app, colour=_colour(where, app.colour))


def _colour(where: str, given: str | None) -> str | None:
    if given is None:
        return None
    small = given.strip().lower()
    found = small if _COLOUR.fullmatch(small) else PALETTE.get({"grey": "gray"}.get(small, small))
    if found is None:
        raise ConfigError(
            f"{where} colour: {given[:40]!r} is no colour such as '#1971c2', and none that has a"
            f" name{nearest(small, PALETTE)}"
        )
    return found
