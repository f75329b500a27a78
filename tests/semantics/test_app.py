"""`[app]` of a `model.toml`: what its owner may say, and the words when it does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from modelport.core.errors import ConfigError
from modelport.core.semantics import App, Semantics
from modelport.core.signature import Signature, TensorSpec
from modelport.core.tensors import DType
from modelport.semantics.app import check_app, shown_inputs
from modelport.semantics.app_table import PALETTE
from modelport.semantics.fields import PlainView, plain_view
from modelport.semantics.model_toml import merge, read_model_toml
from modelport.semantics.starting_toml import write_model_toml

SIGNATURE = Signature(
    (
        TensorSpec("x", DType.FP32, (None, 3)),
        TensorSpec("count", DType.INT64, (None,)),
        TensorSpec("city", DType.BYTES, (None,)),
    ),
    (TensorSpec("price", DType.FP32, (None, 1)),),
)
FIELDS = """
[inputs.x]
columns = ["area", "rooms", "age"]
[inputs.area]
minimum = 10
maximum = 1000
[inputs.age]
nullable = true
[inputs.city]
choices = ["Oslo", "Rome"]
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], PlainView]:
    """The view of a model with that `[app]`, checked as loading does."""

    def make(app: str) -> PlainView:
        path = tmp_path / "model.toml"
        path.write_text(app + FIELDS, encoding="utf-8")
        view = plain_view(SIGNATURE, merge(Semantics(), read_model_toml(path), SIGNATURE))
        check_app(path.name, view)
        return view

    return make


Read = Callable[[str], PlainView]
ALL = ("area", "rooms", "age", "count", "city")


def test_without_a_word_all_inputs_are_shown(read: Read) -> None:
    view = read("")
    assert view.semantics.app == App()
    assert shown_inputs(view) == ALL


def test_inputs_are_shown_in_the_order_in_which_they_are_listed(read: Read) -> None:
    view = read('[app]\ninputs = ["city", "area", "rooms", "count"]')
    assert shown_inputs(view) == ("city", "area", "rooms", "count")


def test_what_is_fixed_is_not_shown(read: Read) -> None:
    view = read('[app.fixed]\ncity = "Rome"\nrooms = 3\ncount = 7')
    assert view.semantics.app.fixed == {"city": "Rome", "rooms": 3, "count": 7}
    assert shown_inputs(view) == ("area", "age")


def test_all_of_it_arrives(read: Read) -> None:
    app = read(
        '[app]\ntitle = "T"\ndescription = "D"\ncolour = "#1A2b3C"\npublic = true\n'
        'inputs = ["area", "rooms", "count"]\nfixed = { city = "Oslo" }'
    ).semantics.app
    assert app == App(
        title="T",
        description="D",
        colour="#1a2b3c",
        public=True,
        inputs=("area", "rooms", "count"),
        fixed={"city": "Oslo"},
    )


