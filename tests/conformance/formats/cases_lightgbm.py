"""LightGBM: regression, classes, ranking, categories, and what ONNX cannot say."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.formats.tables import (
    classified,
    diabetes,
    iris,
    matrix,
    mixed,
    mixed_rows,
    rows_of,
    valued,
    valued_by_column,
    wine,
)
from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _regressor(folder: Path, **options: object) -> Truth:
    from lightgbm import LGBMRegressor

    table, target = diabetes()
    model = LGBMRegressor(n_estimators=60, verbose=-1, **options).fit(table, target)
    model.booster_.save_model(folder / "model.txt")
    rows = rows_of(table)
    answer = model.booster_.predict(rows)
    return valued("model.txt", rows, answer, matrix(rows, list(table.columns)))


def _poisson(folder: Path) -> Truth:
    return _regressor(folder, objective="poisson")


def _zero_missing(folder: Path) -> Truth:
    return _regressor(folder, zero_as_missing=True)


def _binary(folder: Path) -> Truth:
    from lightgbm import LGBMClassifier

    table, target = wine()
    model = LGBMClassifier(n_estimators=20, verbose=-1).fit(table, target)
    model.booster_.save_model(folder / "model.txt")
    rows = rows_of(table)
    labels, shares = model.predict(rows), model.predict_proba(rows)
    return classified("model.txt", rows, labels, shares, matrix(rows, list(table.columns)))


def _multiclass(folder: Path) -> Truth:
    from lightgbm import LGBMClassifier

    table, target = iris()
    model = LGBMClassifier(n_estimators=20, verbose=-1).fit(table, target)
    model.booster_.save_model(folder / "model.txt")
    rows = rows_of(table)
    labels, shares = model.predict(rows), model.predict_proba(rows)
    return classified("model.txt", rows, labels, shares, matrix(rows))


def _ranker(folder: Path) -> Truth:
    from lightgbm import LGBMRanker

    table, target = iris()
    model = LGBMRanker(n_estimators=20, verbose=-1).fit(table, target, group=[50, 50, 50])
    model.booster_.save_model(folder / "model.txt")
    rows = rows_of(table)
    return valued("model.txt", rows, model.predict(rows), matrix(rows))


def _categories(folder: Path) -> Truth:
    from lightgbm import LGBMRegressor

    table, target = mixed()
    model = LGBMRegressor(n_estimators=20, verbose=-1).fit(table, target)
    model.booster_.save_model(folder / "model.txt")
    rows = mixed_rows(table)
    return valued_by_column("model.txt", rows, model.predict(rows))


_NEEDS = ["sklearn"]

CASES = {
    "lightgbm-regressor": Case(format="LightGBM", build=_regressor, needs=_NEEDS),
    "lightgbm-poisson": Case(format="LightGBM", build=_poisson, needs=_NEEDS),
    "lightgbm-zero-missing": Case(format="LightGBM", build=_zero_missing, needs=_NEEDS),
    "lightgbm-binary": Case(format="LightGBM", build=_binary, needs=_NEEDS),
    "lightgbm-multiclass": Case(format="LightGBM", build=_multiclass, needs=_NEEDS),
    "lightgbm-ranker": Case(format="LightGBM", build=_ranker, needs=_NEEDS),
    "lightgbm-categories": Case(format="LightGBM", build=_categories, needs=_NEEDS),
}
