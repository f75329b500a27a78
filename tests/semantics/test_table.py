"""Tables in and out: CSV, npy, DataFrames."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.core.errors import InvalidInput, UnsupportedMedia
from modelport.core.semantics import Field, InputMeaning, OutputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType, bytes_tensor
from modelport.semantics.fields import PlainView
from modelport.semantics.labels import plain_answer
from modelport.semantics.plain import read
from modelport.semantics.table import answer_csv, answer_npy, frame_columns, read_csv, read_npy
from tests.semantics.calls import python_calls

Views = Callable[..., PlainView]


@pytest.fixture(scope="session")
def people(view_of: Views) -> PlainView:
    """Four inputs of one value a row: age INT64, height FP64 (may be missing), city, member."""
    return view_of(
        [
            TensorSpec("age", DType.INT64, (None, 1)),
            TensorSpec("height", DType.FP64, (None, 1)),
            TensorSpec("city", DType.BYTES, (None, 1)),
            TensorSpec("member", DType.BOOL, (None,)),
        ],
        inputs={
            "height": InputMeaning(field=Field(nullable=True)),
            "city": InputMeaning(field=Field(nullable=True)),
        },
    )


def refused(view: PlainView, body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_csv(view, body)
    return caught.value.message


# -- CSV in


def test_cells_are_parsed_by_the_declared_type(people: PlainView) -> None:
    body = b'city,age,height,member\r\n"a, ""b""",39, 1.8 ,true\r\n\xc3\xa9,-4,,0\r\n'
    request = read_csv(people, body)
    assert request.inputs["age"].tolist() == [[39], [-4]]
    assert request.inputs["city"].tolist() == [[b'a, "b"'], ["é".encode()]]
    assert request.inputs["member"].tolist() == [True, False]
    assert request.inputs["height"][0, 0] == 1.8
    assert np.isnan(request.inputs["height"][1, 0])
    assert not request.single


def test_one_row_of_a_csv_is_many(people: PlainView) -> None:
    assert not read_csv(people, b"age,height,city,member\n1,2,x,1").single


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False, allow_infinity=False) | st.none(),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_rows_come_back_from_what_the_csv_module_writes(
    people: PlainView, rows: list[tuple[Any, ...]]
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["age", "height", "city", "member"])
    writer.writerows(rows)
    inputs = read_csv(people, out.getvalue().encode()).inputs
    assert inputs["age"].ravel().tolist() == [row[0] for row in rows]
    heights = [None if math.isnan(h) else h for h in inputs["height"].ravel().tolist()]
    assert heights == [row[1] for row in rows]
    assert inputs["city"].ravel().tolist() == [row[2].encode() for row in rows]
    assert inputs["member"].tolist() == [row[3] for row in rows]


def test_a_byte_order_mark_and_spaces_in_the_header_do_not_matter(people: PlainView) -> None:
    body = "\ufeffage, height ,city,member\n1,2,x,true\n".encode()
    assert read_csv(people, body).inputs["height"].tolist() == [[2]]


def test_a_name_with_spaces_is_found_as_it_is_written(view_of: Views) -> None:
    view = view_of([TensorSpec(" a ", DType.INT64, (None,))])
    assert read_csv(view, b" a \n1\n").inputs[" a "].tolist() == [1]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (b"x,1,a,true", "row 3 of the CSV: 'age' takes INT64, and 'x' came"),
        (b"1.5,1,a,true", "'age' takes INT64, and '1.5' came"),
        (b"1_000,1,a,true", "'age' takes INT64, and '1_000' came"),
        (b"1,1_0,a,true", "'height' takes FP64, and '1_0' came"),
        (b"1,tall,a,true", "'height' takes FP64, and 'tall' came"),
        (b"1,nan,a,true", "row 3 of the CSV: 'height' is nan, not a finite number"),
        (b"1,1e999,a,true", "'height' is 1e999, not a finite number"),
        (b"1,1,a,maybe", "'member' takes BOOL, and 'maybe' came"),
        (b"1,1,a", "row 3 of the CSV has 3 cells, others have 4"),
        (b"1,1,a,true,", "row 3 of the CSV has 5 cells, others have 4"),
        (b",1,a,true", "'age' takes whole numbers (INT64), and null came"),
        (b"1,1,a,", "'member' takes true or false (BOOL), and null came"),
        (b'1,1,"a,true', "the CSV body is malformed"),
        (b"1,1,\xff,true", "the CSV body is not UTF-8: invalid start byte"),
        (b"9" * 20 + b",1,a,true", "'age' takes INT64, and 99999999999999999999 does not fit"),
        (b"9" * 5000 + b",1,a,true", "'age' takes INT64"),
    ],
)
def test_a_cell_that_does_not_fit_is_told_with_its_row_and_column(
    people: PlainView, row: bytes, words: str
) -> None:
    body = b"age,height,city,member\n1,1,a,true\n" + row + b"\n"
    assert words in refused(people, body)


