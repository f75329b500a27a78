"""Pipelines: models and functions, wired by the names of their tensors, served as one model.

`declaration` reads `pipeline.toml`, `wiring` makes of it and of the steps' signatures the plan that
is run, `meaning` tells what its tensors mean, `flow` runs it, and `runtime` is the model.
"""

from __future__ import annotations

from modelport.engine.pipeline.runtime import RUNTIME

__all__ = ["RUNTIME"]
