"""What runs take, as it is shown."""

from __future__ import annotations

from modelport.engine.cost import Point, Points
from modelport.engine.cost_curves import curves_of
from modelport.engine.cost_files import Kept


def test_each_curve_has_its_best_size_and_its_rates() -> None:
    points = [Point(1, 0.010, 20), Point(2, 0.011, 20), Point(4, 0.022, 9)]
    kept = Kept(
        model="m",
        version="1",
        digest="d",
        placement="shared",
        threads=2,
        curves=[Points(0, 1, points), Points(10, 2, points[:1])],
    )
    (version,) = curves_of([kept])
    assert (version.version, version.placement, version.threads) == ("1", "shared", 2)
    first, second = version.curves
    assert (first.row_elements, first.at_once, first.best_rows) == (None, 1, 2)
    assert [(p.rows, round(p.rows_per_s), p.runs) for p in first.points] == [
        (1, 100, 20),
        (2, 182, 20),
        (4, 182, 9),
    ]
    assert (second.row_elements, second.at_once, second.best_rows) == (1024, 2, 1)
