"""The scikit-learn runtime: answers, trust, damaged files and the cache."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from modelport.core.errors import (
    CorruptModel,
    InvalidInput,
    LoadError,
    UnsupportedModel,
    UntrustedModel,
)
from modelport.core.tensors import Array, DType, bytes_tensor
from modelport.runtimes import base
from modelport.runtimes.sklearn.trusted import REVIEWED

CANCER = load_breast_cancer()
DIABETES = load_diabetes()
IRIS = load_iris()


@pytest.fixture(autouse=True)
def _training_may_warn() -> Iterator[None]:
    """scikit-learn warns about short training and its own future; loading must not."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn")
        yield


def load_file(path: Path, **options: Any) -> base.Model:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if options.pop("trust", False):
        options["trusted"] = frozenset({digest})
    chosen = base.LoadOptions(digest=digest, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return base.load(path, chosen)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    def load_estimator(estimator: object, **options: Any) -> Any:
        path = tmp_path / "model.skops"
        skops.io.dump(estimator, path)
        return load_file(path, **options)

    return load_estimator


def text(values: object, *, column: bool = True) -> Array:
    listed = [b"" if v is None or v != v else str(v).encode() for v in np.asarray(values, object)]
    return bytes_tensor(listed, (len(listed), 1) if column else (len(listed),))


def ask(model: base.Model, rows: Any) -> dict[str, Array]:
    """The answers for rows as scikit-learn takes them, with signature and types checked."""
    signature = model.description.signature
    if signature.inputs[0].name == "X":
        batch = {"X": np.asarray(rows, dtype=np.float64)}
    else:
        batch = {
            spec.name: text(rows[spec.name])
            if spec.dtype is DType.BYTES
            else rows[[spec.name]].to_numpy(np.float64)
            for spec in signature.inputs
        }
    signature.check(batch)
    answers = dict(model.predict(batch))
    for spec in signature.outputs:
        spec.check(answers[spec.name])
    assert list(answers) == [spec.name for spec in signature.outputs]
    return answers


def same(got: Array, expected: Any) -> None:
    expected = np.asarray(expected)
    if got.dtype == object:
        assert [value.decode() for value in got] == list(expected)
    elif expected.dtype.kind == "f":
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, expected)


def test_a_forest_answers_all_of_breast_cancer_as_scikit_learn_does(load: Any) -> None:
    forest = RandomForestClassifier(100, random_state=0).fit(CANCER.data, CANCER.target)
    model = load(forest)
    answers = ask(model, CANCER.data)
    assert len(answers["label"]) == 569
    assert (answers["label"] == forest.predict(CANCER.data)).all()
    far = np.abs(answers["probabilities"] - forest.predict_proba(CANCER.data)).max()
    assert far <= 1e-6
    assert "through ONNX Runtime" in model.description.runtime
    assert model.description.notes[0].startswith("Runs through ONNX: ")


@pytest.mark.parametrize(
    "forest",
    [
        DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
        RandomForestClassifier(24, max_depth=3, random_state=0),
        RandomForestRegressor(100, min_samples_leaf=4, random_state=0),
    ],
    ids=lambda forest: type(forest).__name__,
)
def test_a_forest_adds_up_in_double_precision(load: Any, forest: Any) -> None:
    data = CANCER if hasattr(forest, "predict_proba") else DIABETES
    rows = data.data.astype(np.float32).astype(np.float64)
    forest.fit(rows, data.target)
    model = load(forest)
    assert "through ONNX Runtime" in model.description.runtime
    name, method = (
        ("probabilities", forest.predict_proba)
        if data is CANCER
        else ("prediction", forest.predict)
    )
    together = ask(model, rows)[name]
    np.testing.assert_allclose(together, method(rows), rtol=1e-12, atol=1e-13)
    alone = np.concatenate([ask(model, rows[at : at + 1])[name] for at in range(50)])
    np.testing.assert_array_equal(alone, together[:50])


MISSING = np.where(np.random.default_rng(1).random(CANCER.data.shape) < 0.1, np.nan, CANCER.data)
NAMES = np.array(["setosa", "versicolor", "vírginica"])[IRIS.target]


