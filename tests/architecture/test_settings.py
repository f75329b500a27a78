"""Every option has its help, and its unit in its name."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, Literal, get_args, get_origin

import pytest

from modelport.core.settings import Settings
from modelport.kit.config import types_of

OPTIONS = [
    (field, types_of(group)[field.name])
    for group in Settings.groups().values()
    for field in fields(group)
]
NAMES = [field.name for field, _ in OPTIONS]


@pytest.mark.parametrize(("field", "kind"), OPTIONS, ids=NAMES)
def test_an_option_has_a_sentence_of_help_and_a_default_of_its_type(
    field: Field[Any], kind: Any
) -> None:
    words = field.metadata["help"]
    assert words[0].isupper()
    assert words.endswith(".")
    if get_origin(kind) is Literal:
        assert field.default in get_args(kind)
        return
    assert kind in (str, int, float, bool, tuple[str, ...])
    assert isinstance(field.default, tuple if kind == tuple[str, ...] else kind)


@pytest.mark.parametrize(("field", "kind"), OPTIONS, ids=NAMES)
def test_an_option_has_its_unit_in_its_name(field: Field[Any], kind: Any) -> None:
    assert (kind is float) == field.name.endswith("_s")
    measured = field.metadata["help"].partition(" ")[0]
    assert (measured == "Seconds") == field.name.endswith("_s")
    assert (measured in ("Largest", "Longest")) == field.name.endswith("_bytes")


def test_an_options_name_is_unique_over_all_groups() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_groups_are_frozen_and_documented() -> None:
    for group in Settings.groups().values():
        assert group.__dataclass_params__.frozen
        assert group.__doc__
