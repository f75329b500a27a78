"""Plain JSON bodies: numpy, pandas and polars in, JSON out."""

from __future__ import annotations

from collections import namedtuple
from datetime import date

import msgspec
import numpy as np
import pytest

from modelport.client.plain import encode
from modelport.core.errors import InvalidInput

Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"x": [1, 2.5, None, "a", True]}, b'{"x":[1,2.5,null,"a",true]}'),
        ([{"a": 1}], b'[{"a":1}]'),
        (np.array([[1.8, 2]], np.float32), b"[[1.8,2.0]]"),
        (np.arange(6).reshape(2, 3).T, b"[[0,3],[1,4],[2,5]]"),
        ({"x": np.float32(1.8), "n": np.int8(3), "b": np.bool_(True)}, b'{"x":1.8,"n":3,"b":true}'),
        ({"t": np.array(["a", "ä"])}, '{"t":["a","ä"]}'.encode()),
        (np.array(["a", None], dtype=object), b'["a",null]'),
        ({"x": float("nan"), "y": np.array([np.nan, 1])}, b'{"x":null,"y":[null,1.0]}'),
        ({0: 1}, b'{"0":1}'),
        ({"p": Point(1, 2)}, b'{"p":[1,2]}'),
    ],
)
def test_what_a_person_writes_becomes_json(data, text):
    assert encode(data) == text


def test_a_pandas_frame_is_a_list_of_records():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "n": [1, 2],
            "x": [1.5, None],
            "t": ["a", "b"],
            "when": pandas.to_datetime(["2020-01-02", None]),
            "maybe": pandas.array([1, None], dtype="Int64"),
        }
    )
    assert msgspec.json.decode(encode(frame)) == [
        {"n": 1, "x": 1.5, "t": "a", "when": "2020-01-02T00:00:00", "maybe": 1},
        {"n": 2, "x": None, "t": "b", "when": None, "maybe": None},
    ]
    assert encode({"n": frame["n"]}) == b'{"n":[1,2]}'


def test_a_polars_frame_is_a_list_of_records():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"n": [1, 2], "x": [1.5, None], "day": [date(2020, 1, 2), None]})
    assert msgspec.json.decode(encode(frame)) == [
        {"n": 1, "x": 1.5, "day": "2020-01-02"},
        {"n": 2, "x": None, "day": None},
    ]
    assert encode({"n": frame["n"]}) == b'{"n":[1,2]}'


def test_a_file_is_base64_under_a_name_that_says_so(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"\xff\x00")
    for value in (b"\xff\x00", bytearray(b"\xff\x00"), tmp_path / "x.bin"):
        assert encode({"x": value}) == b'{"x":{"b64":"/wA="}}'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"x": object()}, "holds a object"),
        ({"x": {1, 2}}, "holds a set"),
        (np.array([1j]), "holds a complex"),
        ({"x": 2**70}, "64-bit"),
        ("\ud800", "surrogates"),
        ({(1, 2): 3}, "key"),
        (np.array([1], dtype=">i4"), "endian"),
    ],
)
def test_what_json_cannot_carry_is_named(data, words):
    with pytest.raises(InvalidInput, match=words):
        encode(data)