@cache
def fitted(name: str) -> tuple[Any, Any]:
    """A fitted estimator and the rows to compare on."""
    cancer, target = CANCER.data, CANCER.target
    two = np.stack([DIABETES.target, -DIABETES.target], axis=1)
    table: dict[str, tuple[Any, Any, Any]] = {
        "decision tree": (DecisionTreeClassifier(random_state=0), cancer, target),
        "forest with ties": (ExtraTreesClassifier(20, random_state=0), cancer, target),
        "forest with missing values": (RandomForestClassifier(10, random_state=0), MISSING, target),
        "forest of named classes": (RandomForestClassifier(10, random_state=0), IRIS.data, NAMES),
        "forest of booleans": (RandomForestClassifier(10, random_state=0), cancer, target == 1),
        "forest of numbers": (
            RandomForestRegressor(10, random_state=0),
            DIABETES.data,
            DIABETES.target,
        ),
        "gradient boosting": (GradientBoostingClassifier(n_estimators=10), cancer, target),
        "boosted numbers": (
            GradientBoostingRegressor(random_state=0),
            DIABETES.data,
            DIABETES.target,
        ),
        "histograms": (HistGradientBoostingClassifier(max_iter=10), MISSING, target),
        "histograms of three": (HistGradientBoostingClassifier(max_iter=5), IRIS.data, NAMES),
        "histogram counts": (
            HistGradientBoostingRegressor(loss="poisson", max_iter=10),
            DIABETES.data,
            DIABETES.target,
        ),
        "adaboost": (AdaBoostClassifier(n_estimators=10), cancer, target),
        "bagging": (BaggingClassifier(n_estimators=5), cancer, target),
        "isolation forest": (IsolationForest(n_estimators=10, random_state=0), IRIS.data, None),
        "logistic": (make_pipeline(StandardScaler(), LogisticRegression()), cancer, target),
        "scaled forest": (
            make_pipeline(StandardScaler(), RandomForestClassifier(8, random_state=0)),
            cancer,
            target,
        ),
        "linear": (LinearRegression(), DIABETES.data, DIABETES.target),
        "two numbers": (Ridge(), DIABETES.data, two),
        "bayes": (GaussianNB(), IRIS.data, NAMES),
        "vectors": (SVC(), IRIS.data, NAMES),
        "calibrated vectors": (CalibratedClassifierCV(SVC(), ensemble=False), cancer, target),
        "vectors for numbers": (SVR(), DIABETES.data, DIABETES.target),
        "descent": (SGDClassifier(random_state=0), IRIS.data, IRIS.target),
        "neighbours": (KNeighborsClassifier(), IRIS.data, IRIS.target),
        "neighbours of numbers": (KNeighborsRegressor(), DIABETES.data, DIABETES.target),
        "network": (make_pipeline(StandardScaler(), MLPClassifier((8,))), cancer, target),
        "vote": (
            VotingClassifier(
                [("a", GaussianNB()), ("b", DecisionTreeClassifier(random_state=0))], voting="soft"
            ),
            IRIS.data,
            IRIS.target,
        ),
        "search": (GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-8]}), IRIS.data, NAMES),
        "clusters": (KMeans(3, random_state=0), IRIS.data, None),
        "components": (PCA(2), IRIS.data, None),
        "imputed neighbours": (KNNImputer(), MISSING[:100], None),
        "two labels": (
            RandomForestClassifier(5, random_state=0),
            IRIS.data,
            np.stack([IRIS.target] * 2, axis=1),
        ),
    }
    estimator, rows, answers = table[name]
    return estimator.fit(rows, answers), rows


THROUGH_ONNX = [
    *("decision tree", "forest with ties", "forest with missing values", "forest of named classes"),
    *("forest of booleans", "forest of numbers", "gradient boosting", "boosted numbers"),
    *("histograms", "histograms of three", "histogram counts", "adaboost", "bagging"),
    *("isolation forest", "logistic", "scaled forest", "linear", "two numbers", "bayes", "vectors"),
    *("vectors for numbers", "descent", "network", "search"),
    *("clusters", "components"),
]
# Neighbours at the same distance are taken in an order that depends on rounding.
EITHER_WAY = [
    "neighbours",
    "neighbours of numbers",
    "calibrated vectors",
    "vote",
    "imputed neighbours",
    "two labels",
]


@pytest.mark.parametrize("name", THROUGH_ONNX + EITHER_WAY)
def test_answers_are_those_of_scikit_learn(load: Any, name: str) -> None:
    estimator, rows = fitted(name)
    model = load(estimator)
    if name in THROUGH_ONNX:
        assert "through ONNX" in model.description.notes[0]
    answers = ask(model, rows)
    if not hasattr(estimator, "predict"):
        same(answers["output"], estimator.transform(rows))
        return
    same(next(iter(answers.values())), estimator.predict(rows))
    if "probabilities" in answers:
        same(answers["probabilities"], estimator.predict_proba(rows))


