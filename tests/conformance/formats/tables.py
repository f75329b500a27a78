"""What the cases of table models share: data that ships with scikit-learn, and their truths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.conformance.formats.truth import Truth

__all__ = [
    "classified",
    "diabetes",
    "iris",
    "matrix",
    "mixed",
    "mixed_rows",
    "rows_of",
    "valued",
    "valued_by_column",
    "wine",
]

ROWS = 12


def diabetes() -> Any:
    """A frame of ten numbers and their target; every eleventh value of `bmi` is missing."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(as_frame=True)
    data.data.loc[::11, "bmi"] = np.nan
    return data.data, data.target


def mixed() -> Any:
    """A frame of two categories and a number that may be missing, and their target."""
    import pandas as pd

    table, target = diabetes()
    table["sex"] = pd.Categorical(np.where(table["sex"] > 0, "f", "m"))
    table["site"] = pd.Categorical(np.resize(["Cologne", "Bonn", "Essen"], len(table)))
    return table[["sex", "bmi", "site"]], target


def mixed_rows(table: Any) -> Any:
    """Some rows of such a frame, two of them with a missing number."""
    return table.iloc[::40]


def iris() -> Any:
    """Four numbers by row, and one of three classes."""
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


def wine() -> Any:
    """A frame of thirteen numbers, and whether the wine is of the first kind."""
    from sklearn.datasets import load_wine

    data = load_wine(as_frame=True)
    return data.data, (data.target == 0).astype(int)


def rows_of(table: Any) -> Any:
    """Some rows of a matrix, in double precision."""
    step = len(table) // ROWS
    return np.ascontiguousarray(np.asarray(table, dtype=np.float64)[::step][:ROWS])


def matrix(rows: Any, columns: Sequence[str] = ()) -> Any:
    """The rows as a plain request: records by column name, or lists; `null` where missing."""
    listed = [[None if value != value else value for value in row] for row in rows.tolist()]
    return [dict(zip(columns, row, strict=True)) for row in listed] if columns else listed


def valued(path: str, rows: Any, answer: Any, plain: Any, datatype: str = "FP64") -> Truth:
    """A model that answers a number for each row, or several."""
    answer = np.asarray(answer)
    return Truth(
        path=path,
        inputs={"X": rows},
        outputs={"prediction": answer},
        prediction=answer.tolist(),
        signature={
            "X": ("FP64", [-1, rows.shape[1]]),
            "prediction": (datatype, [-1, *answer.shape[1:]]),
        },
        plain=plain,
    )


def classified(
    path: str, rows: Any, labels: Any, probabilities: Any, plain: Any, datatype: str = "FP64"
) -> Truth:
    """A model that answers a label and the probabilities of the classes."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    text = labels.dtype.kind in "OU"
    return Truth(
        path=path,
        inputs={"X": rows},
        outputs={
            "label": labels.tolist() if text else labels.astype(np.int64),
            "probabilities": probabilities,
        },
        prediction=labels.tolist(),
        signature={
            "X": ("FP64", [-1, rows.shape[1]]),
            "label": ("BYTES" if text else "INT64", [-1]),
            "probabilities": (datatype, [-1, probabilities.shape[1]]),
        },
        plain=plain,
    )


def valued_by_column(path: str, rows: Any, answer: Any, datatype: str = "FP64") -> Truth:
    """A model that answers a number for each row of `mixed_rows`."""
    answer = np.asarray(answer)
    records = rows.to_dict("records")
    plain = [{k: None if v != v else v for k, v in record.items()} for record in records]
    inputs = {"bmi": rows[["bmi"]].to_numpy()}
    texts = {name: [[value] for value in rows[name]] for name in ("sex", "site")}
    return Truth(
        path=path,
        inputs={name: texts.get(name, inputs.get(name)) for name in rows.columns},
        outputs={"prediction": answer},
        prediction=answer.tolist(),
        signature={
            "sex": ("BYTES", [-1, 1]),
            "bmi": ("FP64", [-1, 1]),
            "site": ("BYTES", [-1, 1]),
            "prediction": (datatype, [-1]),
        },
        plain=plain,
    )
