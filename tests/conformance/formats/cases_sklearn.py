"""scikit-learn: estimators as skops, and as the pickles that an operator allows."""

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
)
from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _forest(folder: Path) -> Truth:
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    table, target = iris()
    names = np.array(["setosa", "versicolor", "virginica"])
    model = RandomForestClassifier(20, random_state=0).fit(table, names[target])
    skops.io.dump(model, folder / "model.skops")
    rows = rows_of(table)
    labels, shares = model.predict(rows), model.predict_proba(rows)
    return classified("model.skops", rows, labels, shares, matrix(rows))


def _ridge() -> Any:
    """A regression that fills missing values, its rows, and what it answers."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table, target = diabetes()
    model = make_pipeline(SimpleImputer(), StandardScaler(), Ridge()).fit(table, target)
    rows = table.iloc[:: len(table) // 12].iloc[:12]
    return model, rows, model.predict(rows)


def _regression(folder: Path) -> Truth:
    import skops.io

    model, rows, answer = _ridge()
    skops.io.dump(model, folder / "model.skops")
    return valued("model.skops", rows.to_numpy(), answer, _records(rows))


def _joblib(folder: Path) -> Truth:
    import joblib

    model, rows, answer = _ridge()
    joblib.dump(model, folder / "model.joblib")
    return valued("model.joblib", rows.to_numpy(), answer, _records(rows))


def _pickle(folder: Path) -> Truth:
    import pickle

    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    table, target = mixed()
    table = table.astype({"sex": object, "site": object})
    texts = (OneHotEncoder(sparse_output=False), ["sex", "site"])
    numbers = make_column_transformer(texts, remainder="passthrough")
    model = make_pipeline(numbers, HistGradientBoostingRegressor(max_iter=20)).fit(table, target)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    rows = mixed_rows(table)
    return valued_by_column("model.pkl", rows, model.predict(rows))


def _records(rows: Any) -> Any:
    return matrix(rows.to_numpy(), list(rows.columns))


def _unreviewed(folder: Path) -> Path:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    def touch(rows: Any) -> Any:
        (folder / "ran").touch()
        return rows

    touch.__qualname__ = touch.__name__  # as one of a module that could be imported
    skops.io.dump(FunctionTransformer(touch), folder / "unsafe.skops")
    return folder / "unsafe.skops"


CASES = {
    "skops-forest": Case(format="skops", build=_forest, build_unsafe=_unreviewed),
    "skops-regression": Case(format="skops", build=_regression, build_unsafe=_unreviewed),
    "pickle-joblib": Case(format="pickle", build=_joblib),
    "pickle-columns": Case(format="pickle", build=_pickle),
}