def test_two_labels_for_a_row_run_natively_and_say_why(load: Any) -> None:
    notes = load(fitted("two labels")[0]).description.notes
    assert notes[0].startswith("Runs in scikit-learn itself, because ")


def test_rows_at_the_thresholds_of_a_forest_take_the_same_side(load: Any) -> None:
    forest, rows = fitted("forest of numbers")
    model = load(forest)
    at = [
        (f, t)
        for tree in (e.tree_ for e in forest.estimators_)
        for f, t in zip(tree.feature, tree.threshold, strict=True)
        if f >= 0
    ]
    near = np.repeat(rows[:1], len(at), axis=0)
    for row, (feature, threshold) in zip(near, at, strict=True):
        row[feature] = threshold
    same(ask(model, near)["prediction"], forest.predict(near))


def test_classes_and_columns_come_from_the_file(load: Any) -> None:
    frame = pd.DataFrame(IRIS.data, columns=IRIS.feature_names)
    model = load(RandomForestClassifier(5, random_state=0).fit(frame, NAMES))
    described = model.description
    (given,) = described.signature.inputs
    assert (given.name, given.dtype, given.shape) == ("X", DType.FP64, (None, 4))
    assert described.semantics.inputs["X"].columns == tuple(IRIS.feature_names)
    assert [o.name for o in described.signature.outputs] == ["label", "probabilities"]
    for name, kind in (("label", "label"), ("probabilities", "probabilities")):
        meaning = described.semantics.outputs[name]
        assert (meaning.kind, meaning.classes) == (kind, tuple(np.unique(NAMES)))


def test_columns_without_names_get_none(load: Any) -> None:
    model = load(GaussianNB().fit(IRIS.data, IRIS.target))
    assert model.description.semantics.inputs["X"].columns == ()
    assert model.description.semantics.outputs["label"].classes == (0, 1, 2)


def titanic(rows: int = 200) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, rows),
            "sex": rng.choice(["m", "f"], rows),
            "port": rng.choice(["S", "C", "Q"], rows).astype(object),
            "class": rng.integers(1, 4, rows),
            "id": [f"passenger {n}" for n in range(rows)],
        }
    )
    survived = ((frame.age > 40) ^ (frame.sex == "m")).to_numpy().astype(int)
    frame.loc[::7, "age"] = np.nan
    frame.loc[::9, "port"] = np.nan
    return frame, survived


def columns_pipeline(last: Any, unknown: str, how: str = "names") -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown=unknown)
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    chosen: dict[str, list[Any]] = {
        "names": [["age"], ["sex", "port"], ["class"]],
        "indexes": [[0], slice(1, 3), [3]],
        "masks": [[True] + [False] * 4, [False, True, True, False, False], [3]],
        "functions": [lambda f: ["age"], lambda f: ["sex", "port"], lambda f: ["class"]],
    }
    steps = zip(
        "nwc", (numbers, words, OneHotEncoder(handle_unknown=unknown)), chosen[how], strict=True
    )
    return make_pipeline(ColumnTransformer([(n, s, c) for n, s, c in steps]), last)


@pytest.mark.parametrize("how", ["names", "indexes", "masks"])
@pytest.mark.parametrize("last", [LogisticRegression(), RandomForestClassifier(7, random_state=0)])
def test_columns_of_texts_and_missing_values_are_served(load: Any, last: Any, how: str) -> None:
    frame, survived = titanic()
    pipeline = columns_pipeline(last, "ignore", how).fit(frame, survived)
    model = load(pipeline)
    assert "in double precision" in model.description.notes[0]
    inputs = {spec.name: (spec.dtype, spec.shape) for spec in model.description.signature.inputs}
    number, word = (DType.FP64, (None, 1)), (DType.BYTES, (None, 1))
    assert inputs == {"age": number, "sex": word, "port": word, "class": number}
    frame.loc[0, "sex"] = "someone else"
    answers = ask(model, frame)
    same(answers["label"], pipeline.predict(frame))
    same(answers["probabilities"], pipeline.predict_proba(frame))


