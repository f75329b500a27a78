"""CatBoost: regression, classes by name, ranking, categories, trees of other shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

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

_QUIET: dict[str, Any] = {"verbose": 0, "allow_writing_files": False, "iterations": 30}


def _regressor(folder: Path, **options: object) -> Truth:
    from catboost import CatBoostRegressor

    table, target = diabetes()
    model = CatBoostRegressor(**_QUIET, **options).fit(table, target)
    model.save_model(folder / "model.cbm")
    rows = rows_of(table)
    answer = model.predict(rows)
    return valued("model.cbm", rows, answer, matrix(rows, list(table.columns)))


def _poisson(folder: Path) -> Truth:
    return _regressor(folder, loss_function="Poisson", grow_policy="Lossguide")


def _uncertain(folder: Path) -> Truth:
    return _regressor(folder, loss_function="RMSEWithUncertainty")


def _binary(folder: Path) -> Truth:
    from catboost import CatBoostClassifier

    table, target = wine()
    model = CatBoostClassifier(**_QUIET).fit(table, target)
    model.save_model(folder / "model.cbm")
    rows = rows_of(table)
    labels, shares = model.predict(rows), model.predict_proba(rows)
    return classified("model.cbm", rows, labels, shares, matrix(rows, list(table.columns)))


def _named(folder: Path) -> Truth:
    from catboost import CatBoostClassifier

    table, target = iris()
    names = np.array(["setosa", "versicolor", "virginica"])
    model = CatBoostClassifier(**_QUIET).fit(table, names[target])
    model.save_model(folder / "model.cbm")
    rows = rows_of(table)
    labels, shares = model.predict(rows).ravel(), model.predict_proba(rows)
    return classified("model.cbm", rows, labels, shares, matrix(rows))


def _ranker(folder: Path) -> Truth:
    from catboost import CatBoostRanker

    table, target = iris()
    model = CatBoostRanker(**_QUIET, bootstrap_type="No")  # there are few groups
    model.fit(table, target, group_id=np.repeat(np.arange(15), 10))
    model.save_model(folder / "model.cbm")
    rows = rows_of(table)
    return valued("model.cbm", rows, model.predict(rows), matrix(rows))


def _categories(folder: Path) -> Truth:
    from catboost import CatBoostRegressor

    table, target = mixed()
    model = CatBoostRegressor(**_QUIET, cat_features=["sex", "site"]).fit(table, target)
    model.save_model(folder / "model.cbm")
    rows = mixed_rows(table)
    return valued_by_column("model.cbm", rows, model.predict(rows))


_NEEDS = ["sklearn"]

CASES = {
    "catboost-regressor": Case(format="CatBoost", build=_regressor, needs=_NEEDS),
    "catboost-poisson": Case(format="CatBoost", build=_poisson, needs=_NEEDS),
    "catboost-uncertainty": Case(format="CatBoost", build=_uncertain, needs=_NEEDS),
    "catboost-binary": Case(format="CatBoost", build=_binary, needs=_NEEDS),
    "catboost-multiclass": Case(format="CatBoost", build=_named, needs=_NEEDS),
    "catboost-ranker": Case(format="CatBoost", build=_ranker, needs=_NEEDS),
    "catboost-categories": Case(format="CatBoost", build=_categories, needs=_NEEDS),
}
