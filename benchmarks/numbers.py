"""Figures as a table shows them."""

from __future__ import annotations

from benchmarks.report import Spread

__all__ = ["number", "percent", "shown"]


def number(value: float) -> str:
    """Three digits or a few more, with thousands parted."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def shown(value: Spread | None) -> str:
    """The median, with the smallest and the largest where they differ."""
    if value is None:
        return "-"
    if value.low == value.high:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)}-{number(value.high)})"


def percent(value: Spread | None) -> str:
    """A share in percent."""
    if value is None:
        return "-"
    return shown(Spread(value.median * 100, value.low * 100, value.high * 100))