@pytest.mark.parametrize("cell", ["tall", "nan"])
def test_a_cell_that_does_not_fit_has_the_row_that_json_would_have(
    people: PlainView, cell: str
) -> None:
    body = f"\nage,height,city,member\n1,1,a,true\n\n1,{cell},a,true\n"
    with pytest.raises(InvalidInput) as caught:
        read_csv(people, body.encode())
    assert {**caught.value.detail} == {"tensor": "height", "row": 1, "line": 5}


def test_a_cell_of_a_tensors_row_has_that_row(view_of: Views) -> None:
    view = view_of([TensorSpec("x", DType.FP32, (None, 3))])
    with pytest.raises(InvalidInput) as caught:
        read_csv(view, b"1,2,3\n4,5,x\n")
    assert {**caught.value.detail} == {"tensor": "x", "row": 1, "line": 2}


def test_lines_with_nothing_on_them_are_no_rows_but_count_as_lines(people: PlainView) -> None:
    body = b"\nage,height,city,member\n\n1,1,a,true\n\nx,1,a,true\n"
    assert refused(people, body).startswith("row 6 of the CSV: 'age'")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"age,height,city", "'member' is missing"),
        (b"age,height,city,membre", "the model has no field 'membre'"),
        (b"age,age,city,member", "the model takes each column once"),
        (b"1,2,x,true", "has no field '1'; the CSV header names its columns: age, height, city"),
    ],
)
def test_a_header_that_does_not_name_the_fields_is_refused(
    people: PlainView, header: bytes, words: str
) -> None:
    cells = header.count(b",") * b"1," + b"1"
    assert words in refused(people, header + b"\n" + cells + b"\n")


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_told_as_such(people: PlainView, body: bytes) -> None:
    assert refused(people, body) == "the CSV body is empty"


def test_a_header_alone_has_no_rows(people: PlainView) -> None:
    assert "is empty" in refused(people, b"age,height,city,member\n")


def test_a_model_without_names_takes_rows_of_numbers(view_of: Views) -> None:
    view = view_of([TensorSpec("x", DType.FP32, (None, 3))])
    assert read_csv(view, b"1,2,3\n4,5,6.5\n").inputs["x"].tolist() == [[1, 2, 3], [4, 5, 6.5]]
    assert "takes one row as [3]" in refused(view, b"1,2\n")
    assert "row 2 of the CSV has 1 cells, others have 3" in refused(view, b"1,2,3\n1\n")


def test_a_large_body_costs_no_call_for_each_cell(people: PlainView, view_of: Views) -> None:
    body = b"age,height,city,member\n" + b"39,1.5,Paris,1\n7,,,0\n" * 500
    assert python_calls(lambda: read_csv(people, body)) < 500
    only = view_of([TensorSpec("x", DType.FP32, (None, 4))])
    assert python_calls(lambda: read_csv(only, b"1,2,3,4\n" * 1000)) < 200


