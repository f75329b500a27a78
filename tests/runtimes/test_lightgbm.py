"""The LightGBM runtime: which models are converted, damaged files and categories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.tensors import bytes_tensor
from tests.runtimes.boosted import ask, load_file, table

ROWS, TARGET = table()
POSITIVE = np.abs(TARGET) / 9
KINDS = np.digitize(TARGET, [-1, 1])
OBJECTIVES: dict[str, tuple[Any, dict[str, Any]]] = {
    "regression": (TARGET, {}),
    "squares": (TARGET * 10, {"objective": "regression", "reg_sqrt": True}),
    "forest": (
        TARGET,
        {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    ),
    "binary": (TARGET > 0, {"sigmoid": 0.7}),
    "multiclass": (KINDS, {"num_class": 3}),
    "multiclassova": (KINDS, {"num_class": 3}),
    "poisson": (POSITIVE, {}),
    "cross_entropy": (POSITIVE, {}),
    "cross_entropy_lambda": (POSITIVE, {}),
    "quantile": (TARGET, {}),
}


def trained(path: Path, name: str = "regression", **options: Any) -> Any:
    """A booster, saved."""
    target, more = OBJECTIVES[name]
    parameters = {"objective": name, "verbose": -1, **more, **options}
    booster = lightgbm.train(parameters, lightgbm.Dataset(ROWS, target), 20)
    booster.save_model(path)
    return booster


@pytest.mark.parametrize("name", OBJECTIVES)
def test_answers_are_those_of_lightgbm(tmp_path: Path, name: str) -> None:
    framework = trained(tmp_path / "m.txt", name)
    model = load_file(tmp_path / "m.txt")
    answer = list(ask(model, X=ROWS).values())[-1]
    expected = framework.predict(ROWS)
    if answer.ndim > expected.ndim:
        expected = np.column_stack([1 - expected, expected])
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
    assert model.description.notes[0].startswith("Runs through ONNX")


def test_zero_as_a_missing_value_runs_in_lightgbm(tmp_path: Path) -> None:
    framework = trained(tmp_path / "m.txt", zero_as_missing=True)
    model = load_file(tmp_path / "m.txt")
    np.testing.assert_allclose(ask(model, X=ROWS)["prediction"], framework.predict(ROWS))
    assert "it takes 0 for a missing value" in model.description.notes[0]


@pytest.mark.parametrize("categories", [["x", "Köln", "a b"], [10, 20, 35]], ids=["text", "number"])
def test_categories_are_those_of_the_frame(tmp_path: Path, categories: list[Any]) -> None:
    frame = pd.DataFrame({"a": ROWS[:, 0], "k": np.resize(np.array(categories), len(ROWS))})
    frame["k"] = frame["k"].astype("category")
    framework = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1)
    framework.fit(frame, TARGET + 3 * frame["k"].cat.codes)
    framework.booster_.save_model(tmp_path / "m.txt")
    model = load_file(tmp_path / "m.txt")
    inputs: dict[str, Any] = {"X": frame.to_numpy(np.float64)} if categories[0] == 10 else {}
    if not inputs:
        texts = bytes_tensor([each.encode() for each in frame["k"]], (len(frame), 1))
        inputs = {"a": frame[["a"]].to_numpy(), "k": texts}
    np.testing.assert_allclose(ask(model, **inputs)["prediction"], framework.predict(frame))


def test_linear_leaves_are_refused(tmp_path: Path) -> None:
    trained(tmp_path / "m.txt", linear_tree=True)
    with pytest.raises(UnsupportedModel, match="linear_tree=False"):
        load_file(tmp_path / "m.txt")


SPOILED = {
    "a child is out of range": ("left_child=", "left_child=99999 "),
    "a leaf is out of range": ("right_child=", "right_child=-99999 "),
    "a cycle": ("left_child=1", "left_child=0"),
    "a feature is out of range": ("split_feature=", "split_feature=77 "),
    "too many leaves": ("num_leaves=", "num_leaves=9"),
    "a category of no set": ("decision_type=", "decision_type=1 "),
    "sets of categories without any": ("num_cat=0", "num_cat=5"),
    "no targets": ("num_tree_per_iteration=1", "num_tree_per_iteration=0"),
    "too few trees": ("num_tree_per_iteration=1", "num_tree_per_iteration=7"),
    "too many columns": ("max_feature_idx=3", "max_feature_idx=999999999"),
    "a text for a number": ("leaf_value=", "leaf_value=x"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_trees_that_cannot_be_followed_are_refused(tmp_path: Path, name: str) -> None:
    trained(tmp_path / "m.txt")
    text = (tmp_path / "m.txt").read_text()
    old, new = SPOILED[name]
    assert old in text
    spoiled = text.replace(old, new, 1)
    if new.endswith(" "):  # in the place of another number, so that the count stays
        head, _, rest = spoiled.partition(new)
        spoiled = head + new + rest.split(" ", 1)[1]
    (tmp_path / "m.txt").write_text(spoiled)
    with pytest.raises(CorruptModel, match="is no usable LightGBM model"):
        load_file(tmp_path / "m.txt")


@pytest.mark.parametrize("end", ["\nend of trees", "\nend of parameters"])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, end: str) -> None:
    trained(tmp_path / "m.txt")
    text = (tmp_path / "m.txt").read_text()
    (tmp_path / "m.txt").write_text(text[: text.index(end)])
    with pytest.raises(CorruptModel, match="cut short"):
        load_file(tmp_path / "m.txt")


def test_the_places_of_trees_in_the_text_are_not_believed(tmp_path: Path) -> None:
    framework = trained(tmp_path / "m.txt", zero_as_missing=True)
    text = (tmp_path / "m.txt").read_text().replace("tree_sizes=", "tree_sizes=99999999")
    (tmp_path / "m.txt").write_text(text)
    answer = ask(load_file(tmp_path / "m.txt"), X=ROWS)
    np.testing.assert_allclose(answer["prediction"], framework.predict(ROWS))