@pytest.mark.parametrize("name", [*PALETTE, "Teal", "grey"])
def test_a_colour_may_be_named(read: Read, name: str) -> None:
    assert read(f'[app]\ncolour = "{name}"').semantics.app.colour in PALETTE.values()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("app = 3", "model.toml, [app]: 3 is not a table"),
        ("[app]\ncolor = 'red'", "[app]: there is no key 'color'; did you mean 'colour'?"),
        ("[app]\nhidden = ['age']", "did you mean 'inputs', with those that are shown?"),
        ("[app]\nexamples = []", r"did you mean [[examples]], at the top level?"),
        ("[app]\ndefaults = {}", "did you mean [app.fixed]?"),
        ("[app]\ntitel = 'x'", "there is no key 'titel'; did you mean 'title'?"),
        ("[app]\ntitle = 3", "[app] title: 3 is not a text"),
        ("[app]\npublic = 'yes'", "[app] public: 'yes' is not true or false"),
        ("[app]\ninputs = 'area'", "[app] inputs: 'area' is not a list of texts"),
        ("[app]\ninputs = [1]", "[app] inputs: [1] is not a list of texts"),
        ("[app]\nfixed = 'x'", "[app] fixed: 'x' is not a table"),
        ("[app]\ncolour = 'blu'", "'blu' is no colour such as '#1971c2', and none that has a"),
        ("[app]\ncolour = 'blu'", "did you mean 'blue'?"),
        ("[app]\ncolour = '#12'", "known are red, pink, grape"),
        ("[app]\ncolour = '#12345g'", "[app] colour: '#12345g' is no colour"),
        (
            "[app]\ninputs = ['aera']",
            "[app] inputs: the model has no input 'aera'; did you mean 'area'?",
        ),
        ("[app]\ninputs = ['x']", "no input 'x'; known are area, rooms, age, count, city"),
        ("[app]\ninputs = ['area', 'area']", "[app] inputs: 'area' is listed twice"),
        ("[app]\ninputs = []", "no input is shown"),
        (
            "[app.fixed]\narea=20\nrooms=1\nage=1\ncount=1\ncity='Rome'",
            "[app] inputs: no input is shown",
        ),
        (
            "[app]\ninputs = ['city']\nfixed = { city = 'Rome' }",
            "'city' has a value in [app.fixed], and what is fixed is not shown",
        ),
        (
            "[app]\ninputs = ['area', 'count', 'city']",
            "[app] inputs: 'rooms' is not shown, and the model needs a value of it: list it here,"
            " give it a value in [app.fixed]",
        ),
        ("[app.fixed]\nciti = 'Rome'", "[app.fixed]: the model has no input 'citi'; did you mean"),
        ("[app.fixed]\narea = 5", "[app.fixed] area: 'area' lies between 10 and 1000, and 5"),
        ("[app.fixed]\narea = 'big'", "[app.fixed] area: 'area'"),
        ("[app.fixed]\narea = [20, 30]", "'area' takes the value of one row"),
        ("[app.fixed]\nrooms = nan", "[app.fixed] rooms: nan is no number"),
        ("[app.fixed]\ncount = 1.5", "[app.fixed] count: 'count'"),
        ("[app.fixed]\ncity = 'Lima'", "[app.fixed] city: 'city' is one of 'Oslo', 'Rome'"),
        ("[app.fixed]\ncity = true", "[app.fixed] city: 'city'"),
        ("[app.fixed]\ncity = 1979-05-27", "[app.fixed] city: 'city'"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(read: Read, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(text)
    assert words in error.value.message
    assert error.value.message.startswith("model.toml, [app")


def test_an_input_that_may_be_missing_need_not_be_shown(read: Read) -> None:
    view = read('[app]\ninputs = ["area", "rooms", "count"]\nfixed = { city = "Rome" }')
    assert "age" not in shown_inputs(view)


def test_whole_numbers_have_no_missing_value(read: Read) -> None:
    with pytest.raises(ConfigError, match="'count' is not shown"):
        read('[app]\ninputs = ["area", "rooms", "city"]')


def test_a_tensor_may_be_fixed_as_a_list() -> None:
    view = plain_view(SIGNATURE, Semantics(app=App(fixed={"x": [20, 1, 3]})))
    check_app("model.toml", view)
    assert shown_inputs(view) == ("count", "city")
    wrong = plain_view(SIGNATURE, Semantics(app=App(fixed={"x": [1, 2]})))
    with pytest.raises(ConfigError, match=r"\[app.fixed\] x: 'x' takes one row as \[3\]"):
        check_app("model.toml", wrong)


def test_a_value_for_many_rows_is_no_fixed_one() -> None:
    view = plain_view(SIGNATURE, Semantics(app=App(fixed={"x": [[1, 2, 3], [4, 5, 6]]})))
    with pytest.raises(ConfigError, match="takes the value of one row"):
        check_app("model.toml", view)


def test_examples_may_have_names(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    one = "[[examples]]\ninput = 1\n"
    path.write_text(one + "name = 'Cheap'\n" + one)
    toml = read_model_toml(path)
    merged = merge(Semantics(), toml, SIGNATURE)
    assert merged.examples == (1, 1)
    assert merged.example_names == ("Cheap", None)
    path.write_text(one)
    assert merge(Semantics(), read_model_toml(path), SIGNATURE).example_names == ()
    path.write_text(one + "title = 'Cheap'")
    with pytest.raises(ConfigError, match=r"\[\[examples\]\] 1: .*did you mean 'name'\?"):
        read_model_toml(path)


def test_what_is_known_stands_in_the_starting_file(tmp_path: Path) -> None:
    app = App(title="T", inputs=("x", "city"), fixed={"count": 3}, colour="#123456", public=True)
    path = tmp_path / "model.toml"
    path.write_text(write_model_toml(SIGNATURE, Semantics(app=app)))
    assert read_model_toml(path).app == app
    path.write_text(write_model_toml(SIGNATURE, Semantics()))
    assert read_model_toml(path).app == App()
    assert "# [app]" in path.read_text()


def test_it_crosses_processes() -> None:
    semantics = Semantics(app=App(inputs=("a",), fixed={"b": [1, "x"]}), example_names=("n", None))
    assert msgspec.json.decode(msgspec.json.encode(semantics), type=Semantics) == semantics
