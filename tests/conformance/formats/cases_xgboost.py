"""XGBoost: models of its scikit-learn interface and raw boosters, in both kinds of file."""

from __future__ import annotations

from pathlib import Path

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


def _regressor(folder: Path) -> Truth:
    from xgboost import XGBRegressor

    table, target = diabetes()
    model = XGBRegressor(n_estimators=60, max_depth=5).fit(table, target)
    model.save_model(folder / "model.json")
    rows = rows_of(table)
    answer = model.predict(rows)
    return valued("model.json", rows, answer, matrix(rows, list(table.columns)), "FP32")


def _classifier(folder: Path) -> Truth:
    from xgboost import XGBClassifier

    table, target = wine()
    model = XGBClassifier(n_estimators=30).fit(table, target)
    model.save_model(folder / "model.ubj")
    rows = rows_of(table)
    labels, shares = model.predict(rows), model.predict_proba(rows)
    plain = matrix(rows, list(table.columns))
    return classified("model.ubj", rows, labels, shares, plain, "FP32")


def _stopped(folder: Path) -> Truth:
    from xgboost import XGBClassifier

    table, target = iris()
    model = XGBClassifier(n_estimators=300, early_stopping_rounds=3)
    model.fit(table[::2], target[::2], eval_set=[(table[1::2], target[1::2])], verbose=False)
    model.save_model(folder / "model.json")
    rows = rows_of(table)
    labels, shares = model.predict(rows), model.predict_proba(rows)
    return classified("model.json", rows, labels, shares, matrix(rows), "FP32")


def _softmax(folder: Path) -> Truth:
    import xgboost

    table, target = iris()
    parameters = {"objective": "multi:softmax", "num_class": 3}
    model = xgboost.train(parameters, xgboost.DMatrix(table, target), 20)
    model.save_model(folder / "model.ubj")
    rows = rows_of(table)
    margins = model.predict(xgboost.DMatrix(rows), output_margin=True)
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    labels = model.predict(xgboost.DMatrix(rows)).astype(int)
    shares = powers / powers.sum(axis=1, keepdims=True)
    return classified("model.ubj", rows, labels, shares, matrix(rows), "FP32")


def _ranker(folder: Path) -> Truth:
    import xgboost

    table, target = iris()
    data = xgboost.DMatrix(table, target)
    data.set_group([50, 50, 50])
    model = xgboost.train({"objective": "rank:ndcg", "booster": "dart"}, data, 20)
    model.save_model(folder / "model.json")
    rows = rows_of(table)
    answer = model.predict(xgboost.DMatrix(rows))
    return valued("model.json", rows, answer, matrix(rows), "FP32")


def _linear(folder: Path) -> Truth:
    import xgboost

    table, target = iris()
    model = xgboost.train({"booster": "gblinear"}, xgboost.DMatrix(table, target), 20)
    model.save_model(folder / "model.json")
    rows = rows_of(table)
    answer = model.predict(xgboost.DMatrix(rows))
    return valued("model.json", rows, answer, matrix(rows), "FP32")


def _categories(folder: Path) -> Truth:
    from xgboost import XGBRegressor

    table, target = mixed()
    model = XGBRegressor(n_estimators=20, enable_categorical=True).fit(table, target)
    model.save_model(folder / "model.json")
    rows = mixed_rows(table)
    return valued_by_column("model.json", rows, model.predict(rows), "FP32")


_NEEDS = ["sklearn"]

CASES = {
    "xgboost-regressor": Case(format="XGBoost", build=_regressor, needs=_NEEDS),
    "xgboost-classifier": Case(format="XGBoost", build=_classifier, needs=_NEEDS),
    "xgboost-early-stopping": Case(format="XGBoost", build=_stopped, needs=_NEEDS),
    "xgboost-softmax": Case(format="XGBoost", build=_softmax, needs=_NEEDS),
    "xgboost-ranker": Case(format="XGBoost", build=_ranker, needs=_NEEDS),
    "xgboost-linear": Case(format="XGBoost", build=_linear, needs=_NEEDS),
    "xgboost-categories": Case(format="XGBoost", build=_categories, needs=_NEEDS),
}
