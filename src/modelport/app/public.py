"""Which models' apps need no key: those whose owner says so, and whose operator permits it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from modelport.core.errors import ConfigError
from modelport.repository.layout import Source
from modelport.semantics.model_toml import read_model_toml

__all__ = ["public_apps"]

_log = logging.getLogger(__name__)
_EVERY = "*"


def public_apps(
    sources: Sequence[Source], permitted: Sequence[str], told: set[str]
) -> frozenset[str]:
    """The names of the models that are public, by their `model.toml` as they are now.

    Every version of a model that is served has to say so: which of them answers changes with
    aliases, and a caller may name any. One that no process has loaded yet is read all the same.

    Args:
        sources: every version that is served.
        permitted: the operator's names; `*` is every model.
        told: what was logged before, to which is added what is logged now.
    """
    if not permitted:
        return frozenset()
    versions: dict[str, list[Source]] = {}
    for source in sources:
        if source.problem is None:  # else it answers nobody
            versions.setdefault(source.name, []).append(source)
    wanted = versions.keys() if _EVERY in permitted else versions.keys() & set(permitted)
    found = frozenset(name for name in wanted if all(map(_says_so, versions[name])))
    for name in sorted(set(permitted) - {_EVERY} - found):
        why = (
            "not each of its versions has 'public = true' in [app] of its model.toml"
            if name in versions
            else "no model of that name is served"
        )
        sentence = f"public_apps names '{name}', which opens nothing: {why}"
        if sentence not in told:
            told.add(sentence)
            _log.warning("%s", sentence)
    return found


def _says_so(source: Source) -> bool:
    try:
        return read_model_toml(Path(source.toml)).app.public
    except (ConfigError, OSError):  # told where the version is loaded; it opens nothing
        return False
