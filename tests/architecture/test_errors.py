"""Every error has one code and its HTTP status."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelport.core import errors
from modelport.core.errors import ModelportError
from modelport.http.errors import STATUS


def tree(root: type[ModelportError]) -> Iterator[type[ModelportError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def ours() -> list[type[ModelportError]]:
    return [kind for kind in tree(ModelportError) if kind.__module__ == errors.__name__]


def test_every_error_has_its_status_and_every_status_its_error() -> None:
    assert set(STATUS) == set(ours())
    assert all(400 <= status < 600 for status in STATUS.values())


def test_no_error_is_defined_elsewhere() -> None:
    defined = [k for k in tree(ModelportError) if k.__module__.startswith("modelport.")]
    assert set(defined) == set(ours())


def test_codes_are_unique_capitals_of_their_own() -> None:
    codes = [kind.__dict__.get("code") for kind in ours()]
    assert len(set(codes)) == len(codes)
    assert all(code is not None and re.fullmatch(r"[A-Z_]+", code) for code in codes)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^ {4}(.*?)(\w+) {2,}", errors.__doc__, re.MULTILINE)
    depths = {name: len(line.replace(" ", "")) and len(line) // 4 for line, name in drawn}
    assert set(depths) == {kind.__name__ for kind in ours()}
    for kind in ours():
        assert depths[kind.__name__] == len(kind.__mro__) - len(ModelportError.__mro__)


def test_every_error_says_what_it_means() -> None:
    assert all(kind.__doc__ and kind.__doc__.strip().endswith(".") for kind in ours())
    assert set(errors.__all__) == {kind.__name__ for kind in ours()} | {"error_from_code"}
