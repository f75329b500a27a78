"""Tables in and out: CSV and npy bodies, DataFrames."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelport.core.errors import InvalidInput
from modelport.core.tensors import Array, Batch, DType
from modelport.semantics.fields import InputField, PlainView
from modelport.semantics.labels import Answer, predictions
from modelport.semantics.plain import PlainRequest, read

__all__ = ["answer_csv", "answer_npy", "frame_columns", "read_csv", "read_npy"]


def read_csv(view: PlainView, body: bytes) -> PlainRequest:
    """The rows of a CSV body; cells are parsed by the declared type, an empty one is missing.

    Fields that are single values are found by the names in the header. A model with one tensor
    and no names takes rows of numbers without a header.

    Raises:
        InvalidInput: names the row and the column.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True) if row]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the CSV body is not UTF-8: {error.reason}") from error
    except csv.Error as error:
        raise InvalidInput(f"the CSV body is malformed: {error}") from error
    if not rows:
        raise InvalidInput("the CSV body is empty")
    if view.is_tabular:
        return read(view, _named_columns(view, rows))
    if len(view.tensors) != 1 or len(view.fields[0].shape) != 1:
        raise InvalidInput("this model's input is not a table: send JSON")
    return read(view, {view.fields[0].name: _unnamed_rows(view.fields[0], rows)})


def read_npy(view: PlainView, body: bytes) -> PlainRequest:
    """The array of an npy body, as the only input or as the columns in their order.

    Raises:
        InvalidInput: not an npy file, or one of Python objects, or of another type or shape.
    """
    try:
        array = np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise InvalidInput(f"the body is not an npy array without objects: {error}") from error
    if not isinstance(array, np.ndarray):
        raise InvalidInput("the body is an npz archive; send one npy array")
    if len(view.tensors) > 1:
        if array.ndim == 0 or array.shape[-1] != len(view.fields) or not view.is_tabular:
            raise InvalidInput(
                f"an npy body for this model has {len(view.fields)} columns in this order: "
                + ", ".join(field.name for field in view.fields)
            )
        return read(view, {f.name: array[..., at] for at, f in enumerate(view.fields)})
    return read(view, array)


def frame_columns(frame: Any) -> dict[str, Any] | None:
    """The columns of a pandas or polars DataFrame as lists and arrays; None for anything else.

    Asks for the columns' names and values only, so that neither library is imported.
    """
    if not (hasattr(frame, "columns") and hasattr(frame, "shape") and hasattr(frame, "dtypes")):
        return None
    return {str(name): _series(frame[name]) for name in frame.columns}


def answer_csv(view: PlainView, answer: Answer) -> bytes:
    """The answer as CSV: a column for each name, one for each class's probability."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = _answer_columns(answer)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def answer_npy(view: PlainView, outputs: Batch) -> bytes:
    """The main answer of all rows as one npy array; text as fixed-width unicode."""
    array = predictions(view, outputs)
    if array.dtype == np.object_:
        texts = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in array.flat]
        array = np.array(texts, dtype=np.str_).reshape(array.shape)
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _named_columns(view: PlainView, rows: Sequence[Sequence[str]]) -> dict[str, list[object]]:
    names = [name.strip() for name in rows[0]]
    by_name = {field.name: field for field in view.fields}
    unknown = [name for name in names if name not in by_name]
    if unknown or len(set(names)) != len(names):
        wanted = ", ".join(list(by_name)[:8])
        problem = f"has no field '{unknown[0]}'" if unknown else "takes each column once"
        raise InvalidInput(f"the model {problem}; the CSV header names its columns: {wanted}")
    _check_widths(rows, len(names))
    return {
        name: [
            _cell(by_name[name], row[at], line) for line, row in enumerate(rows[1:], start=2)
        ]
        for at, name in enumerate(names)
    }


def _unnamed_rows(field: InputField, rows: Sequence[Sequence[str]]) -> list[list[object]]:
    _check_widths(rows, len(rows[0]))
    return [[_cell(field, cell, line) for cell in row] for line, row in enumerate(rows, start=1)]


def _check_widths(rows: Sequence[Sequence[str]], width: int) -> None:
    for line, row in enumerate(rows, start=1):
        if len(row) != width:
            raise InvalidInput(f"row {line} of the CSV has {len(row)} cells, others have {width}")


def _cell(field: InputField, cell: str, line: int) -> object:
    text = cell.strip()
    dtype = field.dtype
    if dtype is DType.BYTES:
        return cell if cell or not field.meaning.nullable else None
    if not text:
        return None
    try:
        if dtype is DType.BOOL:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        value = float(text) if dtype.is_float else int(text)
    except (ValueError, KeyError) as error:
        raise InvalidInput(
            f"row {line} of the CSV: '{field.name}' takes {dtype.value}, and {text[:40]!r} came",
            tensor=field.name,
            row=line,
        ) from error
    if isinstance(value, float) and not np.isfinite(value):
        raise InvalidInput(f"row {line} of the CSV: '{field.name}' is {text}, not a finite number")
    return value


def _series(series: Any) -> Any:
    """A column's values: an array of numbers, or a list with None where a value is missing."""
    values = series.to_numpy()
    if values.dtype.kind in "biuf":
        return values
    return [None if value != value else value for value in series.to_list()]  # NaN is not itself


def _answer_columns(answer: Mapping[str, Any]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name, value in answer.items():
        rows = _rows(value)
        if rows and isinstance(rows[0], dict):
            columns.update({key: [row[key] for row in rows] for key in rows[0]})
        elif rows and isinstance(rows[0], list):
            columns.update({f"{name}.{at}": list(c) for at, c in enumerate(zip(*rows, strict=True))})
        else:
            columns[name] = rows
    return {name: ["" if value is None else value for value in rows] for name, rows in columns.items()}


def _rows(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        if value.dtype == np.float32:  # the shortest form of a float32, as in JSON
            return np.array([str(v) for v in value.flat], dtype=np.object_).reshape(value.shape).tolist()
        return value.tolist()  # type: ignore[no-any-return]
    return value if isinstance(value, list) else [value]
