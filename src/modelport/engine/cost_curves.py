"""What runs of a model take, to be shown."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from modelport.engine.cost import Curve, Points
from modelport.engine.cost_files import Kept

__all__ = ["CostCurve", "CostCurves", "CostPoint", "VersionCost", "curves_of"]


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


def curves_of(kept: Iterable[Kept]) -> list[VersionCost]:
    """What was learnt, as it is shown."""
    return [
        VersionCost(
            version=each.version,
            placement=each.placement,
            threads=each.threads,
            curves=[_curve(points) for points in each.curves],
        )
        for each in kept
    ]


def _curve(points: Points) -> CostCurve:
    return CostCurve(
        row_elements=2**points.row_class if points.row_class else None,
        at_once=points.at_once,
        points=[
            CostPoint(
                rows=point.rows,
                seconds=point.seconds,
                rows_per_s=point.rows / point.seconds,
                runs=point.runs,
            )
            for point in points.points
        ],
        best_rows=Curve(points.points).best(),
    )
