"""Plug-ins: what installed packages register."""

from __future__ import annotations

from modelport.kit.plugins import entry_points


def test_the_formats_of_this_package_are_registered_with_their_extras() -> None:
    found = entry_points("modelport.formats")
    assert {"onnx", "py", "skops", "joblib", "pkl", "pickle"} <= set(found)
    assert found["onnx"].extras == []
    assert found["skops"].extras == ["sklearn"]


def test_a_group_that_nobody_registers_for_is_empty() -> None:
    assert entry_points("modelport.nothing") == {}