@given(
    cells=st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
            st.integers(-5, 5).map(str),
            st.sampled_from([" 7 ", "", "1_0", "nan", "-inf", "1e39", "x", "\u0661", "1e400"]),
        ),
        min_size=1,
        max_size=4,
    ),
    nullable=st.booleans(),
    dtype=st.sampled_from([DType.FP32, DType.FP64, DType.INT8]),
)
def test_cells_mean_the_same_alone_and_together(
    view_of: Views, cells: list[str], nullable: bool, dtype: DType
) -> None:
    view = view_of(
        [TensorSpec("a", dtype, (None,)), TensorSpec("b", DType.BYTES, (None,))],
        inputs={"a": InputMeaning(field=Field(nullable=nullable))},
    )

    def told(cells: list[str]) -> list[str] | str:
        body = "a,b\n" + "".join(f"{cell},-\n" for cell in cells)
        try:
            return [repr(v) for v in read_csv(view, body.encode()).inputs["a"].tolist()]
        except InvalidInput as error:
            return error.message.rpartition("of the CSV: ")[2]

    alone = [told([cell]) for cell in cells]
    refusals = [words for words in alone if isinstance(words, str)]
    together = told(cells)
    if refusals:
        assert together in refusals
    else:
        assert together == [value for values in alone for value in values]


@pytest.mark.parametrize("shapes", [[(None, 2, 2)], [(None, 2), (None, 2)], [(None, 2), (None,)]])
def test_a_model_whose_input_is_no_table_asks_for_json(
    view_of: Views, shapes: list[tuple[int | None, ...]]
) -> None:
    view = view_of([TensorSpec(f"x{at}", DType.FP32, s) for at, s in enumerate(shapes)])
    assert refused(view, b"1,2\n") == "this model's input is not a table: send JSON"


# -- npy in


def npy(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npy_body_is_the_only_input(view_of: Views, order: Any) -> None:
    view = view_of([TensorSpec("x", DType.FP32, (None, 3))])
    array = np.array([[1, 2, 3], [4, 5, 6]], np.float32, order=order)
    request = read_npy(view, npy(array))
    assert request.inputs["x"].tolist() == array.tolist()
    assert not request.single
    assert read_npy(view, npy(array[0])).single


def test_the_columns_of_an_npy_body_are_the_inputs_in_their_order(view_of: Views) -> None:
    view = view_of([TensorSpec("a", DType.FP32, (None,)), TensorSpec("b", DType.FP32, (None, 1))])
    inputs = read_npy(view, npy(np.array([[1.0, 2.0], [3.0, 4.0]]))).inputs
    assert inputs["a"].tolist() == [1, 3]
    assert inputs["b"].tolist() == [[2], [4]]
    for array in (np.array(1.0), np.ones((2, 3))):
        with pytest.raises(InvalidInput, match="has 2 columns in this order: a, b"):
            read_npy(view, npy(array))


def test_an_npy_body_says_what_it_lacks_in_words_of_our_own(view_of: Views) -> None:
    view = view_of([TensorSpec("x", DType.FP64, (None,))])
    good = npy(np.ones(4))
    bodies = {
        "its header is damaged": good.replace(b"(4,), ", b"(4+x),"),
        "in the shape [4], which takes 32 bytes and at least one, and 36 came": good + b"junk",
        "in the shape [4], which takes 32 bytes and at least one, and 31 came": good[:-1],
        "takes 80000000000000 bytes": good.replace(
            b"'shape': (4,), }" + b" " * 12, b"'shape': (10000000000000,), }"
        ),
        "at least one, and 0 came": npy(np.ones(0)),
        "its header is damaged ": npy(np.ones((1,) * 40)),
        "an npy array of object": npy(np.array([{}], dtype=object), allow_pickle=True),
        "an npy array of <U0": npy(np.ones(1)).replace(b"'<f8'", b"'<U0'")[:128],
    }
    for words, body in bodies.items():
        with pytest.raises(InvalidInput) as caught:
            read_npy(view, body)
        assert words.rstrip() in caught.value.message
        assert "0x" not in caught.value.message


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<i2", "?"])
def test_an_npy_array_of_another_kind_is_cast_or_refused(view_of: Views, kind: str) -> None:
    view = view_of([TensorSpec("x", DType.FP64, (None, 2))])
    body = npy(np.array([[1, 2], [3, 4]], kind))
    if kind == "?":
        with pytest.raises(InvalidInput, match="takes numbers"):
            read_npy(view, body)
    else:
        assert read_npy(view, body).inputs["x"].tolist() == [[1, 2], [3, 4]]


def test_objects_archives_and_damaged_arrays_are_refused(view_of: Views) -> None:
    view = view_of([TensorSpec("x", DType.FP64, (None,))])
    good = npy(np.ones(4))
    archive = io.BytesIO()
    np.savez(archive, x=np.ones(2))
    bodies = {
        "objects": npy(np.array([{}], dtype=object), allow_pickle=True),
        "archive": archive.getvalue(),
        "cut off": good[:-1],
        "no header": good[:20],
        "empty": b"",
        "pickle": b"\x80\x04N.",
        "too large": good.replace(
            b"'shape': (4,), }" + b" " * 12, b"'shape': (10000000000000,), }"
        ),
        "negative": good.replace(b"(4,), ", b"(-4,),"),
        "text": good.replace(b"(4,)", b"'ab'"),
    }
    for name, body in bodies.items():
        with pytest.raises(InvalidInput, match=r"npy|array|no tensor type"):
            pytest.fail(f"{name}: {read_npy(view, body)}")


@given(data=st.data())
def test_damaged_npy_bodies_are_refused_or_read(view_of: Views, data: st.DataObject) -> None:
    view = view_of([TensorSpec("x", DType.FP64, (None,))])
    body = bytearray(npy(np.ones(4)))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidInput):
        assert read_npy(view, bytes(body)).inputs["x"].dtype == np.float64


