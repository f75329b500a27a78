"""ONNX files: what they say, the numbers they give, and the words when they cannot be served."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.core.errors import CorruptModel, InvalidInput, LoadError, UnsupportedModel
from modelport.core.semantics import InputMeaning, OutputMeaning
from modelport.core.signature import TensorSpec
from modelport.core.tensors import DType, bytes_tensor
from modelport.runtimes._onnx_external import check_external_data, external_locations
from modelport.runtimes.base import LoadOptions, Model, load

Onnx = Callable[..., Path]
LINEAR = (Path(__file__).parent.parent / "data" / "linear.onnx").read_bytes()


def opened(path: Path) -> Model:
    return load(path, LoadOptions(digest=""))


def predicted(model: Model, **inputs: Any) -> dict[str, Any]:
    outputs = model.predict(inputs)
    return dict(outputs)  # type: ignore[call-overload, no-any-return]


# -- without the onnx package


def test_the_three_weight_example_gives_1_8(linear_onnx: Path) -> None:
    model = opened(linear_onnx)
    assert predicted(model, x=np.array([[1.0, 2.0, 3.0]]))["y"].tolist() == [1.8]
    signature = model.description.signature
    assert signature.inputs == (TensorSpec("x", DType.FP64, (None, 3)),)
    assert signature.outputs == (TensorSpec("y", DType.FP64, (None,)),)
    assert model.description.runtime == f"ONNX Runtime {onnxruntime.__version__}"
    assert (model.description.execution, model.description.warnings) == ("compute", ())


def test_the_answer_stays_when_the_model_runs_again(linear_onnx: Path) -> None:
    model = opened(linear_onnx)
    first = predicted(model, x=np.array([[1.0, 2.0, 3.0]]))["y"]
    predicted(model, x=np.array([[9.0, 9.0, 9.0]]))
    assert first.tolist() == [1.8]


def test_arrays_of_any_layout_are_taken(linear_onnx: Path) -> None:
    model = opened(linear_onnx)
    rows = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    expected = predicted(model, x=rows)["y"].tolist()
    wide = np.zeros((2, 6))
    wide[:, ::2] = rows
    for same in (np.asfortranarray(rows), wide[:, ::2]):
        assert predicted(model, x=same)["y"].tolist() == expected


def test_a_closed_model_may_be_closed_again(linear_onnx: Path) -> None:
    model = opened(linear_onnx)
    model.close()
    model.close()


def test_what_the_runtime_refuses_is_the_callers_mistake(linear_onnx: Path) -> None:
    model = opened(linear_onnx)
    with pytest.raises(InvalidInput, match=r"^the model does not take this input: .*float"):
        model.predict({"x": np.ones((1, 3), np.float32)})


def test_a_graph_that_fails_is_not_the_callers_mistake(fails_onnx: Path) -> None:
    with pytest.raises(Exception, match="Reshape") as caught:
        opened(fails_onnx).predict({"x": np.ones((1, 3))})
    assert not isinstance(caught.value, InvalidInput)


@pytest.mark.parametrize(
    "content",
    [
        b"\0",
        b"\x80\x04N.",
        pickle.dumps({"a": list(range(100))}),
        b"hello, world\n" * 10,
        bytes(1000),
        LINEAR[:20],
        LINEAR[:-1],
        LINEAR + b"\x3a\xff",
        b"\x08\x08",
        b"PK\x03\x04" + bytes(50),
    ],
)
def test_a_damaged_file_gives_one_sentence_without_a_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(CorruptModel) as caught:
        opened(path)
    message = caught.value.message
    assert message.startswith("'m.onnx' is not a usable ONNX file: ")
    assert str(tmp_path) not in message
    assert "\n" not in message


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_model_loads_or_is_a_load_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(LINEAR)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(bytes(content))
    try:
        opened(path).close()
        message = ""
    except LoadError as error:
        message = error.message
    assert str(path.parent) not in message


# -- external data, without the onnx package


def field(number: int, content: bytes) -> bytes:
    """One field of bytes in the wire format of Protocol Buffers."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def pair(key: bytes, value: bytes) -> bytes:
    return field(1, key) + field(2, value)


