from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelport.core.errors import ConfigError
from modelport.engine.placement import Facts, Placing, is_shared
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
