"""Tables in and out: CSV and npy bodies, DataFrames."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.lib import format as npy

from modelport.core.errors import InvalidInput, UnsupportedMedia
from modelport.core.tensors import Array, Batch, DType
from modelport.semantics.fields import InputField, PlainView
from modelport.semantics.labels import Answer, answer_json, predictions
from modelport.semantics.plain import PlainRequest, read

__all__ = ["answer_csv", "answer_npy", "frame_columns", "read_csv", "read_npy"]

_NPY = b"\x93NUMPY"
_AXES = 32
"""More dimensions than this are none that a model has."""
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_Values: TypeAlias = list[object] | Array
"""The values of a column, or of all cells."""


def read_csv(view: PlainView, body: bytes) -> PlainRequest:
    """The rows of a CSV body; cells are parsed by the declared type, an empty one is missing.

    Fields that are single values are found by the names in the header. A model with one tensor
    and no names takes rows of numbers without a header. Lines with nothing on them are no rows.

    Raises:
        InvalidInput: names the row and the column; its `row` counts rows from 0 as in JSON, its
            `line` is that of the file.
    """
    lines, rows = _parsed(body)
    if view.is_tabular:
        return read(view, _named_columns(view, rows[0], rows[1:], lines[1:]))
    if len(view.owners) != 1 or len(view.fields[0].shape) != 1:
        raise InvalidInput("this model's input is not a table: send JSON")
    return read(view, _only_tensor(view.fields[0], rows, lines))


def read_npy(view: PlainView, body: bytes) -> PlainRequest:
    """The array of an npy body, as the only input or as the columns in their order.

    Raises:
        InvalidInput: not an npy file, or one of Python objects, or of another type or shape.
    """
    array = _array(body)
    if len(view.tensors) > 1 and len(view.owners) > 1:
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

    Raises:
        InvalidInput: two columns have the same name.
    """
    if not (hasattr(frame, "columns") and hasattr(frame, "shape") and hasattr(frame, "dtypes")):
        return None
    names = [str(name) for name in frame.columns]
    if len(set(names)) != len(names):
        raise InvalidInput("two columns of the DataFrame have the same name")
    return {str(name): _series(frame[name]) for name in frame.columns}


def answer_csv(answer: Answer) -> bytes:
    """The answer as CSV: a column for each name, one for each class's probability.

    Raises:
        UnsupportedMedia: it is not a table: lists of lists, or outputs of different lengths.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = _answer_columns(answer)
    writer.writerow(columns)
    writer.writerows(map(_shown, row) for row in zip(*columns.values(), strict=True))
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


def _array(body: bytes) -> Array:
    """The array of an npy body, which shares the body's memory."""
    # `numpy.load` believes the shape before it looks at the data, and says what it fails with in
    # words that show its insides.
    if not body.startswith(_NPY):
        raise InvalidInput("the body is no npy array: it does not begin as one")
    shape, is_fortran, dtype, start = _npy_head(body)
    if dtype.hasobject or not dtype.itemsize:
        raise InvalidInput(f"the body is an npy array of {dtype}, which is not taken")
    count, data = math.prod(shape), len(body) - start
    if count * dtype.itemsize != data or not data:
        raise InvalidInput(
            f"the npy array is of {dtype} in the shape {list(shape)}, which takes"
            f" {count * dtype.itemsize} bytes and at least one, and {data} came",
            expected=count * dtype.itemsize,
            got=data,
        )
    flat = np.frombuffer(body, dtype, count, start)
    array = flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)
    return array if array.flags.aligned else array.copy()


