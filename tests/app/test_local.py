"""`modelport.load`: a model in this process."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest

import modelport
from modelport.core.errors import ConfigError, InvalidInput, LoadError, ModelFailed, UntrustedModel

LINEAR = Path(__file__).parents[1] / "data" / "linear.onnx"


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_STATE_DIR", str(tmp_path / "state"))


def program(folder: Path, text: str, name: str) -> str:
    (folder / "program.py").write_text(text)
    return f"{folder / 'program.py'}:{name}"


def test_plain_data_gives_plain_data() -> None:
    with modelport.load(LINEAR) as model:
        assert model.predict({"x": [1, 2, 3]}) == {"prediction": 1.8}
        assert model.predict([[1, 2, 3], [1, 2, 3]]) == {"prediction": [1.8, 1.8]}
        assert type(model.predict({"x": [1, 2, 3]})["prediction"]) is float


def test_arrays_give_arrays() -> None:
    with modelport.load(LINEAR) as model:
        rows = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
        alone = model.predict(rows)
        assert isinstance(alone, np.ndarray)
        assert alone.tolist() == [1.8, 1.8]
        named = model.predict({"x": rows})
        assert isinstance(named["prediction"], np.ndarray)
        assert model.predict(rows[0]).tolist() == 1.8


def test_whole_numbers_and_single_precision_fill_a_double_tensor_exactly() -> None:
    with modelport.load(LINEAR) as model:
        assert model.predict(np.array([[1, 2, 3]])).tolist() == [1.8]
        assert model.predict(np.array([[1, 2, 3]], dtype=np.float32)).tolist() == [1.8]


SCORER = """
def score(age: float, city: str) -> float:
    return age * len(city)
"""


def test_records_and_frames_are_answered_in_their_own_kind(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    columns = {"age": [2.0, 3.0], "city": ["Rome", "Oslo"]}
    with modelport.load(program(tmp_path, SCORER, "score")) as model:
        records = [{"age": 2, "city": "Rome"}, {"age": 3, "city": "Oslo"}]
        assert model.predict(records) == {"prediction": [8.0, 12.0]}
        frame = pandas.DataFrame(columns, index=["a", "b"])
        answer = model.predict(frame)
        assert isinstance(answer, pandas.DataFrame)
        assert answer["prediction"].to_dict() == {"a": 8.0, "b": 12.0}
        answer = model.predict(polars.DataFrame(columns))
        assert isinstance(answer, polars.DataFrame)
        assert answer["prediction"].to_list() == [8.0, 12.0]


def test_a_classifier_gives_a_frame_with_a_column_for_each_class(tmp_path: Path) -> None:
    sklearn_linear = pytest.importorskip("sklearn.linear_model")
    skops_io = pytest.importorskip("skops.io")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    fitted = sklearn_linear.LogisticRegression().fit(frame, ["no", "no", "yes", "yes"])
    path = tmp_path / "model.skops"
    skops_io.dump(fitted, path)
    with modelport.load(path) as model:
        answer = model.predict(frame)
    assert answer["prediction"].tolist() == fitted.predict(frame).tolist()
    wanted = fitted.predict_proba(frame)
    assert np.allclose(answer[["probabilities.no", "probabilities.yes"]], wanted, atol=1e-6)


def test_wrong_data_says_what_is_wrong() -> None:
    with modelport.load(LINEAR) as model:
        with pytest.raises(InvalidInput, match=r"'x' takes one row as \[3\]"):
            model.predict({"x": [1, 2]})
        with pytest.raises(InvalidInput, match="takes numbers"):
            model.predict({"x": ["1", "2", "3"]})


def test_an_asynchronous_function_is_awaited(tmp_path: Path) -> None:
    text = "async def add(x: float) -> float:\n    return x + 1\n"
    with modelport.load(program(tmp_path, text, "add")) as model:
        assert model.predict({"x": [1, 2]}) == {"prediction": [2.0, 3.0]}


def test_an_asynchronous_function_is_awaited_where_a_loop_runs_already(tmp_path: Path) -> None:
    text = "async def add(x: float) -> float:\n    return x + 1\n"

    async def cell() -> object:
        return model.predict({"x": [1, 2]})

    with modelport.load(program(tmp_path, text, "add")) as model:
        assert asyncio.run(cell()) == {"prediction": [2.0, 3.0]}


def test_conversions_are_kept_in_folders_of_this_user_alone(tmp_path: Path) -> None:
    cache = tmp_path / "state" / "cache"
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    modelport.load(LINEAR).close()
    assert [path.stat().st_mode & 0o777 for path in (cache, cache.parent)] == [0o700, 0o700]


def test_without_a_private_folder_conversions_are_not_kept_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with modelport.load(LINEAR) as model:
        assert model.predict({"x": [1, 2, 3]}) == {"prediction": 1.8}
    assert "conversions of models are not kept: the state folder" in caplog.text
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_failure_of_the_model_is_chained(tmp_path: Path) -> None:
    text = "def fail(x: float) -> float:\n    raise RuntimeError('no luck')\n"
    with modelport.load(program(tmp_path, text, "fail")) as model:
        with pytest.raises(ModelFailed, match="no luck") as caught:
            model.predict({"x": 1})
        assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_pickle_needs_its_digest(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    with pytest.raises(UntrustedModel, match="--trust sha256:"):
        modelport.load(tmp_path / "model.pkl")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file or folder"):
        modelport.load(tmp_path / "none.onnx")


def test_a_folder_of_several_models_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.onnx").write_bytes(LINEAR.read_bytes())
    with pytest.raises(ConfigError, match=r"holds several models \(one, two\): name one file"):
        modelport.load(tmp_path)


def test_trust_takes_a_digest_in_any_case_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(ConfigError, match="64 hexadecimal digits, not 'xyz'"):
        modelport.load(path, trust="xyz")
    pytest.importorskip("sklearn")
    digest = hashlib.sha256(path.read_bytes()).hexdigest().upper()
    with pytest.raises(LoadError) as caught:  # it is read, and is no model
        modelport.load(path, trust=f"SHA256:{digest}")
    assert not isinstance(caught.value, UntrustedModel)


def test_a_closed_model_says_so(tmp_path: Path) -> None:
    mark = tmp_path / "closed"
    text = f"""
class Scorer:
    def predict(self, x: float) -> float:
        return x
    def close(self) -> None:
        with open({str(mark)!r}, "a") as file:
            file.write("x")
"""
    model = modelport.load(program(tmp_path, text, "Scorer"))
    model.close()
    model.close()
    assert mark.read_text() == "x"
    with pytest.raises(ConfigError, match="the model was closed"):
        model.predict({"x": 1})


def test_threads_share_a_model() -> None:
    with modelport.load(LINEAR) as model:
        answers: list[object] = []

        def ask() -> None:
            answers.extend(model.predict({"x": [1, 2, 3]}) for _ in range(50))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [{"prediction": 1.8}] * 400
