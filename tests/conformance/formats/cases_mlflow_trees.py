"""MLflow folders of boosted trees, saved by MLflow, asked by their own libraries."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.formats import cases_catboost, cases_lightgbm, cases_xgboost
from tests.conformance.formats.mlflows import logged, signature_of
from tests.conformance.formats.tables import classified, diabetes, iris, matrix, rows_of, valued
from tests.conformance.formats.truth import Case, Truth

__all__ = ["CASES"]


def _xgboost(folder: Path) -> Truth:
    from xgboost import XGBClassifier

    truth = cases_xgboost.CASES["xgboost-classifier"].build(folder)
    model = XGBClassifier()
    model.load_model(folder / truth.path)
    return logged("xgboost", model, folder, truth, "model.ubj")


def _xgboost_json(folder: Path) -> Truth:
    """A booster without names, whose columns MLflow's signature names."""
    import xgboost

    table, target = diabetes()
    model = xgboost.train({"max_depth": 4}, xgboost.DMatrix(table.to_numpy(), target), 20)
    rows = rows_of(table)
    answer = model.predict(xgboost.DMatrix(rows))
    truth = valued("", rows, answer, matrix(rows, list(table.columns)), "FP32")
    signature = signature_of(table)
    return logged(
        "xgboost", model, folder, truth, "model.json", model_format="json", signature=signature
    )


def _lightgbm(folder: Path) -> Truth:
    import lightgbm

    truth = cases_lightgbm.CASES["lightgbm-regressor"].build(folder)
    model = lightgbm.Booster(model_file=folder / truth.path)
    return logged("lightgbm", model, folder, truth, "model.lgb")


def _lightgbm_pickled(folder: Path, way: str, spoiled: str) -> Truth:
    """A classifier of the scikit-learn interface, which MLflow does not save as data."""
    from lightgbm import LGBMClassifier

    table, target = iris()
    model = LGBMClassifier(n_estimators=20, verbose=-1).fit(table, target)
    rows = rows_of(table)
    labels, shares = model.predict(rows), model.predict_proba(rows)
    truth = classified("", rows, labels, shares, matrix(rows))
    return logged("lightgbm", model, folder, truth, spoiled, serialization_format=way)


def _lightgbm_pickle(folder: Path) -> Truth:
    return _lightgbm_pickled(folder, "cloudpickle", "model.pkl")


def _lightgbm_skops(folder: Path) -> Truth:
    return _lightgbm_pickled(folder, "skops", "model.skops")


def _catboost(folder: Path) -> Truth:
    from catboost import CatBoostClassifier

    truth = cases_catboost.CASES["catboost-multiclass"].build(folder)
    model = CatBoostClassifier().load_model(folder / truth.path)
    return logged("catboost", model, folder, truth, "model.cb")


_NEEDS = ["mlflow", "sklearn"]

CASES = {
    "mlflow-xgboost": Case(format="MLflow", build=_xgboost, needs=[*_NEEDS, "xgboost"]),
    "mlflow-xgboost-json": Case(format="MLflow", build=_xgboost_json, needs=[*_NEEDS, "xgboost"]),
    "mlflow-lightgbm": Case(format="MLflow", build=_lightgbm, needs=[*_NEEDS, "lightgbm"]),
    "mlflow-lightgbm-pickle": Case(
        format="MLflow", build=_lightgbm_pickle, trusted=True, needs=[*_NEEDS, "lightgbm"]
    ),
    "mlflow-lightgbm-skops": Case(
        format="MLflow", build=_lightgbm_skops, trusted=True, needs=[*_NEEDS, "lightgbm", "skops"]
    ),
    "mlflow-catboost": Case(format="MLflow", build=_catboost, needs=[*_NEEDS, "catboost"]),
}
