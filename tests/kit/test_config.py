"""Settings: a file, the environment and flags; each later one wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from modelport.core.errors import ConfigError
from modelport.kit.config import build, read_file, types_of


@dataclass(frozen=True)
class Net:
    host: str = "localhost"
    port: int = 80
    timeout_s: float = 1.5
    speed: Literal["slow", "fast"] = "slow"


@dataclass(frozen=True)
class Rights:
    open: bool = False
    names: tuple[str, ...] = ()
    password: str = field(default="", metadata={"secret": True, "shortest": 8})


@dataclass(frozen=True)
class Everything:
    net: Net = Net()
    rights: Rights = Rights()


@pytest.fixture
def settings() -> Callable[..., Everything]:
    def make(
        file: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        reserved: tuple[str, ...] = (),
        **flags: Any,
    ) -> Everything:
        return build(
            Everything,
            file=file or {},
            environment=environment or {},
            flags=flags,
            prefix="APP_",
            reserved=reserved,
        )

    return make


def test_without_any_source_the_defaults_hold(settings: Callable[..., Everything]) -> None:
    assert settings() == Everything()


def test_flags_win_over_the_environment_which_wins_over_the_file(
    settings: Callable[..., Everything],
) -> None:
    file = {"net": {"host": "file", "port": 1, "timeout_s": 2.5}}
    environment = {"APP_HOST": "environment", "APP_PORT": "2"}
    made = settings(file, environment, host="flag", port=None)
    assert made.net == Net("flag", 2, 2.5)


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("APP_OPEN", "true", "open", True),
        ("APP_OPEN", "NO", "open", False),
        ("APP_OPEN", "1", "open", True),
        ("APP_NAMES", " a, b,,c ", "names", ("a", "b", "c")),
        ("APP_NAMES", "", "names", ()),
    ],
)
def test_variables_are_parsed_by_the_fields_type(
    settings: Callable[..., Everything], variable: str, text: str, field: str, value: object
) -> None:
    assert getattr(settings(environment={variable: text}).rights, field) == value


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("APP_PORT", "many", "APP_PORT is a whole number, and 'many' came"),
        ("APP_PORT", "1.5", "APP_PORT is a whole number"),
        ("APP_TIMEOUT_S", "soon", "APP_TIMEOUT_S is a number, and 'soon' came"),
        ("APP_OPEN", "maybe", "APP_OPEN is true or false, and 'maybe' came"),
    ],
)
def test_a_variable_of_another_type_is_refused(
    settings: Callable[..., Everything], variable: str, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(environment={variable: text})


def test_a_list_and_a_whole_number_for_a_float_are_taken_from_the_file(
    settings: Callable[..., Everything],
) -> None:
    made = settings({"rights": {"names": ["a", "b"]}, "net": {"timeout_s": 3}})
    assert made.rights.names == ("a", "b")
    assert type(made.net.timeout_s) is float


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"net": {"port": True}}, r"\[net\] port is a whole number, and True came"),
        ({"net": {"port": "80"}}, r"\[net\] port is a whole number, and '80' came"),
        ({"net": {"host": 1}}, r"\[net\] host is a text, and 1 came"),
        ({"net": {"timeout_s": "1"}}, r"\[net\] timeout_s is a number"),
        ({"rights": {"open": 1}}, r"\[rights\] open is true or false"),
        ({"rights": {"names": "a"}}, r"\[rights\] names is a list of texts, and 'a' came"),
        ({"rights": {"names": [1]}}, r"\[rights\] names is a list of texts"),
        ({"net": 3}, r"'net' is a table: \[net\]"),
    ],
)
def test_a_value_of_another_type_in_the_file_is_refused(
    settings: Callable[..., Everything], file: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(file)


def test_a_secret_of_another_type_is_refused_without_being_told(
    settings: Callable[..., Everything],
) -> None:
    with pytest.raises(ConfigError, match="password is a text, and something else came"):
        settings({"rights": {"password": 12345678}})


def test_a_text_that_is_too_short_is_refused_without_being_told(
    settings: Callable[..., Everything],
) -> None:
    assert settings(environment={"APP_PASSWORD": "12345678"}).rights.password == "12345678"
    with pytest.raises(ConfigError, match="'password' has at least 8 characters, and 7 came") as at:
        settings(environment={"APP_PASSWORD": "abcdefg"})
    assert "abcdefg" not in str(at.value)
    assert settings({"rights": {"password": ""}}).rights.password == "", "which is: not set"


@pytest.mark.parametrize(
    ("file", "environment", "words"),
    [
        ({"nett": {}}, {}, "there is no setting 'nett'; did you mean 'net'?"),
        ({"net": {"prot": 1}}, {}, r"\[net\]: there is no setting 'prot'; did you mean 'port'"),
        ({"net": {"xyz": 1}}, {}, r"no setting 'xyz'$"),
        ({}, {"APP_PROT": "1"}, "variable APP_PROT is no setting; did you mean 'APP_PORT'"),
    ],
)
def test_an_unknown_key_names_the_nearest_one(
    settings: Callable[..., Everything],
    file: dict[str, Any],
    environment: dict[str, str],
    words: str,
) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(file, environment)


@pytest.mark.parametrize(
    "source",
    [
        {"file": {"net": {"speed": "warp"}}},
        {"environment": {"APP_SPEED": "warp"}},
        {"speed": "warp"},
    ],
    ids=["file", "environment", "flag"],
)
def test_a_word_that_is_none_of_those_allowed_is_refused_with_them(
    settings: Callable[..., Everything], source: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="'speed' is one of slow, fast, and 'warp' came"):
        settings(**source)


def test_a_word_that_is_allowed_is_taken(settings: Callable[..., Everything]) -> None:
    assert settings(environment={"APP_SPEED": "fast"}).net.speed == "fast"


def test_other_and_reserved_variables_are_left_alone(settings: Callable[..., Everything]) -> None:
    environment = {"PORT": "1", "APP_STATE_DIR": "/x"}
    assert settings(environment=environment, reserved=("APP_STATE_DIR",)) == Everything()


def test_a_file_is_read_as_toml(tmp_path: Path) -> None:
    path = tmp_path / "app.toml"
    path.write_text('[net]\nhost = "é"\n', encoding="utf-8")
    assert read_file(path) == {"net": {"host": "é"}}


@pytest.mark.parametrize("content", [b"[net\n", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "app.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not valid TOML"):
        read_file(path)


def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_file(tmp_path / "app.toml")


def test_the_types_of_a_group_are_found_through_their_annotations() -> None:
    assert types_of(Net) == {
        "host": str,
        "port": int,
        "timeout_s": float,
        "speed": Literal["slow", "fast"],
    }
