"""XGBoost models; `runtime` says how one is loaded and run."""

from __future__ import annotations

from modelport.runtimes.xgboost.runtime import RUNTIME

__all__ = ["RUNTIME"]
