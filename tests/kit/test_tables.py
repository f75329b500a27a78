"""TOML tables as structs: what is told of a wrong one."""

from __future__ import annotations

import enum
import tomllib
from typing import Any, Literal

import msgspec
import pytest

from modelport.core.errors import ConfigError
from modelport.kit.tables import read_table, read_value, tables


class Kind(enum.Enum):
    A = "a"
    B = "b"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    needed: str
    kind: Kind | None = None
    way: Literal["this", "that"] = "this"
    count: int = 0
    part: float | None = None
    flag: bool = False
    pair: tuple[int, int] | None = None
    names: tuple[str, ...] = ()
    mixed: tuple[str | int | float | bool, ...] = ()
    wires: dict[str, str] = {}
    anything: Any = None


def read(text: str) -> Table:
    return read_table("a.toml, [x]", {"needed": "y"} | tomllib.loads(text), Table)


def test_a_table_is_read_as_its_struct() -> None:
    made = read("kind = 'b'\ncount = 3\npart = 1\npair = [1, 2]\nmixed = [1, 'a']\nanything = []")
    assert made == Table(
        needed="y", kind=Kind.B, count=3, part=1.0, pair=(1, 2), mixed=(1, "a"), anything=[]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("way = 'other'", "way: 'other' is not one of this, that"),
        ("way = true", "way: true is not one of this, that"),
        ("kind = 'c'", "kind: 'c' is not one of a, b"),
        ("count = 1.5", "count: 1.5 is not a whole number"),
        ("count = true", "count: true is not a whole number"),
        (f"count = {2**64}", f"count: {2**64} has more than 64 bits"),
        (f"part = 1{'0' * 999}", f"part: 1{'0' * 59}… has more than 64 bits"),
        ("part = 'a'", "part: 'a' is not a number"),
        ("flag = 1", "flag: 1 is not true or false"),
        ("pair = [1]", "pair: [1] is not a list of 2 whole numbers"),
        ("pair = 3", "pair: 3 is not a list of 2 whole numbers"),
        ("names = 'a'", "names: 'a' is not a list of texts"),
        ("names = [1]", "names: [1] is not a list of texts"),
        ("mixed = {}", "mixed: {} is not a list of texts or numbers or truth values"),
        ("wires = 3", "wires: 3 is not a table"),
        ("wires = { a = 3 }", "wires.a: 3 is not a text"),
        ("needed = 3", "needed: 3 is not a text"),
    ],
)
def test_a_wrong_value_is_told_with_its_table_its_key_and_what_would_be_right(
    text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as told:
        read(text)
    assert told.value.message == f"a.toml, [x] {words}"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "a.toml, [x]: 'needed' is missing; it is a text"),
        ({"need": 1}, "a.toml, [x]: there is no key 'need'; did you mean 'needed'?"),
        ({"colour": 1}, "a.toml, [x]: there is no key 'colour'; did you mean way?"),
        (3, "a.toml, [x]: 3 is not a table of keys and values"),
    ],
)
def test_a_wrong_table_is_told(table: object, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_table("a.toml, [x]", table, Table, {"colour": "way"})
    assert told.value.message == words


def test_a_number_too_long_to_print_is_told_all_the_same() -> None:
    with pytest.raises(ConfigError, match="a number has more than 64 bits"):
        read_value("a.toml", 10**5000, int)


def test_a_group_holds_tables() -> None:
    assert tables("a.toml", "inputs", {"x": {}}) == {"x": {}}
    with pytest.raises(ConfigError, match=r"a\.toml, inputs: 3 is not tables: write \[inputs\.NA"):
        tables("a.toml", "inputs", 3)
    with pytest.raises(ConfigError, match=r"\[inputs\] x: 3 is not a table: write \[inputs\.x\]"):
        tables("a.toml", "inputs", {"x": 3})
