"""The fast decoders: the same tensors as the careful way, and the same words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.core.errors import InvalidInput
from modelport.core.semantics import Field, InputMeaning, Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType, to_raw
from modelport.semantics.fast import json_decoder
from modelport.semantics.fields import PlainView, plain_view
from modelport.semantics.plain import PlainRequest, read

Views = Callable[..., PlainView]

# -- any model, any body

_NAMES = ["a", "b", "x", "é", 'say "hi"', "back\\slash", "line\nbreak", ""]
_SHAPES: list[tuple[int | None, ...]] = [
    *((None,), (None, 1), (None, 2), (None, None), (None, 2, 2), (None, None, 2), (None, 1, 2)),
    *((), (2,), (1, 2)),
]
_SCALARS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 1e39, 255]),
    st.floats(-3, 3, width=16),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([None, True, False, "", "p", "q", "1", 0.1, 0.5, 1.0]),
)


@st.composite
def fields(draw: st.DrawFn, dtype: DType) -> Field:
    numbers = st.sampled_from([-2.0, -0.5, 0.0, 0.1, 1.0, 2.5])
    known: dict[str, Any] = {"nullable": draw(st.sampled_from([None, True]))}
    if dtype not in (DType.BOOL, DType.BYTES):
        known["minimum"] = draw(st.none() | numbers)
        known["maximum"] = draw(st.none() | numbers | st.just(1e19))
    choices: dict[DType, Any] = {DType.BYTES: ("p", "q"), DType.BOOL: (True,)}
    some = choices.get(dtype, (0, 1, 2**53 + 1) if dtype.is_float else (0, 1))
    known["choices"] = draw(st.sampled_from([(), (), some]))
    return Field(**known)


@st.composite
def views(draw: st.DrawFn) -> PlainView:
    names = draw(st.permutations(_NAMES))
    specs: list[TensorSpec] = []
    meanings: dict[str, InputMeaning] = {}
    for _ in range(draw(st.integers(1, 2))):
        dtype, shape = draw(st.sampled_from(DType)), draw(st.sampled_from(_SHAPES))
        spec = TensorSpec(names.pop(), dtype, shape)
        specs.append(spec)
        named = draw(st.booleans()) and spec.row_shape[-1:] in ((2,), (None,))
        columns = (names.pop(), names.pop()) if named else ()
        meanings[spec.name] = InputMeaning(
            columns=columns,
            field=draw(fields(dtype)),
            column_fields={column: draw(fields(dtype)) for column in columns},
        )
    signature = Signature(tuple(specs), (), lockstep=draw(st.sampled_from([True, True, False])))
    return plain_view(signature, Semantics(inputs=meanings))


def nested(draw: st.DrawFn, shape: tuple[int, ...], element: st.SearchStrategy[Any]) -> Any:
    if not shape:
        return draw(element)
    return [nested(draw, shape[1:], element) for _ in range(shape[0])]


@st.composite
def bodies(draw: st.DrawFn, view: PlainView) -> Any:
    """A body that mostly has the right form, with values that mostly fit."""
    rows = draw(st.sampled_from([(), (), (0,), (1,), (3,)]))
    odd = draw(st.booleans())
    body: dict[str, Any] = {}
    for field in draw(st.sampled_from([view.fields, view.fields, view.tensors])):
        plain = {
            DType.BYTES: st.sampled_from(["p", "q", "", "é"]),
            DType.BOOL: st.booleans(),
        }.get(field.dtype, st.integers(0, 2))
        element = st.one_of(plain, _SCALARS) if odd else plain
        shape = [size or draw(st.integers(0, 2)) for size in field.shape]
        batch = rows if not odd or draw(st.integers(0, 9)) else draw(st.sampled_from([(), (2,)]))
        body[field.name] = nested(draw, (*batch, *shape), element)
    if odd and draw(st.integers(0, 5)) == 0:
        body.pop(draw(st.sampled_from(sorted(body))))
    if odd and draw(st.integers(0, 5)) == 0:
        body[draw(st.sampled_from(_NAMES))] = 1
    return draw(st.sampled_from([body, body, body, [body], list(body.values())[:1]]))


def outcome(decode: Callable[[], PlainRequest]) -> object:
    try:
        request = decode()
    except InvalidInput as error:
        return error.message
    tensors = {
        name: (tensor.dtype, tensor.shape, to_raw(tensor))
        for name, tensor in request.inputs.items()
    }
    return tensors, request.single


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_a_body_means_the_same_as_when_read_carefully(data: st.DataObject) -> None:
    view = data.draw(views())
    body = data.draw(bodies(view))
    encoded = data.draw(st.sampled_from([json.dumps(body).encode(), msgspec.json.encode(body)]))
    decode = json_decoder(view)
    carefully = outcome(lambda: read(view, msgspec.json.decode(encoded)))
    assert outcome(lambda: decode(encoded)) == carefully


# -- the common forms, on the fast way


def is_fast(view: PlainView) -> bool:
    return json_decoder(view).__name__ == "decode"


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(dtype, shape) for dtype in DType for shape in _SHAPES if shape and shape[0] is None],
)
def test_batched_models_have_a_fast_way(
    view_of: Views, dtype: DType, shape: tuple[int | None, ...]
) -> None:
    assert is_fast(view_of([TensorSpec("x", dtype, shape)]))


@pytest.mark.parametrize(
    "view",
    [
        ([TensorSpec("x", DType.FP64, (3,))], {}),
        ([TensorSpec('a "b"', DType.FP64, (None,))], {}),
        ([TensorSpec("x", DType.UINT64, (None,))], {"maximum": 1e19}),
        ([TensorSpec("x", DType.INT64, (None,))], {"minimum": float("inf")}),
        ([TensorSpec("x", DType.FP64, (None,))], {"choices": (0.5,)}),
        ([TensorSpec("x", DType.BOOL, (None,))], {"choices": (True,)}),
        ([TensorSpec("x", DType.FP64, (None,))], {"choices": (2**63,)}),
        ([TensorSpec("x", DType.FP64, (None,))], {"choices": (1, 2), "maximum": 1}),
        ([TensorSpec("x", DType.BYTES, (None,))], {"choices": ("a", 1)}),
    ],
)
def test_what_only_the_careful_way_can_check_goes_there(view_of: Views, view: Any) -> None:
    specs, known = view
    assert not is_fast(view_of(specs, inputs={specs[0].name: InputMeaning(field=Field(**known))}))


def test_a_row_of_columns_is_one_row_of_the_tensor(view_of: Views) -> None:
    spec = TensorSpec("X", DType.FP32, (None, 3))
    view = view_of([spec], inputs={"X": InputMeaning(columns=("a", "b", "c"))})
    request = json_decoder(view)(b'{"c": 3, "a": 0.1, "b": 2}')
    assert request.inputs["X"].tolist() == [[np.float32(0.1), 2, 3]]
    assert request.single
    many = json_decoder(view)(b'{"a": [1, 4], "b": [2, 5], "c": [3, 6]}')
    assert many.inputs["X"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert many.inputs["X"].flags.c_contiguous
    assert not many.single


def test_text_columns_and_no_rows_are_left_to_the_careful_way(view_of: Views) -> None:
    columns = {"X": InputMeaning(columns=("a", "b"))}
    text = json_decoder(view_of([TensorSpec("X", DType.BYTES, (None, 2))], inputs=columns))
    assert text(b'{"a": "p", "b": "q"}').inputs["X"].tolist() == [[b"p", b"q"]]
    assert text(b'{"a": ["p"], "b": ["q"]}').inputs["X"].tolist() == [[b"p", b"q"]]
    number = json_decoder(view_of([TensorSpec("X", DType.FP32, (None, 2))], inputs=columns))
    with pytest.raises(InvalidInput, match="is empty"):
        number(b'{"a": [], "b": []}')


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b'{"s": "\\u00e9", "n": null}', [["é"], [None]]), (b'{"s": ["a"], "n": [1]}', [["a"], [1]])],
)
def test_text_and_missing_values_are_read(
    view_of: Views, body: bytes, expected: list[list[Any]]
) -> None:
    text, number = TensorSpec("s", DType.BYTES, (None, 1)), TensorSpec("n", DType.FP64, (None,))
    nullable = InputMeaning(field=Field(nullable=True))
    inputs = json_decoder(view_of([text, number], inputs={"n": nullable}))(body).inputs
    assert inputs["s"].tolist() == [[expected[0][0].encode()]]
    assert np.isnan(inputs["n"][0]) if expected[1] == [None] else inputs["n"].tolist() == [1]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nope", b'{"x": NaN}', b"\xff", b'{"x": "\\ud800"}'],
)
def test_what_is_no_json_is_a_decode_error(view_of: Views, body: bytes) -> None:
    view = view_of([TensorSpec("x", DType.FP64, (None,))])
    with pytest.raises(msgspec.DecodeError):
        json_decoder(view)(body)


@pytest.mark.parametrize("number", [b"9" * 5000, b"1e400", b"-1e400"])
@pytest.mark.parametrize("dtype", [DType.FP64, DType.INT64])
@pytest.mark.parametrize(
    "body", [b'{"x": %b, "y": 1}', b'[{"x": 1, "y": 1}, {"y": 1, "x": [[%b]]}]']
)
def test_a_number_that_no_type_holds_is_told_with_its_field(
    view_of: Views, number: bytes, dtype: DType, body: bytes
) -> None:
    view = view_of([TensorSpec("x", dtype, (None,)), TensorSpec("y", dtype, (None,))])
    with pytest.raises(InvalidInput, match=r"^'x' holds a number that is too large") as caught:
        json_decoder(view)(body % number)
    assert caught.value.detail == {"tensor": "x"}


def test_a_number_without_a_name_is_the_only_input_s_or_the_body_s(view_of: Views) -> None:
    only, two = (
        view_of([TensorSpec(name, DType.FP64, (None,)) for name in names]) for names in ("x", "xy")
    )
    with pytest.raises(InvalidInput, match=r"^'x' holds a number"):
        json_decoder(only)(b"[1, 1e400]")
    with pytest.raises(InvalidInput, match=r"^the body holds a number"):
        json_decoder(two)(b"[1, 1e400]")


def test_json_nested_10000_deep_is_refused(view_of: Views) -> None:
    view = view_of([TensorSpec("x", DType.FP64, (None,))])
    with pytest.raises(RecursionError):
        json_decoder(view)(b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}")


def test_a_model_without_inputs_takes_an_empty_object(view_of: Views) -> None:
    request = json_decoder(view_of([]))(b"{}")
    assert (request.inputs, request.single) == ({}, True)
