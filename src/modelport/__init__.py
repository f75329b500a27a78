"""Modelport: from a trained model's file to a typed web API, in one command.

    import modelport

    model = modelport.load("model.onnx")
    model.predict({"x": [1, 2, 3]})

    client = modelport.Client("http://127.0.0.1:8080")
    client.predict("model", {"x": [1, 2, 3]})

The names are imported when they are first used, so that `import modelport` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelport.app.local import LocalModel, load
    from modelport.client import AsyncClient, Client
    from modelport.core.errors import ModelportError

__all__ = ["AsyncClient", "Client", "LocalModel", "ModelportError", "__version__", "load"]

__version__ = "0.1.0"

_HOMES = {
    "AsyncClient": "modelport.client",
    "Client": "modelport.client",
    "LocalModel": "modelport.app.local",
    "ModelportError": "modelport.core.errors",
    "load": "modelport.app.local",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'modelport' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return __all__