def external(place: str) -> bytes:
    """A TensorProto whose data lies elsewhere, with numbers and payloads around it."""
    entries = field(13, pair(b"offset", b"0")) + field(13, pair(b"location", place.encode()))
    return b"\x10\x01" + field(9, bytes(300)) + entries + b"\x70\x01"


TENSOR = external("w.bin")
GRAPH = field(5, TENSOR)
WAYS = {
    "initializer": field(7, GRAPH),
    "sparse values": field(7, field(15, field(1, TENSOR))),
    "sparse indices": field(7, field(15, field(2, TENSOR))),
    "attribute": field(7, field(1, field(5, field(5, TENSOR)))),
    "attribute's list": field(7, field(1, field(5, field(10, TENSOR)))),
    "attribute's sparse": field(7, field(1, field(5, field(22, field(1, TENSOR))))),
    "attribute's sparse list": field(7, field(1, field(5, field(23, field(2, TENSOR))))),
    "subgraph": field(7, field(1, field(5, field(6, GRAPH)))),
    "list of subgraphs": field(7, field(1, field(5, field(11, GRAPH)))),
    "function": field(25, field(7, field(5, field(5, TENSOR)))),
    "function's default": field(25, field(11, field(5, TENSOR))),
    "training": field(20, field(1, GRAPH)),
    "training's algorithm": field(20, field(2, GRAPH)),
    "second graph": field(7, b"") + field(7, GRAPH),
    "more fields in a pair": field(
        7, field(5, field(13, field(3, b"x") + pair(b"location", b"w.bin")))
    ),
    "value before key": field(7, field(5, field(13, field(2, b"w.bin") + field(1, b"location")))),
    "key given twice": field(
        7, field(5, field(13, field(1, b"offset") + pair(b"location", b"w.bin")))
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_external_data_is_found_wherever_a_tensor_may_stand(tmp_path: Path, way: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x08" + WAYS[way] + field(14, pair(b"location", b"no.bin")))
    assert external_locations(path) == {"w.bin"}


def test_subgraphs_may_lie_deep_in_each_other(tmp_path: Path) -> None:
    graph = GRAPH
    for _ in range(2000):
        graph = field(1, field(5, field(6, graph)))
    path = tmp_path / "m.onnx"
    path.write_bytes(field(7, graph))
    assert external_locations(path) == {"w.bin"}


def test_other_wire_types_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    skipped = b"\x3d" + bytes(4) + b"\x39" + bytes(8) + b"\x38" + b"\xff" * 9 + b"\x01"
    path.write_bytes(skipped + field(7, GRAPH))
    assert external_locations(path) == {"w.bin"}


def test_a_model_without_external_data_has_none(linear_onnx: Path, tmp_path: Path) -> None:
    assert external_locations(linear_onnx) == set()
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    assert external_locations(empty) == set()


def walked(path: Path) -> bool:
    """Whether the walk ends in places or in the words for a damaged file."""
    try:
        return all(isinstance(place, str) for place in external_locations(path))
    except ValueError as error:
        return "of another format" in str(error)


@settings(max_examples=400)
@given(
    st.binary(max_size=200) | st.lists(st.binary(max_size=30)).map(lambda p: field(7, b"".join(p)))
)
def test_any_bytes_end_in_places_or_a_value_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    path.write_bytes(content)
    assert walked(path)


@settings(max_examples=150)
@given(st.sampled_from(sorted(WAYS)), st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_never_crashes_the_walk(
    tmp_path_factory: pytest.TempPathFactory, way: str, at: int, byte: int
) -> None:
    content = bytearray(WAYS[way])
    content[at % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "flipped.onnx"
    path.write_bytes(bytes(content))
    assert walked(path)


@pytest.fixture
def with_place(tmp_path: Path) -> Callable[[str], Path]:
    """A model's file whose data is said to lie in some place; files and links lie around it."""
    folder = tmp_path / "models" / "m" / "1"
    (folder / "sub").mkdir(parents=True)
    outside = tmp_path / "secret.bin"
    for path in (outside, folder / "w.bin", folder / "sub" / "w.bin"):
        path.write_bytes(bytes(64))
    (folder / "link.bin").symlink_to(outside)
    (folder / "inner.bin").symlink_to(folder / "w.bin")
    (folder / "behind").symlink_to(tmp_path)
    (folder / "folder.bin").mkdir()
    os.mkfifo(folder / "pipe.bin")
    (folder / "*" / "_ORT_MEM_ADDR_").mkdir(parents=True)
    (folder / "*" / "_ORT_MEM_ADDR_" / "*").write_bytes(b"")

    def make(place: str) -> Path:
        path = folder / "m.onnx"
        path.write_bytes(field(7, field(5, external(place))))
        return path

    return make


@pytest.mark.parametrize("place", ["w.bin", "./w.bin", "sub/w.bin"])
def test_a_plain_file_in_the_models_folder_may_hold_data(
    with_place: Callable[[str], Path], place: str
) -> None:
    check_external_data(with_place(place))


@pytest.mark.parametrize(
    ("place", "name", "problem"),
    [
        ("/etc/passwd", "passwd", "lies outside of the model's folder"),
        ("../../../secret.bin", "secret.bin", "lies outside"),
        ("sub/../w.bin", "w.bin", "lies outside"),
        ("..", "..", "lies outside"),
        ("sub\\..\\w.bin", "w.bin", "lies outside"),
        ("C:\\secret.bin", "secret.bin", "lies outside"),
        ("link.bin", "link.bin", "is a link"),
        ("inner.bin", "inner.bin", "is a link"),
        ("behind/secret.bin", "secret.bin", "lies behind a link"),
        ("w.bin/x", "x", "lies behind a link"),
        ("pipe.bin", "pipe.bin", "is not a plain file"),
        ("folder.bin", "folder.bin", "is not a plain file"),
        ("gone.bin", "gone.bin", "is not there"),
        ("gone/w.bin", "w.bin", "is not there"),
        ("x" * 5000, "x" * 200, "is not there"),
        ("", "", "is no file's name"),
        (".", "", "is no file's name"),
        ("w.bin\0", "w.bin\0", "is no file's name"),
        ("*/_ORT_MEM_ADDR_/*", "*", "is no file's name"),
    ],
)
def test_data_anywhere_else_is_refused_by_its_name_alone(
    with_place: Callable[[str], Path], tmp_path: Path, place: str, name: str, problem: str
) -> None:
    with pytest.raises(LoadError) as caught:
        opened(with_place(place))
    message = caught.value.message
    assert message.startswith(f"'m.onnx' keeps data in '{name}', which {problem}")
    assert str(tmp_path) not in message
    assert "/etc" not in message


def test_a_place_that_is_no_text_is_not_there(with_place: Callable[[str], Path]) -> None:
    path = with_place("w.bin")
    path.write_bytes(path.read_bytes().replace(b"w.bin", b"\xff.bin"))
    with pytest.raises(LoadError, match="is not there"):
        check_external_data(path)


# -- external data, for real


@pytest.fixture
def with_data(onnx_model: Onnx, tmp_path: Path) -> Callable[[str], Path]:
    """x FP32 [3000] → y = x + w, where w lies in some place beside the model."""
    onnx = pytest.importorskip("onnx")

    def make(place: str) -> Path:
        floats = onnx.TensorProto.FLOAT
        path = onnx_model(
            [onnx.helper.make_node("Add", ["x", "w"], ["y"])],
            {"x": (floats, [3000])},
            {"y": (floats, [3000])},
            {"w": np.zeros(3000, np.float32)},
        )
        model = onnx.load(path, load_external_data=False)
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", place
        path.write_bytes(model.SerializeToString())
        np.arange(3000, dtype=np.float32).tofile(path.parent / "w.bin")
        return path

    return make


def test_data_beside_the_model_is_read(with_data: Callable[[str], Path]) -> None:
    model = opened(with_data("w.bin"))
    assert predicted(model, x=np.zeros(3000, np.float32))["y"][-1] == 2999


def test_the_runtime_itself_follows_links_that_modelport_refuses(
    with_data: Callable[[str], Path],
) -> None:
    path = with_data("inner.bin")
    (path.parent / "inner.bin").symlink_to(path.parent / "w.bin")
    session = onnxruntime.InferenceSession(str(path))
    assert session.run(None, {"x": np.zeros(3000, np.float32)})[0][-1] == 2999
    with pytest.raises(LoadError, match=r"keeps data in 'inner\.bin', which is a link"):
        opened(path)


def test_data_that_is_cut_off_is_a_corrupt_model_without_a_path(
    with_data: Callable[[str], Path], tmp_path: Path
) -> None:
    path = with_data("w.bin")
    (path.parent / "w.bin").write_bytes(bytes(16))
    with pytest.raises(CorruptModel) as caught:
        opened(path)
    assert str(tmp_path) not in caught.value.message


# -- models of other kinds


@pytest.fixture
def identity(onnx_model: Onnx) -> Callable[..., Path]:
    """x → y, the same values, of that type and shape."""
    onnx = pytest.importorskip("onnx")

    def make(kind: str, shape: Any, metadata: dict[str, str] | None = None, **names: str) -> Path:
        given, gives = names.get("given", "x"), names.get("gives", "y")
        number = getattr(onnx.TensorProto, kind)
        node = onnx.helper.make_node("Identity", [given], [gives])
        return onnx_model(
            [node], {given: (number, shape)}, {gives: (number, shape)}, None, metadata
        )

    return make


@pytest.mark.parametrize("kind", ["BOOL", "UINT8", "INT64", "FLOAT16", "FLOAT", "DOUBLE"])
def test_numbers_pass_through_unchanged(identity: Callable[..., Path], kind: str) -> None:
    model = opened(identity(kind, ["n", 2]))
    spec = model.description.signature.inputs[0]
    values = np.array([[0, 1], [1, 0]], dtype=spec.dtype.numpy)
    (made,) = predicted(model, x=values).values()
    assert made.dtype == values.dtype
    assert made.tolist() == values.tolist()


def test_text_goes_in_and_comes_out_as_utf8(identity: Callable[..., Path]) -> None:
    model = opened(identity("STRING", [None, 2]))
    assert model.description.signature.inputs == (TensorSpec("x", DType.BYTES, (None, 2)),)
    texts = [[b"a\0b", "é😀".encode()], [b"", b" "]]
    made = predicted(model, x=bytes_tensor(texts[0] + texts[1], (2, 2)))["y"]
    assert made.dtype == np.object_
    assert made.tolist() == texts


def test_bytes_that_are_no_text_are_the_callers_mistake(identity: Callable[..., Path]) -> None:
    model = opened(identity("STRING", [None]))
    with pytest.raises(InvalidInput, match="'x' holds bytes that are not UTF-8"):
        model.predict({"x": bytes_tensor([b"\xff"], (1,))})


def test_types_without_a_tensor_type_are_refused(identity: Callable[..., Path]) -> None:
    with pytest.raises(UnsupportedModel, match=r"'x' is of type tensor\(bfloat16\), which no"):
        opened(identity("BFLOAT16", [1]))


@pytest.mark.parametrize(
    ("first", "second", "lockstep"),
    [("n", "n", True), ("n", "m", False), ("n", None, True), (None, None, True), ("n", 4, True)],
)
def test_inputs_with_different_symbols_are_not_in_lockstep(
    onnx_model: Onnx, first: Any, second: Any, lockstep: bool
) -> None:
    onnx = pytest.importorskip("onnx")
    floats = onnx.TensorProto.FLOAT
    nodes = [onnx.helper.make_node("Identity", [i], [o]) for i, o in (("a", "y"), ("b", "z"))]
    path = onnx_model(
        nodes,
        {"a": (floats, [first, 2]), "b": (floats, [second])},
        {"y": (floats, None), "z": (floats, None)},
    )
    signature = opened(path).description.signature
    assert signature.lockstep is lockstep
    assert [spec.is_batched for spec in signature.inputs] == [True, second != 4]


def zipmap(onnx_model: Onnx, shape: Any = (None, 2), **classes: Any) -> Path:
    """A classifier that ends in ZipMap: label is ArgMax, probabilities are maps."""
    onnx = pytest.importorskip("onnx")
    helper, proto = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
        helper.make_node("ZipMap", ["x"], ["scores"], domain="ai.onnx.ml", **classes),
    ]
    path = onnx_model(
        nodes,
        {"x": (proto.FLOAT, list(shape))},
        {"label": (proto.INT64, [None])},
        domains={"ai.onnx.ml": 1},
    )
    model = onnx.load(path)
    key = proto.STRING if "classlabels_strings" in classes else proto.INT64
    value = helper.make_tensor_type_proto(proto.FLOAT, [])
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, value))
    model.graph.output.append(helper.make_value_info("scores", kind))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ({"classlabels_strings": ["no", "yes"]}, ("no", "yes")),
        ({"classlabels_strings": ["yes", "no"]}, ("no", "yes")),
        ({"classlabels_int64s": [3, 7]}, (3, 7)),
    ],
)
def test_maps_of_probabilities_become_a_tensor_in_the_order_of_the_classes(
    onnx_model: Onnx, classes: dict[str, Any], names: tuple[Any, ...]
) -> None:
    model = opened(zipmap(onnx_model, **classes))
    assert model.description.signature.outputs[1] == TensorSpec("scores", DType.FP32, (None, 2))
    meaning = model.description.semantics.outputs
    assert meaning["scores"] == OutputMeaning(kind="probabilities", classes=names)
    assert meaning["label"] == OutputMeaning(kind="label")
    made = predicted(model, x=np.array([[0.25, 0.75], [1, 0]], np.float32))
    order = [0, 1] if next(iter(classes.values()))[0] == names[0] else [1, 0]
    assert made["scores"].dtype == np.float32
    assert made["scores"][:, order].tolist() == [[0.25, 0.75], [1, 0]]
    assert made["label"].tolist() == [1, 0]


