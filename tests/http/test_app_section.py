"""`[app]` as the catalogue tells it, and as a version that cannot be served says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.http.models import flowers, written
from tests.http.serving import serving

APP = """
title = "Flowers"
description = "Three kinds of them."
[[examples]]
input = { a = 1, b = 2, c = 3, d = 4 }
name = "Small"
[[examples]]
input = { a = 5, b = 6, c = 7, d = 8 }
[inputs.d]
nullable = true
[app]
title = "Which flower is it?"
inputs = ["c", "a"]
colour = "green"
fixed = { b = 2.5 }
"""


def test_the_catalogue_tells_how_a_models_page_is(tmp_path: Path) -> None:
    source = written(tmp_path, "flowers", flowers())
    Path(source.toml).write_text(APP)
    with serving([source]) as server:
        facts = server.get("/models/flowers").json
        (listed,) = server.get("/models").json
    assert facts["app"] == {
        "title": "Which flower is it?",
        "description": "Three kinds of them.",
        "inputs": ["c", "a"],
        "fixed": {"b": 2.5},
        "colour": "#2f9e44",
        "public": False,
    }
    assert facts["title"] == "Flowers"
    assert facts["example_names"] == ["Small", None]
    assert listed["title"] == "Which flower is it?"


def test_without_one_it_is_what_the_model_says(tmp_path: Path) -> None:
    source = written(tmp_path, "flowers", flowers())
    with serving([source]) as server:
        app = server.get("/models/flowers").json["app"]
    assert app["inputs"] == ["a", "b", "c", "d"]
    assert app["fixed"] == {}
    assert app["title"] is app["description"] is app["colour"] is None


def test_the_api_takes_what_the_page_does_not_show(tmp_path: Path) -> None:
    source = written(tmp_path, "flowers", flowers())
    Path(source.toml).write_text(APP)
    with serving([source]) as server:
        answer = server.post("/models/flowers/predict", '{"a": 9, "b": 0, "c": 0, "d": 0}')
    assert answer.json["prediction"] == "setosa"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[app]\ninputs = ['aa']", "flowers.toml, [app] inputs: the model has no input 'aa'"),
        ("[app]\ninputs = ['a']", "'b' is not shown, and the model needs a value of it"),
        ("[app.fixed]\nb = 'x'", "flowers.toml, [app.fixed] b: 'b'"),
    ],
)
def test_what_does_not_fit_keeps_the_model_from_being_served(
    tmp_path: Path, toml: str, words: str
) -> None:
    source = written(tmp_path, "flowers", flowers())
    Path(source.toml).write_text(toml)
    with serving([source]) as server:
        facts = server.get("/models/flowers").json
    assert facts["state"] == "FAILED"
    assert words in facts["reason"]
