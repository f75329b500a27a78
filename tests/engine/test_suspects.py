from __future__ import annotations

import time

import pytest

from modelport.core.errors import InvalidInput
from modelport.engine.suspects import Suspects, Verdict


def test_a_suspect_runs_alone_a_guilty_one_is_refused_and_a_cleared_one_is_as_any() -> None:
    suspects = Suspects()
    assert not suspects.must_be_alone(b"a")
    suspects.mark(b"a", Verdict.SUSPECT)
    assert suspects.must_be_alone(b"a")
    assert not suspects.must_be_alone(b"b")
    suspects.mark(b"a", Verdict.CLEARED)
    assert not suspects.must_be_alone(b"a")
    assert len(suspects) == 0
    suspects.mark(b"a", Verdict.GUILTY)
    with pytest.raises(InvalidInput, match="ended the process of the model twice"):
        suspects.must_be_alone(b"a")


def test_who_is_guilty_stays_so() -> None:
    suspects = Suspects()
    suspects.mark(b"a", Verdict.GUILTY)
    suspects.mark(b"a", Verdict.SUSPECT)
    suspects.mark(b"a", Verdict.CLEARED)
    assert suspects.items == [(b"a", Verdict.GUILTY)]


def test_the_oldest_are_forgotten_and_so_is_what_was_long_ago() -> None:
    suspects = Suspects(most=2, kept_s=0.05)
    for digest in (b"a", b"b", b"c"):
        suspects.mark(digest, Verdict.GUILTY)
    assert [digest for digest, _ in suspects.items] == [b"b", b"c"]
    time.sleep(0.06)
    assert not suspects.must_be_alone(b"b")


def test_what_cannot_be_told_from_others_is_not_known() -> None:
    suspects = Suspects()
    suspects.mark(b"", Verdict.SUSPECT)
    assert len(suspects) == 0
