"""Words that messages share."""

from __future__ import annotations

from modelport.kit.words import close, nearest


def test_the_nearest_word_is_suggested_else_all_are_told() -> None:
    assert nearest("featurs", ["features", "label"]) == "; did you mean 'features'?"
    assert nearest("zzz", iter(["features", "label"])) == "; known are features, label"
    assert nearest("zzz", []) == "; there are none"


def test_a_word_that_is_only_a_little_alike_is_no_suggestion() -> None:
    assert nearest("color", ["scale", "layout"]) == "; known are scale, layout"
    assert close("Kind", ["kind", "classes"]) == "kind"
    assert close("width", ["kind", "fill"]) is None


def test_a_word_of_other_libraries_is_told_as_it_is_written_here() -> None:
    meant = {"crop": 'resize = "crop"'}
    assert nearest("Crop", ["resize"], meant) == '; did you mean resize = "crop"?'
    assert nearest("resiz", ["resize"], meant) == "; did you mean 'resize'?"
