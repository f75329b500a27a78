"""Prints what the conformance tests found, as a table: a format's cases by what each must do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

COLUMNS = {
    "test_loads_with_the_right_signature": "signature",
    "test_many_rows_have_the_frameworks_answers": "many rows",
    "test_one_row_has_the_frameworks_answer": "one row",
    "test_missing_library_is_named": "missing library",
    "test_corrupt_file_is_refused": "corrupt",
    "test_unsafe_file_is_refused": "unsafe",
}
_TEST = re.compile(r"formats/test_formats\.py::(\w+)\[([^\]]+)\](?:@.*)?$")
_MARKS = {"passed": "yes", "failed": "NO", "error": "NO", "skipped": "-"}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One row for each case, one column for each test."""
    rows: dict[str, dict[str, str]] = {}
    for outcome, mark in _MARKS.items():
        for report in _reports(terminalreporter, outcome):
            found = _TEST.search(report.nodeid)
            if found is not None and found[1] in COLUMNS:
                rows.setdefault(found[2], {})[COLUMNS[found[1]]] = mark
    if rows:
        terminalreporter.section("formats beside their frameworks")
        width = max(map(len, rows))
        terminalreporter.line("  ".join(["case".ljust(width), *COLUMNS.values()]))
        for case, marks in sorted(rows.items()):
            cells = [marks.get(column, "").ljust(len(column)) for column in COLUMNS.values()]
            terminalreporter.line("  ".join([case.ljust(width), *cells]))


def _reports(terminalreporter: Any, outcome: str) -> Iterable[pytest.TestReport]:
    kept = [r for r in terminalreporter.stats.get(outcome, []) if hasattr(r, "nodeid")]
    return [report for report in kept if isinstance(report, pytest.TestReport)]
