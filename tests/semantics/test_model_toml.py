"""`model.toml`: what an owner may say, and the words when it does not fit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.core.errors import ConfigError
from modelport.core.semantics import (
    Boxes,
    Category,
    Field,
    Image,
    InputMeaning,
    Number,
    OutputMeaning,
    Semantics,
)
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.semantics.meant import BATCHING_KEYS, INPUT_KEYS, OUTPUT_KEYS, SOURCE_KEYS
from modelport.semantics.model_toml import (
    SOURCES,
    BatchingTable,
    InputTable,
    ModelToml,
    OutputTable,
    declared_inputs,
    merge,
    read_model_toml,
)
from modelport.semantics.starting_toml import write_model_toml

F32, I64, BYTES, BOOL = DType.FP32, DType.INT64, DType.BYTES, DType.BOOL
SIGNATURE = Signature(
    (TensorSpec("x", F32, (None, 2)), TensorSpec("city", BYTES, (None,))),
    (TensorSpec("scores", F32, (None, 3)), TensorSpec("label", I64, (None,))),
)


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], ModelToml]:
    """A parsed `model.toml` with that text."""

    def make(text: str) -> ModelToml:
        path = tmp_path / "model.toml"
        path.write_text(text, encoding="utf-8")
        return read_model_toml(path)

    return make


Toml = Callable[[str], ModelToml]


def merged(
    toml: Toml, text: str, said: Semantics | None = None, signature: Signature = SIGNATURE
) -> Semantics:
    return merge(said or Semantics(), toml(text), signature)


# -- reading


def test_an_absent_file_says_nothing(tmp_path: Path) -> None:
    assert read_model_toml(tmp_path / "model.toml") == ModelToml()


@pytest.mark.parametrize(
    "content",
    [
        b"[inputs",
        b"\xff\xfe",
        b"a = 1\na = 2",
        b"a = " + b"[" * 10_000,
        b"[inputs.x]\nkind" + b".a" * 10_000 + b" = 1",
        b"a = " + b"9" * 5000,
    ],
    ids=["cut", "no-text", "twice", "deep", "deep-by-dots", "long-integer"],
)
def test_what_is_no_toml_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^model\.toml is not valid TOML"):
        read_model_toml(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("titel = 'x'", "model.toml: there is no key 'titel'; did you mean 'title'?"),
        ("[inputs.x]\nminium = 1", "[inputs.x]: there is no key 'minium'; did you mean 'minimum'?"),
        ("[outputs.y]\nkin = 'x'", "[outputs.y]: there is no key 'kin'; did you mean 'kind'?"),
        ("[outputs.y]\nq = 1", "no key 'q'; known are kind, classes,"),
        ("[outputs.y]\nkind = 'labels'", "[outputs.y] kind: 'labels' is not one of value, label,"),
        ("[outputs.y]\nkind = ['label']", "[outputs.y] kind: ['label'] is not one of value,"),
        ("[inputs.x]\nminimum = 'a'", "[inputs.x] minimum: 'a' is not a number"),
        ("[inputs.x]\nchoices = 'a'", "[inputs.x] choices: 'a' is not a list of texts or"),
        ("inputs = 3", "model.toml, inputs: 3 is not tables: write [inputs.NAME]"),
        ("outputs = 3", "model.toml, outputs: 3 is not tables: write [outputs.NAME]"),
        ("[inputs]\nx = 3", "model.toml, [inputs] x: 3 is not a table: write [inputs.x]"),
        (
            "[[examples]]\ninputs = {}",
            "[[examples]] 1: there is no key 'inputs'; did you mean 'inp",
        ),
        ("[[examples]]", "model.toml, [[examples]] 1: 'input' is missing"),
        (
            "[examples]\ninput = {}",
            "model.toml, examples: it is a list of tables: write [[examples]]",
        ),
        ("examples = [3]", "[[examples]] 1: 3 is not a table"),
        ("[outputs.y]\nlabels = ['a']", "[outputs.y] labels: it is the name of the output with"),
        ("title = 3", "model.toml, title: 3 is not a text"),
        ("cache = 1", "model.toml, cache: 1 is not true or false"),
        (
            "[outputs.y]\ntop_k = 99999999999999999999",
            "[outputs.y] top_k: 99999999999999999999 has",
        ),
        ("[inputs.x]\ndtype = 'FP128'", "[inputs.x] dtype: 'FP128' is not one of BOOL, "),
    ],
)
def test_a_wrong_key_or_type_is_told(toml: Toml, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        toml(text)
    assert caught.value.message.startswith("model.toml")
    assert words in caught.value.message


def test_declared_inputs_have_a_type_a_shape_or_both(toml: Toml) -> None:
    declared = declared_inputs(
        toml(
            "[inputs.a]\ndtype = 'FP32'\nshape = [-1, 3]\n[inputs.b]\ndtype = 'BYTES'\n"
            "[inputs.c]\nshape = []\n[inputs.d]\nunit = 'mm'"
        )
    )
    assert declared == {
        "a": TensorSpec("a", F32, (None, 3)),
        "b": TensorSpec("b", BYTES, (None,)),
        "c": TensorSpec("c", DType.FP64, ()),
    }


# -- merging


def test_the_owner_wins_over_the_file_key_by_key(toml: Toml) -> None:
    said = Semantics(
        title="file",
        description="kept",
        inputs={"x": InputMeaning(columns=("a", "b"), field=Field(unit="mm", minimum=1))},
        outputs={"scores": OutputMeaning(kind="probabilities", classes=("p", "q", "r"))},
        examples=({"x": [1, 2]},),
    )
    text = (
        "title = 'owner'\n[inputs.x]\nunit = 'cm'\n[inputs.b]\nmaximum = 9\n"
        "[outputs.scores]\nunit = '%'"
    )
    made = merged(toml, text, said)
    assert (made.title, made.description, made.examples) == ("owner", "kept", said.examples)
    assert made.inputs["x"].field == Field(unit="cm", minimum=1)
    assert made.inputs["x"].column_fields == {"b": Field(unit="cm", minimum=1, maximum=9)}
    assert made.outputs["scores"] == OutputMeaning(
        kind="probabilities", classes=("p", "q", "r"), unit="%"
    )


def test_a_false_of_the_owner_wins_over_a_true_of_the_file(toml: Toml) -> None:
    said = Semantics(inputs={"x": InputMeaning(field=Field(nullable=True))})
    assert merged(toml, "[inputs.x]\nnullable = false", said).inputs["x"].field.nullable is False


def test_other_names_for_the_same_columns_keep_their_meaning(toml: Toml) -> None:
    field = Field(unit="kg")
    said = Semantics(inputs={"x": InputMeaning(columns=("f0", "f1"), column_fields={"f1": field})})
    meaning = merged(toml, "[inputs.x]\ncolumns = ['a', 'b']", said).inputs["x"]
    assert (meaning.columns, meaning.column_fields) == (("a", "b"), {"b": field})


def test_another_number_of_columns_starts_anew(toml: Toml) -> None:
    signature = Signature((TensorSpec("x", F32, (None, None)),), ())
    said = Semantics(inputs={"x": InputMeaning(columns=("f0",), column_fields={"f0": Field()})})
    meaning = merged(toml, "[inputs.x]\ncolumns = ['a', 'b']", said, signature).inputs["x"]
    assert (meaning.columns, meaning.column_fields) == (("a", "b"), {})


def test_classes_make_an_output_probabilities(toml: Toml) -> None:
    made = merged(toml, "[outputs.scores]\nclasses = ['p', 'q', 'r']")
    assert made.outputs["scores"].kind == "probabilities"
    label = "[outputs.label]\nkind = 'label'\nclasses = ['p', 'q']"
    assert merged(toml, label).outputs["label"].kind == "label"


def test_examples_are_taken_as_they_are(toml: Toml) -> None:
    made = merged(toml, "[[examples]]\ninput = { x = [1, 2.5], city = 'é' }")
    assert made.examples == ({"x": [1, 2.5], "city": "é"},)


def test_what_the_model_says_itself_may_be_repeated(toml: Toml) -> None:
    assert merged(toml, "[inputs.x]\ndtype = 'FP32'\nshape = [-1, 2]") == merged(toml, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[inputs.q]", "[inputs.q]: the model has no such name; known are x, city"),
        ("[inputs.citi]", "no such name; did you mean 'city'?"),
        ("[outputs.scor]", "[outputs.scor]: the model has no such name; did you mean 'scores'?"),
        ("[inputs.x]\ndtype = 'FP64'", "[inputs.x]: the model's own type is FP32"),
        ("[inputs.x]\nshape = [3]", "[inputs.x]: the model's own shape is [-1, 2]"),
        (
            "[inputs.x]\ncolumns = ['a']",
            "1 columns are named, and the last axis of the tensor has 2",
        ),
        (
            "[inputs.city]\ncolumns = ['a']",
            "columns are named, and the tensor has no axis for them",
        ),
        ("[inputs.x]\ncolumns = ['a', 'a']", "[inputs.x]: the name 'a' is given to two inputs"),
        ("[inputs.x]\ncolumns = ['a', 'city']", "the name 'city' is given to two inputs"),
        (
            "[inputs.x]\ncolumns = ['a', 'b']\n[inputs.a]\ndtype = 'FP32'",
            "[inputs.a]: a column has no",
        ),
        (
            "[inputs.x]\ncolumns = ['a', 'b']\n[inputs.a]\ncolumns = ['c']",
            "a column has no columns",
        ),
        ("[inputs.city]\nminimum = 1", "[inputs.city]: BYTES has no range"),
        ("[inputs.x]\nminimum = 2\nmaximum = 1", "[inputs.x]: minimum is above maximum"),
        ("[inputs.x]\nminimum = nan", "[inputs.x]: minimum and maximum are finite numbers"),
        ("[inputs.x]\nmaximum = inf", "minimum and maximum are finite numbers"),
        ("[inputs.x]\nchoices = ['a']", "the choice 'a' is no value of FP32"),
        ("[inputs.x]\nchoices = [1, true]", "the choice True is no value of FP32"),
        ("[inputs.x]\nchoices = [1e39]", "the choice 1e+39 is no value of FP32"),
        ("[inputs.city]\nchoices = [1]", "the choice 1 is no value of BYTES"),
        ("[inputs.x]\nminimum = 5\nchoices = [1, 2]", "no choice is between minimum and maximum"),
        ("[inputs.x]\nmaximum = 0\nchoices = [1, 2]", "no choice is between minimum and maximum"),
        ("[outputs.scores]\nkind = 'logits'", "[outputs.scores]: logits need 'classes'"),
        ("[outputs.scores]\nclasses = ['a']", "1 classes are named, and the last axis"),
        ("[outputs.scores]\nclasses = ['a', 'b', 'a']", "two classes have the same name"),
        ("[outputs.label]\nkind='logits'\nclasses = ['a', 'b']", "last axis of the tensor has 1"),
        (
            "[outputs.scores]\nkind = 'hidden'\n[outputs.label]\nkind = 'hidden'",
            "every output is hidden",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_told(toml: Toml, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        merged(toml, text)
    assert caught.value.message.startswith("model.toml")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        (I64, ["1", "-3"], ["1.5", "true", "'1'", "9223372036854775808"]),
        (DType.UINT8, ["0", "255"], ["-1", "256"]),
        (F32, ["1", "0.5"], ["true", "'x'"]),
        (BOOL, ["true"], ["1", "'x'"]),
        (BYTES, ["'x'"], ["1", "false"]),
    ],
)
def test_choices_are_values_of_the_inputs_type(
    toml: Toml, dtype: DType, good: list[str], bad: list[str]
) -> None:
    signature = Signature((TensorSpec("x", dtype, (None,)),), ())
    for choice in good:
        merged(toml, f"[inputs.x]\nchoices = [{choice}]", signature=signature)
    for choice in bad:
        with pytest.raises(ConfigError, match=f"is no value of {dtype.value}"):
            merged(toml, f"[inputs.x]\nchoices = [{choice}]", signature=signature)


def test_columns_of_two_tensors_have_different_names(toml: Toml) -> None:
    signature = Signature((TensorSpec("x", F32, (None, 1)), TensorSpec("y", F32, (None, 1))), ())
    with pytest.raises(ConfigError, match=r"\[inputs.y\]: the name 'a' is given to two inputs"):
        merged(toml, "[inputs.x]\ncolumns=['a']\n[inputs.y]\ncolumns=['a']", signature=signature)


def test_a_column_may_have_the_name_of_its_tensor(toml: Toml) -> None:
    made = merged(toml, "[inputs.x]\ncolumns = ['x', 'y']\nunit = 'mm'\n[inputs.y]\nunit = 'kg'")
    assert made.inputs["x"].field.unit == "mm"
    assert made.inputs["x"].column_fields["y"].unit == "kg"


# -- sources and kinds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[inputs.x]\nkind = 'imag'", "[inputs.x] kind: 'imag' is not one of image, text, audio,"),
        ("[inputs.x]\nkind = 'image'\nresiz = 'pad'", "no key 'resiz'; did you mean 'resize'?"),
        ("[inputs.x]\nkind = 'audio'\nsize = [1, 2]", "no key 'size'"),
        ("[inputs.x]\nkind = ['image']", "[inputs.x] kind: ['image'] is not one of image, text,"),
        (
            "[inputs.x]\nkind = 'image'\nresize = 'letterbox'",
            "model.toml, [inputs.x] resize: 'letterbox' is not one of stretch, crop, pad, none",
        ),
        (
            "[inputs.x]\nkind = 'image'\nsize = [224]",
            "size: [224] is not a list of 2 whole numbers",
        ),
        ("[inputs.x]\nkind = 'image'\nmean = 'a'", "[inputs.x] mean: 'a' is not a list of numbers"),
        ("[inputs.x]\nkind = 'text'\nmax_tokens = 0", "[inputs.x] max_tokens: 0 is not from 1 to"),
        ("[inputs.x]\nkind = 'text'\nmax_tokens = 1" + "0" * 30, "max_tokens: 1000000000000000000"),
        ("[inputs.x]\nkind = 'text'\nmax_tokens = 10000001", "10000001 is not from 1 to 10000000"),
        (
            "[inputs.x]\nkind = 'text'\npadding = true",
            "[inputs.x] padding: true is not one of longest",
        ),
        (
            "[outputs.scores]\nkind = 'boxes'\noverlap = 'a'",
            "[outputs.scores] overlap: 'a' is not a",
        ),
        (
            "[inputs.x]\nkind = 'category'",
            "[inputs.x]: 'choices' is missing; it is a list of texts",
        ),
        ("[outputs.scores]\ntop_k = 3", "'top_k' goes with kind = 'probabilities' or 'logits'"),
        ("[outputs.scores]\nform = 'xyxy'", "'form' goes with kind = 'boxes'"),
        (
            "[outputs.scores]\nkind = 'boxes'\nform = 'xxyy'",
            "[outputs.scores] form: 'xxyy' is not one of xyxy,",
        ),
        ("[outputs.scores]\nkind = 'json'", "json is text (BYTES), and the tensor is FP32"),
        ("[outputs.scores]\nkind = 'mask'\nclasses = ['a']", "a mask needs 'classes', from 2"),
        ("[outputs.scores]\nclasses = ['a', 'b']\ntop_k = 0", "top_k is at least 1"),
        ("[outputs.scores]\nkind = 'multilabel'", "multilabel need 'classes'"),
    ],
)
def test_a_wrong_key_of_a_kind_is_told(toml: Toml, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        merge(Semantics(), toml(text), SIGNATURE)
    assert words in told.value.message


@pytest.mark.parametrize(
    ("kind", "key", "meant"),
    [
        *(("image", key, "'channels'") for key in ("color", "colour", "color_order", "mode")),
        ("image", "normalize", "'mean' and 'std'"),
        ("image", "interpolation", "'filter'"),
        ("image", "crop", "resize = 'crop'"),
        ("image", "width", "size = [height, width]"),
        ("text", "max_length", "'max_tokens'"),
        ("text", "truncation", "'truncate'"),
        ("audio", "sample_rate", "'rate'"),
        ("category", "values", "'choices'"),
        ("number", "sigma", "'std'"),
        (None, "tensor", "kind = 'image', 'text' or 'audio' with it"),
        (None, "min", "'minimum'"),
    ],
)
def test_a_key_of_another_library_is_told_as_it_is_here(
    toml: Toml, kind: str | None, key: str, meant: str
) -> None:
    said = f"kind = '{kind}'\n" if kind else ""
    with pytest.raises(ConfigError) as told:
        toml(f"[inputs.x]\n{said}{key} = 1")
    expected = f"model.toml, [inputs.x]: there is no key '{key}'; did you mean {meant}?"
    assert told.value.message == expected


@pytest.mark.parametrize(
    ("key", "meant"),
    [("iou", "'overlap'"), ("nms", "'overlap'"), ("names", "'classes'"), ("topk", "'top_k'")],
)
def test_a_key_of_another_library_for_outputs_is_told(toml: Toml, key: str, meant: str) -> None:
    with pytest.raises(ConfigError) as told:
        toml(f"[outputs.y]\n{key} = 1")
    assert told.value.message.endswith(f"there is no key '{key}'; did you mean {meant}?")


@pytest.mark.parametrize(
    ("dtype", "shape", "said", "words"),
    [
        (
            BYTES,
            (None, 2),
            "kind = 'probabilities'",
            "probabilities are numbers, and the tensor is",
        ),
        (
            BYTES,
            (None, 2),
            "kind = 'multilabel'",
            "multilabel are numbers, and the tensor is BYTES",
        ),
        (BOOL, (None, 2), "kind = 'logits'", "the tensor is BOOL"),
        (BOOL, (None, 2), "kind = 'multilabel'\nsigmoid = true", "the tensor is BOOL"),
        (
            I64,
            (None, 3),
            "kind = 'label'",
            "a label is one value in each row, and the tensor is [-",
        ),
    ],
)
def test_a_kind_that_the_tensor_cannot_have_is_refused(
    toml: Toml, dtype: DType, shape: tuple[int | None, ...], said: str, words: str
) -> None:
    signature = Signature((), (TensorSpec("y", dtype, shape),))
    with pytest.raises(ConfigError) as told:
        merged(toml, f"[outputs.y]\nclasses = ['a', 'b']\n{said}", signature=signature)
    assert told.value.message.startswith("model.toml, [outputs.y]: ")
    assert words in told.value.message


@pytest.mark.parametrize("kind", ["probabilities", "multilabel"])
def test_truth_values_may_be_scores(toml: Toml, kind: str) -> None:
    signature = Signature((), (TensorSpec("y", BOOL, (None, 2)),))
    text = f"[outputs.y]\nclasses = ['a', 'b']\nkind = '{kind}'"
    assert merged(toml, text, signature=signature).outputs["y"].kind == kind


def test_every_key_that_is_meant_is_one() -> None:
    tables = {"input": (INPUT_KEYS, InputTable), "output": (OUTPUT_KEYS, OutputTable)}
    tables["batching"] = (BATCHING_KEYS, BatchingTable)
    tables |= {kind: (SOURCE_KEYS[kind], struct) for kind, struct in SOURCES.items()}
    for kind, (words, struct) in tables.items():
        keys = {*struct.__struct_fields__, "kind"}
        for word, meant in words.items():
            named = re.findall(r"'(\w+)'", meant.partition(" = ")[0]) or [meant.partition(" ")[0]]
            assert set(named) <= keys, (kind, word)
            assert word not in struct.__struct_fields__, (kind, word)


def test_short_forms_of_an_image_are_taken(toml: Toml) -> None:
    text = "[inputs.x]\nkind = 'image'\nmean = 0.5\nstd = 1\nsize = 8\nchannels = 'BGR'\n"
    made = toml(text + "layout = 'CHW'").sources["x"]
    assert made == Image(mean=(0.5,), std=(1.0,), size=(8, 8), channels="bgr", layout="chw")


def test_a_source_is_what_its_table_says(toml: Toml) -> None:
    made = merge(Semantics(), toml("[inputs.photo]\nkind = 'image'\ntensor = 'x'"), SIGNATURE)
    assert made.sources == {"photo": Image(tensor="x")}


def test_a_source_of_the_owner_takes_the_place_of_the_files_own(toml: Toml) -> None:
    said = Semantics(sources={"image": Image(tensor="x"), "other": Image(tensor="z")})
    made = merge(said, toml("[inputs.x]\nkind = 'image'\nfill = 7"), SIGNATURE)
    assert made.sources == {"x": Image(fill=7), "other": Image(tensor="z")}


def test_sources_and_kinds_are_written_as_they_are_read(tmp_path: Path) -> None:
    signature = Signature(
        (TensorSpec("x", F32, (None, 3, 4, 4)), TensorSpec("t", F32, (None, 2))),
        (TensorSpec("b", F32, (None, 5, 6)), TensorSpec("p", F32, (None, 2))),
    )
    semantics = Semantics(
        inputs={"x": InputMeaning(), "t": InputMeaning(columns=("a", "b"))},
        sources={
            "x": Image(resize="crop", short_side=8, mean=(0.5,), description='a "photo"'),
            "a": Category(choices=("u", "v"), codes=(1, 2.5)),
            "b": Number(mean=1.5, minimum=0, unit="m"),
        },
        outputs={
            "b": OutputMeaning(kind="boxes", boxes=Boxes(layout="rows"), threshold=0.5),
            "p": OutputMeaning(kind="logits", classes=("u", "v"), top_k=1),
        },
    )
    path = tmp_path / "model.toml"
    path.write_text(write_model_toml(signature, semantics), encoding="utf-8")
    assert merge(Semantics(), read_model_toml(path), signature) == semantics


# -- writing

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.floats(-1e6, 1e6)
JSON = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def known_fields(draw: st.DrawFn, dtype: DType) -> Field:
    choices = {BYTES: TEXTS, BOOL: st.booleans(), I64: st.integers(-9, 9), F32: NUMBERS}[dtype]
    low, high = sorted([draw(NUMBERS), draw(NUMBERS)])
    chosen = tuple(draw(st.lists(choices, max_size=3)))
    has_range = dtype in (I64, F32) and not chosen  # which would have to be within it
    return Field(
        unit=draw(optional(TEXTS)),
        minimum=low if has_range and draw(st.booleans()) else None,
        maximum=high if has_range and draw(st.booleans()) else None,
        choices=chosen,
        nullable=draw(optional(st.booleans())),
        description=draw(optional(TEXTS)),
    )


@st.composite
def models(draw: st.DrawFn) -> tuple[Signature, Semantics]:
    names = iter(draw(st.lists(TEXTS, min_size=12, max_size=12, unique=True)))
    inputs: dict[str, InputMeaning] = {}
    outputs: dict[str, OutputMeaning] = {}
    specs: list[TensorSpec] = []
    results: list[TensorSpec] = []
    for _ in range(draw(st.integers(1, 2))):
        dtype = draw(st.sampled_from([F32, I64, BYTES, BOOL]))
        spec = TensorSpec(next(names), dtype, draw(st.sampled_from([(None, 2), (2,)])))
        specs.append(spec)
        if draw(st.booleans()):
            # Without a meaning of the whole, which columns would take over as theirs.
            columns = (next(names), draw(st.sampled_from([spec.name, next(names)])))
            fields = {c: draw(known_fields(dtype)) for c in columns if c != spec.name}
            inputs[spec.name] = InputMeaning(columns=columns, column_fields=fields)
        else:
            inputs[spec.name] = InputMeaning(field=draw(known_fields(dtype)))
    for kind in draw(st.lists(st.sampled_from(["value", "label", "probabilities"]), min_size=1)):
        shape = (None,) if kind == "label" else (None, 2)
        spec = TensorSpec(f"out {len(results)} \"'\\", F32, shape)
        results.append(spec)
        classes = draw(st.lists(TEXTS, min_size=2, max_size=2, unique=True))
        outputs[spec.name] = OutputMeaning(
            kind=kind,  # type: ignore[arg-type]  # one of those
            classes=() if kind == "value" else tuple(classes),
            unit=draw(optional(TEXTS.filter(bool))),
            description=draw(optional(TEXTS.filter(bool))),
        )
    semantics = Semantics(
        title=draw(optional(TEXTS.filter(bool))),
        description=draw(optional(TEXTS.filter(bool))),
        inputs=inputs,
        outputs=outputs,
        examples=tuple(draw(st.lists(JSON, max_size=2))),
    )
    return Signature(tuple(specs), tuple(results)), semantics


@given(models())
def test_what_is_written_is_read_as_the_same(
    tmp_path_factory: pytest.TempPathFactory, model: tuple[Signature, Semantics]
) -> None:
    signature, semantics = model
    path = tmp_path_factory.getbasetemp() / "model.toml"
    path.write_text(write_model_toml(signature, semantics), encoding="utf-8", newline="")
    made = merge(Semantics(), read_model_toml(path), signature)
    empty = {c: Field() for m in semantics.inputs.values() for c in m.columns}
    for name, meaning in semantics.inputs.items():
        assert made.inputs[name].columns == meaning.columns
        assert made.inputs[name].field == meaning.field
        assert {**empty, **made.inputs[name].column_fields} == {**empty, **meaning.column_fields}
    assert made.outputs == semantics.outputs
    assert (made.title, made.description) == (semantics.title, semantics.description)
    assert msgspec.json.encode(made.examples) == msgspec.json.encode(semantics.examples)


@given(models())
def test_each_commented_suggestion_is_toml_too(model: tuple[Signature, Semantics]) -> None:
    for line in write_model_toml(*model).splitlines():
        key, separator, value = line.removeprefix("# ").partition(" = ")
        if line.startswith("# ") and separator and key.isidentifier() and "NAME" not in value:
            assert tomllib.loads(f"{key} = {value}")


def test_an_example_with_null_is_left_out_as_toml_has_none() -> None:
    semantics = Semantics(examples=({"x": [1, None]}, {"x": None}))
    text = write_model_toml(SIGNATURE, semantics)
    assert "examples" not in tomllib.loads(text)
    assert "# [[examples]]" in text


def test_the_starting_point_names_types_and_kinds() -> None:
    text = write_model_toml(SIGNATURE, Semantics())
    assert "[inputs.x]  # FP32 [-1, 2]" in text
    assert 'kind = "value"  # one of: value, label, probabilities, logits, multilabel,' in text
    assert '# columns = ["first", "second"]' in text


# -- batches


TOKENS = Signature(
    (
        TensorSpec("ids", I64, (None, None)),
        TensorSpec("mask", I64, (None, None)),
        TensorSpec("words", BYTES, (None, None)),
        TensorSpec("kind", I64, (None, 1)),
    ),
    (TensorSpec("y", F32, (None, 3)),),
)


def test_batching_and_padding_are_read(toml: Toml) -> None:
    made = toml(
        """
        [batching]
        max_rows = 8
        enabled = false
        objective = "50ms"
        [inputs.ids]
        pad = 0
        [inputs.mask]
        mask_of = "ids"
        [outputs.y]
        cut_like = "ids"
        """
    )
    assert made.batching == BatchingTable(max_rows=8, enabled=False, objective="50ms")
    assert made.inputs == {"ids": InputTable(pad=0), "mask": InputTable(mask_of="ids")}
    assert made.outputs == {"y": OutputTable(cut_like="ids")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[batching]\nmax_row = 8",
            "[batching]: there is no key 'max_row'; did you mean 'max_rows'?",
        ),
        ("[batching]\nmax_batch_size = 8", "did you mean 'max_rows'?"),
        ("[batching]\nmax_rows = 'many'", "[batching] max_rows: 'many' is not a whole number"),
        ("[batching]\nenabled = 1", "[batching] enabled: 1 is not true or false"),
        ("[batching]\nobjective = true", "[batching] objective: true is not a number or a text"),
        ("batching = 8", "[batching]: 8 is not a table of keys and values"),
        ("[inputs.x]\npadding = 0", "did you mean 'pad'?"),
        ("[inputs.x]\npad = [0]", "[inputs.x] pad: [0] is not"),
        ("[outputs.y]\ntrim = 'x'", "did you mean 'cut_like'?"),
    ],
)
def test_a_wrong_word_on_batches_is_told(toml: Toml, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        toml(text)
    assert words in told.value.message


def test_a_mask_says_of_what(toml: Toml) -> None:
    made = merged(toml, '[inputs.mask]\nmask_of = "ids"', signature=TOKENS)
    assert made.inputs["mask"].mask_of == "ids"
    assert made.inputs["ids"].mask_of is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[inputs.mask]\nmask_of = 'idz'",
            "mask_of: the model has no such input; known are ids, mask",
        ),
        ("[inputs.kind]\nmask_of = 'ids'", "this one is [?, 1], 'ids' [?, ?]"),
        ("[inputs.words]\nmask_of = 'ids'", "mask_of goes with numbers, and the tensor has texts"),
        ("[inputs.mask]\nmask_of = 'mask'", "'mask' is a mask itself"),
        (
            "[inputs.kind]\ncolumns = ['one']\n[inputs.one]\npad = 0",
            "[inputs.one]: a column has no columns, dtype, shape, pad, mask_of of its own",
        ),
    ],
)
def test_a_mask_of_what_it_cannot_be_one_of_is_told(toml: Toml, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        merged(toml, text, signature=TOKENS)
    assert words in told.value.message
