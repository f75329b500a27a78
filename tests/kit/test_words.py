"""Words that messages share."""

from __future__ import annotations

from modelport.kit.words import nearest


def test_the_nearest_word_is_suggested_else_all_are_told() -> None:
    assert nearest("featurs", ["features", "label"]) == "; did you mean 'features'?"
    assert nearest("zzz", iter(["features", "label"])) == "; known are features, label"
    assert nearest("zzz", []) == "; there are none"
