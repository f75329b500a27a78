"""What the cases of MLflow share: its own way to save a model, and the truth of its folder."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import msgspec

from tests.conformance.formats.truth import Truth

__all__ = ["logged", "save", "signature_of"]

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_FOLDER = "logged"


def save(flavour: str, model: Any, place: Path, **options: Any) -> None:
    """Save a model with the `save_model` of that flavour of MLflow."""
    _mlflow(flavour).save_model(model, path=str(place), pip_requirements=[], **options)


def signature_of(*examples: Any) -> Any:
    """MLflow's signature of inputs, and perhaps of outputs, like these."""
    return _mlflow("models").infer_signature(*examples)


def _mlflow(part: str) -> Any:
    os.environ.update(_QUIET)
    return importlib.import_module(f"mlflow.{part}")


def logged(
    flavour: str, model: Any, folder: Path, truth: Truth, spoiled: str, **options: Any
) -> Truth:
    """Save the model that a truth is of with MLflow, below the case's folder; the truth of that.

    Args:
        spoiled: the file to damage, below MLflow's own folder.
    """
    save(flavour, model, folder / _FOLDER, **options)
    return msgspec.structs.replace(truth, path=_FOLDER, spoiled=f"{_FOLDER}/{spoiled}")
