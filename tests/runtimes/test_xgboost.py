"""The XGBoost runtime: which models are converted, damaged files, categories and the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from modelport.core.errors import CorruptModel, InvalidInput, UnsupportedModel
from modelport.core.tensors import bytes_tensor
from modelport.repository.integrity import digest
from modelport.runtimes.xgboost.ubjson import decode
from tests.runtimes.boosted import ask, load_file, table

ROWS, TARGET = table()
POSITIVE = np.abs(TARGET) + 0.1
KINDS = np.digitize(TARGET, [-1, 1])
OBJECTIVES: dict[str, Any] = {
    "reg:squarederror": TARGET,
    "reg:logistic": TARGET > 0,
    "binary:logistic": TARGET > 0,
    "binary:logitraw": TARGET > 0,
    "binary:hinge": TARGET > 0,
    "multi:softprob": KINDS,
    "count:poisson": POSITIVE,
    "reg:gamma": POSITIVE,
    "reg:tweedie": POSITIVE,
    "survival:cox": POSITIVE,
}


def trained(path: Path, objective: str = "reg:squarederror", **options: Any) -> Any:
    """A booster, saved."""
    parameters = {"objective": objective, **options}
    if objective.startswith("multi"):
        parameters["num_class"] = 3
    data = xgboost.DMatrix(ROWS, OBJECTIVES[objective])
    booster = xgboost.train(parameters, data, 30)
    booster.save_model(path)
    return booster


@pytest.mark.parametrize("booster", ["gbtree", "dart"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_answers_are_those_of_xgboost(tmp_path: Path, objective: str, booster: str) -> None:
    options = {"rate_drop": 0.3} if booster == "dart" else {}
    framework = trained(tmp_path / "m.ubj", objective, booster=booster, **options)
    model = load_file(tmp_path / "m.ubj")
    answer = list(ask(model, X=ROWS).values())[-1]
    expected = framework.predict(xgboost.DMatrix(ROWS))
    if answer.ndim > expected.ndim:
        expected = np.column_stack([1 - expected, expected])
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
    through = "Runs through ONNX" if objective != "binary:hinge" else "Runs in XGBoost itself"
    assert model.description.notes[0].startswith(through)


def test_sums_of_any_size_are_those_of_xgboost_to_the_last_bit(tmp_path: Path) -> None:
    data = xgboost.DMatrix(ROWS, TARGET * 1e6)
    framework = xgboost.train({"max_depth": 8}, data, 200)
    framework.save_model(tmp_path / "m.ubj")
    model = load_file(tmp_path / "m.ubj")
    assert ask(model, X=ROWS)["prediction"].tolist() == framework.predict(data).tolist()
    assert model.description.notes[0].startswith("Runs through ONNX")


def test_both_kinds_of_file_are_the_same_model(tmp_path: Path) -> None:
    trained(tmp_path / "m.ubj").save_model(tmp_path / "m.json")
    assert decode((tmp_path / "m.ubj").read_bytes()) == json.loads(
        (tmp_path / "m.json").read_text()
    )


def test_a_converted_file_is_served_without_xgboost(tmp_path: Path) -> None:
    trained(tmp_path / "m.json")
    load_file(tmp_path / "m.json", tmp_path / "cache")
    program = f"""
