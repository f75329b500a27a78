"""LightGBM models; `runtime` says how one is loaded and run."""

from __future__ import annotations

from modelport.runtimes.lightgbm.runtime import RUNTIME

__all__ = ["RUNTIME"]
