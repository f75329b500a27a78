"""Errors: facts for programs, words for people."""

from __future__ import annotations

import pytest

from modelport.core.errors import (
    CorruptModel,
    InvalidInput,
    LoadError,
    ModelNotFound,
    ModelportError,
    NotFound,
    Overloaded,
    error_from_code,
)


def test_an_error_carries_its_message_and_its_facts() -> None:
    error = InvalidInput("no", tensor="x", got=3)
    assert str(error) == error.message == "no"
    assert error.detail == {"tensor": "x", "got": 3}


def test_what_an_error_of_loading_says_in_full_is_in_its_text_alone() -> None:
    error = LoadError("it failed", "it failed: secret", in_full=1)
    assert (error.message, str(error), error.detail) == (
        "it failed",
        "it failed: secret",
        {"in_full": 1},
    )
    assert str(CorruptModel("damaged")) == "damaged"


def test_facts_may_have_any_name() -> None:
    error = InvalidInput("no", message="theirs", self=1)
    assert error.message == "no"
    assert error.detail == {"message": "theirs", "self": 1}


@pytest.mark.parametrize(("detail", "seconds"), [({"retry_after_s": 2}, 2.0), ({}, None)])
def test_the_time_to_wait_is_known_where_the_error_says_it(
    detail: dict[str, object], seconds: float | None
) -> None:
    assert Overloaded("full", **detail).retry_after_s == seconds


def test_a_time_to_wait_that_is_no_number_is_none() -> None:
    assert Overloaded("full", retry_after_s="soon").retry_after_s is None


def test_an_error_is_rebuilt_from_its_code() -> None:
    error = error_from_code("MODEL_NOT_FOUND", "gone", {"name": "x"})
    assert type(error) is ModelNotFound
    assert isinstance(error, NotFound)
    assert (error.message, error.detail) == ("gone", {"name": "x"})


def test_an_unknown_code_gives_the_root() -> None:
    error = error_from_code("TEAPOT", "short and stout", {"message": "x"})
    assert type(error) is ModelportError
    assert error.detail == {"message": "x"}
