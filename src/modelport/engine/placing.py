"""Opening a version where it is placed."""

from __future__ import annotations

import logging

from modelport.core.errors import ModelportError
from modelport.engine.opening import LoadedModel, Settings, open_shared, open_version
from modelport.engine.remote import RemoteModel
from modelport.repository.layout import Source

__all__ = ["open_placed", "placed"]

_log = logging.getLogger(__name__)


def open_placed(source: Source, settings: Settings) -> LoadedModel:
    """Open a version where it runs, as far as that is known before; raises as `open_version`."""
    placing = settings.placing
    if placing is None or source.problem or not placing.before(source):
        return open_version(source, settings)
    shared = open_shared(source, placing, settings)
    assert isinstance(shared.model, RemoteModel)
    if placing.after(source, shared.model.execution, shared.digest, None):
        return shared
    shared.model.close()
    return open_version(source, settings)


def placed(
    loaded: LoadedModel, source: Source, seconds: float | None, settings: Settings
) -> LoadedModel:
    """The model where it runs, now that it was opened and measured here.

    Args:
        loaded: the one in this process; closed if it moves.
        source: where its files are.
        seconds: what one inference took; None where that could not be measured.
        settings: how versions are placed.
    """
    placing = settings.placing
    execution = loaded.description.execution
    if placing is None or not placing.after(source, execution, loaded.digest, seconds):
        return loaded
    try:
        shared = open_shared(source, placing, settings)
    except ModelportError as error:
        _log.warning("model '%s' stays in each worker: %s", source.name, error)
        return loaded
    loaded.model.close()
    return shared