# -- DataFrames


def test_what_is_no_frame_has_no_columns() -> None:
    for value in ({}, [], np.ones(3), "x", None):
        assert frame_columns(value) is None


def test_a_pandas_frame_gives_its_columns(people: PlainView) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "age": pandas.array([1, 2], dtype="Int64"),
            "height": [1.5, math.nan],
            "city": ["é", None],
            "member": [True, False],
        }
    )
    columns = frame_columns(frame)
    inputs = read(people, columns).inputs
    assert inputs["age"].ravel().tolist() == [1, 2]
    assert inputs["height"][0, 0] == 1.5
    assert np.isnan(inputs["height"][1, 0])
    assert inputs["city"].ravel().tolist() == ["é".encode(), b""]
    assert inputs["member"].tolist() == [True, False]


def test_missing_values_of_pandas_own_types_are_missing(view_of: Views) -> None:
    pandas = pytest.importorskip("pandas")
    specs = [TensorSpec("n", DType.FP64, (None,)), TensorSpec("s", DType.BYTES, (None,))]
    nullable = InputMeaning(field=Field(nullable=True))
    view = view_of(specs, inputs={"n": nullable, "s": nullable})
    frame = pandas.DataFrame(
        {
            "n": pandas.array([1, None], dtype="Int64"),
            "s": pandas.Series(["a", None], dtype="category"),
        }
    )
    inputs = read(view, frame_columns(frame)).inputs
    assert inputs["n"][0] == 1
    assert np.isnan(inputs["n"][1])
    assert inputs["s"].tolist() == [b"a", b""]


def test_two_columns_of_one_name_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(InvalidInput, match="two columns of the DataFrame have the same name"):
        frame_columns(frame)


def test_a_polars_frame_gives_its_columns(people: PlainView) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {"age": [1, 2], "height": [1.5, None], "city": ["é", None], "member": [True, False]}
    )
    inputs = read(people, frame_columns(frame)).inputs
    assert inputs["age"].ravel().tolist() == [1, 2]
    assert np.isnan(inputs["height"][1, 0])
    assert inputs["city"].ravel().tolist() == ["é".encode(), b""]
    assert inputs["member"].tolist() == [True, False]


# -- answers


def csv_of(view: PlainView, single: bool = False, **outputs: Any) -> list[str]:
    return answer_csv(plain_answer(view)(outputs, single)).decode().splitlines()


