"""The url and the key of a client."""

from __future__ import annotations

import pytest

from modelport.client import Client
from modelport.client.target import resolve
from modelport.core.errors import ConfigError

KEY = "mp_" + "0123456789abcdef"


@pytest.mark.parametrize(
    "url",
    ["localhost:8080", "", "ftp://a", "http://", "/predict", "http://a:x", "http://[::1", "a b"],
)
def test_a_url_without_scheme_or_host_is_refused(url):
    with pytest.raises(ConfigError, match=r"starts with http:// or https://"):
        resolve(url, "")


@pytest.mark.parametrize("url", ["http://a b", "http://a/b c", "http://a\nb", "http://a\x7f"])
def test_a_url_with_a_space_or_a_control_character_is_refused(url):
    with pytest.raises(ConfigError, match="holds a space"):
        resolve(url, "")


@pytest.mark.parametrize("url", ["http://a/?x=1", "http://a/#x"])
def test_a_url_ends_before_its_query(url):
    with pytest.raises(ConfigError, match="ends before"):
        resolve(url, "")


def test_a_password_in_the_url_is_refused_and_not_shown():
    with pytest.raises(ConfigError, match=r"Client\(url, key=") as caught:
        resolve("https://user:hidden@a", "")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://a/team", "http://a/team/"])
def test_a_url_loses_its_last_slash(url):
    assert resolve(url, "").url == "http://a/team"


@pytest.mark.parametrize("bad", ["\n", " ", "ä", "\x00", "\r\nX-Other: 1"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(bad):
    with pytest.raises(ConfigError, match="how it was copied") as caught:
        resolve("https://a", KEY + bad)
    assert KEY not in str(caught.value)


def test_a_target_does_not_show_its_key():
    target = resolve("https://a", KEY)
    assert target.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(target)


def test_a_key_in_the_clear_is_warned_of_where_the_client_is_made():
    with pytest.warns(UserWarning, match="travels unencrypted to models.example") as caught:
        Client("http://models.example", key=KEY).close()
    assert caught[0].filename == __file__
    assert KEY not in str(caught[0].message)


@pytest.mark.parametrize(
    "url", ["https://a", "http://localhost:1", "http://127.9.9.9", "http://[::1]:80"]
)
@pytest.mark.filterwarnings("error")
def test_a_key_that_is_safe_is_not_warned_of(url):
    resolve(url, KEY)


@pytest.mark.filterwarnings("error")
def test_without_a_key_there_is_nothing_to_warn_of(monkeypatch):
    monkeypatch.delenv("MODELPORT_API_KEY", raising=False)
    resolve("http://models.example", None)
