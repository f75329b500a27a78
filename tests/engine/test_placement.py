from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelport.core.errors import ConfigError
from modelport.engine.placement import Facts, Placing, is_shared, why_placed
from modelport.repository.integrity import digest
from modelport.repository.layout import Source

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("shared", "facts"),
    [
        (None, {}),
        (None, {"execution": "compute"}),
        (True, {"size_bytes": 32 * MIB}),
        (True, {"size_bytes": 32 * MIB, "execution": "compute", "seconds": 1e-5}),
        (True, {"seconds": 0.002}),
        (False, {"seconds": 0.0019}),
        (False, {"workers": 1, "size_bytes": 99 * MIB, "seconds": 9.0}),
        (False, {"execution": "blocking", "size_bytes": 99 * MIB}),
        (False, {"execution": "async", "seconds": 9.0}),
    ],
)
def test_auto_shares_what_is_large_or_takes_long(shared: bool | None, facts: Any) -> None:
    assert is_shared("auto", Facts(**{"workers": 2, "size_bytes": MIB, **facts})) is shared


def test_a_word_is_obeyed_whatever_the_facts() -> None:
    facts = Facts(workers=1, size_bytes=99 * MIB, execution="async", seconds=9.0)
    assert is_shared("shared", facts) is True
    assert is_shared("inline", facts) is False


@pytest.mark.parametrize(
    ("why", "wanted", "shared", "facts"),
    [
        ("its placement is set to 'inline'", "inline", False, {}),
        ("the engine process could not take it", "shared", False, {}),
        ("there is only one worker", "auto", False, {"workers": 1}),
        ("it is a program", "auto", False, {"execution": "blocking"}),
        ("its files have 64.0 MiB", "auto", True, {"size_bytes": 64 * MIB}),
        ("the engine process could not take it", "auto", False, {"size_bytes": 64 * MIB}),
        ("the engine process could not take it", "auto", False, {"seconds": 0.02}),
        ("is not known yet", "auto", False, {}),
        ("one inference takes 20 ms: batches", "auto", True, {"seconds": 0.02}),
        ("one inference takes 0.1 ms, beside which", "auto", False, {"seconds": 0.0001}),
    ],
)
def test_an_owner_is_told_why(why: str, wanted: Any, shared: bool, facts: Any) -> None:
    known = Facts(**{"workers": 2, "size_bytes": MIB, **facts})
    assert why in why_placed(wanted, known, shared)


def placing(**given: Any) -> Placing:
    def never(source: Source) -> Any:
        raise AssertionError

    return Placing(open=never, **{"workers": 2, **given})


def test_what_was_measured_before_is_known_before_a_version_is_loaded(
    source: Callable[..., Source],
) -> None:
    lies = source(b"x")
    known = {digest(Path(lies.path)): 0.5}
    assert placing().before(lies) is None
    assert placing(known_s=known.get).before(lies) is True
    assert placing(known_s=lambda digest: 0.0001).before(lies) is False


def test_what_was_measured_before_comes_before_what_is_measured_now(
    source: Callable[..., Source],
) -> None:
    lies = source(b"x")
    assert placing().after(lies, "compute", "d", 0.5)
    assert not placing().after(lies, "compute", "d", None)
    assert not placing().after(lies, "blocking", "d", 0.5)
    assert not placing(known_s=lambda digest: 0.0001).after(lies, "compute", "d", 0.5)


def test_the_owners_word_comes_before_the_servers(source: Callable[..., Source]) -> None:
    lies = source(b"x", toml='placement = "inline"')
    assert placing(wanted="shared").before(lies) is False
    lies = source(b"x", toml='placement = "auto"')
    assert placing(wanted="shared").before(lies) is None
    lies = source(b"x", toml='placement = "outside"')
    with pytest.raises(ConfigError, match="one of auto, inline, shared"):
        placing().before(lies)


def test_why_is_told_by_what_is_known(source: Callable[..., Source]) -> None:
    lies = source(b"x")
    told = placing().why(lies, "compute", "d", None, shared=False)
    assert told == "how long one inference takes is not known yet"
    assert "0.1 ms" in placing().why(lies, "compute", "d", 0.0001, shared=False)
    assert "7 ms" in placing(known_s={"d": 0.007}.get).why(lies, "compute", "d", 1.0, shared=True)
