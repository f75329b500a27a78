"""Plain JSON bodies: what a person would write, with arrays, DataFrames and files inside."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Protocol, TypeGuard

import numpy as np
import orjson

from modelport.core.errors import InvalidInput
from modelport.semantics.files import bytes_of

__all__ = ["encode"]

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class _Pandas(Protocol):
    def to_dict(self, orient: str) -> list[dict[object, object]]: ...


class _Polars(Protocol):
    def to_dicts(self) -> list[dict[str, object]]: ...


class _Series(Protocol):
    def to_list(self) -> list[object]: ...


def encode(data: object) -> bytes:
    """The JSON of a request; DataFrames become lists of records.

    JSON has no word for NaN and the infinities: they are sent as `null`, a missing value.

    Raises:
        InvalidInput: JSON cannot carry a value; names its type.
    """
    try:
        return orjson.dumps(_records(data), _other, _OPTIONS)
    except orjson.JSONEncodeError as error:
        # An error of `_other` comes wrapped in orjson's, whose own text says less.
        if isinstance(error.__cause__, InvalidInput):
            raise error.__cause__ from None
        raise InvalidInput(f"the data cannot be written as JSON: {error}") from error


def _records(data: object) -> object:
    if _is_pandas_frame(data):
        return data.to_dict(orient="records")
    return data.to_dicts() if _is_polars_frame(data) else data


def _other(value: object) -> object:
    """A value that JSON has in place of one that orjson does not know."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()  # texts, and arrays that are not contiguous
    if type(value).__name__ in ("NAType", "NaTType"):
        return None  # the missing values of pandas
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)  # named tuples
    if _is_series(value):
        return value.to_list()
    file = bytes_of(value)
    if file is not None:
        return {"b64": base64.b64encode(file).decode()}
    raise InvalidInput(
        f"the data holds a {type(value).__name__}, which JSON cannot carry: give numbers, text,"
        " lists, dicts, numpy arrays or DataFrames; for a file its bytes, a Path or a Pillow image"
    )


# pandas and polars are recognised by where a class comes from: importing them takes a second, and
# who has a DataFrame has imported them already.
def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def _is_pandas_frame(value: object) -> TypeGuard[_Pandas]:
    return _library(value) == "pandas" and type(value).__name__ == "DataFrame"


def _is_polars_frame(value: object) -> TypeGuard[_Polars]:
    return _library(value) == "polars" and type(value).__name__ == "DataFrame"


def _is_series(value: object) -> TypeGuard[_Series]:
    return _library(value) in ("pandas", "polars") and type(value).__name__ == "Series"
