"""The text format of protocol buffers, without a schema."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.kit.textproto import TextProtoError, Word, parse

CONFIG = """
# How Triton's own examples look.
name: "resnet"  platform: "onnxruntime_onnx"
max_batch_size : 8
input [
  { name: "x" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, -1, 224 ] }
]
output [ { name: "y", data_type: TYPE_FP32; dims: 1000 label_filename: 'labels' '.txt' } ]
version_policy: { specific { versions: 1 versions: 3 } }
parameters: { key: "a" value: { string_value: "b" } }
parameters < key: "c" value < string_value: "d" > >
dynamic_batching { }
"""


def test_a_configuration_as_triton_writes_it() -> None:
    found = parse(CONFIG)
    assert found["name"] == ["resnet"]
    assert found["max_batch_size"] == [8]
    assert found["input"] == [
        {
            "name": ["x"],
            "data_type": [Word("TYPE_FP32")],
            "format": [Word("FORMAT_NCHW")],
            "dims": [3, -1, 224],
        }
    ]
    assert found["output"][0]["label_filename"] == ["labels.txt"]  # type: ignore[index, call-overload]
    assert found["version_policy"] == [{"specific": [{"versions": [1, 3]}]}]
    assert [p["key"] for p in found["parameters"]] == [["a"], ["c"]]  # type: ignore[index, call-overload]
    assert found["dynamic_batching"] == [{}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("- 7", -7),
        ("0x1F", 31),
        ("-0x10", -16),
        ("017", 15),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("1.5f", 1.5),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("true", "true"),
        ("TYPE_FP32", "TYPE_FP32"),
        (r'"a\n\t\"\\"', 'a\n\t"\\'),
        (r"'\x41\102\u00e9\U0001F40D'", "AB\xe9\U0001f40d"),
        (r'"\303\251"', "\xe9"),
        ('"a" \'b\' # and\n "c"', "abc"),
        ('"naïve"', "naïve"),
        (r'"\377"', "\xff"),
        ("[]", None),
    ],
)
def test_values(text: str, value: object) -> None:
    found = parse(f"x: {text}")["x"]
    assert found == ([] if value is None else [value])
    assert all(
        type(each) is (Word if value in ("true", "TYPE_FP32") else type(value)) for each in found
    )


def test_a_name_that_is_not_a_number_is_nan() -> None:
    (found,) = parse("x: nan")["x"]
    assert isinstance(found, float)
    assert math.isnan(found)


def test_a_field_may_come_several_times_and_in_lists() -> None:
    assert parse("a: 1 a: [2, 3]; a: 4, b {} b: {c: 1}") == {
        "a": [1, 2, 3, 4],
        "b": [{}, {"c": [1]}],
    }
    assert parse("[a.b/c]: 1") == {"a.b/c": [1]}
    assert parse("") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "line 1, column 2: ':' or '{' has to come here, and the end came"),
        ("a:", "a value has to come here, and the end came"),
        ("a: 1\n  b: }", "line 2, column 6: a value has to come here, and '}' came"),
        ("a {", "a field's name has to come here, and the end came"),
        ("a { b: 1 >", "a field's name has to come here, and '>' came"),
        ("}", "a field's name has to come here"),
        ("a: [1 2]", "column 7: ',' has to come here"),
        ("a: [1", "',' has to come here, and the end came"),
        ("[a: 1", "']' has to come here"),
        ('a: "b\n"', "line 1, column 4: this is not understood"),
        ("a: 1x", "this is not understood"),
        ("a: 1.2.3", "this is not understood"),
        ("-a: 1", "a field's name has to come here"),
        ("a: -b", "a value has to come here"),
        ("a 1", "':' or '{' has to come here"),
        (r'a: "\q"', "is no escape"),
        (r'a: "\uD800"', "is no character"),
        ("a: $", "this is not understood"),
        ("a {" * 100, "nested deeper than 64"),
        ("a: 1\n b: " + "9" * 5000, "line 2, column 5: a whole number of at most 64 bits"),
        ("a: 0x" + "f" * 5000, "line 1, column 4: a whole number of at most 64 bits"),
        ("a: 18446744073709551616", "a whole number of at most 64 bits"),
        ("a: -9223372036854775809", "a whole number of at most 64 bits"),
        ('a: "\\\x1b"', r"a backslash before '\x1b' is no escape"),
        (" " * (1024 * 1024 + 1), "longer than 1048576 characters"),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(TextProtoError) as raised:
        parse(text)
    assert problem in str(raised.value)


@given(st.text(alphabet='ab:{}[]<>"\\ \n1-.,;#é', max_size=60))
def test_any_text_is_a_message_or_an_error(text: str) -> None:
    with contextlib.suppress(TextProtoError):
        assert isinstance(parse(text), dict)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_comes_back(text: str) -> None:
    escaped = "".join(f"\\{byte:03o}" for byte in text.encode())
    assert parse(f'x: "{escaped}"') == {"x": [text]}