def test_a_natively_run_pipeline_of_columns_gives_the_same(load: Any) -> None:
    frame, survived = titanic()
    pipeline = columns_pipeline(KNeighborsClassifier(metric="cosine"), "ignore")
    pipeline.fit(frame, survived)
    model = load(pipeline)
    assert "scikit-learn itself" in model.description.notes[0]
    answers = ask(model, frame)
    same(answers["label"], pipeline.predict(frame))
    same(answers["probabilities"], pipeline.predict_proba(frame))


def test_categories_are_choices_only_where_others_are_refused(load: Any) -> None:
    frame, survived = titanic()
    closed = load(columns_pipeline(LogisticRegression(), "error").fit(frame, survived))
    field = closed.description.semantics.inputs["port"].field
    assert field.choices == ("C", "Q", "S")
    assert field.nullable
    assert closed.description.semantics.inputs["class"].field.choices == (1, 2, 3)
    assert not closed.description.semantics.inputs["class"].field.nullable
    assert closed.description.semantics.inputs["age"].field.nullable
    opened = load(columns_pipeline(LogisticRegression(), "ignore").fit(frame, survived))
    field = opened.description.semantics.inputs["port"].field
    assert field.choices == ()
    assert field.description == "Known values: C, Q, S; others count as unknown."


@pytest.mark.parametrize(
    ("column", "value"), [("sex", "someone else"), ("sex", None), ("class", 4), ("class", np.nan)]
)
def test_unknown_categories_are_refused_where_the_estimator_refuses_them(
    load: Any, column: str, value: object
) -> None:
    frame, survived = titanic()
    pipeline = columns_pipeline(LogisticRegression(), "error").fit(frame, survived)
    model = load(pipeline)
    assert "through ONNX" in model.description.notes[0]
    frame = frame.astype({"class": float})
    frame.loc[3, column] = value
    if (column, value) == ("sex", None):  # the imputer fills it
        same(ask(model, frame)["label"], pipeline.predict(frame))
        return
    with pytest.raises(InvalidInput, match=f"column '{column}' takes one of"):
        ask(model, frame)


def test_a_number_too_large_for_trees_behind_a_scaler_is_refused(load: Any) -> None:
    scaled, rows = fitted("scaled forest")
    large = rows[:2].copy()
    large[1, 0] = 1e300
    with pytest.raises(ValueError, match="too large"):
        scaled.predict(large)
    with pytest.raises(InvalidInput, match="too large"):
        load(scaled).predict({"X": large})


def test_columns_that_pass_through_stay_numbers(load: Any) -> None:
    frame, survived = titanic()
    frame = frame.drop(columns="id").dropna()
    words = OneHotEncoder(handle_unknown="ignore")
    pipeline = make_pipeline(
        ColumnTransformer([("words", words, ["sex", "port"])], remainder="passthrough"),
        GradientBoostingClassifier(n_estimators=5),
    ).fit(frame, survived[frame.index])
    model = load(pipeline)
    assert model.description.signature.input("age").dtype is DType.FP64
    same(ask(model, frame)["probabilities"], pipeline.predict_proba(frame))


def test_a_column_transformer_of_numbers_takes_one_matrix(load: Any) -> None:
    frame = pd.DataFrame(IRIS.data, columns=["a", "b", "c", "d"])
    scale = ColumnTransformer([("scale", StandardScaler(), ["b", "a"])], remainder="passthrough")
    pipeline = make_pipeline(scale, LogisticRegression()).fit(frame, NAMES)
    model = load(pipeline)
    assert model.description.semantics.inputs["X"].columns == ("a", "b", "c", "d")
    same(ask(model, frame)["probabilities"], pipeline.predict_proba(frame))


def test_texts_go_natively_through_their_own_input(load: Any) -> None:
    texts = ["good day", "bad night", "good night", "bad bad day"]
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0])
    model = load(pipeline)
    (given,) = model.description.signature.inputs
    assert (given.name, given.dtype, given.shape) == ("text", DType.BYTES, (None,))
    assert "words by other rules" in model.description.notes[0]
    answers = model.predict({"text": text(["a good good night", "ugly"], column=False)})
    same(answers["label"], pipeline.predict(["a good good night", "ugly"]))


@pytest.mark.parametrize("estimator", [GaussianNB(), RandomForestClassifier(5, random_state=0)])
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_what_scikit_learn_refuses_is_refused(load: Any, estimator: Any, value: float) -> None:
    estimator.fit(IRIS.data, IRIS.target)
    rows = IRIS.data[:3].copy()
    rows[1, 2] = value
    model = load(estimator)
    if isinstance(estimator, GaussianNB) and value == 1e300:
        return
    with pytest.raises(InvalidInput, match=r"'X' takes .* infinite"):
        model.predict({"X": rows})