def test_classes_that_only_an_inference_tells_must_be_told(onnx_model: Onnx) -> None:
    path = zipmap(onnx_model, shape=(None, None), classlabels_int64s=[3, 7])
    with pytest.raises(UnsupportedModel, match=r"the classes of 'scores'.*zipmap=False"):
        opened(path)


# -- metadata


@pytest.mark.parametrize(
    "text",
    [
        '["a", "b"]',
        "['a', 'b']",
        "('a', 'b')",
        '{"1": "b", "0": "a"}',
        "{0: 'a', 1: 'b'}",
    ],
)
@pytest.mark.parametrize("key", ["columns", "feature_names"])
def test_columns_are_read_in_each_form_that_exporters_write(
    identity: Callable[..., Path], key: str, text: str
) -> None:
    description = opened(identity("FLOAT", [None, 2], {key: text})).description
    assert description.semantics.inputs == {"x": InputMeaning(columns=("a", "b"))}
    assert description.warnings == ()


@pytest.mark.parametrize(
    ("output", "kind"), [("y", "probabilities"), ("final_logits", "logits"), ("Logits", "logits")]
)
@pytest.mark.parametrize("key", ["classes", "names", "labels"])
def test_classes_are_read_and_logits_known_by_their_name(
    identity: Callable[..., Path], key: str, output: str, kind: Any
) -> None:
    path = identity("FLOAT", [None, 2], {key: "{0: 'cat', 1: 'dog'}"}, gives=output)
    outputs = opened(path).description.semantics.outputs
    assert outputs == {output: OutputMeaning(kind=kind, classes=("cat", "dog"))}