@pytest.mark.parametrize("dtype", [DType.FP32, DType.FP64])
def test_numbers_are_written_as_in_json(view_of: Views, dtype: DType) -> None:
    view = view_of([], [TensorSpec("y", dtype, (None,))])
    values = np.array([0.1, math.nan, math.inf, 1e20], dtype.numpy)  # type: ignore[arg-type]
    assert csv_of(view, y=values) == ["prediction", "0.1", '""', '""', "1e20"]
    assert csv_of(view, single=True, y=values[:1]) == ["prediction", "0.1"]


def test_a_row_of_several_numbers_has_numbered_columns(view_of: Views) -> None:
    view = view_of([], [TensorSpec("y", DType.INT64, (None, 2))])
    lines = csv_of(view, y=np.array([[1, 2], [3, 4]]))
    assert lines == ["prediction.0,prediction.1", "1,2", "3,4"]


def test_a_classifier_has_a_column_for_each_class(view_of: Views) -> None:
    scores = OutputMeaning(kind="probabilities", classes=("no", "prediction"))
    view = view_of([], [TensorSpec("y", DType.FP64, (None, 2))], outputs={"y": scores})
    lines = csv_of(view, y=np.array([[0.25, 0.75], [1.0, 0.0]]))
    assert lines == [
        "prediction,no,probabilities.prediction",
        "prediction,0.25,0.75",
        "no,1.0,0.0",
    ]


def test_text_bools_and_other_bytes_have_one_cell_each(view_of: Views) -> None:
    view = view_of(
        [], [TensorSpec("t", DType.BYTES, (None,)), TensorSpec("b", DType.BOOL, (None,))]
    )
    texts = bytes_tensor([b'a,"b"', b"\xff"], (2,))
    lines = csv_of(view, t=texts, b=np.array([True, False]))
    assert lines == ["t,b", '"a,""b""",true', '"{""b64"":""/w==""}",false']


@pytest.mark.parametrize(
    "outputs",
    [
        {"a": np.ones((2, 2, 2)), "b": np.ones(2)},
        {"a": np.ones((2, 2, 2)), "b": np.ones((2, 1))},
        {"a": np.ones(2), "b": np.ones(3)},
    ],
)
def test_an_answer_that_is_no_table_is_not_acceptable(
    view_of: Views, outputs: dict[str, Any]
) -> None:
    specs = [TensorSpec(n, DType.FP64, (None, *v.shape[1:])) for n, v in outputs.items()]
    with pytest.raises(UnsupportedMedia, match="not a table: ask for JSON") as caught:
        csv_of(view_of([], specs), **outputs)
    assert caught.value.detail == {"status": 406}


def test_an_answer_without_rows_is_its_header(view_of: Views) -> None:
    view = view_of([], [TensorSpec("y", DType.FP64, (None,))])
    assert csv_of(view, y=np.ones(0)) == ["prediction"]


def test_an_npy_answer_is_the_array_itself(view_of: Views) -> None:
    view = view_of([], [TensorSpec("y", DType.FP32, (None, 2))])
    array = np.array([[1, 2]], np.float32)
    loaded = np.load(io.BytesIO(answer_npy(view, {"y": array})), allow_pickle=False)
    assert loaded.dtype == np.float32
    assert loaded.tolist() == [[1, 2]]


def test_labels_and_texts_are_unicode_in_npy(view_of: Views) -> None:
    scores = OutputMeaning(kind="probabilities", classes=("no", "yes"))
    view = view_of([], [TensorSpec("y", DType.FP64, (None, 2))], outputs={"y": scores})
    labels = np.load(io.BytesIO(answer_npy(view, {"y": np.array([[0.1, 0.9]])})))
    assert labels.tolist() == ["yes"]
    text = view_of([], [TensorSpec("y", DType.BYTES, (None,))])
    body = answer_npy(text, {"y": bytes_tensor(["é".encode(), b"\xff"], (2,))})
    assert np.load(io.BytesIO(body)).tolist() == ["é", "\ufffd"]