def test_missing_numbers_are_refused_where_the_estimator_refuses_them(load: Any) -> None:
    model = load(GaussianNB().fit(IRIS.data, IRIS.target))
    assert not model.description.semantics.inputs["X"].field.nullable
    with pytest.raises(InvalidInput, match="missing value"):
        model.predict({"X": np.full((1, 4), np.nan)})
    assert load(fitted("histograms")[0]).description.semantics.inputs["X"].field.nullable


def test_a_native_models_refusal_is_the_callers(load: Any) -> None:
    model = load(fitted("two labels")[0])
    with pytest.raises(InvalidInput, match="does not take these values"):
        model.predict({"X": np.full((1, 4), np.inf)})


def test_answers_stay_as_they_are(load: Any) -> None:
    model = load(fitted("forest of named classes")[0])
    first = ask(model, IRIS.data[:5])
    kept = {name: value.copy() for name, value in first.items()}
    ask(model, IRIS.data[100:105])
    for name, value in first.items():
        assert (value == kept[name]).all()
    model.close()


FORESTS = [
    "decision tree",
    "forest with ties",
    "forest of numbers",
    "gradient boosting",
    "boosted numbers",
    "histograms",
    "histogram counts",
    "adaboost",
    "bagging",
    "isolation forest",
]


@pytest.mark.parametrize("name", FORESTS)
def test_forests_load_though_skops_refuses_them(load: Any, name: str) -> None:
    estimator, _ = fitted(name)
    with pytest.raises(TypeError, match="Untrusted types"):
        skops.io.loads(skops.io.dumps(estimator))
    load(estimator)


@pytest.mark.parametrize("function", [np.log1p, np.square])
def test_functions_in_a_file_are_refused(load: Any, function: Any) -> None:
    pipeline = make_pipeline(FunctionTransformer(function), GaussianNB())
    pipeline.fit(IRIS.data, IRIS.target)
    with pytest.raises(UntrustedModel, match=r"FunctionTransformer.*--trust sha256:[0-9a-f]{64}"):
        load(pipeline)
    trusted = load(pipeline, trust=True)
    same(ask(trusted, IRIS.data)["label"], pipeline.predict(IRIS.data))


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON tree of a .skops file."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    change(schema)
    files["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("module", "name", "loader"),
    [
        ("os", "system", "ConstructorFromReduceNode"),
        ("builtins", "eval", "FunctionNode"),
        ("functools", "partial", "PartialNode"),
        ("operator", "methodcaller", "OperatorFuncNode"),
        # Reviewed names, built in another way than honest files build them.
        ("sklearn.tree._tree", "Tree", "ConstructorFromReduceNode"),
        ("sklearn.pipeline", "Pipeline", "TypeNode"),
        ("builtins", "list", "DictNode"),
    ],
)
def test_a_hostile_file_is_refused_before_anything_is_built(
    tmp_path: Path, module: str, name: str, loader: str
) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(GaussianNB().fit(IRIS.data, IRIS.target), path)
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    evil = {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "content": {**arguments, "content": []},
        "attrs": {**arguments, "content": []},
    }
    rewrite(path, lambda schema: schema["content"]["content"].update(evil=evil))
    with pytest.raises(UntrustedModel, match=f"it builds {module}.{name}, which"):
        load_file(path)


def test_at_most_five_refused_types_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(GaussianNB().fit(IRIS.data, IRIS.target), path)
    types = {
        f"t{n}": {"__class__": f"t{n}", "__module__": "os", "__loader__": "TypeNode"}
        for n in range(8)
    }
    rewrite(path, lambda schema: schema["content"]["content"].update(types))
    with pytest.raises(UntrustedModel, match=r"os\.t4 and 3 more, which"):
        load_file(path)


def first_tree(forest: Any) -> Any:
    return forest.estimators_[0].tree_


def swap_tree(forest: Any, change: Callable[[dict[str, Any]], None]) -> Any:
    """The forest with another state in its first tree."""
    state = first_tree(forest).__getstate__()
    state["nodes"] = state["nodes"].copy()
    change(state)
    first_tree(forest).__setstate__(state)
    return forest


