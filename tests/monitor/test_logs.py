"""Logs: warnings and errors, one line each, on standard error."""

from __future__ import annotations

import re
import subprocess
import sys

PROGRAM = """
import logging, warnings
from modelport.monitor.logs import configure_logging
configure_logging()
log = logging.getLogger("modelport.x")
log.info("unseen")
log.warning("a %s", "warning")
warnings.warn("old", DeprecationWarning, stacklevel=1)
"""


def test_warnings_go_to_standard_error_with_time_process_and_level() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ WARNING a warning", first)
    assert "unseen" not in done.stderr
    assert any("DeprecationWarning: old" in line for line in rest)