import sys
from pathlib import Path
from modelport.runtimes.base import LoadOptions, load
path = Path({str(tmp_path / "m.json")!r})
load(path, LoadOptions(digest={digest(tmp_path / "m.json")!r}, cache_dir=path.parent / "cache"))
assert not {{"xgboost", "onnx", "scipy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_what_is_too_large_is_refused_however_the_model_runs(tmp_path: Path) -> None:
    for objective in ("reg:squarederror", "binary:hinge"):
        trained(tmp_path / "m.json", objective)
        with pytest.raises(InvalidInput, match=r"numbers up to 3.4e\+38"):
            load_file(tmp_path / "m.json").predict({"X": np.full((1, 4), 1e39)})


def with_categories(path: Path, categories: list[Any]) -> Any:
    frame = pd.DataFrame({"a": ROWS[:, 0], "k": np.resize(np.array(categories), len(ROWS))})
    frame["k"] = frame["k"].astype("category")
    model = xgboost.XGBRegressor(n_estimators=5, enable_categorical=True)
    model.fit(frame, TARGET + frame["k"].cat.codes)
    model.save_model(path)
    return model.predict(frame), frame


def test_categories_are_texts(tmp_path: Path) -> None:
    expected, frame = with_categories(tmp_path / "m.json", ["x", "y", "zz"])
    model = load_file(tmp_path / "m.json")
    texts = bytes_tensor([each.encode() for each in frame["k"]], (len(frame), 1))
    answer = ask(model, a=frame[["a"]].to_numpy(), k=texts)
    np.testing.assert_allclose(answer["prediction"], expected, rtol=1e-6)
    with pytest.raises(InvalidInput, match="column 'k' takes one of x, y, zz, and 'new' came"):
        model.predict({"a": np.zeros((1, 1)), "k": bytes_tensor([b"new"], (1, 1))})


def test_categories_can_be_numbers(tmp_path: Path) -> None:
    expected, frame = with_categories(tmp_path / "m.ubj", [10, 20, 35])
    answer = ask(load_file(tmp_path / "m.ubj"), X=frame.to_numpy(np.float64))
    np.testing.assert_allclose(answer["prediction"], expected, rtol=1e-6)


def test_categories_that_xgboost_cuts_off_are_refused(tmp_path: Path) -> None:
    with_categories(tmp_path / "m.json", ["Köln", "Bonn"])
    with pytest.raises(UnsupportedModel, match="only if they are ASCII"):
        load_file(tmp_path / "m.json")


def test_trees_of_several_targets_are_refused(tmp_path: Path) -> None:
    model = xgboost.XGBRegressor(n_estimators=2, multi_strategy="multi_output_tree")
    model.fit(ROWS, np.column_stack([TARGET, TARGET])).save_model(tmp_path / "m.json")
    with pytest.raises(UnsupportedModel, match="one_output_per_tree"):
        load_file(tmp_path / "m.json")


Spoil = Callable[[dict[str, Any], dict[str, Any]], object]
"""Changes the first tree, or the model around it."""
SPOILED: dict[str, Spoil] = {
    "a child is out of range": lambda tree, _: tree["left_children"].__setitem__(0, 10**6),
    "a child is negative": lambda tree, _: tree["left_children"].__setitem__(0, -2),
    "a cycle": lambda tree, _: tree["left_children"].__setitem__(1, 0),
    "two parents": lambda tree, _: tree["left_children"].__setitem__(0, 2),
    "one child": lambda tree, _: tree["right_children"].__setitem__(0, -1),
    "another parent": lambda tree, _: tree["parents"].__setitem__(1, 5),
    "a feature is out of range": lambda tree, _: tree["split_indices"].__setitem__(0, 99),
    "too few weights": lambda tree, _: tree["base_weights"].pop(),
    "too many nodes": lambda tree, _: tree["tree_param"].update(num_nodes="99999999"),
    "an index is no number": lambda tree, _: tree["left_children"].__setitem__(0, "1"),
    "categories of no node": lambda tree, _: tree.update(categories_nodes=[0]),
    "no target": lambda _, model: model["tree_info"].__setitem__(0, 9),
    "too few targets": lambda _, model: model["tree_info"].pop(),
    "rounds out of range": lambda _, model: model["iteration_indptr"].__setitem__(1, 99),
    "no trees": lambda _, model: model["trees"].clear(),
}


@pytest.mark.parametrize("name", SPOILED)
def test_trees_that_cannot_be_followed_are_refused(tmp_path: Path, name: str) -> None:
    trained(tmp_path / "m.json")
    document = json.loads((tmp_path / "m.json").read_text())
    model = document["learner"]["gradient_booster"]["model"]
    SPOILED[name](model["trees"][0], model)
    (tmp_path / "m.json").write_text(json.dumps(document))
    with pytest.raises(CorruptModel, match="is no usable XGBoost model"):
        load_file(tmp_path / "m.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[$i#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"[" * 10**5,
        b"[$T#l\x00\x00\x10\x00",
        b"Zx",
    ],
    ids=["empty", "cut short", "too long", "too deep", "constants", "more"],
)
def test_binary_json_is_read_within_its_bounds(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"it|container|constants|document"):
        decode(data)
