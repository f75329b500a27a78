"""The OpenAPI document: it says what the server takes and answers, and the server agrees."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from inspect import isawaitable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper, save

from modelport.core.errors import InvalidInput, ModelportError
from modelport.core.messages import InferRequest
from modelport.core.semantics import OutputMeaning, Semantics
from modelport.core.settings import Settings
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.engine import opening
from modelport.engine.facade import Engine
from modelport.engine.limits import Limits
from modelport.guard.policy import Permission
from modelport.http.api import api_routes
from modelport.http.errors import STATUS
from modelport.http.live import Live
from modelport.http.openapi import document
from modelport.http.openapi_answers import answer_schema
from modelport.http.routes import Route, Router
from modelport.repository.layout import find_sources
from modelport.runtimes.formats import is_model
from modelport.semantics.fields import plain_view
from modelport.semantics.labels import answer_json, plain_answer
from modelport.semantics.table import read_csv

LINEAR = Path(__file__).parent.parent / "data" / "linear.onnx"

Json = Any
Serve = Callable[..., Engine]
Info = tuple[str, int, list[Any]]


# -- models


def graph(
    nodes: list[tuple[str, list[str], list[str]]],
    inputs: list[Info],
    outputs: list[Info],
    constants: dict[str, Any] | None = None,
    **metadata: list[str],
) -> ModelProto:
    """A model of a few operators, with what an exporter writes about columns and classes."""
    made = helper.make_graph(
        [helper.make_node(kind, ins, outs) for kind, ins, outs in nodes],
        "test",
        [helper.make_tensor_value_info(*info) for info in inputs],
        [helper.make_tensor_value_info(*info) for info in outputs],
        [numpy_helper.from_array(np.array(v), name) for name, v in (constants or {}).items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    return model


def flowers() -> tuple[ModelProto, str]:
    """Four named columns, one nullable; a classifier with three classes."""
    model = graph(
        [("MatMul", ["x", "w"], ["z"]), ("Softmax", ["z"], ["scores"])],
        [("x", TensorProto.FLOAT, ["rows", 4])],
        [("scores", TensorProto.FLOAT, ["rows", 3])],
        {"w": np.eye(4, 3, dtype=np.float32)},
        columns=["a", "b", "c", "d"],
        classes=["setosa", "versicolor", "virginica"],
    )
    return model, (
        'title = "Flowers"\ndescription = "Which species."\n'
        '[inputs.a]\nunit = "cm"\nminimum = 0.5\nmaximum = 30\ndescription = "The length."\n'
        "[inputs.b]\nnullable = true\nmaximum = 9\n"
    )


def house() -> tuple[ModelProto, str]:
    """An input of each kind, each a single value; two outputs."""
    model = graph(
        [("Identity", ["area"], ["price"]), ("Identity", ["city"], ["where"])],
        [
            ("area", TensorProto.FLOAT, ["rows", 1]),
            ("rooms", TensorProto.INT8, ["rows", 1]),
            ("city", TensorProto.STRING, ["rows", 1]),
            ("new", TensorProto.BOOL, ["rows", 1]),
        ],
        [("price", TensorProto.FLOAT, ["rows", 1]), ("where", TensorProto.STRING, ["rows", 1])],
    )
    return model, (
        '[inputs.area]\nunit = "m²"\nminimum = 10\nnullable = true\n'
        "[inputs.rooms]\nminimum = 1\n"
        '[inputs.city]\nchoices = ["Paris", "Lyon"]\nnullable = true\n'
        '[outputs.price]\nunit = "EUR"\n'
    )


def labelled() -> tuple[ModelProto, str]:
    """A label as a number beside the probabilities, with the names of the classes."""
    constants = {"axis": np.array([1])}
    model = graph(
        [
            ("Softmax", ["x"], ["probabilities"]),
            ("ArgMax", ["x"], ["best"]),
            ("ReduceSum", ["best", "axis"], ["label"]),
        ],
        [("x", TensorProto.DOUBLE, ["rows", 3])],
        [
            ("label", TensorProto.INT64, [None, None]),
            ("probabilities", TensorProto.DOUBLE, ["rows", 3]),
        ],
        constants,
        classes=["no", "maybe", "yes"],
    )
    model.graph.node[1].attribute.append(helper.make_attribute("axis", 1))
    return model, ""


def picture() -> tuple[ModelProto, str]:
    """Nested lists of a fixed and a free size, in and out."""
    model = graph(
        [("Identity", ["pixels"], ["same"])],
        [("pixels", TensorProto.UINT8, ["rows", 2, None])],
        [("same", TensorProto.UINT8, ["rows", 2, None])],
    )
    return model, ""


def single() -> tuple[ModelProto, str]:
    """A model of exactly one row, which may be written without the list around it."""
    model = graph(
        [("Identity", ["x"], ["y"])],
        [("x", TensorProto.DOUBLE, [1, 3])],
        [("y", TensorProto.DOUBLE, [1, 3])],
    )
    return model, ""


def roots() -> tuple[ModelProto, str]:
    """Answers NaN for what is below zero; three dimensions of 1."""
    model = graph(
        [("Sqrt", ["x"], ["y"])],
        [("x", TensorProto.DOUBLE, ["rows", 1, 1])],
        [("y", TensorProto.DOUBLE, ["rows", 1, 1])],
    )
    return model, ""


def fixed() -> tuple[ModelProto, str]:
    """Named columns of exactly one row, within a range that a column may narrow only."""
    model = graph(
        [("Identity", ["x"], ["y"])],
        [("x", TensorProto.DOUBLE, [1, 1, 2])],
        [("y", TensorProto.DOUBLE, [1, 1, 2])],
        columns=["a", "b"],
    )
    return model, "[inputs.x]\nminimum = 0\nmaximum = 9\n[inputs.a]\nminimum = -5\n"


def clash() -> tuple[ModelProto, str]:
    """A column with the name of its tensor."""
    model = graph(
        [("Identity", ["x"], ["y"])],
        [("x", TensorProto.DOUBLE, ["rows", 2])],
        [("y", TensorProto.DOUBLE, ["rows", 2])],
        columns=["x", "z"],
    )
    return model, ""


MAKERS = {
    make.__name__: make for make in (flowers, house, labelled, picture, single, roots, fixed, clash)
}


def put(root: Path, name: str, model: ModelProto, toml: str) -> None:
    folder = root / name / "1"
    folder.mkdir(parents=True)
    save(model, folder / "model.onnx")
    (root / name / "model.toml").write_text(toml, encoding="utf-8")


def loaded_engine(root: Path) -> Engine:
    engine = Engine(
        find_sources(str(root), is_model), opening.Settings(), limits=Limits(queue_jobs=8)
    )
    asyncio.run(engine.load())
    return engine


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve models by name: those of this file, or pairs of a model and its `model.toml`."""
    engines: list[Engine] = []

    def make(*names: str, **models: tuple[ModelProto, str]) -> Engine:
        for name, (model, toml) in ({name: MAKERS[name]() for name in names} | models).items():
            put(tmp_path, name, model, toml)
        engines.append(loaded_engine(tmp_path))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    root = tmp_path_factory.mktemp("models")
    for name, make in MAKERS.items():
        put(root, name, *make())
    shutil.copy(LINEAR, root / "linear.onnx")
    engine = loaded_engine(root)
    yield engine
    engine.close()


