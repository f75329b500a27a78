"""What runs of a model take, to be shown."""

from __future__ import annotations

import msgspec

__all__ = ["CostCurve", "CostCurves", "CostPoint", "VersionCost"]


class CostPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One measured size."""

    rows: int
    seconds: float
    rows_per_s: float
    runs: int
    """How many were measured, up to where older ones are forgotten."""


class CostCurve(msgspec.Struct, frozen=True, kw_only=True):
    """t(n), the seconds of a run of n rows, for one kind of row and number of runs at once."""

    row_elements: int | None
    """Elements of a row at most, where rows differ in size."""
    at_once: int
    """Runs of the model at the same time."""
    points: list[CostPoint]
    best_rows: int
    """The smallest size than which no larger one gets clearly more rows/s."""


class VersionCost(msgspec.Struct, frozen=True, kw_only=True):
    """The curves of one version in one place."""

    version: str
    placement: str
    """`inline` or `shared`."""
    threads: int
    """CPU threads of one run."""
    curves: list[CostCurve]


class CostCurves(msgspec.Struct, frozen=True, kw_only=True):
    """What runs of a model take, as servers on this machine measured it."""

    versions: list[VersionCost]