def _npy_head(body: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """The shape, whether it is in column order, the type, and where the data starts."""
    file = io.BytesIO(body)
    try:
        version = npy.read_magic(file)
        read_head = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read_head(file)
        if len(shape) > _AXES or any(size < 0 for size in shape):
            raise ValueError(f"the shape is {shape}")
    except Exception as error:  # it is a Python literal, which fails in many ways
        raise InvalidInput("the body is no npy array: its header is damaged") from error
    return shape, is_fortran, dtype, file.tell()


def _parsed(body: bytes) -> tuple[list[int], list[list[str]]]:
    """The rows of a CSV body, all of one width, and the number of the line that each ends on."""
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the CSV body is not UTF-8: {error.reason}") from error
    except csv.Error as error:
        raise InvalidInput(f"the CSV body is malformed: {error}") from error
    if not rows:
        raise InvalidInput("the CSV body is empty")
    width = len(rows[0])
    for line, row in zip(lines, rows, strict=True):
        if len(row) != width:
            raise InvalidInput(f"row {line} of the CSV has {len(row)} cells, others have {width}")
    return lines, rows


def _named_columns(
    view: PlainView, header: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[int]
) -> dict[str, _Values]:
    by_name = {field.name: field for field in view.fields}
    names = [name if name in by_name else name.strip() for name in header]
    unknown = [name for name in names if name not in by_name]
    if unknown or len(set(names)) != len(names):
        wanted = ", ".join(list(by_name)[:8])
        problem = f"has no field '{unknown[0]}'" if unknown else "takes each column once"
        raise InvalidInput(f"the model {problem}; the CSV header names its columns: {wanted}")
    columns: Iterable[Sequence[str]] = zip(*rows, strict=True) if rows else [()] * len(names)
    return {
        name: _values(by_name[name], cells, lines)
        for name, cells in zip(names, columns, strict=True)
    }


def _only_tensor(
    field: InputField, rows: Sequence[Sequence[str]], lines: Sequence[int]
) -> list[list[object]] | Array:
    width = len(rows[0])
    every = [line for line in lines for _ in range(width)]
    values = _values(field, list(chain.from_iterable(rows)), every)
    if isinstance(values, np.ndarray):
        return values.reshape(len(rows), width)
    return [values[at : at + width] for at in range(0, len(values), width)]


def _values(field: InputField, cells: Sequence[str], lines: Sequence[int]) -> _Values:
    """The cells by the field's type: an array where that can be had at once, else a list."""
    values = _in_bulk(field, cells)
    if values is not None:
        return values
    # The cells of a tensor's row have one line.
    rows = {line: at for at, line in enumerate(dict.fromkeys(lines))}
    return [_cell(field, cell, line, rows[line]) for cell, line in zip(cells, lines, strict=True)]


def _in_bulk(field: InputField, cells: Sequence[str]) -> _Values | None:
    """All cells parsed together; None where one needs a look of its own, or is wrong."""
    # A call in Python for each cell of a large body would take seconds.
    dtype, nullable = field.dtype, field.meaning.nullable
    if dtype is DType.BYTES:
        return [cell or None for cell in cells] if nullable else list(cells)
    if dtype is DType.BOOL:
        found = list(map(_BOOLS.get, cells))
        return None if None in found else np.array(found, np.bool_)
    if "_" in "".join(cells):
        return None  # Python's own literals may have one
    try:
        if dtype.is_integer:
            return np.fromiter(map(int, cells), dtype.numpy, len(cells))
        return _finite(cells, bool(nullable))
    except (ValueError, OverflowError):
        return None


def _finite(cells: Sequence[str], nullable: bool) -> Array | None:
    """Numbers, NaN for each empty cell where that is a missing value; None if one is infinite."""
    gaps = nullable and "" in cells
    texts = [cell or "nan" for cell in cells] if gaps else cells
    numbers = np.fromiter(map(float, texts), np.float64, len(cells))
    fine = np.isfinite(numbers)
    if gaps:
        fine |= np.fromiter(map("".__eq__, cells), np.bool_, len(cells))
    return numbers if fine.all() else None


def _cell(field: InputField, cell: str, line: int, row: int) -> object:
    text = cell.strip()
    dtype = field.dtype
    if dtype is DType.BYTES:
        return cell if cell or not field.meaning.nullable else None
    if not text:
        return None
    try:
        if dtype is DType.BOOL:
            return _BOOLS[text.lower()]
        if "_" in text:  # which Python's own literals may have
            raise ValueError(text)
        value = float(text) if dtype.is_float else int(text)
    except (ValueError, KeyError) as error:
        raise InvalidInput(
            f"row {line} of the CSV: '{field.name}' takes {dtype.value}, and {text[:40]!r} came",
            tensor=field.name,
            row=row,
            line=line,
        ) from error
    if isinstance(value, float) and not np.isfinite(value):
        raise InvalidInput(
            f"row {line} of the CSV: '{field.name}' is {text}, not a finite number",
            tensor=field.name,
            row=row,
            line=line,
        )
    return value


def _series(series: Any) -> Any:
    """A column's values: an array of numbers, or a list with None where a value is missing."""
    values = series.to_numpy()
    if values.dtype.kind in "biuf":
        return values
    return [None if isinstance(v, float) and math.isnan(v) else v for v in series.to_list()]


def _answer_columns(answer: Answer) -> dict[str, list[object]]:
    plain: dict[str, Any] = msgspec.json.decode(answer_json(answer))
    columns: dict[str, list[object]] = {}
    for name, value in plain.items():
        rows = value if isinstance(value, list) else [value]
        first = rows[0] if rows else None
        if isinstance(first, dict) and all(
            isinstance(r, dict) and r.keys() == first.keys() for r in rows
        ):
            # The names of classes; one that is also another column's is told apart.
            keys = {key: f"{name}.{key}" if key in plain else key for key in first}
            columns |= {title: [row[key] for row in rows] for key, title in keys.items()}
        elif isinstance(first, list):
            width = len(first)
            if any(len(row) != width for row in rows):
                raise _no_table()
            columns |= {f"{name}.{at}": [row[at] for row in rows] for at in range(width)}
        else:
            columns[name] = rows
    cells = [cell for rows in columns.values() for cell in rows]
    if len({len(rows) for rows in columns.values()}) > 1 or any(isinstance(c, list) for c in cells):
        raise _no_table()
    return columns


def _no_table() -> UnsupportedMedia:
    return UnsupportedMedia("this model's answer is not a table: ask for JSON", status=406)


def _shown(cell: object) -> object:
    """A cell as JSON has it, but for a text, which stands alone."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else msgspec.json.encode(cell).decode()