@pytest.mark.parametrize("shape", [[2], [1, 2], [None, 1, 2]])
def test_classes_belong_to_one_list_of_scores_a_row(
    identity: Callable[..., Path], shape: list[Any]
) -> None:
    meaning = opened(identity("FLOAT", shape, {"classes": "[0, 1]"})).description.semantics
    assert meaning.outputs["y"].classes == (0, 1)


@pytest.mark.parametrize(
    ("kind", "shape"), [("FLOAT", [None, 8, 2]), ("FLOAT", [None, 3]), ("INT64", [None, 2])]
)
def test_other_outputs_have_no_classes(
    identity: Callable[..., Path], kind: str, shape: list[Any]
) -> None:
    path = identity(kind, shape, {"classes": '["a", "b"]'})
    assert opened(path).description.semantics.outputs == {}


@pytest.mark.parametrize(("shape", "kind"), [([None, 1], "label"), ([None, 7], "value")])
def test_an_output_called_label_is_one_where_it_has_one_value_a_row(
    onnx_model: Onnx, shape: list[int | None], kind: str
) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = [onnx.helper.make_node("Identity", ["x"], [name]) for name in ("label", "y")]
    tensor = (onnx.TensorProto.INT64, shape)
    model = opened(onnx_model(nodes, {"x": tensor}, {"label": tensor, "y": tensor}))
    told = model.description.semantics.outputs.get("label", OutputMeaning())
    assert told.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        *("nope(", "3", "[[1], [2]]", '["a", "a"]', '["1", 1]', "{'x': 'a', 'y': 'b'}", "[1.5, 2]"),
        *("[" * 5000, "-" * 5000 + "1", "{0: 'a', 1: 'b'}" + " " * 1_000_000),
        json.dumps(["\ud800", "\udfff"]),
    ],
)
def test_metadata_that_names_nothing_is_a_warning(identity: Callable[..., Path], text: str) -> None:
    description = opened(identity("FLOAT", [None, 2], {"classes": text})).description
    assert description.semantics.outputs == {}
    assert description.warnings == (
        "the ONNX metadata 'classes' is not a list of names and was not used",
    )