def set_node(field: str, value: int) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        state["nodes"][field][0] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_node("left_child", 10**6), "child is out of range"),
        (set_node("right_child", -7), "child is out of range"),
        (set_node("right_child", 0), "child is out of range"),
        (set_node("feature", 4), "feature that does not exist"),
        (set_node("feature", -3), "feature that does not exist"),
        (lambda state: state.update(node_count=0), "more nodes than it has"),
    ],
)
def test_trees_that_point_outside_are_refused(load: Any, change: Any, message: str) -> None:
    forest = RandomForestClassifier(3, random_state=0).fit(IRIS.data, IRIS.target)
    with pytest.raises(CorruptModel, match=message):
        load(swap_tree(forest, change))


def reduce_arguments(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("__loader__") == "TreeNode":
            yield schema
        for value in schema.values():
            yield from reduce_arguments(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from reduce_arguments(value)


def test_a_tree_with_too_few_class_counts_is_never_built(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(DecisionTreeClassifier(random_state=0).fit(IRIS.data, IRIS.target), path)

    def change(schema: dict[str, Any]) -> None:
        for tree in reduce_arguments(schema):
            tree["__reduce__"]["args"]["content"][2]["content"] = "1000000000"

    rewrite(path, change)
    with pytest.raises(CorruptModel, match="fewer class counts"):
        load_file(path)


def break_histogram(model: Any) -> None:
    nodes = model._predictors[0][0].nodes
    nodes["feature_idx"][nodes["is_leaf"] == 0] = 99


def break_histogram_children(model: Any) -> None:
    model._predictors[0][0].nodes["left"][0] = 10**6


def break_stages(model: Any) -> None:
    model.estimators_ = np.hstack([model.estimators_, model.estimators_])


def break_vectors(model: Any) -> None:
    model._n_support = model._n_support + 1


def break_intercepts(model: Any) -> None:
    model._intercept_ = model._intercept_[:1]


def break_points(model: Any) -> None:
    model._fit_X = model._fit_X[:, :2]


def break_targets(model: Any) -> None:
    model._y = model._y + 9


def break_search_tree(model: Any) -> None:
    state = list(model._tree.__getstate__())
    state[1] = np.asarray(state[1]) + 10**6
    model._tree.__setstate__(tuple(state))


def break_centers(model: Any) -> None:
    model.cluster_centers_ = model.cluster_centers_[:, :1].copy()


@pytest.mark.parametrize(
    ("estimator", "damage", "message"),
    [
        (HistGradientBoostingClassifier(max_iter=2), break_histogram, "does not exist"),
        (HistGradientBoostingClassifier(max_iter=2), break_histogram_children, "out of range"),
        (GradientBoostingClassifier(n_estimators=2), break_stages, "do not fit their start"),
        (SVC(), break_vectors, "support vectors do not fit"),
        (SVC(), break_intercepts, "support vectors do not fit"),
        (KNeighborsClassifier(algorithm="brute"), break_points, "another width"),
        (KNeighborsClassifier(), break_targets, "not one of its classes"),
        (KNeighborsClassifier(algorithm="kd_tree"), break_search_tree, "index out of range"),
        (KNeighborsClassifier(algorithm="ball_tree"), break_search_tree, "index out of range"),
        (KMeans(3), break_centers, "centres have another width"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    load: Any, estimator: Any, damage: Any, message: str
) -> None:
    estimator.fit(IRIS.data, IRIS.target)
    damage(estimator)
    with pytest.raises(CorruptModel, match=message):
        load(estimator)


def test_a_random_state_that_points_outside_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    # With a seed: Python shares small numbers, and a place that is one of them is saved elsewhere.
    network = MLPClassifier((2,), max_iter=2, random_state=0)
    skops.io.dump(network.fit(IRIS.data, IRIS.target), path)

    def change(schema: dict[str, Any]) -> None:
        state = schema["content"]["content"]["_random_state"]["content"]["content"]["state"]
        state["content"]["pos"]["content"] = "1000000"

    rewrite(path, change)
    with pytest.raises(CorruptModel):
        load_file(path)


@pytest.mark.parametrize("ending", ["joblib", "pickle", "pkl"])
def test_pickles_are_refused_unless_allowed_by_digest(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"model.{ending}"
    estimator, rows = fitted("forest of named classes")
    joblib.dump(estimator, path)
    with pytest.raises(UntrustedModel, match=r"skops\.io\.dump.*--trust sha256:"):
        load_file(path)
    same(ask(load_file(path, trust=True), rows)["label"], estimator.predict(rows))


@pytest.mark.parametrize("content", [b"no zip at all", b"PK\x03\x04 cut short", b""])
def test_a_file_that_is_no_skops_file_is_corrupt(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(CorruptModel):
        load_file(path)


def test_a_truncated_file_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(fitted("bayes")[0], path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CorruptModel, match="cut short") as caught:
        load_file(path)
    assert str(tmp_path) not in caught.value.message


def test_a_zip_without_a_model_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CorruptModel, match="is damaged"):
        load_file(path)


@pytest.mark.parametrize("content", [[1, 2, 3], {"model": 1}, np.arange(3)])
def test_what_is_no_estimator_is_unsupported(load: Any, content: object) -> None:
    with pytest.raises(UnsupportedModel, match="not a scikit-learn estimator"):
        load(content)


def test_an_estimator_that_was_not_fitted_is_unsupported(load: Any) -> None:
    with pytest.raises(UnsupportedModel, match="fit"):
        load(RandomForestClassifier(random_state=0))


def test_another_version_of_scikit_learn_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(fitted("bayes")[0], path)
    old = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
    old |= {"content": '"1.2.3"', "is_json": True}
    rewrite(path, lambda schema: schema["content"]["content"].update(_sklearn_version=old))
    (warning,) = load_file(path).description.warnings
    assert warning.startswith("The file was made with scikit-learn 1.2.3, and ")


def test_a_converted_file_is_served_without_scikit_learn(tmp_path: Path) -> None:
    estimator, rows = fitted("forest of named classes")
    path, kept = tmp_path / "model.skops", tmp_path / "cache"
    skops.io.dump(estimator, path)
    load_file(path, cache_dir=kept)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    program = f"""
import sys
from pathlib import Path
from modelport.runtimes.base import LoadOptions
from modelport.runtimes.sklearn import RUNTIME
options = LoadOptions(digest={digest!r}, cache_dir=Path({str(kept)!r}))
model = RUNTIME.load(Path({str(path)!r}), options)
import numpy as np
print([v.decode() for v in model.predict({{"X": np.array({rows[:2].tolist()})}})["label"]])
heavy = ("sklearn", "skl2onnx", "skops", "pandas", "joblib", "scipy")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [str(estimator.predict(rows[:2]).tolist()), "[]"]
    assert done.stderr == ""


def test_a_kept_description_is_the_same(tmp_path: Path) -> None:
    frame, survived = titanic()
    path = tmp_path / "model.skops"
    for last in (LogisticRegression(), KNeighborsClassifier(metric="cosine")):
        pipeline = columns_pipeline(last, "error").fit(frame, survived)
        skops.io.dump(pipeline, path)
        first = load_file(path, cache_dir=tmp_path / "cache")
        second = load_file(path, cache_dir=tmp_path / "cache")
        assert first.description == second.description
        for name, values in ask(second, frame).items():
            same(values, ask(first, frame)[name])


def test_a_file_that_was_not_convertible_is_not_tried_again(tmp_path: Path) -> None:
    estimator, rows = fitted("two labels")
    path, kept = tmp_path / "model.skops", tmp_path / "cache"
    skops.io.dump(estimator, path)
    load_file(path, cache_dir=kept)
    (entry,) = kept.glob("*.json")
    told = json.loads(entry.read_bytes()) | {"note": "Found out before."}
    entry.write_text(json.dumps(told))
    model = load_file(path, cache_dir=kept)
    assert model.description.notes == ("Found out before.",)
    same(ask(model, rows)["prediction"], estimator.predict(rows))


@pytest.mark.parametrize("ending", [".json", ".onnx"])
@pytest.mark.parametrize("damage", [b"", b"{", b'{"plan": 3}'])
def test_a_damaged_entry_is_made_again(tmp_path: Path, ending: str, damage: bytes) -> None:
    estimator, rows = fitted("bayes")
    path, kept = tmp_path / "model.skops", tmp_path / "cache"
    skops.io.dump(estimator, path)
    load_file(path, cache_dir=kept)
    (entry,) = kept.glob(f"*{ending}")
    whole = entry.read_bytes()
    entry.write_bytes(damage)
    same(ask(load_file(path, cache_dir=kept), rows)["label"], estimator.predict(rows))
    assert len(entry.read_bytes()) == len(whole)


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    estimator, rows = fitted("bayes")
    path, blocked = tmp_path / "model.skops", tmp_path / "a file"
    skops.io.dump(estimator, path)
    blocked.write_text("not a folder")
    model = load_file(path, cache_dir=blocked / "cache")
    same(ask(model, rows)["label"], estimator.predict(rows))


def test_a_link_in_the_locks_place_is_not_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, kept, precious = tmp_path / "model.skops", tmp_path / "cache", tmp_path / "precious"
    skops.io.dump(fitted("bayes")[0], path)
    load_file(path, cache_dir=kept)
    precious.write_text("data")
    (lock,) = kept.glob("*.lock")
    lock.unlink()
    lock.symlink_to(precious)
    lock.with_suffix(".json").unlink()
    load_file(path, cache_dir=kept)
    assert precious.read_text() == "data"
    assert "the cache of conversions cannot be used" in caplog.text


def test_an_entry_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, kept = tmp_path / "model.skops", tmp_path / "cache"
    estimator, rows = fitted("bayes")
    skops.io.dump(estimator, path)
    load_file(path, cache_dir=kept)
    other = path.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    same(ask(load_file(path, cache_dir=kept), rows)["label"], estimator.predict(rows))
    assert "it belongs to another user" in caplog.text


@pytest.mark.parametrize("ending", ["skops", "joblib"])
def test_a_file_that_was_replaced_since_its_digest_is_not_loaded(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"model.{ending}"
    dump = skops.io.dump if ending == "skops" else joblib.dump
    dump(fitted("bayes")[0], path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    dump(fitted("two labels")[0], path)
    options = base.LoadOptions(digest=digest, trusted=frozenset({digest}))
    with pytest.raises(CorruptModel, match="was changed while it was being loaded"):
        base.load(path, options)


def test_threads_that_predict_at_once_leave_the_warning_filters_as_they_were(load: Any) -> None:
    pipeline = make_pipeline(FunctionTransformer(np.log1p), GaussianNB())
    model = load(pipeline.fit(IRIS.data, IRIS.target), trust=True)
    second_came, first_left = threading.Event(), threading.Event()
    others: list[Any] = []

    def meet(values: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            second_came.set()
            assert first_left.wait(20)
            warnings.warn("about a value", stacklevel=1)
        elif not others:
            others.append(pool.submit(ask, model, IRIS.data[:2]))
            assert second_came.wait(20)
        return values

    model._estimator.steps[0][1].func = meet
    before = list(warnings.filters)
    with ThreadPoolExecutor(1) as pool:
        ask(model, IRIS.data[:2])
        first_left.set()
        others[0].result()
    assert warnings.filters == before


def _load_and_time(path: Path, kept: Path, started: Any, done: Any) -> None:
    started.wait()
    load_file(path, cache_dir=kept)
    done.put(next(kept.glob("*.onnx")).stat().st_mtime_ns)


def test_two_processes_that_start_at_once_convert_once(tmp_path: Path) -> None:
    path, kept = tmp_path / "model.skops", tmp_path / "cache"
    skops.io.dump(fitted("forest with ties")[0], path)
    context = multiprocessing.get_context("fork")
    started, done = context.Barrier(2), context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forking a process that has threads
        workers = [
            context.Process(target=_load_and_time, args=(path, kept, started, done))
            for _ in range(2)
        ]
        for worker in workers:
            worker.start()
    written = {done.get(timeout=50) for _ in workers}
    for worker in workers:
        worker.join(timeout=10)
        assert worker.exitcode == 0
    assert len(written) == 1


def test_a_file_whose_trust_was_withdrawn_is_reviewed_again(tmp_path: Path, load: Any) -> None:
    pipeline = make_pipeline(FunctionTransformer(np.log1p), GaussianNB())
    pipeline.fit(IRIS.data, IRIS.target)
    load(pipeline, trust=True, cache_dir=tmp_path / "cache")
    with pytest.raises(LoadError):
        load(pipeline, cache_dir=tmp_path / "cache")


def test_a_pickle_of_a_missing_library_names_it(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cno_such_library\nModel\n.")
    with pytest.raises(LoadError, match="made with the library 'no_such_library'"):
        load_file(path, trust=True)


def test_every_group_of_reviewed_types_says_why() -> None:
    assert all(len(group.reason) > 5 for group in REVIEWED)
    names = " ".join(names for group in REVIEWED for names in group.names.values()).split()
    assert "FunctionTransformer" not in names
