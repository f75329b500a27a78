"""Which models' apps need no key: those whose owner says so, and whose operator permits it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from modelport.core.errors import ConfigError
from modelport.repository.layout import Source
from modelport.semantics.model_toml import read_model_toml

__all__ = ["public_versions"]

_log = logging.getLogger(__name__)
_EVERY = "*"


def public_versions(
    sources: Iterable[Source], permitted: Sequence[str], told: set[str]
) -> frozenset[tuple[str, str]]:
    """The models and their versions that are public, by their `model.toml` as they are now.

    One that no process has loaded yet is read all the same.

    Args:
        sources: every version that is served.
        permitted: the operator's names; `*` is every model.
        told: what was logged before, to which is added what is logged now.
    """
    if not permitted:
        return frozenset()
    found = {
        (source.name, source.version): (_EVERY in permitted or source.name in permitted)
        and _says_so(source)
        for source in sources
        if source.problem is None  # else it answers nobody
    }
    kept = {name for (name, _), is_public in found.items() if not is_public}
    names = {name for name, _ in found}
    for name in sorted(set(permitted) - {_EVERY} - (names - kept)):
        why = (
            "not each of its versions has 'public = true' in [app] of its model.toml"
            if name in names
            else "no model of that name is served"
        )
        sentence = f"public_apps names '{name}', which opens nothing: {why}"
        if sentence not in told:
            told.add(sentence)
            _log.warning("%s", sentence)
    return frozenset(key for key, is_public in found.items() if is_public)


def _says_so(source: Source) -> bool:
    try:
        return read_model_toml(Path(source.toml)).app.public
    except (ConfigError, OSError):  # told where the version is loaded; it opens nothing
        return False