def test_columns_that_fit_no_input_are_a_warning(identity: Callable[..., Path]) -> None:
    description = opened(identity("FLOAT", [None, 3], {"columns": '["a", "b"]'})).description
    assert description.semantics.inputs == {}
    assert "the file names 2 columns, which do not fit one input" in description.warnings[0]


@pytest.mark.parametrize(
    ("sizes", "names", "owner"),
    [
        ((2, 3), ["p", "q"], "a"),
        ((2, None), ["p", "q"], "a"),
        ((None, 3), ["p", "q"], "a"),
        ((2, 2), ["p", "q"], None),
        ((2, 3), ["p", "b"], None),
        ((2, 3), ["p", "a"], "a"),
    ],
)
def test_columns_belong_to_the_one_input_that_they_fit(
    onnx_model: Onnx, sizes: tuple[Any, Any], names: list[str], owner: str | None
) -> None:
    onnx = pytest.importorskip("onnx")
    floats = onnx.TensorProto.FLOAT
    nodes = [onnx.helper.make_node("Identity", [i], [o]) for i, o in (("a", "y"), ("b", "z"))]
    path = onnx_model(
        nodes,
        {"a": (floats, [None, sizes[0]]), "b": (floats, [None, sizes[1]])},
        {"y": (floats, None), "z": (floats, None)},
        metadata={"columns": json.dumps(names)},
    )
    description = opened(path).description
    assert set(description.semantics.inputs) == ({owner} if owner else set())
    assert bool(description.warnings) is (owner is None)


def test_the_files_description_is_the_models(onnx_model: Onnx) -> None:
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    shape = (onnx.TensorProto.FLOAT, [None])
    path = onnx_model([node], {"x": shape}, {"y": shape}, description="What it does")
    assert opened(path).description.semantics.description == "What it does"


def test_a_model_in_a_folder_with_an_odd_name_is_loaded(linear_onnx: Path, tmp_path: Path) -> None:
    folder = tmp_path / "é 'x' : y"
    folder.mkdir()
    path = Path(shutil.copy(linear_onnx, folder / "a b.onnx"))
    assert predicted(opened(path), x=np.zeros((1, 3)))["y"].tolist() == [0.4]