def table(engine: Engine) -> list[Route]:
    def unused(*args: object) -> Any:
        raise AssertionError("no request is made here")

    return api_routes(
        engine=engine,
        settings=Settings(),
        server_version="1.2",
        metrics_of=unused,
        gather=unused,
        ask=unused,
        live=Live(unused, unused),
        redeem=unused,
        policy=unused,
        is_draining=unused,
    )


def document_of(engine: Engine) -> Json:
    made = document(engine, table(engine), "Modelport", "1.2")
    return json.loads(json.dumps(made, allow_nan=False))


# -- a validator for the words of JSON Schema that the document uses

_TYPES: dict[str, Callable[[Json], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_KNOWN = {
    *("$ref", "type", "enum", "anyOf", "properties", "required", "additionalProperties"),
    *("items", "prefixItems", "minItems", "maxItems", "minimum", "maximum"),
    *("title", "description", "format", "contentEncoding", "contentMediaType"),
    *("x-unit", "x-datatype"),
}


def target(root: Json, pointer: str) -> Json:
    assert pointer.startswith("#/")
    for part in pointer[2:].split("/"):
        root = root[part]
    return root


def valid(root: Json, schema: Json, value: Json) -> bool:
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    if "$ref" in schema and not valid(root, target(root, schema["$ref"]), value):
        return False
    if "anyOf" in schema and not any(valid(root, form, value) for form in schema["anyOf"]):
        return False
    types = schema.get("type", list(_TYPES))
    if not any(_TYPES[name](value) for name in ([types] if isinstance(types, str) else types)):
        return False
    if "enum" in schema and not any(
        type(value) is type(choice) and value == choice for choice in schema["enum"]
    ):
        return False
    return _valid_parts(root, schema, value)


def _valid_parts(root: Json, schema: Json, value: Json) -> bool:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        extra = schema.get("additionalProperties", True) is False and set(value) - set(known)
        return (
            not extra
            and set(schema.get("required", ())) <= set(value)
            and all(valid(root, known[name], value[name]) for name in set(known) & set(value))
        )
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = schema.get("items", {})
        return (
            schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            and all(valid(root, s, v) for s, v in zip(first, value, strict=False))
            and all(rest is not False and valid(root, rest, v) for v in value[len(first) :])
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(
            schema.get("minimum", float("-inf")) <= value <= schema.get("maximum", float("inf"))
        )
    return True


# -- the server's side


def predict(engine: Engine, name: str, body: Json) -> Json:
    """The answer's JSON, as the server would write it; raises `InvalidInput`."""
    version = engine.find(name)
    request = version.loaded.decode_json(json.dumps(body).encode())

    async def run() -> Any:
        answer = engine.infer(version, version.loaded, InferRequest(inputs=request.inputs))
        return await answer if isawaitable(answer) else answer

    response = asyncio.run(run())
    return json.loads(answer_json(version.loaded.answer(response.outputs, request.single)))


def takes(engine: Engine, name: str, body: Json) -> bool:
    try:
        engine.find(name).loaded.decode_json(json.dumps(body).encode())
    except InvalidInput:
        return False
    return True


def request_of(made: Json, name: str) -> Json:
    return made["components"]["schemas"][f"{name}.Request"]


# -- requests and answers

FLOWER = {"a": 5.1, "b": 3.5, "c": 1.4, "d": 0.2}
HOUSE = {"area": 80, "rooms": 3, "city": "Paris", "new": True}
GOOD: list[tuple[str, Json]] = [
    ("linear", {"x": [1, 2, 3]}),
    ("linear", {"x": [[1, 2, 3], [4.5, 5, 6]]}),
    ("linear", [{"x": [1, 2, 3]}, {"x": [4, 5, 6]}]),
    ("linear", [1, 2, 3]),
    ("linear", [[1, 2, 3]]),
    ("flowers", FLOWER),
    ("flowers", FLOWER | {"b": None}),
    ("flowers", {name: [value, value] for name, value in FLOWER.items()}),
    ("flowers", [FLOWER, FLOWER | {"b": None}]),
    ("flowers", {"x": [1, 2, 3, 4]}),
    ("flowers", {"x": [[1, 2, 3, 4], [5, 6, 7, 8]]}),
    ("flowers", [1, 2, 3, 4]),
    ("flowers", [[1, 2, 3, 4], [5, 6, 7, 8]]),
    ("house", HOUSE),
    ("house", HOUSE | {"area": None, "city": None}),
    ("house", {name: [value] * 3 for name, value in HOUSE.items()}),
    ("house", [HOUSE, HOUSE]),
    ("labelled", {"x": [0, 5, 1]}),
    ("labelled", {"x": [[0, 5, 1], [9, 5, 1]]}),
    ("picture", {"pixels": [[1, 2, 3], [4, 5, 255]]}),
    ("picture", {"pixels": [[[1], [2]], [[3], [4]]]}),
    ("picture", [[[1, 2], [3, 4]]]),
    ("single", {"x": [1, 2, 3]}),
    ("single", {"x": [[1, 2, 3]]}),
    ("single", [1, 2, 3]),
    ("fixed", {"a": 1, "b": 2}),
    ("fixed", {"a": -5, "b": 2}),
    ("fixed", {"x": [1, 2]}),
    ("fixed", {"x": [[[1, 2]]]}),
    ("fixed", [[1, 2]]),
    ("clash", {"x": 1, "z": 2}),
    ("clash", {"x": [1, 2], "z": [3, 4]}),
    ("clash", [[1, 2]]),
    ("roots", {"x": [[4]]}),
    ("roots", {"x": [[-4]]}),
    ("roots", {"x": [[[4]], [[-4]]]}),
]
BAD: list[tuple[str, Json]] = [
    ("linear", {"x": [1, 2]}),
    ("linear", {"x": [1, 2, None]}),
    ("linear", {"x": [1, 2, "3"]}),
    ("linear", {"x": [1, 2, 3], "y": 1}),
    ("linear", {}),
    ("linear", []),
    ("linear", 3),
    ("linear", None),
    ("flowers", {"a": 1, "b": 1, "c": 1}),
    ("flowers", FLOWER | {"a": 0.4}),
    ("flowers", FLOWER | {"a": 30.5}),
    ("flowers", FLOWER | {"b": 9.5}),
    ("flowers", FLOWER | {"c": None}),
    ("flowers", FLOWER | {"c": True}),
    ("flowers", FLOWER | {"c": 1e39}),
    ("flowers", [FLOWER, FLOWER | {"a": 0.4}]),
    ("flowers", {name: [value, 100] for name, value in FLOWER.items()}),
    ("flowers", {name: [] for name in FLOWER}),
    ("flowers", {"x": [1, 2, 3]}),
    ("flowers", {"x": [1, None, 3, 4]}),
    ("house", HOUSE | {"area": 9}),
    ("house", HOUSE | {"rooms": 0}),
    ("house", HOUSE | {"rooms": 128}),
    ("house", HOUSE | {"rooms": 1.5}),
    ("house", HOUSE | {"rooms": None}),
    ("house", HOUSE | {"city": "Rome"}),
    ("house", HOUSE | {"city": 3}),
    ("house", HOUSE | {"new": 1}),
    ("house", HOUSE | {"new": None}),
    ("picture", {"pixels": [[1, 2, 3]]}),
    ("picture", {"pixels": [[256], [1]]}),
    ("picture", {"pixels": [[-1], [1]]}),
    ("single", {"x": [[1, 2, 3], [1, 2, 3]]}),
    ("single", {"x": [1, 2]}),
    ("fixed", {"x": [-5, 2]}),
    ("fixed", {"x": [1, 10]}),
    ("fixed", {"a": 1, "b": -1}),
    ("fixed", {"a": [1, 2], "b": [1, 2]}),
    ("clash", {"x": [[1, 2]]}),
    ("roots", {"x": [["4"]]}),
    ("roots", {"x": 4}),
]


@pytest.mark.parametrize(("name", "body"), GOOD)
def test_what_the_document_allows_is_taken_and_answered_as_it_says(
    everything: Engine, name: str, body: Json
) -> None:
    made = document_of(everything)
    assert valid(made, request_of(made, name), body)
    answer = predict(everything, name, body)
    assert valid(made, made["components"]["schemas"][f"{name}.Answer"], answer), answer


@pytest.mark.parametrize(("name", "body"), BAD)
def test_what_the_document_excludes_is_refused(everything: Engine, name: str, body: Json) -> None:
    made = document_of(everything)
    assert not valid(made, request_of(made, name), body)
    assert not takes(everything, name, body)


_NUMBERS = st.sampled_from([None, True, 0, 1, -1, 127, 128, 0.5, 9.5, 40, 1e39, -1e39])
_ELEMENTS = _NUMBERS | st.sampled_from(["Paris", "Rome", "", "1"])
_VALUES = st.one_of(
    _ELEMENTS,
    st.lists(_ELEMENTS, min_size=2, max_size=2),
    st.lists(st.lists(_NUMBERS, min_size=4, max_size=4), min_size=2, max_size=2),
    st.lists(_NUMBERS, min_size=4, max_size=4),
)


def _named(*names: str) -> st.SearchStrategy[Json]:
    one = st.fixed_dictionaries(dict.fromkeys(names, _VALUES))
    return st.one_of(one, st.lists(one, max_size=2))


_BODIES = st.one_of(
    st.tuples(st.just("flowers"), _named("a", "b", "c", "d") | _named("x") | _VALUES),
    st.tuples(st.just("house"), _named(*HOUSE)),
    st.tuples(st.just("linear"), _named("x") | _VALUES),
    st.tuples(st.just("single"), _named("x") | _VALUES),
    st.tuples(st.just("roots"), _named("x") | _VALUES),
)


@settings(max_examples=500, deadline=None)
@given(case=_BODIES)
def test_the_document_never_allows_what_is_refused(
    everything: Engine, case: tuple[str, Json]
) -> None:
    name, body = case
    made = document_of(everything)
    if valid(made, request_of(made, name), body):
        assert takes(everything, name, body)


def test_each_example_is_allowed_and_works_when_sent(everything: Engine) -> None:
    made = document_of(everything)
    for name in everything.names:
        content = made["paths"][f"/models/{name}/predict"]["post"]["requestBody"]["content"]
        example = content["application/json"]["example"]
        assert valid(made, request_of(made, name), example), name
        assert set(predict(everything, name, example))


def test_the_csv_example_means_the_same_as_the_json_example(everything: Engine) -> None:
    made = document_of(everything)
    compared = []
    for name in everything.names:
        content = made["paths"][f"/models/{name}/predict"]["post"]["requestBody"]["content"]
        text = content.get("text/csv", {}).get("example")
        if text is not None:
            loaded = everything.find(name).loaded
            json_body = json.dumps(content["application/json"]["example"]).encode()
            want, got = loaded.decode_json(json_body), read_csv(loaded.view, text.encode())
            assert all((want.inputs[key] == got.inputs[key]).all() for key in want.inputs)
            compared.append(name)
    assert compared == ["clash", "fixed", "flowers", "house"]


def test_an_example_may_hold_missing_values(serve: Serve) -> None:
    model, toml = flowers()
    example = "[[examples]]\ninput = {a = 1.0, b = nan, c = 1.0, d = 1.0}\n"
    made = document_of(serve(flowers=(model, toml + example)))
    body = made["paths"]["/models/flowers/predict"]["post"]["requestBody"]["content"]
    assert body["application/json"]["example"]["b"] is None
    assert body["text/csv"]["example"] == "a,b,c,d\n1.0,,1.0,1.0\n"


def test_an_example_of_many_rows_is_not_repeated_as_csv(serve: Serve) -> None:
    model, toml = flowers()
    example = "[[examples]]\ninput = {a = [1, 2], b = [1, 2], c = [1, 2], d = [1, 2]}\n"
    made = document_of(serve(flowers=(model, toml + example)))
    body = made["paths"]["/models/flowers/predict"]["post"]["requestBody"]["content"]
    assert body["application/json"]["example"]["a"] == [1, 2]
    assert "example" not in body["text/csv"]


def test_a_model_too_large_to_read_has_advice_in_place_of_an_example(serve: Serve) -> None:
    model = graph(
        [("Identity", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["rows", 3, 224, 224])],
        [("y", TensorProto.FLOAT, ["rows", 3, 224, 224])],
    )
    predict = document_of(serve(large=(model, "")))["paths"]["/models/large/predict"]["post"]
    assert "example" not in predict["requestBody"]["content"]["application/json"]
    assert "/v2/models/large/infer" in predict["description"]
    assert set(predict["requestBody"]["content"]) == {"application/json", "application/x-npy"}


def test_fields_have_type_range_choices_and_unit(everything: Engine) -> None:
    schemas = document_of(everything)["components"]["schemas"]
    assert schemas["flowers.Row"]["properties"]["a"] == {
        "type": "number",
        "format": "float",
        "minimum": 0.5,
        "maximum": 30,
        "description": "The length. Unit: cm.",
        "x-unit": "cm",
        "x-datatype": "FP32",
    }
    assert schemas["house.Row"]["properties"]["rooms"] == {
        "type": "integer",
        "format": "int8",
        "minimum": 1,
        "maximum": 127,
        "x-datatype": "INT8",
    }
    assert schemas["house.Row"]["properties"]["city"] == {
        "type": ["string", "null"],
        "enum": ["Paris", "Lyon", None],
        "x-datatype": "BYTES",
    }
    assert schemas["flowers.Row"]["required"] == ["a", "b", "c", "d"]
    assert schemas["flowers.Row"]["additionalProperties"] is False


def test_a_classifier_answers_one_of_its_classes(everything: Engine) -> None:
    schemas = document_of(everything)["components"]["schemas"]
    unknown = {"type": ["string", "null"], "enum": ["setosa", "versicolor", "virginica", None]}
    for name, classes, prediction in (
        ("flowers", ["setosa", "versicolor", "virginica"], unknown),
        ("labelled", ["no", "maybe", "yes"], {"type": "string", "enum": ["no", "maybe", "yes"]}),
    ):
        one, many = schemas[f"{name}.Answer"]["anyOf"]
        assert one["properties"]["prediction"] == prediction
        assert list(one["properties"]["probabilities"]["properties"]) == classes
        assert many["properties"]["probabilities"]["type"] == "array"


@pytest.mark.parametrize(
    ("dtype", "classes", "value", "kind"),
    [
        (DType.INT64, ("no", "yes"), 1, {"type": "string", "enum": ["no", "yes"]}),
        (DType.INT64, (3, 5), 5, {"type": "integer", "enum": [3, 5]}),
        (DType.INT64, (False, True), 1, {"type": "integer", "enum": [0, 1]}),
        (DType.BOOL, (False, True), True, {"type": "boolean", "enum": [False, True]}),
        (DType.FP64, (0.5, 1.5), 1.5, {"type": "number", "enum": [0.5, 1.5]}),
        (DType.BYTES, ("no", "yes"), b"yes", {"type": "string", "enum": ["no", "yes"]}),
        (DType.BYTES, (1, 2), b"2", {"$ref": "#/components/schemas/Text"}),
        (DType.INT32, (), 7, {"type": "integer", "format": "int32"}),
    ],
)
def test_a_label_is_described_as_it_is_answered(
    dtype: DType, classes: tuple[Any, ...], value: object, kind: Json
) -> None:
    spec = TensorSpec("label", dtype, (None,))
    signature = Signature((), (spec,))
    meaning = OutputMeaning(kind="label", classes=classes)
    view = plain_view(signature, Semantics(outputs={"label": meaning}))
    made = answer_schema(view)
    outputs = {"label": np.array([value, value], dtype=dtype.numpy)}
    root = {"components": {"schemas": {"Text": {"type": "string"}}}}
    for rows, single in ((1, True), (2, False)):
        answer = plain_answer(view)({"label": outputs["label"][:rows]}, single)
        assert valid(root, made, json.loads(answer_json(answer)))
    one = made["anyOf"][0]["properties"]["prediction"]  # type: ignore[index]
    assert {key: one[key] for key in one if key != "x-datatype"} == kind


@pytest.mark.parametrize(
    ("spec", "made"),
    [
        ((None,), (1,)),
        ((None, 1), (1, 1)),
        ((None, None), (1, 1)),
        ((None, None, 1), (1, 3, 1)),
        ((None, 1, None), (1, 1, 1)),
        ((None, 1, 1), (1, 1, 1)),
        ((1,), (1,)),
        ((1, 1), (1, 1)),
        ((2, 1), (2, 1)),
    ],
)
def test_a_dimension_of_one_is_in_the_schema_exactly_where_it_is_in_the_answer(
    spec: tuple[int | None, ...], made: tuple[int, ...]
) -> None:
    view = plain_view(Signature((), (TensorSpec("y", DType.FP32, spec),)), Semantics())
    schema = answer_schema(view)
    schemas: list[Json] = schema.get("anyOf", [schema, schema])  # type: ignore[assignment]
    for form, single in zip(schemas, (True, False), strict=True):
        answer = plain_answer(view)({"y": np.zeros(made, np.float32)}, single)
        value = json.loads(answer_json(answer))["prediction"]
        assert valid({}, form, {"prediction": value})
        assert not valid({}, form, {"prediction": [value]})
        if isinstance(value, list):
            assert not valid({}, form, {"prediction": value[0]})


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        ((3, 5), {"type": "integer", "enum": [3, 5]}),
        (("no", "yes"), {"type": "integer", "format": "int64"}),
    ],
)
def test_a_label_without_names_is_a_class_of_the_scores_where_it_can_be(
    classes: tuple[Any, ...], kind: Json
) -> None:
    label = TensorSpec("label", DType.INT64, (None,))
    scores = TensorSpec("scores", DType.FP32, (None, 2))
    meanings = {
        "label": OutputMeaning(kind="label"),
        "scores": OutputMeaning(kind="probabilities", classes=classes),
    }
    view = plain_view(Signature((), (label, scores)), Semantics(outputs=meanings))
    one: Json = answer_schema(view)["anyOf"][0]  # type: ignore[index]
    assert one["properties"]["prediction"] == kind


# -- the document as a whole


def nodes(value: Json) -> Iterator[Json]:
    yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from nodes(part)


def operations(made: Json) -> Iterator[tuple[str, str, Json]]:
    for path, verbs in made["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb.upper(), operation


def test_every_reference_leads_somewhere(everything: Engine) -> None:
    made = document_of(everything)
    pointers = {n["$ref"] for n in nodes(made) if isinstance(n, dict) and "$ref" in n}
    assert pointers
    for pointer in pointers:
        assert target(made, pointer) is not None


def test_the_document_has_the_shape_of_openapi(everything: Engine) -> None:
    made = document_of(everything)
    assert set(made) == {"openapi", "info", "tags", "paths", "components"}
    assert made["openapi"] == "3.1.0"
    assert made["info"] == {"title": "Modelport", "version": "1.2"}
    tags = [tag["name"] for tag in made["tags"]]
    ids = [operation["operationId"] for _, _, operation in operations(made)]
    assert len(set(tags)) == len(tags)
    assert len(set(ids)) == len(ids)
    for path, _, operation in operations(made):
        assert set(operation["tags"]) <= set(tags)
        assert operation["summary"]
        named = [p["name"] for p in operation.get("parameters", ()) if "$ref" not in p]
        assert named == [part[1:-1] for part in path.split("/") if part.startswith("{")]
        for status, answer in operation["responses"].items():
            assert status.isdigit()
            assert "$ref" in answer or answer["description"]
    for kind in made["components"].values():
        assert all(set(name) <= set(_COMPONENT) for name in kind)


_COMPONENT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


def test_every_route_is_in_the_document_and_nothing_else(everything: Engine) -> None:
    routes = table(everything)
    found: set[tuple[str, str]] = set()
    for path, method, operation in operations(document_of(everything)):
        route, _ = Router(routes).match(method, path.encode())
        found.add((route.method, route.path))
        security = operation["security"]
        if route.permission is Permission.PUBLIC:
            assert security == []
        else:
            right = [route.permission.value]
            assert security == [{"bearer": right}, {"session": right}]
    # Several models are served, so that /predict names none of them.
    assert {(r.method, r.path) for r in routes} - found == {("POST", "/predict")}


def test_what_somebody_may_miss_is_marked_so_that_a_page_asks_first(everything: Engine) -> None:
    marked = {
        (method, path)
        for path, method, operation in operations(document_of(everything))
        if operation.get("x-takes-away")
    }
    unload = ("POST", "/v2/repository/models/{name}/unload")
    deleted = {"/admin/keys/{id}", "/admin/models/{name}/aliases/{alias}", "/session"}
    assert marked == {("DELETE", path) for path in deleted} | {unload}


def test_what_takes_a_time_says_that_a_wrong_one_is_refused(everything: Engine) -> None:
    since = {"$ref": "#/components/parameters/since"}
    told = {
        path: "400" in operation["responses"]
        for path, _, operation in operations(document_of(everything))
        if since in operation.get("parameters", ())
    }
    assert told == {"/server/history": True, "/models/{name}/history": True}


def test_where_no_model_is_served_any_name_may_be_tried(tmp_path: Path) -> None:
    settings = opening.Settings(threads=1, trusted=frozenset(), cache_dir=tmp_path)
    made = document_of(Engine((), settings))
    (name,) = made["paths"]["/models/{name}"]["get"]["parameters"]
    assert name["schema"] == {"type": "string"}
    assert not [tag for tag in made["tags"] if "x-model" in tag]


def test_a_single_model_needs_no_name(serve: Serve) -> None:
    engine = serve("single")
    paths = document_of(engine)["paths"]
    assert paths["/predict"]["post"]["operationId"] == "predict"
    assert (
        paths["/predict"]["post"]["requestBody"]
        == (paths["/models/single/predict"]["post"]["requestBody"])
    )


def test_a_route_that_nobody_described_is_found_out(serve: Serve) -> None:
    engine = serve("single")
    stray = Route(method="GET", path="/stray", permission=Permission.READ, endpoint=_never)
    with pytest.raises(KeyError, match="GET /stray"):
        document(engine, [stray], "Modelport", "1.2")


async def _never(request: object) -> Any:
    raise AssertionError


def test_a_model_that_failed_is_listed_with_its_reason_and_cannot_be_asked(
    serve: Serve, tmp_path: Path
) -> None:
    folder = tmp_path / "broken" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"this is no model")
    made = document_of(serve("single"))
    (tag,) = [tag for tag in made["tags"] if tag["name"] == "broken"]
    assert tag["x-model"]["state"] == "FAILED"
    assert "could not be loaded" in tag["description"]
    assert "/models/broken/predict" not in made["paths"]
    assert "/predict" not in made["paths"]


def test_the_document_is_the_same_each_time(everything: Engine) -> None:
    assert json.dumps(document_of(everything)) == json.dumps(document_of(everything))


def test_the_errors_are_those_of_the_table(everything: Engine) -> None:
    made = document_of(everything)
    error = made["components"]["schemas"]["Error"]
    assert set(error["properties"]["code"]["enum"]) == {cls.code for cls in STATUS}
    assert error["required"] == ["error", "code", "detail", "request_id"]
    answers = made["paths"]["/models/linear/predict"]["post"]["responses"]
    statuses = {str(s) for cls, s in STATUS.items() if cls is not ModelportError} - {"405"}
    assert set(answers) == {"200"} | statuses
    assert {"400", "401", "403", "404", "413", "415", "503", "504"} < set(answers)
    assert "Retry-After" in made["components"]["responses"]["503"]["headers"]
    assert "`MODEL_NOT_FOUND`" in made["components"]["responses"]["404"]["description"]


def test_the_inference_protocol_has_its_own_types(everything: Engine) -> None:
    schemas = document_of(everything)["components"]["schemas"]
    assert schemas["Tensor"]["properties"]["datatype"]["enum"] == [t.value for t in DType]
    request = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1, 2, 3]}]}
    made = document_of(everything)
    assert valid(made, schemas["InferRequest"], request)
    assert not valid(made, schemas["InferRequest"], {"inputs": [{"name": "x"}]})


def test_the_document_can_be_written_by_any_encoder(everything: Engine) -> None:
    made = document(everything, table(everything), "Modelport", "1.2")
    assert msgspec.json.decode(msgspec.json.encode(made)) == document_of(everything)
