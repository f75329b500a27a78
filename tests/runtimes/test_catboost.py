"""The CatBoost runtime: which models are converted, labels, categories and damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from modelport.core.errors import CorruptModel, UnsupportedModel
from modelport.core.tensors import bytes_tensor
from modelport.runtimes._catboost_file import check_file
from tests.runtimes.boosted import ask, load_file, table

ROWS, TARGET = table()
KINDS = np.digitize(TARGET, [-1, 1])
LOSSES: dict[str, tuple[Any, str]] = {
    "RMSE": (TARGET * 1e3, "RawFormulaVal"),
    "MultiRMSE": (np.column_stack([TARGET, -TARGET]), "RawFormulaVal"),
    "Poisson": (np.abs(TARGET), "Exponent"),
    "Logloss": (TARGET > 0, "Probability"),
    "CrossEntropy": ((TARGET > 0) * 1.0, "Probability"),
    "MultiClass": (KINDS, "Probability"),
    "MultiClassOneVsAll": (KINDS, "Probability"),
    "MultiLogloss": (np.column_stack([TARGET > 0, TARGET > 1]) * 1, "Probability"),
}


def trained(path: Path, loss: str = "RMSE", rows: Any = ROWS, **options: Any) -> Any:
    """A model, saved."""
    parameters = {"loss_function": loss, "iterations": 10, "verbose": 0, **options}
    model = catboost.CatBoost({**parameters, "allow_writing_files": False})
    model.fit(rows, LOSSES[loss][0])
    model.save_model(str(path))
    return model


@pytest.mark.parametrize(
    ("loss", "policy"),
    [
        *((loss, "SymmetricTree") for loss in LOSSES),
        *((loss, "Lossguide") for loss in ("RMSE", "Poisson", "Logloss")),
    ],
)
def test_answers_are_those_of_catboost(tmp_path: Path, loss: str, policy: str) -> None:
    framework = trained(tmp_path / "m.cbm", loss, grow_policy=policy)
    model = load_file(tmp_path / "m.cbm")
    answer = list(ask(model, X=ROWS).values())[-1]
    expected = framework.predict(ROWS, prediction_type=LOSSES[loss][1])
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)
    assert model.description.notes[0].startswith("Runs through ONNX")


@pytest.mark.parametrize(
    "names",
    [["no", "yes"], [3, 7], [0.5, 1.5], [False, True]],
    ids=["text", "int", "float", "bool"],
)
def test_labels_are_those_of_the_file(tmp_path: Path, names: list[Any]) -> None:
    labels = np.array(names)[(TARGET > 0).astype(int)]
    framework = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False)
    framework.fit(ROWS, labels).save_model(str(tmp_path / "m.cbm"))
    model = load_file(tmp_path / "m.cbm")
    got = ask(model, X=ROWS)["label"]
    assert model.description.semantics.outputs["label"].classes == tuple(names)
    expected = framework.predict(ROWS)
    if names == [False, True]:
        expected = np.char.lower(expected.astype(str)) == "true"
    assert [g.decode() if isinstance(g, bytes) else g for g in got.tolist()] == expected.tolist()


def test_categories_and_texts_run_in_catboost(tmp_path: Path) -> None:
    kinds = np.resize(np.array(["x", "Köln", "z"], dtype=object), len(ROWS))
    rows = np.column_stack([ROWS.astype(object), kinds])
    framework = trained(tmp_path / "m.cbm", rows=rows.tolist(), cat_features=[4])
    model = load_file(tmp_path / "m.cbm")
    inputs = {str(at): ROWS[:, [at]] for at in range(4)}
    inputs["4"] = bytes_tensor([kind.encode() for kind in kinds], (len(rows), 1))
    answer = ask(model, **inputs)["prediction"]
    np.testing.assert_allclose(answer, framework.predict(rows), rtol=1e-6)
    assert "category or text features" in model.description.notes[0]


def test_a_threshold_of_its_own_is_refused(tmp_path: Path) -> None:
    framework = catboost.CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False)
    framework.fit(ROWS, TARGET > 0).set_probability_threshold(0.3)
    framework.save_model(str(tmp_path / "m.cbm"))
    with pytest.raises(UnsupportedModel, match=r"at a probability of 0.3"):
        load_file(tmp_path / "m.cbm")


def damaged(path: Path, count: int) -> int:
    """Change a byte of the file, time and again; how often it is refused."""
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(count):
        data = bytearray(whole)
        data[rng.integers(8, len(data))] = rng.integers(256)
        path.write_bytes(data)
        try:
            load_file(path)
        except CorruptModel:
            refused += 1
    return refused


def test_damaged_files_are_refused_or_answer(tmp_path: Path) -> None:
    trained(tmp_path / "m.cbm")
    assert damaged(tmp_path / "m.cbm", 60) > 10


def of_categories(path: Path) -> None:
    """A model whose answers follow a category, saved."""
    kinds = np.resize(np.arange(5), len(ROWS))
    rows = [[*row, "abcde"[kind]] for row, kind in zip(ROWS.tolist(), kinds, strict=True)]
    statistics = ["Borders:TargetBorderCount=3", "BinarizedTargetMeanValue", "Counter"]
    parameters = {"loss_function": "RMSE", "iterations": 20, "verbose": 0, "simple_ctr": statistics}
    model = catboost.CatBoost({**parameters, "allow_writing_files": False})
    model.fit(catboost.Pool(rows, TARGET + 5 * kinds % 3, cat_features=[4]))
    model.save_model(str(path))


def test_damaged_statistics_are_refused_or_answer(tmp_path: Path) -> None:
    of_categories(tmp_path / "m.cbm")
    assert damaged(tmp_path / "m.cbm", 60) > 10


def test_statistics_that_lead_out_of_their_table_are_refused(tmp_path: Path) -> None:
    of_categories(tmp_path / "m.cbm")
    data = (tmp_path / "m.cbm").read_bytes()
    core = 8 + int.from_bytes(data[4:8], "little")
    check_file(data)
    # An empty bucket that is not empty any more names the last of all places.
    at = data.index(b"\xff" * 8, core)
    spoiled = data[:at] + bytes(8) + b"\xff" * 4 + data[at + 12 :]
    with pytest.raises(ValueError, match="a category without statistics"):
        check_file(spoiled)


@pytest.mark.parametrize("size", [0, 4, 12, 200, 1000])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    trained(tmp_path / "m.cbm")
    data = (tmp_path / "m.cbm").read_bytes()[:size]
    with pytest.raises(ValueError, match=r"cut short|begin"):
        check_file(data)
