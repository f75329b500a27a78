"""Plug-ins: what installed packages register."""

from __future__ import annotations

from modelport.kit.plugins import entry_points


def test_the_formats_of_this_package_are_registered() -> None:
    found = entry_points("modelport.formats")
    assert {"onnx", "python", "skops", "pickle"} <= set(found)


def test_a_group_that_nobody_registers_for_is_empty() -> None:
    assert entry_points("modelport.nothing") == {}
